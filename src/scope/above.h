// above.h - what the rooms above may use of this room's inside.    Room: scope. Includes: world.
// Threads: the world's of the root. Nothing here allocates or waits, but where it says so.
//
// Waiting is wait.h. The rest is for those who run somebody else's function on a fiber of their own
// (actors' handlers), or wait for one in a scope that is not theirs (flow's flights):
//
//     visit    the running fiber acts in another scope for a while: its context, its cancellation
//     lend     the room is told when a visiting fiber is about to wait, once, and may then
//     move     make it a task of the scope that it visits, which waits for it and cancels it
//     exit     the fiber ends, from any depth of calls, without the calls' returning
//
// A fiber that visits is its owner's task still. So who visits sees to it that the scope stays
// until the visit is over, or the fiber has been moved.
#ifndef HYI_SCOPE_ABOVE_H
#define HYI_SCOPE_ABOVE_H

#include <hypha/scope.h>

#include "scope/wait.h"

extern _Thread_local hy_task *hyi_current __attribute__((tls_model("initial-exec")));

// ---- visiting ---------------------------------------------------------------------------------

// The running fiber, which is in no block and no frame, acts in `scope` of the same root: current
// scope, context, reason of cancellation. No second visit before the first is left.
void hyi_fiber_visit(hy_scope *scope);
// Back; what was opened during the visit has been closed. Not for one that was moved.
void hyi_fiber_leave(void);
// What the running fiber visits, or NULL: it never did, has left, or was moved.
hy_scope *hyi_fiber_visited(void);

// The visiting fiber becomes a task of the scope that it visits, above its limits if it must:
// joining and closing the scope wait for it, cancellation reaches it, and its end is put before the
// scope's policy. From then on it is an ordinary task, and ends by returning from its function. The
// scope is not ending. From the `lent` hook, or by the fiber itself.
void hyi_task_move(hy_task *task);

// ---- lending ----------------------------------------------------------------------------------

// While this is on, a wait of the running fiber tells the root's hook first, and switches it off.
// hy_yield is no wait; nor is one that is refused because the fiber was cancelled.
void hyi_fiber_lend(bool on);
bool hyi_fiber_lends(void); // false: it was never on, or the hook has been told
// The hook runs on the fiber that is about to wait. It may spawn, move the task and note things;
// it must not wait, wake that fiber or cancel its scopes. NULL: nobody lends.
void hyi_root_on_lent(hy_root *root, void (*lent)(void *self, hy_task *task), void *self);

// ---- ending early -----------------------------------------------------------------------------

// Can the running fiber be ended where it is? False in the release of a resource and in a
// provider's build, whose callers go on after them, and for the fiber of a root's body.
bool hyi_fiber_can_exit(void);
// Closes, innermost first, the blocks and frames that the running fiber has opened, as `break`
// does, and leaves a visit. May wait. Afterwards their storage is not used any more. It panics
// where hyi_fiber_can_exit is false.
void hyi_fiber_unwind(hy_err err);
// Unwinds, and ends the running fiber with `err` as its result. The calls that led here never go
// on: what their locals hold is lost, but for what is owned by scopes. Never from hyi_task_ended,
// policies and observers: they are no fibers.
HY_NORETURN void hyi_fiber_exit(hy_err err);

// ---- when the stack is used up ----------------------------------------------------------------

// While this is on, an overflow of the running fiber's stack need not be the end of the process:
// the root's rescue is asked.
void hyi_fiber_rescuable(bool on);
typedef struct hyi_rescue {
    // In a signal handler: is it a handler that can be given up? The place `pc` (0: the beginning
    // of a call into these rooms) is in the program's code and in none of these rooms'. If it says
    // no, the process ends as it does without a rescue.
    bool (*may)(void *self, const hy_task *task, uintptr_t pc);
    // On the same fiber, and on a fresh stack. May wait, and ends with hyi_fiber_exit; to return is
    // hyi_fiber_exit(HY_LIMIT). A second overflow is not rescued.
    void (*rescued)(void *self, hy_task *task);
    void *self;
} hyi_rescue;
void hyi_root_on_overflow(hy_root *root, const hyi_rescue *rescue); // borrowed; NULL: none
// For calls of the room above that must not be left half done, at their beginning: is there room
// for them? If not, a rescuable fiber is rescued now. 4 KiB.
void hyi_fiber_need_stack(void);

// ---- a fiber and its scope --------------------------------------------------------------------

hy_root *hyi_scope_root(const hy_scope *scope);
// What the clock said when the slice of fibers that runs had begun: old by some 0.1 ms, and free.
// Of a real world, from a fiber.
hy_ns hyi_root_clock(const hy_root *root);
// One for the room above: what it was set to for this fiber, NULL at the start.
void *hyi_task_word(const hy_task *task);
void hyi_task_set_word(hy_task *task, void *word);
// For one that is told something else than what it waits for: unhooks, then wakes. Nothing happens
// unless it is parked. Whether its wait is firm or an intake is for the caller to ask.
void hyi_interrupt(hy_task *task, hy_err err);

// HY_OK, or why nothing new may begin in `scope`: its reason, or HY_CLOSED (ending, draining).
hy_err hyi_scope_refuses(const hy_scope *scope);
bool hyi_scope_lives(const hy_scope *scope); // neither cancelled nor ending; it may be draining
// The same as hyi_scope_refuses, and HY_LIMIT: hy_spawn would have to wait.
hy_err hyi_spawn_refuses(hy_scope *scope);
// One thing more, or less, that join and close wait for. The last one moves a stop on.
void hyi_scope_live(hy_scope *scope);
void hyi_scope_unlive(hy_scope *scope);
// Does the fiber run in `scope`, or below it, or in the clean-up of something it closes from there?
bool hyi_task_is_in(const hy_task *fiber, const hy_scope *scope);
// What the observer was opened with, if the root has that one; else NULL.
void *hyi_scope_observed_by(const hy_scope *scope, const hy_scope_observer *observer);

#endif
