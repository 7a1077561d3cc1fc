// within.c - a function with a time limit of its own.
//
// A scope does all of it: it cancels the function at the deadline, and ends only when the function
// and everything it started have ended, so the caller never goes on beside a clean-up that still
// runs. A function that has its answer although time has passed gives it all the same: what it
// holds by then would be lost otherwise.
#include <hypha/flow.h>

hy_err hy_within(hy_ns duration, hy_fn fn, void *arg) {
    if (duration <= 0) return HY_TIMEOUT;
    hy_err err = HY_OK, why = HY_OK;
    bool has_answer = false;
    HY_SCOPE(within, &err, .name = "within", .timeout = duration) {
        err = fn(arg);
        has_answer = err == HY_OK;
        why = hy_check();
        if (err != HY_OK) break; // what it started has nobody to work for
    }
    bool late = why != HY_OK;
    return has_answer && late && err == why ? HY_OK : err;
}
