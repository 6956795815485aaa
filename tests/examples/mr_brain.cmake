# Runs examples/pipelines/mr_brain.yaml on the bundled head and holds the mask to deepbet 1.0.2's own result for it
# (tests/interop/deepbet_mask.py under PyTorch 2.15): its voxels, their mean place and their box, patient frame (LPS).
#   cmake -DCOMMAND=... -DSOURCE=... -DOUTPUT=... -P mr_brain.cmake
set(voxels 951957)                                    # to 0.5 %: Dice 0.99 allows 2 %
set(centroid 1.7007896 0.2655976 4.9802592)           # mm, to 0.2
set(box -68.3612506 -107.3984592 -65.7972437 69.7892839 96.8872898 65.8924260)  # mm, to 1.5: two voxels of a slice

execute_process(
  COMMAND ${COMMAND} run ${SOURCE}/examples/pipelines/mr_brain.yaml --input ${SOURCE}/phantoms/mr_head_studyforrest
    --output ${OUTPUT} --force --quiet
    --set fine.slice_mm=2 --set orbit.frames=2 --set orbit.width=64 --set orbit.height=64 --set view_3d.width=64
    --set view_3d.height=64
  RESULT_VARIABLE failed OUTPUT_QUIET)
if(failed)
  message(FATAL_ERROR "mr_brain.yaml ended with ${failed}")
endif()
file(READ ${OUTPUT}/report.json report)
string(JSON nodes LENGTH "${report}" nodes)
foreach(n RANGE 1 ${nodes})
  math(EXPR i "${n} - 1")
  string(JSON name GET "${report}" nodes ${i} name)
  if(name STREQUAL "measured")
    string(JSON metrics GET "${report}" nodes ${i} metrics)
  endif()
endforeach()

# Thousandths of the numbers, whole: CMake counts in integers.
function(thousandths out number)
  if(NOT number MATCHES "^(-?)([0-9]+)(\\.([0-9]*))?$")
    message(FATAL_ERROR "'${number}' is no plain number")
  endif()
  set(sign "${CMAKE_MATCH_1}")
  string(SUBSTRING "${CMAKE_MATCH_4}000" 0 3 part)
  math(EXPR value "${CMAKE_MATCH_2} * 1000 + 1${part} - 1000")
  set(${out} "${sign}${value}" PARENT_SCOPE)
endfunction()

function(expect_near metric tolerance)
  set(i 0)
  foreach(wanted IN LISTS ARGN)
    string(JSON found GET "${metrics}" ${metric} values ${i})
    thousandths(a "${wanted}")
    thousandths(b "${found}")
    math(EXPR apart "${a} - ${b}")
    if(apart GREATER tolerance OR apart LESS -${tolerance})
      message(FATAL_ERROR "${metric} ${i} is ${found}; deepbet's mask has ${wanted}")
    endif()
    math(EXPR i "${i} + 1")
  endforeach()
endfunction()
expect_near(voxels 4760000 ${voxels})
expect_near(centroid 200 ${centroid})
expect_near(box 1500 ${box})
