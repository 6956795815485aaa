# What the build needs to know of each room.

# isocenter_sources(<files>...): numerics and insides that belong to the one library libisocenter.so. Paths from the
# repository's root.
function(isocenter_sources)
  set(files ${ARGN})
  list(TRANSFORM files PREPEND ${PROJECT_SOURCE_DIR}/)
  target_sources(isocenter_objects PRIVATE ${files})
endfunction()

# isocenter_operator(<module> <name>): an operator inside libisocenter.so. src/<module>/<name>.cpp ends with
# ISOCENTER_BUILTIN_OPERATOR(<name>, <Class>); this call adds the file and a row of the operator table, so that there is
# no static initialiser for a linker to drop.
function(isocenter_operator module name)
  isocenter_sources(src/${module}/${name}.cpp)
  set_property(GLOBAL APPEND PROPERTY ISOCENTER_OPERATORS ${name})
endfunction()

# isocenter_cuda_kernels(<file>...): .cu files that hold ISOCENTER_CUDA_KERNELS(<list>, ...), from the repository's root;
# <list> is the path below kernels/ without ending, '/' as '_'.
function(isocenter_cuda_kernels)
  set_property(GLOBAL APPEND PROPERTY ISOCENTER_CUDA_KERNELS ${ARGN})
endfunction()

# isocenter_module(<name> SOURCES <files>... LINK <targets>...): a run-time module lib/isocenter/isocenter_<name>.so.
# The inside is the object library isocenter_<name>_objects, which its tests link directly.
function(isocenter_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(isocenter_${name}_objects OBJECT ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/src/core/launch_error.cpp)
  isocenter_compile_options(isocenter_${name}_objects)
  target_link_libraries(isocenter_${name}_objects PUBLIC isocenter_headers ${ARG_LINK})
  add_library(isocenter_${name} MODULE $<TARGET_OBJECTS:isocenter_${name}_objects>)
  target_link_libraries(isocenter_${name} PRIVATE isocenter ${ARG_LINK})
  set_target_properties(isocenter_${name} PROPERTIES
    PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${ISOCENTER_MODULE_DIR} LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/module_exports.map
    BUILD_RPATH "$ORIGIN/.." INSTALL_RPATH "$ORIGIN/..")
  target_link_options(isocenter_${name} PRIVATE
    LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/module_exports.map LINKER:--no-undefined)
  install(TARGETS isocenter_${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/isocenter COMPONENT ${name})
  set_property(GLOBAL APPEND PROPERTY ISOCENTER_MODULES ${name})
endfunction()

# isocenter_hands_out_threads(<files>...): sources that call oneTBB or OpenMP; see src/core/thread_handoff.hpp.
function(isocenter_hands_out_threads)
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=thread")
    set_source_files_properties(${ARGN} DIRECTORY ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR} PROPERTIES
      COMPILE_OPTIONS "-fno-sanitize=thread;-DISOCENTER_THREAD_SANITIZER")
  endif()
endfunction()

# What every C++ target of ours is compiled with.
function(isocenter_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE
    "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wconversion;-Wno-psabi;-Wno-missing-field-initializers;-ffp-contract=off>"
    # GCC 12 warns of overlapping copies inside std::string's operator+ (its bug 105651).
    "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>")
  if(ISOCENTER_WERROR)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
  endif()
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden
    CUDA_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON CXX_EXTENSIONS OFF)
endfunction()

# The operator table, written from the isocenter_operator calls.
function(isocenter_write_operator_table)
  get_property(names GLOBAL PROPERTY ISOCENTER_OPERATORS)
  set(declarations "")
  set(calls "")
  foreach(name IN LISTS names)
    string(APPEND declarations "void register_${name}(isocenter_context* context);\n")
    string(APPEND calls "  register_${name}(context);\n")
  endforeach()
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/operator_table.cpp CONTENT
"#include \"core/context.hpp\"
namespace isocenter::detail {
${declarations}
void register_builtin_operators([[maybe_unused]] isocenter_context* context) {
${calls}}
}
")
  target_sources(isocenter_objects PRIVATE ${PROJECT_BINARY_DIR}/generated/operator_table.cpp)
endfunction()

# Where test and benchmark programs look for the repository and the run-time modules. scripts/gpu.sh makes both relative
# to the current folder, for programs that are carried to another machine.
set(ISOCENTER_TEST_ROOT "${PROJECT_SOURCE_DIR}" CACHE STRING "The repository, as test programs see it")
set(ISOCENTER_TEST_MODULE_DIR "${PROJECT_BINARY_DIR}/lib/isocenter" CACHE STRING "The modules, as test programs see them")
mark_as_advanced(ISOCENTER_TEST_ROOT ISOCENTER_TEST_MODULE_DIR)

# isocenter_tests(<name> [LINK <targets>...]): one test program of all tests/<name>/*_test.cpp.
function(isocenter_tests name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${name}/*_test.cpp)
  if(NOT files)
    return()
  endif()
  add_executable(${name}_tests ${files})
  isocenter_compile_options(${name}_tests)
  target_include_directories(${name}_tests PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name}_tests PRIVATE
    ISOCENTER_TEST_DATA="${ISOCENTER_TEST_ROOT}/tests/${name}/data" ISOCENTER_SOURCE_DIR="${ISOCENTER_TEST_ROOT}"
    ISOCENTER_MODULE_DIR="${ISOCENTER_TEST_MODULE_DIR}")
  # The insides are linked statically; ENABLE_EXPORTS lets run-time modules find the C API in the program.
  target_link_libraries(${name}_tests PRIVATE isocenter_internal ${ARG_LINK} GTest::gmock GTest::gtest_main)
  set_target_properties(${name}_tests PROPERTIES ENABLE_EXPORTS ON)
  get_property(modules GLOBAL PROPERTY ISOCENTER_MODULES)
  foreach(module IN LISTS modules)
    add_dependencies(${name}_tests isocenter_${module})
  endforeach()
  add_test(NAME ${name} COMMAND ${name}_tests)
  set_tests_properties(${name} PROPERTIES TIMEOUT 900)
endfunction()
