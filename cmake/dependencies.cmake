# What the library needs; tests, bench and examples look for theirs themselves.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)  # a parent project links our static library's private dependencies
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Boost 1.81 CONFIG REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)

include("${PROJECT_SOURCE_DIR}/cmake/boost.cmake")
if(SPOOL_SANITIZE)
  spool_build_boost()
elseif(BUILD_SHARED_LIBS)
  # One copy of Boost.Fiber per process: what uses it beside libspool.so must meet the same one.
  spool_import_boost(shared)
else()
  spool_import_boost(static)
endif()
