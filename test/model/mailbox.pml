/* mailbox.pml - one actor's mailbox, two workers and a foreign thread, for spin.

   What src/actor does with an actor's inbox, its local list and its owner (essays: inside.h, queue.h,
   park.c), one step for each access to what several threads share. Checked for all interleavings:

     - messages of one sender are handled in the order of sending, whoever's list they went through
       and wherever sender and receiver have moved meanwhile;
     - two workers never run the actor at the same time, and only its owner does;
     - when nothing moves any more everything sent was handled, orders were looked at, and the actor
       is nobody's: so no wake-up is lost.

   Memory is sequentially consistent here, and slots are not used again: the first is what the
   comments at the atomics are for, the second what test/systematic runs.

   Each BREAK_ takes one rule of the protocol away; spin must then find an error. See check_model in
   scripts/checks.sh. */

#define WORKERS 2
#define SENDERS 2          /* actors that run on any worker, one at a time */
#define EACH 2             /* messages of the first; the second sends one */
#define MESSAGES 4         /* theirs, and one of the foreign thread */
#define FOREIGN 3          /* its message; its sender's number is SENDERS */

#define OWNED 0            /* values of `newest`; a message m is m + 2 */
#define EMPTY 1
#define NONE 255

byte newest = EMPTY;
byte oldest = NONE;
byte link[MESSAGES] = NONE;
byte owner = NONE;         /* a worker, or NONE */
bool order;                /* a bit of `life` */

/* The owner's. */
chan mine = [MESSAGES] of { byte };
bool is_ready;             /* HYI_ACTOR_READY */
byte queue_of = NONE;      /* whose ready queue it stands in */
byte lingers_on = NONE;

/* Under locks. */
bool shared, injected;     /* injected: into worker 0 */
bool parked[WORKERS];

byte sent[SENDERS];
bool sending[SENDERS];
byte expected[SENDERS + 1];
byte handled;
bool is_running;

inline wake(w) { parked[w] = false }

inline make_ready(w) {
    d_step {
        if
        :: is_ready -> skip
        :: else -> is_ready = true; queue_of = w
        fi
    }
}

/* ---- queue.c ---- */

/* `before` says what was there; who gets EMPTY owns the actor. */
inline push(m, before) {
    d_step { before = newest; newest = m + 2 }
    /* the gap */
    if
    :: before > EMPTY -> link[before - 2] = m
    :: else -> oldest = m
    fi
}

/* Takes in what is linked; `clear`: the inbox is empty. */
inline drain(m, after, clear) {
    m = oldest;
    clear = false;
    if
    :: m == NONE -> clear = (newest == OWNED)
    :: else ->
        do
        :: after = link[m];
           if
           :: after == NONE ->
#ifndef BREAK_OLDEST
               oldest = NONE;
#endif
               if
               :: d_step { newest == m + 2 -> newest = OWNED };
                  mine ! m; clear = true; break
               :: newest != m + 2 ->
                  after = link[m];
                  if
                  :: after == NONE -> break
                  :: else -> skip
                  fi
               fi
           :: else -> skip
           fi;
           mine ! m;
           m = after
        od;
        if
        :: clear -> skip
        :: else -> oldest = m
        fi
    fi;
    d_step { m = 0; after = 0 }
}

/* `gone`: the actor is nobody's, or somebody else's. */
inline let_go(w, gone) {
    gone = false;
    if
    :: newest != OWNED -> skip
    :: newest == OWNED ->
        owner = NONE;
        if
        :: d_step { newest == OWNED -> newest = EMPTY };
#ifdef BREAK_ORDERS
           gone = true
#else
           if
           :: !order -> gone = true
           :: order ->
               if
               :: d_step { newest == EMPTY -> newest = OWNED }; owner = w
               :: newest != EMPTY -> gone = true
               fi
           fi
#endif
        :: newest != OWNED -> owner = w
        fi
    fi
}

/* ---- send.c ---- */

