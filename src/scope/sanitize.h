// sanitize.h - what the sanitizers and valgrind are told about stacks.     Room: scope.
//
// AddressSanitizer keeps a shadow of every stack and, for use after return, a second, fake one;
// ThreadSanitizer keeps a call stack and a clock for each fiber; valgrind guesses stack switches by
// distance, and guesses wrong when stacks lie side by side. Each of the three wants to be told
// before or after a switch. In other builds all of this is nothing.
#ifndef HYI_SCOPE_SANITIZE_H
#define HYI_SCOPE_SANITIZE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define HYI_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HYI_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define HYI_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HYI_TSAN 1
#endif
#endif

// ---- AddressSanitizer -------------------------------------------------------------------------

#ifdef HYI_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
// Just before a switch to the stack at `low`. `out_fake` NULL: the present stack is not needed any
// more.
#define hyi_asan_leave(out_fake, low, size) __sanitizer_start_switch_fiber(out_fake, low, size)
// Just after; tells which stack it came from.
#define hyi_asan_arrive(fake, out_low, out_size)                                                   \
    __sanitizer_finish_switch_fiber(fake, out_low, out_size)
#define HYI_ASAN_BLIND __attribute__((no_sanitize("address"))) // reads other functions' frames
#define hyi_asan_runs() 1
#define hyi_asan_forbid(ptr, size) __asan_poison_memory_region(ptr, size)
#define hyi_asan_allow(ptr, size) __asan_unpoison_memory_region(ptr, size)
#else
#define hyi_asan_leave(out_fake, low, size) ((void)(out_fake), (void)(low), (void)(size))
#define hyi_asan_arrive(fake, out_low, out_size) ((void)(fake), (void)(out_low), (void)(out_size))
#define HYI_ASAN_BLIND
#define hyi_asan_runs() 0
#define hyi_asan_forbid(ptr, size) ((void)(ptr), (void)(size))
#define hyi_asan_allow(ptr, size) ((void)(ptr), (void)(size))
#endif

// ---- ThreadSanitizer --------------------------------------------------------------------------

// It counts entries to functions and exits, for each fiber. So whoever tells it of a switch must be
// inlined into who does the switch; and a function that never returns, on a stack that is used
// again, must not be counted.
#ifdef HYI_TSAN
#include <sanitizer/tsan_interface.h>
#ifdef __clang__
#define HYI_TSAN_UNCOUNTED __attribute__((disable_sanitizer_instrumentation))
#else
#define HYI_TSAN_UNCOUNTED __attribute__((no_sanitize("thread")))
#endif
#define hyi_tsan_runs() 1
#define hyi_tsan_make() __tsan_create_fiber(0)
#define hyi_tsan_drop(fiber) __tsan_destroy_fiber(fiber)
#define hyi_tsan_here() __tsan_get_current_fiber()
#define hyi_tsan_switch(fiber) __tsan_switch_to_fiber(fiber, 0)
#else
#define HYI_TSAN_UNCOUNTED
#define hyi_tsan_runs() 0
#define hyi_tsan_make() NULL
#define hyi_tsan_drop(fiber) ((void)(fiber))
#define hyi_tsan_here() NULL
#define hyi_tsan_switch(fiber) ((void)(fiber))
#endif

// ---- valgrind ---------------------------------------------------------------------------------

#if defined(__has_include) && !defined(HYI_ASAN) && !defined(HYI_TSAN)
#if __has_include(<valgrind/memcheck.h>)
#define HYI_VALGRIND 1
#endif
#endif

#ifdef HYI_VALGRIND
#include <valgrind/memcheck.h>
#define hyi_valgrind_runs() (RUNNING_ON_VALGRIND != 0)
#define hyi_valgrind_add(low, top) VALGRIND_STACK_REGISTER(low, top)
#define hyi_valgrind_allow(ptr, size) VALGRIND_MAKE_MEM_DEFINED(ptr, size)
#define hyi_valgrind_remove(id) VALGRIND_STACK_DEREGISTER(id)
#else
#define hyi_valgrind_runs() 0
#define hyi_valgrind_add(low, top) ((void)(low), (void)(top), 0u)
#define hyi_valgrind_allow(ptr, size) ((void)(ptr), (void)(size))
#define hyi_valgrind_remove(id) ((void)(id))
#endif

// Instrumented code needs much more stack: redzones, spilled registers, no reuse of slots.
#if defined(HYI_ASAN) || defined(HYI_TSAN)
#define HYI_STACK_SCALE 4
#else
#define HYI_STACK_SCALE 1
#endif

#endif
