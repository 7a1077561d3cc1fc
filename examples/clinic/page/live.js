// live.js - the WebSocket that keeps this window in step with every other.
//
// A socket that ends is opened again after a growing, jittered wait; going online or returning to
// the window ends the wait. Each new socket starts with "hello", and on hello the owner loads the
// week afresh, because messages may have passed while nobody listened.

import { newPause, waitMs } from "./backoff.js";

// `address()` gives the URL; `heard(message)` gets each parsed message; `turned(name)` is told
// "live", "lost" or "offline". Returns {wake, reopen}.
export function openLive({ address, heard, turned }) {
    const pause = newPause();
    let socket = null;
    let attempt = 0;

    const ended = async (which) => {
        if (which !== socket) return; // an older socket that reopen() has replaced
        turned(navigator.onLine ? "lost" : "offline");
        await pause.wait(waitMs(attempt++));
        if (which === socket) connect();
    };

    const connect = () => {
        const mine = new WebSocket(address());
        socket = mine;
        mine.addEventListener("message", (event) => {
            if (mine !== socket) return;
            const message = parse(event.data);
            if (!message) return;
            if (message.type === "hello") {
                attempt = 0;
                turned("live");
            }
            heard(message);
        });
        mine.addEventListener("close", () => ended(mine));
    };

    const reopen = () => {
        const old = socket;
        pause.wake();
        connect();
        if (old) old.close();
    };

    // A browser that goes offline may keep a dead socket open for minutes.
    addEventListener("offline", () => {
        const old = socket;
        socket = null;
        if (old) old.close();
        ended(null);
    });
    addEventListener("online", reopen);
    connect();
    return { reopen, wake: () => pause.wake() };
}

function parse(text) {
    try {
        return JSON.parse(text);
    } catch {
        return null; // not ours to repair: the week is loaded again on the next hello
    }
}
