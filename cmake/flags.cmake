# One set of flags for everything we compile: both compilers, warnings are errors.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

set(CMAKE_C_FLAGS_DEBUG "-Og -g")
set(CMAKE_C_FLAGS_RELEASE "-O3 -g")
if(HYPHA_PURE_ONLY)
    set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
    set(CMAKE_C_FLAGS_RELEASE "-O2") # small enough to be downloaded
endif()

add_compile_options(
    -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wimplicit-fallthrough -Werror)

# Messages name files from the root of the repository, and no binary holds where it was built.
add_compile_options(-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=)

if(HYPHA_PARANOID)
    add_compile_definitions(HY_PARANOID)
endif()

if(HYPHA_SANITIZE)
    add_compile_options(-fsanitize=${HYPHA_SANITIZE} -fno-sanitize-recover=all
                        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${HYPHA_SANITIZE})
endif()

if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fno-semantic-interposition)
    # Archives that are also linked without link-time optimisation, and by clang.
    if(CMAKE_INTERPROCEDURAL_OPTIMIZATION)
        add_compile_options(-ffat-lto-objects)
    endif()
    # gcc guesses here, and wrongly: rows and keys are read by offset, and it takes the members that a
    # compound literal leaves zero for uninitialised ones. clang and the sanitizers look for real.
    add_compile_options(-Wno-maybe-uninitialized)
endif()

if(HYPHA_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "libFuzzer needs clang: use the preset `fuzz`")
    endif()
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
