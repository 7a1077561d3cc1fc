# Fibers: how the room `scope` is compiled, and what everything that runs on its stacks should be.
option(HYPHA_UCONTEXT "switch stacks by the C library instead of our assembler" OFF)

if(TARGET hypha_scope)
    if(HYPHA_UCONTEXT)
        target_compile_definitions(hypha_scope PRIVATE HYI_UCONTEXT)
    endif()
    # Link-time optimisation does not see what assembler defines. And the switch leaves by a jump,
    # which a shadow stack would take for an attack: without the mark on this one object the linker
    # takes it off the program.
    set(switch_flags -fno-lto)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
        list(APPEND switch_flags -fcf-protection=none)
    endif()
    set_source_files_properties(${CMAKE_SOURCE_DIR}/src/scope/switch.c PROPERTIES
                                COMPILE_OPTIONS "${switch_flags}")
    # A big frame is touched page by page, so that it meets the guard page below a fiber's stack.
    target_compile_options(hypha_scope PUBLIC -fstack-clash-protection)
endif()
