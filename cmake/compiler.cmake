# Build type, ccache, and the flags of our own targets.
include(CheckCXXCompilerFlag)

if(PROJECT_IS_TOP_LEVEL)
  get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
  if(NOT CMAKE_BUILD_TYPE AND NOT multi_config)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "build type" FORCE)
  endif()
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

  find_program(SPOOL_CCACHE ccache)
  if(SPOOL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Else nothing that uses a precompiled header is cached.
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${SPOOL_CCACHE}")
  endif()
endif()

# For every target of this project: what a user's build must not inherit.
function(spool_own_flags target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                           $<$<BOOL:${SPOOL_WERROR}>:-Werror>)
  if(SPOOL_SANITIZE STREQUAL "address" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # gcc loses sight of a variant's state among the checks that it inserts; the plain build keeps the warning.
    target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
  elseif(SPOOL_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # "fences are not supported": ours order a store before a load; no data race is decided by them.
    target_compile_options(${target} PRIVATE -Wno-tsan)
  endif()
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()

check_cxx_compiler_flag(-fstack-clash-protection SPOOL_HAS_STACK_CLASH_PROTECTION)
check_cxx_compiler_flag(-fno-plt SPOOL_HAS_NO_PLT)
