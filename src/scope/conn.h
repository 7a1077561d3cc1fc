// conn.h - what conn.c and port.c share.                           Room: scope. Includes: world.
// Threads: the world's.
#ifndef HYI_SCOPE_CONN_H
#define HYI_SCOPE_CONN_H

#include "scope/inside.h"

// A record for a connection of `scope`, whose descriptor has been counted already. NULL: no memory.
hy_conn *hyi_conn_new(hy_scope *scope);
void hyi_conn_free(hy_conn *conn); // never begun; its descriptor is given back
// Takes the stream, and belongs to its scope from now on. HY_CLOSED: the scope is ending; both are
// gone.
HY_CHECKED hy_err hyi_conn_begin(hy_conn *conn, hy_stream *stream);

#endif
