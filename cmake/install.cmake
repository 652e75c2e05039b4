# find_package(spool): headers, library, targets and version. A sanitizer's build is for its own tests only.
if(SPOOL_SANITIZE)
  return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(spool_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/spool")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(TARGETS spool EXPORT spool-targets)
install(EXPORT spool-targets NAMESPACE spool:: DESTINATION "${spool_package_dir}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/spool-config.cmake.in" "${PROJECT_BINARY_DIR}/spool-config.cmake"
  INSTALL_DESTINATION "${spool_package_dir}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/spool-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/spool-config.cmake" "${PROJECT_BINARY_DIR}/spool-config-version.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/boost.cmake"
  DESTINATION "${spool_package_dir}")
