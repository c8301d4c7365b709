# SPDX-License-Identifier: Apache-2.0
# Used only by setup.py (-DCMAKE_PROJECT_INCLUDE=...), after everything else in CMakeLists.txt.

# The ros-* wheels export CMake targets that name /opt/python/..., an include directory that existed
# only on the machine that built those wheels.
function(_f4x_drop_missing_include_dirs)
  get_property(targets DIRECTORY "${CMAKE_SOURCE_DIR}" PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(dirs ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(dirs)
      list(FILTER dirs EXCLUDE REGEX "^/opt/python/")
      set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${dirs}")
    endif()
  endforeach()
endfunction()

# With a virtual environment inside the source tree, NumPy's headers lie under CMAKE_SOURCE_DIR,
# which CMake refuses in an exported target. Nobody needs them after the build.
function(_f4x_keep_source_dirs_to_the_build)
  get_property(targets DIRECTORY "${CMAKE_SOURCE_DIR}" PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(dirs ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(dirs)
      list(TRANSFORM dirs REPLACE "^(${CMAKE_SOURCE_DIR}/.*)$" "$<BUILD_INTERFACE:\\1>")
      set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${dirs}")
    endif()
  endforeach()
endfunction()

cmake_language(DEFER DIRECTORY "${CMAKE_SOURCE_DIR}" CALL _f4x_drop_missing_include_dirs)
cmake_language(DEFER DIRECTORY "${CMAKE_SOURCE_DIR}" CALL _f4x_keep_source_dirs_to_the_build)
