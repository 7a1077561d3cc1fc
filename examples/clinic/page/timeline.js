// timeline.js - shows what the clinic is doing with a payment, station by station.

import { h } from "./element.js";
import { state } from "./state.js";
import { historyTime } from "./time.js";
import { stationsOf } from "./words.js";

const SPOKEN = { done: "done", now: "under way", todo: "to come", bad: "failed" };

// An outbox entry that asks for a time, as if it were a visit already.
export function sendingAsVisit(entry) {
    return {
        state: "sending",
        practice: entry.about.practice,
        treatment: entry.about.treatment,
        minutes: entry.about.minutes,
        price_cents: entry.about.price_cents,
        ...(entry.about.slot ?? { dentist: 0, day: 0, minute: 0 }),
        history: [],
        note: sendingNote(entry),
    };
}

function sendingNote({ attempts, retryAt }) {
    if (attempts === 0) return "";
    const seconds = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
    return `Attempt ${attempts} had no answer. Trying again in ${seconds} s; `
        + "asked twice, booked once.";
}

// The stations; below the one under way the newest line of the history.
export function stations(visit) {
    const newest = visit.note ?? visit.history.at(-1)?.what ?? "";
    return h("ol", { class: "stations" }, stationsOf(visit).map(({ title, mark }) =>
        h("li", { class: mark },
            h("span", { class: "station", text: title }),
            h("span", { class: "hidden", text: `, ${SPOKEN[mark]}` }),
            mark === "now" && newest ? h("span", { class: "newest", text: newest }) : null)));
}

// What happened, oldest first, with the time of each line; only the newest `count` where room is
// scarce, because a provider that is down for long makes many.
export function history(visit, count = visit.history.length) {
    return h("ol", { class: "history" }, visit.history.slice(-count).map((line) =>
        h("li", {}, h("time", { text: historyTime(line.at) }), h("span", { text: line.what }))));
}

export function providerNote() {
    if (state.provider === "ok") return null;
    const text = state.provider === "down"
        ? "The payment provider is not answering."
        : "The payment provider has trouble.";
    return h("p", { class: "provider-note",
        text: `${text} The clinic keeps trying; you need not do anything.` });
}
