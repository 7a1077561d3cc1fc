// systematic.h - real threads, one at a time, in an order drawn from a seed.   Folder: test.
// Threads: enter, idle and leave by the threads that are run; start and finish by nobody of them.
//
// The code under test says where another thread may come in between (hyi_yield_point). There, and
// nowhere else, the running thread may have to wait while others go on: the seed decides. So a run
// is a function of its seed, and what is wrong in one order of steps is found, and found again.
// After Verona's systematic testing and CHESS (Musuvathi and others, OSDI 2008).
//
// A thread that has nothing to do says so. When all have said so since anybody last did something,
// all is quiet: then `quiet` is called, alone, and says whether to go on.
#ifndef HYPHA_TEST_SYSTEMATIC_H
#define HYPHA_TEST_SYSTEMATIC_H

#include <stdbool.h>
#include <stdint.h>

#define SYSTEMATIC_THREADS_MAX 16u

void systematic_start(uint64_t seed, uint32_t threads, void (*quiet)(void));
void systematic_enter(uint32_t number); // waits for its turn
void systematic_did(void);              // something: nobody is quiet any more
void systematic_idle(void);             // nothing to do: others go on
void systematic_leave(void);            // its last call
void systematic_go(void);               // gives the first turn; all threads will enter
uint64_t systematic_random(void);       // of the run: by whoever has the turn
uint64_t systematic_steps(void);        // yield points so far
void systematic_fail(const char *what); // prints seed and latest steps; ends the program

#endif
