// backoff.js - how long to wait before trying again.
//
// Doubles up to a ceiling, and each wait is drawn from its upper half, so that a thousand windows
// that lost the same server do not return in the same instant.

const FIRST_MS = 400;
const CEILING_MS = 10000;

export function waitMs(attempt) {
    const full = Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
    return full / 2 + Math.random() * full / 2;
}

// Waits that wake() ends early, all of them: what loads the week and what loads the visits may wait
// for the same network.
export function newPause() {
    const waiting = new Set(); // what ends each wait
    return {
        wait(ms) {
            return new Promise((resolve) => {
                const finish = () => {
                    clearTimeout(timer);
                    waiting.delete(finish);
                    resolve();
                };
                const timer = setTimeout(finish, ms);
                waiting.add(finish);
            });
        },
        wake() {
            for (const finish of waiting) finish();
        },
    };
}
