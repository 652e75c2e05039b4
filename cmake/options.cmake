# What a user of the build may choose, beside BUILD_SHARED_LIBS. Ours are ON only where spool is the project at work.
option(SPOOL_BUILD_TESTS "build the tests" ${PROJECT_IS_TOP_LEVEL})
option(SPOOL_BUILD_BENCH "build the benchmarks" ${PROJECT_IS_TOP_LEVEL})
option(SPOOL_BUILD_EXAMPLES "build the examples" ${PROJECT_IS_TOP_LEVEL})
option(SPOOL_WERROR "warnings are errors" ${PROJECT_IS_TOP_LEVEL})

set(SPOOL_SANITIZE "" CACHE STRING "thread | address (with undefined behaviour and leaks) | empty")
set_property(CACHE SPOOL_SANITIZE PROPERTY STRINGS "" thread address)

# Each takes one remedy away, so that the test of its hazard can be seen to fail. Never for use.
set(spool_hazard_switches SPOOL_WITHOUT_EH_SWITCH SPOOL_WITHOUT_TLS_BARRIER SPOOL_WITHOUT_GUARDS)
option(SPOOL_WITHOUT_EH_SWITCH "leave the exception state alone when fibers switch" OFF)
option(SPOOL_WITHOUT_TLS_BARRIER "let the compiler cache thread-local addresses over a switch" OFF)
option(SPOOL_WITHOUT_GUARDS "give stacks no guard" OFF)
