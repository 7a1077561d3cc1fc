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

// A wait that wake() can end early. Each waiter owns one.
export function newPause() {
    let finish = null;
    return {
        wait(ms) {
            return new Promise((resolve) => {
                const timer = setTimeout(() => finish(), ms);
                finish = () => {
                    clearTimeout(timer);
                    finish = null;
                    resolve();
                };
            });
        },
        wake() {
            if (finish) finish();
        },
    };
}
