# Programs: the command `hypha`, the examples, the benchmarks. All of them may use every room.
#
# cmd/*.c                   -> build/<preset>/hypha
# examples/NN_name.c        -> build/<preset>/examples/NN_name; with examples/NN_name.expected it is
#                              also a test: the output must be the same, byte for byte
# examples/<x>/CMakeLists.txt is included; it calls hy_example(name file...)
# bench/x_bench.c           -> build/<preset>/bench/x_bench, with all bench/*.c that are no _bench.c
get_property(HYPHA_LIBRARIES GLOBAL PROPERTY HYPHA_LIBRARIES)
add_custom_target(examples)
add_custom_target(programs) # what `make run` needs
add_custom_target(benches)

# hy_program(name folder file...): links everything. Its own folder and src/ can be included.
function(hy_program name folder)
    add_executable(${name} ${ARGN})
    set_target_properties(${name} PROPERTIES
                          RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${folder})
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src
                               ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name} PRIVATE ${HYPHA_LIBRARIES} m)
endfunction()

function(hy_example name)
    hy_program(${name} examples ${ARGN})
    add_dependencies(examples ${name})
    add_dependencies(programs ${name})
endfunction()

file(GLOB cmd_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cmd/*.c)
list(FILTER cmd_sources EXCLUDE REGEX "_test\\.c$")
if(cmd_sources)
    hy_program(hypha . ${cmd_sources})
    # Modules of machines (machines/*.so) use the engine of the program that loads them.
    set(engine "")
    foreach(room machine schema base)
        string(APPEND engine ",$<TARGET_FILE:hypha_${room}>")
    endforeach()
    set_target_properties(hypha PROPERTIES ENABLE_EXPORTS ON)
    target_link_options(hypha PRIVATE "LINKER:--whole-archive${engine},--no-whole-archive")
    target_link_libraries(hypha PRIVATE ${CMAKE_DL_LIBS})
    add_dependencies(programs hypha)
endif()

file(GLOB examples CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/examples/[0-9]*.c)
foreach(file IN LISTS examples)
    cmake_path(GET file STEM name)
    hy_example(${name} ${file})
    if(HYPHA_TESTS AND EXISTS ${CMAKE_SOURCE_DIR}/examples/${name}.expected)
        add_test(NAME examples/${name}
                 COMMAND ${CMAKE_SOURCE_DIR}/scripts/compare $<TARGET_FILE:${name}>
                         ${CMAKE_SOURCE_DIR}/examples/${name}.expected)
        set_tests_properties(examples/${name} PROPERTIES LABELS examples TIMEOUT 120)
    endif()
endforeach()

file(GLOB folders CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/examples/*/CMakeLists.txt)
foreach(file IN LISTS folders)
    cmake_path(GET file PARENT_PATH folder)
    add_subdirectory(${folder})
endforeach()

file(GLOB benches CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/*_bench.c)
file(GLOB bench_shared CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/*.c)
list(FILTER bench_shared EXCLUDE REGEX "_(bench|test)\\.c$")
foreach(file IN LISTS benches)
    cmake_path(GET file STEM name)
    hy_program(${name} bench ${file} ${bench_shared})
    add_dependencies(benches ${name})
endforeach()
if(HYPHA_TESTS AND TARGET machine_bench)
    add_test(NAME bench/golden_vectors
             COMMAND ${CMAKE_SOURCE_DIR}/test/bench/golden_vectors $<TARGET_FILE:machine_bench>)
    set_tests_properties(bench/golden_vectors PROPERTIES LABELS bench TIMEOUT 300)
endif()
