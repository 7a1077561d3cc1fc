# The files of src/net/console, as one C file in the build folder that `net` is linked with: programs
# carry their console, and install nothing beside themselves.
#
# This file is read twice: by CMakeLists.txt, where it makes the rule, and by `cmake -P`, where it
# does the work (HYPHA_CONSOLE_OUT is then the file to write).
if(NOT HYPHA_CONSOLE_OUT)
    if(NOT TARGET hypha_net)
        return()
    endif()
    set(folder ${CMAKE_SOURCE_DIR}/src/net/console)
    file(GLOB console_files CONFIGURE_DEPENDS ${folder}/*.html ${folder}/*.css ${folder}/*.js)
    set(out ${CMAKE_BINARY_DIR}/generated/console_files.c)
    add_custom_command(
        OUTPUT ${out}
        COMMAND ${CMAKE_COMMAND} -DHYPHA_CONSOLE_OUT=${out} -DHYPHA_CONSOLE_FOLDER=${folder}
                -P ${CMAKE_CURRENT_LIST_FILE}
        DEPENDS ${console_files} ${CMAKE_CURRENT_LIST_FILE}
        COMMENT "the console's page as C"
        VERBATIM)
    target_sources(hypha_net PRIVATE ${out})
    return()
endif()

file(GLOB files RELATIVE ${HYPHA_CONSOLE_FOLDER} ${HYPHA_CONSOLE_FOLDER}/*.html
     ${HYPHA_CONSOLE_FOLDER}/*.css ${HYPHA_CONSOLE_FOLDER}/*.js)
list(SORT files)
set(arrays "")
set(table "")
set(count 0)
foreach(name IN LISTS files)
    file(READ ${HYPHA_CONSOLE_FOLDER}/${name} bytes HEX)
    string(LENGTH "${bytes}" digits)
    math(EXPR size "${digits} / 2")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(APPEND arrays "static const uint8_t console_file_${count}[] = {${bytes}};\n")
    string(APPEND table "    { \"${name}\", { console_file_${count}, ${size} } },\n")
    math(EXPR count "${count} + 1")
endforeach()
file(WRITE ${HYPHA_CONSOLE_OUT} "// console_files.c - made by cmake/console.cmake; do not edit.\n"
     "#include \"net/console.h\"\n\n${arrays}\n"
     "const hyi_console_file hyi_console_files[] = {\n${table}};\n"
     "const size_t hyi_console_file_count = ${count};\n")
