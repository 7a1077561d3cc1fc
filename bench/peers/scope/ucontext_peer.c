// ucontext_peer.c - the bare switch by swapcontext, which asks the kernel for the signal mask.
#include "bench/peers/scope/peer.h"

#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#define UCONTEXT_STACK 65536u

static ucontext_t ucontext_here, ucontext_there;

static void ucontext_bounce(void) {
    for (;;)
        swapcontext(&ucontext_there, &ucontext_here);
}

static double ucontext_switch(uint32_t times) {
    double since = bench_now();
    for (uint32_t i = 0; i < times / 2; i++)
        swapcontext(&ucontext_here, &ucontext_there);
    return bench_now() - since;
}

int main(void) {
    void *stack = malloc(UCONTEXT_STACK);
    peer_must(stack && getcontext(&ucontext_there) == 0, "a stack");
    ucontext_there.uc_stack.ss_sp = stack;
    ucontext_there.uc_stack.ss_size = UCONTEXT_STACK;
    makecontext(&ucontext_there, ucontext_bounce, 0);
    char name[64];
    snprintf(name, sizeof name, "swapcontext, glibc %s", gnu_get_libc_version());
    peer_rows(name, &(peer_row){ "switch", ucontext_switch, 1000000 }, 1);
    free(stack);
    return 0;
}
