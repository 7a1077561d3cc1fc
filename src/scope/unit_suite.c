// unit_suite.c - a service that does as it is told, and says so.
//
// It owns one resource, itself, so that a run which begins before the last one's was released is
// noticed at once. Words come from the unit's own code alone, never from what the room says about
// it.
#include "scope/unit_suite.h"
#include "kit/kit.h"

#include <stdio.h>
#include <string.h>

void unit_tell(unit_story *story, const char *name, const char *what) {
    if (!story) return;
    int len = snprintf(story->text + story->len, sizeof story->text - story->len, "%s%s%s",
                       story->len > 0 ? " " : "", name, what);
    CHECK(len > 0);
    if (story->len + (size_t)len < sizeof story->text) {
        story->len += (size_t)len;
    } else {
        story->text[story->len] = 0;
    }
}

bool unit_story_is(const unit_story *story, const char *wanted) {
    if (kit_failed_allocation() || strcmp(story->text, wanted) == 0) return true;
    fprintf(stderr, "    got:    %s\n    wanted: %s\n", story->text, wanted);
    return false;
}

void unit_forget(unit_story *story) {
    story->len = 0;
    story->text[0] = 0;
}

static void unit_release(void *object) {
    unit *u = (unit *)object;
    u->held--;
    unit_tell(u->story, u->name, ".");
}

// Until it is told that it drains, or cancelled.
static hy_err unit_serve(unit *u) {
    hy_err err = u->deaf ? hy_sleep(HY_NEVER) : hy_wait_draining();
    u->is_up = false;
    if (err == HY_CLOSED && u->lingers > 0) {
        err = hy_sleep(u->lingers);
        if (err == HY_OK) err = HY_CLOSED;
    }
    unit_tell(u->story, u->name, err == HY_CLOSED ? "-" : "x");
    return err == HY_CLOSED ? HY_OK : err;
}

hy_err unit_run(void *unit_arg) {
    unit *u = (unit *)unit_arg;
    hy_world *world = hy_scope_world(hy_scope_current());
    CHECK_EQ(u->held, 0); // what the last run held has been given back
    u->runs++;
    u->held++;
    u->began = hy_world_now(world);
    unit_tell(u->story, u->name, "+");
    hy_err err = hy_own(hy_scope_current(), u, unit_release, 0);
    if (err != HY_OK) return err;
    if (u->gets_ready != 0) err = hy_sleep(u->gets_ready > 0 ? u->gets_ready : HY_NEVER);
    if (err != HY_OK) {
        unit_tell(u->story, u->name, "x");
        return err;
    }
    if (u->gets_ready >= 0 && (u->lives >= 0 || u->runs > u->falls)) {
        hy_ready();
        u->is_up = true;
        unit_tell(u->story, u->name, "*");
    }
    if (u->runs > u->falls) return unit_serve(u);
    err = u->lives > 0 ? hy_sleep(u->lives) : HY_OK;
    u->is_up = false;
    unit_tell(u->story, u->name, err == HY_OK ? "!" : "x");
    return err == HY_OK ? u->err : err;
}

hy_err unit_start(hy_scope *scope, unit *u, hy_restart restart, hy_service **handle) {
    hy_service_spec spec = {
        .size = sizeof spec,
        .name = u->name,
        .fn = unit_run,
        .arg = u,
        .restart = restart,
    };
    return hy_start(scope, &spec, handle);
}
