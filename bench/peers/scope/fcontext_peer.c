// fcontext_peer.c - the bare switch by Boost.Context's assembly, without its C++ on top.
//
// The two functions are what the library's object files offer; its headers say so only to C++, so
// they are declared here.
#include "bench/peers/scope/peer.h"

#include <stdlib.h>

#define FCONTEXT_STACK 65536u

typedef struct fcontext_transfer {
    void *from; // where to jump to go back
    void *data;
} fcontext_transfer;

fcontext_transfer jump_fcontext(void *to, void *data);
void *make_fcontext(void *top, size_t size, void (*fn)(fcontext_transfer));

static void *fcontext_there;

static void fcontext_bounce(fcontext_transfer transfer) {
    for (;;)
        transfer = jump_fcontext(transfer.from, NULL);
}

static double fcontext_switch(uint32_t times) {
    double since = bench_now();
    for (uint32_t i = 0; i < times / 2; i++)
        fcontext_there = jump_fcontext(fcontext_there, NULL).from;
    return bench_now() - since;
}

int main(void) {
    uint8_t *stack = (uint8_t *)aligned_alloc(4096, FCONTEXT_STACK);
    peer_must(stack != NULL, "a stack");
    uint8_t *top = stack + FCONTEXT_STACK - 512; // not the colour of ours
    fcontext_there = make_fcontext(top, FCONTEXT_STACK - 512, fcontext_bounce);
    peer_rows("Boost.Context " FCONTEXT_VERSION, &(peer_row){ "switch", fcontext_switch, 8000000 },
              1);
    free(stack);
    return 0;
}
