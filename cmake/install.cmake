# cmake --install build/release --prefix ...: headers, archives, the command, hypha.pc and a CMake
# package that is a thin door to hypha.pc, so that the list of libraries exists once.
get_property(HYPHA_LIBRARIES GLOBAL PROPERTY HYPHA_LIBRARIES)
install(DIRECTORY include/hypha DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS ${HYPHA_LIBRARIES} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET hypha)
    install(TARGETS hypha RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# A linker reads archives from left to right: the highest floor first.
set(archives "")
foreach(library IN LISTS HYPHA_LIBRARIES)
    string(PREPEND archives "-l${library} ")
endforeach()
# The file says where it lies, so that the installed tree may be moved.
file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
file(CONFIGURE OUTPUT hypha.pc @ONLY CONTENT [[
prefix=${pcfiledir}/@up@
libdir=${pcfiledir}/..
includedir=${prefix}@CMAKE_INSTALL_INCLUDEDIR@

Name: hypha
Description: state that must survive
Version: @PROJECT_VERSION@
Requires: libuv sqlite3 libwebsockets libcurl
Cflags: -I${includedir}
Libs: -L${libdir} @archives@-lpthread
]])
file(CONFIGURE OUTPUT hypha-config.cmake @ONLY CONTENT [[
# find_package(hypha), then link PkgConfig::hypha.
include(CMakeFindDependencyMacro)
find_dependency(PkgConfig)
pkg_check_modules(hypha REQUIRED IMPORTED_TARGET GLOBAL hypha)
]])
install(FILES ${CMAKE_BINARY_DIR}/hypha.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${CMAKE_BINARY_DIR}/hypha-config.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/hypha)
