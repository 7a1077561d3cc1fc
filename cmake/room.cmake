# How one room of src/ becomes a static library, its tests and its fuzz targets.
#
#   hy_room(name [PURE] [DEPENDS room...] [NEEDS pkg-config-module...])
#
# src/<name>/*.c           -> library hypha_<name>
# src/<name>/x_test.c      -> build/<preset>/test/<name>/x_test, CTest name <name>/x
# src/<name>/x_fuzz.c      -> build/<preset>/fuzz/x_fuzz (clang), and in every build a test
#                             <name>/x_corpus that replays test/corpus/x/*
# src/<name>/x_suite.c     -> code shared by the tests of the room and of the rooms that depend on
#                             it; never in the library
#
# A room whose folder has no .c file is skipped without a word, and so are dependencies on it.

if(NOT HYPHA_PURE_ONLY)
    find_package(PkgConfig REQUIRED)
    find_package(Threads REQUIRED)
    # hy_panic is all that the pure rooms ask of outside, and their tests also want guarded pages.
    # Both are an archive of their own, so that those tests link without the event loop.
    add_library(hypha_panic STATIC ${CMAKE_SOURCE_DIR}/src/world/panic.c
                                   ${CMAKE_SOURCE_DIR}/src/world/guard.c)
    target_compile_definitions(hypha_panic PRIVATE _GNU_SOURCE)
    target_include_directories(hypha_panic PUBLIC ${CMAKE_SOURCE_DIR}/include
                               PRIVATE ${CMAKE_SOURCE_DIR}/src)
    set_property(GLOBAL APPEND PROPERTY HYPHA_LIBRARIES hypha_panic)
endif()

# A fiber that has used up its stack can be saved if it was in the user's code (scope/overflow.c). So
# the compiler lists the functions that are ours: one instruction that does nothing in each.
if(NOT HYPHA_PURE_ONLY)
    include(CheckCCompilerFlag)
    check_c_compiler_flag(-fpatchable-function-entry=1 HYPHA_LISTS_FUNCTIONS)
endif()

