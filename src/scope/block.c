// block.c - the block form: a scope on its opener's stack.
//
// HY_SCOPE is two loops that run once around the body. Falling out of the body calls
// hyi_scope_block_join, which waits; break and return skip it, and hyi_scope_block_end, which the
// compiler calls on every way out, finds the block still open, cancels and waits.
//
// The body's error stays in *out_err but for one case: a body that only passes on why its own block
// was cancelled has nothing to say about it, and gets the scope's error instead. So the block of a
// race that was won ends well, and that of a failed task ends with the task's error, although the
// body was woken with HY_CANCELLED.
#include "scope/inside.h"

_Static_assert(sizeof(hy_scope) <= sizeof(((hyi_scope_block *)0)->scope_), "a block holds it");
_Static_assert(_Alignof(hy_scope) <= _Alignof(uint64_t), "where words lie, a scope can lie");

static hy_scope *block_scope(hyi_scope_block *block) {
    return (hy_scope *)(void *)block->scope_;
}

hy_scope *hyi_scope_block_open(hyi_scope_block *block, hy_err *out_err,
                               const hy_scope_options *options) {
    hy_task *fiber = hyi_current;
    HY_ASSERT(fiber); // blocks wait, so they belong in fibers
    hyi_stack_need(fiber);
    hy_scope *scope = block_scope(block);
    hy_err err = hyi_scope_init(scope, fiber->root, fiber->scope, options, HYI_SCOPE_BLOCK);
    if (err != HY_OK) {
        if (out_err) *out_err = err;
        return NULL;
    }
    block->out_err = out_err;
    block->state = 1;
    return scope;
}

static void block_close(hyi_scope_block *block, bool cancel) {
    hy_scope *scope = block_scope(block);
    HY_ASSERT(hyi_current == scope->opener);
    HY_ASSERT(hyi_current->scope == scope); // blocks inside have been closed
    hy_err body = block->out_err ? *block->out_err : HY_OK;
    hy_err why = hy_scope_reason(scope); // before its end: then it would be the end's own
    scope->body_err = body == why ? HY_OK : body;
    hy_err err = hyi_scope_finish(scope, cancel);
    hyi_scope_leave(scope);
    block->state = 2;
    if (block->out_err && (body == HY_OK || body == why)) *block->out_err = err;
}

hy_scope *hyi_scope_block_join(hyi_scope_block *block) {
    block_close(block, false);
    return NULL;
}

void hyi_scope_block_end(hyi_scope_block *block) {
    if (block->state == 1) block_close(block, true);
}
