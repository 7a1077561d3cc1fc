// outbox.js - requests that must arrive once: not zero times, not twice.
//
// A request is written to localStorage together with its Idempotency-Key before it is sent, and
// removed when its answer is known. If the answer is lost, the window reloads or the browser
// crashes, the same request goes out again with the same key, and the server gives the same answer.
// Each entry has a storage key of its own, so that two windows never overwrite each other's; when
// both resend an entry, the key makes that one request as well.
//
// States of an entry: stored -> sending -> (waiting -> sending)* -> answered and removed.

import { post, Refusal } from "./api.js";
import { newPause, waitMs } from "./backoff.js";
import { changed, state } from "./state.js";
import { newUuid } from "./uuid.js";

const PREFIX = "clinic.outbox.";
const KEPT_MS = 24 * 60 * 60 * 1000; // the server forgets keys one day; so do we

const pauses = new Map(); // idempotency key -> pause of the entry that waits

// Sends `body` to `path`. `about` is kept beside the request to show it while it is unanswered.
// Resolves with {reply} or {refusal}; never rejects.
export function send(path, body, about) {
    const entry = { key: newUuid(), path, body, about, made: Date.now() };
    localStorage.setItem(PREFIX + entry.key, JSON.stringify(entry));
    return { key: entry.key, outcome: deliver(entry) };
}

// Sends again what an earlier life of this page left behind; settled(entry, outcome) hears of each.
export function resume(settled) {
    for (const entry of storedEntries()) {
        deliver(entry).then((outcome) => settled(entry, outcome));
    }
}

// The network seems to be back: nobody needs to wait any longer.
export function wakeOutbox() {
    for (const pause of pauses.values()) pause.wake();
}

async function deliver(entry) {
    const live = { ...entry, attempts: 0, retryAt: 0 };
    state.sending.set(entry.key, live);
    changed();
    const outcome = await untilAnswered(live);
    localStorage.removeItem(PREFIX + entry.key);
    state.sending.delete(entry.key);
    pauses.delete(entry.key);
    changed();
    return outcome;
}

async function untilAnswered(live) {
    const pause = newPause();
    pauses.set(live.key, pause);
    for (;;) {
        try {
            return { reply: await post(live.path, live.body, live.key) };
        } catch (error) {
            if (error instanceof Refusal) return { refusal: error };
        }
        const ms = waitMs(live.attempts);
        live.attempts += 1;
        live.retryAt = Date.now() + ms;
        changed();
        await pause.wait(ms);
    }
}

function storedEntries() {
    const entries = [];
    for (const name of Object.keys(localStorage).filter((n) => n.startsWith(PREFIX))) {
        const entry = readEntry(name);
        if (entry && Date.now() - entry.made < KEPT_MS) entries.push(entry);
        else localStorage.removeItem(name);
    }
    return entries.sort((a, b) => a.made - b.made);
}

function readEntry(name) {
    try {
        const entry = JSON.parse(localStorage.getItem(name));
        return entry && entry.key && entry.path && entry.body ? entry : null;
    } catch {
        return null; // written by something else; nothing we could send
    }
}