if(HYPHA_TESTS)
    enable_testing()
    pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)
    file(GLOB kit_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/kit/*.c)
    list(FILTER kit_sources EXCLUDE REGEX "_test\\.c$|/replay\\.c$")
    add_library(hypha_kit STATIC ${kit_sources})
    target_compile_definitions(hypha_kit PRIVATE _GNU_SOURCE
                               KIT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    target_include_directories(hypha_kit PUBLIC ${CMAKE_SOURCE_DIR}/test
                               ${CMAKE_SOURCE_DIR}/include)
    target_link_libraries(hypha_kit PUBLIC PkgConfig::cmocka Threads::Threads)
endif()

# One pkg-config module as an imported target, looked up once.
function(hy_package module)
    if(NOT TARGET PkgConfig::${module})
        pkg_check_modules(${module} REQUIRED IMPORTED_TARGET GLOBAL ${module})
    endif()
endfunction()

function(hy_room name)
    cmake_parse_arguments(ROOM "PURE" "" "DEPENDS;NEEDS" ${ARGN})
    set(folder ${CMAKE_SOURCE_DIR}/src/${name})
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
    list(FILTER sources EXCLUDE REGEX "_(test|fuzz|bench|suite)\\.c$|/world/(panic|guard)\\.c$")
    if(NOT sources)
        return()
    endif()

    add_library(hypha_${name} STATIC ${sources})
    target_include_directories(hypha_${name} PUBLIC ${CMAKE_SOURCE_DIR}/include
                               PRIVATE ${CMAKE_SOURCE_DIR}/src)
    if(ROOM_PURE AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
        # Joining neighbouring stores into one makes the loads right behind them wait: 2 % of a step.
        target_compile_options(hypha_${name} PRIVATE -fno-tree-slp-vectorize)
    endif()
    if(HYPHA_LISTS_FUNCTIONS)
        target_compile_options(hypha_${name} PRIVATE -fpatchable-function-entry=1)
    endif()
    if(NOT ROOM_PURE)
        target_compile_definitions(hypha_${name} PRIVATE _GNU_SOURCE)
        target_link_libraries(hypha_${name} PUBLIC Threads::Threads)
    endif()
    foreach(room IN LISTS ROOM_DEPENDS)
        if(TARGET hypha_${room})
            target_link_libraries(hypha_${name} PUBLIC hypha_${room})
        endif()
    endforeach()
    foreach(module IN LISTS ROOM_NEEDS)
        hy_package(${module})
        target_link_libraries(hypha_${name} PUBLIC PkgConfig::${module})
    endforeach()
    if(TARGET hypha_panic)
        target_link_libraries(hypha_${name} PUBLIC hypha_panic)
    endif()
    set_property(GLOBAL APPEND PROPERTY HYPHA_LIBRARIES hypha_${name})

    if(HYPHA_TESTS)
        hy_suite(${name} ${folder} ${ROOM_DEPENDS})
        hy_tests(${name} ${folder} hypha_${name}_suite)
    endif()
endfunction()

# hypha_<room>_suite: what tests of the room link. The archive comes before the room and the kit, and
# brings the suites of the rooms below.
function(hy_suite room folder)
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*_suite.c)
    set(kind INTERFACE)
    if(sources)
        set(kind PUBLIC)
        add_library(hypha_${room}_suite STATIC ${sources})
        target_compile_definitions(hypha_${room}_suite PRIVATE _GNU_SOURCE)
        target_include_directories(hypha_${room}_suite PRIVATE ${CMAKE_SOURCE_DIR}/src)
    else()
        add_library(hypha_${room}_suite INTERFACE)
    endif()
    foreach(below IN LISTS ARGN)
        if(TARGET hypha_${below}_suite)
            target_link_libraries(hypha_${room}_suite ${kind} hypha_${below}_suite)
        endif()
    endforeach()
    target_link_libraries(hypha_${room}_suite ${kind} hypha_kit hypha_${room})
endfunction()

# The tests and fuzz targets of one folder, linked with `library...`.
function(hy_tests room folder)
    file(GLOB tests CONFIGURE_DEPENDS ${folder}/*_test.c)
    file(GLOB fuzzers CONFIGURE_DEPENDS ${folder}/*_fuzz.c)
    if(tests OR fuzzers)
        add_custom_target(${room}_tests)
    endif()
    foreach(file IN LISTS tests)
        cmake_path(GET file STEM stem)
        string(REGEX REPLACE "_test$" "" name ${stem})
        hy_test_program(${room}_${stem} ${stem} test/${room} ${room} ${file})
        target_link_libraries(${room}_${stem} PRIVATE hypha_kit ${ARGN})
        add_test(NAME ${room}/${name} COMMAND ${room}_${stem})
        set(labels ${room})
        if(name MATCHES "_(crash|sweep)$") # exhaustive: once is enough, the sanitizers skip them
            list(APPEND labels slow)
        endif()
        set_tests_properties(${room}/${name} PROPERTIES LABELS "${labels}" TIMEOUT 300)
    endforeach()
    foreach(file IN LISTS fuzzers)
        hy_fuzzer(${room} ${file} ${ARGN})
    endforeach()
endfunction()

function(hy_test_program target output folder room)
    add_executable(${target} ${ARGN})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${output}
                          RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${folder})
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src)
    add_dependencies(${room}_tests ${target})
endfunction()

# The corpus is replayed in every build; libFuzzer itself needs clang and the option HYPHA_FUZZ.
function(hy_fuzzer room file)
    cmake_path(GET file STEM stem)
    string(REGEX REPLACE "_fuzz$" "" name ${stem})
    hy_test_program(${room}_${name}_corpus ${name}_corpus test/${room} ${room}
                    ${file} ${CMAKE_SOURCE_DIR}/test/kit/replay.c)
    target_link_libraries(${room}_${name}_corpus PRIVATE hypha_kit ${ARGN})
    add_test(NAME ${room}/${name}_corpus
             COMMAND ${room}_${name}_corpus ${CMAKE_SOURCE_DIR}/test/corpus/${name})
    set_tests_properties(${room}/${name}_corpus PROPERTIES LABELS "${room};corpus" TIMEOUT 300)
    if(HYPHA_FUZZ)
        hy_test_program(${room}_${stem} ${stem} fuzz ${room} ${file})
        target_link_libraries(${room}_${stem} PRIVATE hypha_kit ${ARGN})
        target_link_options(${room}_${stem} PRIVATE -fsanitize=fuzzer)
    endif()
endfunction()

# libhypha_pure.a: the rooms above the purity line as one archive, which scripts/check examines and
# the wasm build makes.
function(hy_pure_archive)
    set(objects "")
    foreach(room IN LISTS ARGN)
        if(TARGET hypha_${room})
            list(APPEND objects $<TARGET_OBJECTS:hypha_${room}>)
        endif()
    endforeach()
    if(objects)
        add_library(hypha_pure STATIC ${objects})
        set_target_properties(hypha_pure PROPERTIES LINKER_LANGUAGE C)
    endif()
endfunction()
