// systematic.c - who has the turn, and to whom it goes.
//
// Every thread has a semaphore, and one has the turn: it alone runs, and all data here are its own.
// At a yield point the dice decide whether the turn goes on to another thread, which is picked
// among all that have not left. How often it goes is a property of the run (every 2nd point to
// every 32nd on average): bugs that need many switches and bugs that need few in the right place
// are looked for both. The latest steps are kept for the report.
#include "systematic/systematic.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS_KEPT 60u
#define STEPS_MAX 2000000u // of a run: more is a circle that nobody leaves

typedef struct step {
    uint32_t thread;
    const char *name;
} step;

static struct {
    uint64_t seed, random, steps;
    uint32_t threads, turn, rarity;
    uint32_t left, quiet; // bits by thread
    sem_t go[SYSTEMATIC_THREADS_MAX];
    void (*on_quiet)(void);
    step latest[STEPS_KEPT];
} run;

static _Thread_local bool is_entered;

uint64_t systematic_random(void) { // splitmix64
    uint64_t z = run.random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void say_seed(int number) {
    char text[64];
    int len = snprintf(text, sizeof text, "signal %d with seed %llu\n", number,
                       (unsigned long long)run.seed);
    if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0) _exit(2);
    signal(number, SIG_DFL);
    raise(number);
}

void systematic_start(uint64_t seed, uint32_t threads, void (*quiet)(void)) {
    for (uint32_t i = 0; i < run.threads; i++)
        sem_destroy(&run.go[i]);
    memset(&run, 0, sizeof run);
    run.seed = run.random = seed;
    run.threads = threads;
    run.rarity = 2u << systematic_random() % 5;
    run.on_quiet = quiet;
    for (uint32_t i = 0; i < threads; i++)
        sem_init(&run.go[i], 0, 0);
    signal(SIGABRT, say_seed);
    signal(SIGALRM, say_seed);
    alarm(60); // a thread that waits for another one without a yield point
}

void systematic_fail(const char *what) {
    fprintf(stderr, "%s\nthe latest of %llu steps:\n", what, (unsigned long long)run.steps);
    uint64_t first = run.steps > STEPS_KEPT ? run.steps - STEPS_KEPT : 0;
    for (uint64_t i = first; i < run.steps; i++) {
        const step *at = &run.latest[i % STEPS_KEPT];
        fprintf(stderr, "    thread %u: %s\n", at->thread, at->name);
    }
    fprintf(stderr, "seed %llu; to repeat:\n    actor_systematic %llu 1\n",
            (unsigned long long)run.seed, (unsigned long long)run.seed);
    _exit(1);
}

static void wait_for_turn(uint32_t me) {
    while (sem_wait(&run.go[me]) != 0) {
    }
}

static void give_turn(uint32_t to) {
    run.turn = to;
    sem_post(&run.go[to]);
}

// Any that has not left; there is one.
static uint32_t pick(void) {
    uint32_t at;
    do {
        at = (uint32_t)(systematic_random() % run.threads);
    } while (run.left & 1u << at);
    return at;
}

static void pass_turn(void) {
    uint32_t me = run.turn, to = pick();
    if (to == me) return;
    give_turn(to);
    wait_for_turn(me);
}

// What hyi_yield_point calls.
void hyi_systematic_yield(const char *name);
void hyi_systematic_yield(const char *name) {
    if (!is_entered) return;
    run.latest[run.steps % STEPS_KEPT] = (step){ run.turn, name };
    if (++run.steps > STEPS_MAX) systematic_fail("it never ends");
    if (systematic_random() % run.rarity == 0) pass_turn();
}

void systematic_go(void) {
    give_turn(pick());
}

void systematic_enter(uint32_t number) {
    wait_for_turn(number);
    is_entered = true;
}

void systematic_did(void) {
    run.quiet = 0;
}

void systematic_idle(void) {
    run.quiet |= 1u << run.turn;
    if ((run.quiet | run.left) == (1u << run.threads) - 1u) {
        run.quiet = 0;
        run.on_quiet();
        run.quiet = 0; // those who looked while it was at work look again
    }
    pass_turn();
}

void systematic_leave(void) {
    is_entered = false;
    run.left |= 1u << run.turn;
    run.quiet = 0;
    if (run.left != (1u << run.threads) - 1u) give_turn(pick());
}

uint64_t systematic_steps(void) {
    return run.steps;
}
