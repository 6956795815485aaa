# libFuzzer targets: compiled by clang beside whatever compiles the rest, since only clang has libFuzzer. Each test runs
# its target for twenty seconds over a corpus of small files; run one by hand for longer:
#   build/.../bin/dicom_fuzz -max_total_time=600 a_folder_for_its_corpus tests/dicom/data/syntax
find_program(ISOCENTER_FUZZ_COMPILER NAMES clang++ clang++-14)

# Whether this build has fuzzers: says why not, once.
function(isocenter_find_fuzzing result)
  set(${result} FALSE PARENT_SCOPE)
  # The fuzzer brings sanitizers of its own: once a machine is enough, so the sanitizer presets leave it out.
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    message(STATUS "Isocenter: fuzzing is off in a sanitizer build; the release preset has it")
    return()
  elseif(NOT ISOCENTER_FUZZ_COMPILER)
    message(STATUS "Isocenter: fuzzing is off, clang++ was not found (Debian: clang)")
    return()
  endif()
  set(probe ${CMAKE_CURRENT_BINARY_DIR}/fuzzing_probe)
  file(WRITE ${probe}.cpp "extern \"C\" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n")
  execute_process(COMMAND ${ISOCENTER_FUZZ_COMPILER} -fsanitize=fuzzer,address,undefined ${probe}.cpp -o ${probe}
    RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
  if(failed)
    message(STATUS "Isocenter: fuzzing is off, ${ISOCENTER_FUZZ_COMPILER} has no libFuzzer (Debian: libclang-rt-dev)")
    return()
  endif()
  set(${result} TRUE PARENT_SCOPE)
endfunction()

# isocenter_fuzzer(name SOURCES file... INCLUDES folder... LIBRARIES -l... ARGUMENTS libFuzzer's... CORPUS folder...
# [WITH other]): the target <name>_fuzz and the test fuzz_<name>. Sources are absolute or relative to the project; the
# includes of the project itself are there already. WITH adds what the fuzzer `other`, which stands before in the same
# file, compiled beside its own *_fuzz.cpp.
function(isocenter_fuzzer name)
  cmake_parse_arguments(FUZZ "" "WITH" "SOURCES;INCLUDES;LIBRARIES;ARGUMENTS;CORPUS" ${ARGN})
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${name})
  file(MAKE_DIRECTORY ${folder}/objects ${folder}/corpus)
  list(TRANSFORM FUZZ_INCLUDES PREPEND -isystem)
  set(objects "")
  foreach(source IN LISTS FUZZ_SOURCES)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
    cmake_path(GET source FILENAME file)
    set(object ${folder}/objects/${file}.o)
    add_custom_command(OUTPUT ${object}
      COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${ISOCENTER_FUZZ_COMPILER} -std=c++20 -g -O1 -w
              -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
              -I${PROJECT_SOURCE_DIR}/include -I${PROJECT_SOURCE_DIR}/src -I${PROJECT_SOURCE_DIR}/kernels
              ${FUZZ_INCLUDES} -MD -MF ${object}.d -c ${source} -o ${object}
      DEPENDS ${source} DEPFILE ${object}.d COMMENT "Fuzzing: ${file}" VERBATIM COMMAND_EXPAND_LISTS)
    list(APPEND objects ${object})
  endforeach()
  set_property(GLOBAL PROPERTY ISOCENTER_FUZZ_OBJECTS_${name} ${objects})
  if(FUZZ_WITH)
    get_property(shared GLOBAL PROPERTY ISOCENTER_FUZZ_OBJECTS_${FUZZ_WITH})
    list(FILTER shared EXCLUDE REGEX "_fuzz\\.cpp\\.o$")
    list(APPEND objects ${shared})
  endif()
  set(fuzzer ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/${name}_fuzz)
  add_custom_command(OUTPUT ${fuzzer}
    COMMAND ${ISOCENTER_FUZZ_COMPILER} -fsanitize=fuzzer,address,undefined ${objects} -o ${fuzzer} ${FUZZ_LIBRARIES}
    DEPENDS ${objects} VERBATIM)
  add_custom_target(${name}_fuzz ALL DEPENDS ${fuzzer})
  if(FUZZ_WITH)
    add_dependencies(${name}_fuzz ${FUZZ_WITH}_fuzz)
  endif()
  add_test(NAME fuzz_${name} COMMAND ${fuzzer} -max_total_time=20 -max_len=65536 -print_final_stats=0 -verbosity=0
    -artifact_prefix=${folder}/ ${FUZZ_ARGUMENTS} ${folder}/corpus ${FUZZ_CORPUS})
  set_tests_properties(fuzz_${name} PROPERTIES TIMEOUT 300)
endfunction()
