// unit_suite.h - a service that does as it is told, and says so.   Room: scope (tests).
// Includes: base world. Threads: the world's.
//
// Every unit writes into one story, a word for each thing that happens to it:
//     a+  begins, and acquires its resource       a*  ready
//     a!  ends by itself                          a-  drains, and ends
//     ax  was cancelled                           a.  its resource is released
#ifndef HYI_SCOPE_UNIT_SUITE_H
#define HYI_SCOPE_UNIT_SUITE_H

#include <hypha/scope.h>

typedef struct unit_story {
    char text[8192]; // words with blanks between them; what does not fit is left out
    size_t len;
} unit_story;

typedef struct unit {
    const char *name;
    unit_story *story;
    hy_ns gets_ready; // from its begin to hy_ready; below 0: never
    hy_ns lives;      // then so long until it ends by itself; below 0: before it is ready
    uint32_t falls;   // so many runs end by themselves, the others when they drain
    hy_err err;       // with this
    hy_ns lingers;    // from draining to its end
    bool deaf;        // does not notice that it drains
    uint32_t runs;    // so far
    uint32_t held;    // resources, now
    bool is_up;
    hy_ns began; // the latest run
} unit;

hy_err unit_run(void *unit_arg);
void unit_tell(unit_story *story, const char *name, const char *what);
// Is the story this one? Where memory failed it may be another; then it is not looked at.
bool unit_story_is(const unit_story *story, const char *wanted);
void unit_forget(unit_story *story);

// Starts it with what tests mostly want; `handle` may be NULL.
HY_CHECKED hy_err unit_start(hy_scope *scope, unit *u, hy_restart restart, hy_service **handle);

#endif