inline send(w, s) {
    d_step { m = s * EACH + sent[s]; sent[s] = sent[s] + 1 };
    if
    :: owner == w ->
        /* by the local list, unless there is a gap */
        ok = true;
#ifndef BREAK_FIFO
        if
        :: newest != OWNED -> at = m; drain(m, after, ok); m = at; at = 0
        :: else -> skip
        fi;
#endif
        if
        :: ok -> mine ! m; make_ready(w)
        :: else -> push(m, before)
        fi
    :: owner != w ->
        push(m, before);
        if
        :: before == EMPTY -> owner = w; make_ready(w)
        :: else -> skip
        fi
    fi;
    d_step { m = 0; before = 0; ok = false; sending[s] = false }
}

/* ---- turn.c ---- */

inline turn(w) {
    d_step {
        assert(owner == w && is_ready && !is_running);
        is_running = true;
        queue_of = NONE
    };
    if
    :: newest != OWNED -> drain(m, after, ok); ok = false
    :: else -> skip
    fi;
    if
    :: order -> order = false
    :: else -> skip
    fi;
    if
    :: mine ? m ->
        d_step {
            if
            :: m == FOREIGN -> before = SENDERS; at = 0
            :: else -> before = m / EACH; at = m % EACH
            fi;
            assert(expected[before] == at);
            expected[before] = at + 1;
            handled++;
            before = 0; at = 0; m = 0
        }
    :: empty(mine) -> skip
    fi;
    d_step { assert(owner == w && is_running); is_running = false; is_ready = false };
    if
    :: nempty(mine) -> make_ready(w)
    :: empty(mine) && (newest != OWNED || order) -> make_ready(w)
    :: empty(mine) && newest == OWNED && !order -> lingers_on = w
    fi
}

/* ---- worker.c, share.c, park.c ---- */

inline look_at_linger(w) {
    lingers_on = NONE;
    if
    :: is_ready -> skip
    :: else ->
        ok = true;
        if
        :: newest == OWNED && !order -> let_go(w, gone); ok = !gone; gone = false
        :: else -> skip
        fi;
        if
        :: ok -> make_ready(w)
        :: else -> skip
        fi;
        ok = false
    fi
}

#define CAN_SEND(s) (!sending[s] && sent[s] < EACH - s)

active [WORKERS] proctype worker() {
    byte m, after, before, at;
    bool ok, gone;
    do
    :: queue_of == _pid -> turn(_pid)
    :: queue_of == _pid ->
        /* too much here: others may have it; whoever shares wakes one */
        if
        :: lingers_on == _pid -> lingers_on = NONE
        :: else -> skip
        fi;
        owner = NONE;
        d_step { queue_of = NONE; shared = true };
        wake(1 - _pid)
    :: queue_of != _pid && lingers_on != _pid ->
        /* nothing here: what others share is taken */
        if
        :: d_step { shared -> shared = false }; owner = _pid; queue_of = _pid
        :: !shared -> skip
        fi
    :: d_step { injected && _pid == 0 -> injected = false }; owner = _pid; make_ready(_pid)
    :: lingers_on == _pid -> look_at_linger(_pid)
    :: d_step { CAN_SEND(0) -> sending[0] = true }; send(_pid, 0)
    :: d_step { CAN_SEND(1) -> sending[1] = true }; send(_pid, 1)
    :: queue_of != _pid && lingers_on != _pid ->
        parked[_pid] = true;
#ifndef BREAK_PARK
        if
        :: shared || (injected && _pid == 0) -> parked[_pid] = false
        :: else -> skip
        fi;
#endif
end_parked:
        if
        :: !parked[_pid] -> skip
        :: CAN_SEND(0) || CAN_SEND(1) -> parked[_pid] = false /* something else wakes it */
        fi
    od
}

/* No worker: it cannot own, so what it gets to own is given to worker 0. It also gives an order. */
active proctype foreign() {
    byte before;
    push(FOREIGN, before);
    if
    :: before == EMPTY -> injected = true; wake(0)
    :: else -> skip
    fi;
    order = true;
    if
    :: d_step { newest == EMPTY -> newest = OWNED }; injected = true; wake(0)
    :: newest != EMPTY -> skip
    fi
}

/* Nothing moves any more. */
active proctype monitor() {
    timeout;
    assert(handled == MESSAGES);
    assert(!order);
    assert(newest == EMPTY && owner == NONE && empty(mine))
}
