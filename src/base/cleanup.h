// cleanup.h - owning locals.                                   Room: base. Includes: nothing.
// Threads: a macro; no state.
//
// A local that owns something names the function that gives it back; the compiler calls it with the
// local's address on every way out of the block, in reverse order of declaration:
//
//     HY_CLEANUP(hy_buf_deinit) hy_buf buf = { 0 };
//
// The function must accept a zeroed object, because the local may leave scope before it was filled.
// gcc and clang only, in .c files only, never in a public header.
#ifndef HYPHA_BASE_CLEANUP_H
#define HYPHA_BASE_CLEANUP_H

#define HY_CLEANUP(fn) __attribute__((cleanup(fn)))

#endif
