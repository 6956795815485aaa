# What `cmake --install` lays down, and the package that find_package(isocenter COMPONENTS ...) finds.
#
#   <lib>/libisocenter.so        core, phantom, recon, denoise, render, volume   (install component "core")
#   <lib>/isocenter/             the run-time modules                            (one install component each)
#   <include>/isocenter/         the public headers, a module's with it
#   <lib>/cmake/isocenter/       the package
include(CMakePackageConfigHelpers)

set(ISOCENTER_INSTALL_PACKAGEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/isocenter)
set(ISOCENTER_INSTALL_MODULEDIR ${CMAKE_INSTALL_LIBDIR}/isocenter)

install(TARGETS isocenter EXPORT isocenterTargets COMPONENT core)
install(EXPORT isocenterTargets NAMESPACE isocenter:: DESTINATION ${ISOCENTER_INSTALL_PACKAGEDIR} COMPONENT core)

# Public headers: what lies directly in include/isocenter, and the folder of each room that is built.
function(isocenter_install_headers folder component)
  file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/isocenter/${folder}/*.h
    ${PROJECT_SOURCE_DIR}/include/isocenter/${folder}/*.hpp)
  if(NOT folder)
    list(FILTER headers EXCLUDE REGEX "/yaml\\.hp?p?$")
  endif()
  install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/isocenter/${folder} COMPONENT ${component})
endfunction()
isocenter_install_headers("" core)
foreach(room IN ITEMS phantom recon denoise render volume interop)
  isocenter_install_headers(${room} core)
endforeach()
get_property(built_modules GLOBAL PROPERTY ISOCENTER_MODULES)
foreach(room IN LISTS built_modules)
  isocenter_install_headers(${room} ${room})  # the module itself is installed by isocenter_module()
endforeach()

# The loader of pipelines from files: a library of its own, because it needs yaml-cpp.
if(TARGET isocenter_yaml)
  install(TARGETS isocenter_yaml EXPORT isocenterYamlTargets COMPONENT yaml)
  install(EXPORT isocenterYamlTargets NAMESPACE isocenter:: FILE isocenterYamlTargets.cmake
    DESTINATION ${ISOCENTER_INSTALL_PACKAGEDIR} COMPONENT yaml)
  install(FILES ${PROJECT_SOURCE_DIR}/include/isocenter/yaml.h ${PROJECT_SOURCE_DIR}/include/isocenter/yaml.hpp
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/isocenter COMPONENT yaml)
endif()

if(TARGET isocenter_command)
  install(TARGETS isocenter_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT command)
endif()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/isocenterConfig.cmake.in
  ${PROJECT_BINARY_DIR}/generated/isocenterConfig.cmake INSTALL_DESTINATION ${ISOCENTER_INSTALL_PACKAGEDIR}
  PATH_VARS ISOCENTER_INSTALL_MODULEDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/generated/isocenterConfigVersion.cmake
  COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/generated/isocenterConfig.cmake
  ${PROJECT_BINARY_DIR}/generated/isocenterConfigVersion.cmake
  DESTINATION ${ISOCENTER_INSTALL_PACKAGEDIR} COMPONENT core)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/docs/soup.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT core)
