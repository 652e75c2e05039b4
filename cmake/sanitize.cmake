# SPOOL_SANITIZE. A sanitizer must be told of every stack switch. Boost.Context does that only in its ucontext flavor
# and only when built for it; the distribution's library is not, so both Boost libraries are compiled here (13 files).
if(NOT SPOOL_SANITIZE)
  return()
elseif(SPOOL_SANITIZE STREQUAL "thread")
  set(spool_sanitize_flags -fsanitize=thread)
  set(spool_sanitize_macro BOOST_USE_TSAN)
elseif(SPOOL_SANITIZE STREQUAL "address")
  set(spool_sanitize_flags -fsanitize=address,undefined -fno-sanitize-recover=undefined)
  # The check of an object's type opens a pipe, and calls the object wrong in a process that has no descriptor left.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    list(APPEND spool_sanitize_flags -fno-sanitize=vptr)
  endif()
  set(spool_sanitize_macro BOOST_USE_ASAN)
else()
  message(FATAL_ERROR "SPOOL_SANITIZE is '${SPOOL_SANITIZE}'; it can be thread, address or empty")
endif()

# Unpacks libs/fiber/src and libs/context/src of the installed Boost's source package below the build directory.
function(spool_boost_sources result)
  set(root "${PROJECT_BINARY_DIR}/boost-source")
  if(NOT EXISTS "${root}/complete")
    string(REGEX MATCH "^[0-9]+\\.[0-9]+" version "${Boost_VERSION}")
    message(STATUS "spool: getting the source of Boost ${version} for SPOOL_SANITIZE=${SPOOL_SANITIZE}")
    execute_process(
      COMMAND "${PROJECT_SOURCE_DIR}/cmake/boost_source.sh" ${version}
      OUTPUT_VARIABLE tarball OUTPUT_STRIP_TRAILING_WHITESPACE
      RESULT_VARIABLE failed)
    if(failed)
      message(FATAL_ERROR "spool: no source of Boost ${version}, see above")
    endif()
    file(REMOVE_RECURSE "${root}")
    file(MAKE_DIRECTORY "${root}")
    # Names in there are UTF-8, and CMake unpacks nothing that its locale cannot spell.
    execute_process(
      COMMAND "${CMAKE_COMMAND}" -E env LC_ALL=C.UTF-8
              "${CMAKE_COMMAND}" -E tar xf "${tarball}" -- "*/libs/fiber/src" "*/libs/context/src"
      WORKING_DIRECTORY "${root}"
      COMMAND_ERROR_IS_FATAL ANY)
    file(TOUCH "${root}/complete")
  endif()
  file(GLOB libs "${root}/*/libs")
  set(${result} "${libs}" PARENT_SCOPE)
endfunction()

# ThreadSanitizer does not model std::atomic_thread_fence, with which Boost.Fiber pairs the release of its reference counts.
# A copy of its headers with acq_rel decrements says the same in a way that it understands.
function(spool_boost_headers_without_fences result)
  set(copy "${PROJECT_BINARY_DIR}/boost-headers")
  if(NOT EXISTS "${copy}/complete")
    get_target_property(installed Boost::headers INTERFACE_INCLUDE_DIRECTORIES)
    file(COPY "${installed}/boost/fiber" DESTINATION "${copy}/boost")
    file(GLOB_RECURSE headers "${copy}/boost/fiber/*.hpp")
    foreach(header IN LISTS headers)
      file(READ "${header}" text)
      string(REGEX REPLACE "fetch_sub\\( *1, *std::memory_order_release *\\)" "fetch_sub( 1, std::memory_order_acq_rel)"
                           text "${text}")
      file(WRITE "${header}" "${text}")
    endforeach()
    file(TOUCH "${copy}/complete")
  endif()
  set(${result} "${copy}" PARENT_SCOPE)
endfunction()

# Called once Boost's headers are known, in place of spool_import_boost.
function(spool_build_boost)
  spool_boost_sources(libs)
  set(sources)
  foreach(name IN ITEMS algo/algorithm algo/round_robin algo/shared_work barrier condition_variable context fiber
                        future mutex properties recursive_mutex recursive_timed_mutex scheduler timed_mutex waker)
    list(APPEND sources "${libs}/fiber/src/${name}.cpp")
  endforeach()
  list(APPEND sources "${libs}/context/src/fiber.cpp" "${libs}/context/src/posix/stack_traits.cpp")

  add_library(spool_boost_fiber STATIC ${sources})
  add_library(spool::boost_fiber ALIAS spool_boost_fiber)
  target_compile_features(spool_boost_fiber PUBLIC cxx_std_20)
  target_compile_definitions(spool_boost_fiber
    PUBLIC BOOST_USE_UCONTEXT ${spool_sanitize_macro}
    PRIVATE BOOST_FIBERS_SOURCE BOOST_CONTEXT_SOURCE)
  target_compile_options(spool_boost_fiber PUBLIC ${spool_sanitize_flags} -fno-omit-frame-pointer PRIVATE -w)
  target_link_options(spool_boost_fiber PUBLIC ${spool_sanitize_flags})
  if(SPOOL_SANITIZE STREQUAL "thread")
    spool_boost_headers_without_fences(headers)
    target_include_directories(spool_boost_fiber SYSTEM BEFORE PUBLIC "${headers}")
  endif()
  target_link_libraries(spool_boost_fiber PUBLIC Boost::headers Threads::Threads)
  set_target_properties(spool_boost_fiber PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()
