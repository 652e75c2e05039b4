# The target spool::spool.
file(GLOB_RECURSE spool_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/*.cpp")
add_library(spool ${spool_sources})
add_library(spool::spool ALIAS spool)

target_compile_features(spool PUBLIC cxx_std_20)
target_include_directories(spool
  PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>
  PRIVATE "${PROJECT_SOURCE_DIR}/src")
target_link_libraries(spool
  PUBLIC Boost::headers Threads::Threads
  PRIVATE spool::boost_fiber fmt::fmt spdlog::spdlog)

spool_own_flags(spool)
target_compile_options(spool PRIVATE
  $<$<BOOL:${SPOOL_HAS_STACK_CLASH_PROTECTION}>:-fstack-clash-protection>
  $<$<BOOL:${SPOOL_HAS_NO_PLT}>:-fno-plt>)
# Only the runtime knows them: .ci/hazards turns them on and off in one build and compiles no more than that again.
set(runtime_sources ${spool_sources})
list(FILTER runtime_sources INCLUDE REGEX "/src/runtime/")
foreach(switch IN LISTS spool_hazard_switches)
  if(${switch})
    set_property(SOURCE ${runtime_sources} APPEND PROPERTY COMPILE_DEFINITIONS ${switch})
  endif()
endforeach()

if(SPOOL_SANITIZE)
  target_compile_options(spool PUBLIC ${spool_sanitize_flags} -fno-omit-frame-pointer)
  target_link_options(spool PUBLIC ${spool_sanitize_flags})
  target_compile_definitions(spool PUBLIC BOOST_USE_UCONTEXT ${spool_sanitize_macro})
endif()

set_target_properties(spool PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
if(BUILD_SHARED_LIBS)
  # A version script instead of an export macro on every declaration: it hides what is not ours just as well.
  set(spool_exports "${PROJECT_SOURCE_DIR}/cmake/exports.map")
  target_link_options(spool PRIVATE "LINKER:--version-script=${spool_exports}")
  set_target_properties(spool PROPERTIES LINK_DEPENDS "${spool_exports}")
endif()
