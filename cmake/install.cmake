# What `cmake --install` puts where: the tool with its completions (tools/keras-litert/CMakeLists.txt), the public headers,
# the libraries and a CMake package, so that another project says
#   find_package(keras_litert REQUIRED)
#   target_link_libraries(app PRIVATE keras_litert::keras_litert)

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/keras_litert)
set(parts util ir archive litert ops layers passes quantize tuning)
list(TRANSFORM parts PREPEND keras_litert_)
foreach(part ${parts})
  string(REPLACE keras_litert_ "" name ${part})
  set_target_properties(${part} PROPERTIES EXPORT_NAME ${name})
endforeach()

# The parts are there because a static library needs them when it is linked; their headers are not.
install(TARGETS keras_litert ${parts} keras_litert_schema EXPORT keras_litert-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT keras_litert-targets NAMESPACE keras_litert:: DESTINATION ${package_dir})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/keras_litert DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

configure_package_config_file(
  ${CMAKE_SOURCE_DIR}/cmake/keras_litert-config.cmake.in ${CMAKE_BINARY_DIR}/keras_litert-config.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/keras_litert-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/keras_litert-config.cmake ${CMAKE_BINARY_DIR}/keras_litert-config-version.cmake
        DESTINATION ${package_dir})
