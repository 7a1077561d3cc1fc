# The room `actor` with yield points, and the program that runs it one thread at a time: see
# test/systematic/systematic.h. Nothing else is built in this way.
if(TARGET hypha_actor)
    file(GLOB systematic_room CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/actor/*.c)
    list(FILTER systematic_room EXCLUDE REGEX "_(test|fuzz|bench|suite)\\.c$")
    set(systematic ${CMAKE_SOURCE_DIR}/test/systematic)
    add_executable(actor_systematic ${systematic_room} ${systematic}/systematic.c
                                    ${systematic}/actor_systematic.c)
    set_target_properties(actor_systematic PROPERTIES
                          RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test/systematic)
    target_compile_definitions(actor_systematic PRIVATE _GNU_SOURCE HYI_SYSTEMATIC)
    target_include_directories(actor_systematic PRIVATE ${CMAKE_SOURCE_DIR}/src
                               ${CMAKE_SOURCE_DIR}/test)
    target_link_libraries(actor_systematic PRIVATE hypha_kit hypha_schema hypha_scope hypha_world
                          hypha_base)
    add_dependencies(actor_tests actor_systematic)
    add_test(NAME actor/systematic COMMAND actor_systematic)
    set_tests_properties(actor/systematic PROPERTIES LABELS actor TIMEOUT 300)
endif()
