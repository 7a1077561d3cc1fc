# Tests that belong to no room: the kit's own, scenarios under test/, and the rules of the house.
#
# test/<folder>/x_test.c  -> build/<preset>/test/<folder>/x_test, CTest name <folder>/x, all rooms
get_property(HYPHA_LIBRARIES GLOBAL PROPERTY HYPHA_LIBRARIES)

file(GLOB scenarios CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/*/*_test.c)
set(folders "")
foreach(file IN LISTS scenarios)
    cmake_path(GET file PARENT_PATH folder)
    list(APPEND folders ${folder})
endforeach()
list(REMOVE_DUPLICATES folders)
foreach(folder IN LISTS folders)
    cmake_path(GET folder FILENAME name)
    if(name STREQUAL "kit") # the kit tests the rooms, so its own test must not need them
        hy_tests(kit ${folder} hypha_panic)
    else()
        hy_tests(${name} ${folder} ${HYPHA_LIBRARIES})
    endif()
endforeach()

include(${CMAKE_SOURCE_DIR}/cmake/systematic.cmake)

file(GLOB cmd_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cmd/*_test.c)
if(cmd_tests)
    hy_tests(cmd ${CMAKE_SOURCE_DIR}/cmd ${HYPHA_LIBRARIES})
endif()

if(EXISTS ${CMAKE_SOURCE_DIR}/test/cmd/CMakeLists.txt) # the commands, from a shell
    add_subdirectory(${CMAKE_SOURCE_DIR}/test/cmd ${CMAKE_BINARY_DIR}/test/cmd)
endif()

file(GLOB tidy_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/tidy*.c)
if(tidy_sources)
    add_executable(tidy ${tidy_sources})
    set_target_properties(tidy PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tools)
    target_compile_definitions(tidy PRIVATE _GNU_SOURCE)
    add_test(NAME house/tidy COMMAND tidy ${CMAKE_SOURCE_DIR})
endif()

# tidy must be able to fail: a tree that breaks every rule once, and what tidy says about it.
if(TARGET tidy)
    add_test(NAME house/tidy_fails COMMAND ${CMAKE_SOURCE_DIR}/test/house/tidy_fails
             $<TARGET_FILE:tidy> ${CMAKE_SOURCE_DIR})
    set_tests_properties(house/tidy house/tidy_fails PROPERTIES LABELS house TIMEOUT 60)
endif()

if(TARGET scope_fiber_test AND NOT HYPHA_SANITIZE AND NOT HYPHA_UCONTEXT)
    add_test(NAME house/gdb_fibers COMMAND ${CMAKE_SOURCE_DIR}/test/house/gdb_fibers
             $<TARGET_FILE:scope_fiber_test> ${CMAKE_SOURCE_DIR})
    set_tests_properties(house/gdb_fibers PROPERTIES LABELS house TIMEOUT 60 SKIP_RETURN_CODE 77)
endif()

add_test(NAME house/readme_hello COMMAND ${CMAKE_SOURCE_DIR}/test/house/readme_hello
         ${CMAKE_SOURCE_DIR})
set_tests_properties(house/readme_hello PROPERTIES LABELS house TIMEOUT 60)

# Where AddressSanitizer keeps frames apart from the stack (detect_stack_use_after_return) a used-up
# stack cannot be survived, and the runtime does not try: it panics by name. So those who test that it
# survives do without.
if(HYPHA_SANITIZE MATCHES "address")
    foreach(name scope/rescue actor/fail host/fleet_node)
        if(TEST ${name})
            set_tests_properties(${name} PROPERTIES ENVIRONMENT
                                 "ASAN_OPTIONS=detect_stack_use_after_return=0:strict_string_checks=1")
        endif()
    endforeach()
endif()
