# Fibers: how the room `scope` is compiled, and what everything that runs on its stacks should be.
option(HYPHA_UCONTEXT "switch stacks by the C library instead of our assembler" OFF)

if(TARGET hypha_scope)
    if(HYPHA_UCONTEXT)
        target_compile_definitions(hypha_scope PRIVATE HYI_UCONTEXT)
    endif()
    # A shadow stack would take a switch for an attack. Without its mark on this one object the
    # linker takes it off the program. Without a red zone a switch touches one cache line less.
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
        set_source_files_properties(${CMAKE_SOURCE_DIR}/src/scope/fiber.c PROPERTIES
                                    COMPILE_OPTIONS "-fcf-protection=none;-mno-red-zone"
                                    COMPILE_DEFINITIONS HYI_NO_RED_ZONE)
    endif()
    # A big frame is touched page by page, so that it meets the guard page below a fiber's stack. gcc
    # for aarch64 believes in guards of 64 KiB unless told; clang does not know the flag everywhere.
    include(CheckCCompilerFlag)
    check_c_compiler_flag(-fstack-clash-protection HYPHA_PROBES_FRAMES)
    if(HYPHA_PROBES_FRAMES)
        target_compile_options(hypha_scope PUBLIC -fstack-clash-protection)
    endif()
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
        target_compile_options(hypha_scope PUBLIC --param=stack-clash-protection-guard-size=12)
    endif()
endif()
