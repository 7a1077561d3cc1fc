// shown.h - the console: what an operator sees of the clinic from inside.
// Example: clinic, server. Includes: net. Threads: everything on the world's thread.
#ifndef EXAMPLE_CLINIC_SHOWN_H
#define EXAMPLE_CLINIC_SHOWN_H

#include <hypha/actor.h>
#include <hypha/net.h>

#include "server/service.h"

// A console of `scope`, and its routes. `database`: the path of the store, borrowed.
hy_err shown_open(hy_scope *scope, clinic_service *service, hy_node *node, const char *database,
                  hy_task_route out_routes[HY_CONSOLE_ROUTES]);

#endif
