// within.c - a function with a time limit of its own.
//
// A scope does all of it: it cancels the function at the deadline, and ends only when the function
// and everything it started have ended, so the caller never goes on beside a clean-up that still
// runs. What the function itself returned wins when it is not the cancellation coming back.
#include <hypha/flow.h>

hy_err hy_within(hy_ns duration, hy_fn fn, void *arg) {
    HY_ASSERT(duration > 0);
    hy_err err = HY_OK;
    HY_SCOPE(within, &err, .name = "within", .timeout = duration) {
        err = fn(arg);
        // A call that was answered although time had passed is an answer all the same.
        if (err == HY_OK) break;
    }
    return err;
}
