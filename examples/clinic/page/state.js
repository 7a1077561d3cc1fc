// state.js - everything the page knows, in one object, and who wants to hear of changes.
//
// Modules write to `state` and then call changed(). Listeners run once per burst of changes, in a
// microtask, so a hundred live messages paint once. Times taken by others and the patient's own
// visits are separate: the week says only that a time is taken, never by whom.

import { DAY_MINUTES, mondayOf } from "./time.js";

export const state = {
    patient: "",
    clinic: null, // the answer of /api/clinic
    choice: { practice: 0, dentist: 0, treatment: "" }, // dentist 0 is "any"
    week: 0, // the Monday that is shown
    day: 0, // the day that a phone shows
    weekLoaded: false,
    shifts: [],
    taken: new Map(), // "dentist:day:minute" -> {dentist, day, minute, minutes, state}
    visits: new Map(), // appointment -> as in /api/mine
    sending: new Map(), // idempotency key -> outbox entry without an answer yet
    suggested: [], // {dentist, day, minute}: offered instead of a slot that has gone
    moving: 0, // the appointment that waits for a new time, or 0
    connection: "connecting", // connecting | live | lost | offline
    provider: "ok", // ok | retrying | down
    clockOffset: 0, // clinic minutes minus browser minutes
};

const listeners = new Set();
let scheduled = false;

export function onChange(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
}

export function changed() {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(() => {
        scheduled = false;
        for (const listener of [...listeners]) listener();
    });
}

// The clinic's present, in minutes since 1970 by its own clock.
export function now() {
    return Math.floor(Date.now() / 60000 + state.clockOffset);
}

export function setClock(today, nowMinute) {
    state.clockOffset = today * DAY_MINUTES + nowMinute - Date.now() / 60000;
}

export function today() {
    return Math.floor(now() / DAY_MINUTES);
}

export function thisWeek() {
    return mondayOf(today());
}

export function treatment(name = state.choice.treatment) {
    return state.clinic.treatments.find((t) => t.treatment === name);
}

// While a visit is being moved, the calendar is about that visit and not about the choice.
export function chosenTreatment() {
    const moving = state.visits.get(state.moving);
    return treatment(moving ? moving.treatment : state.choice.treatment);
}

export function dentist(practice, id) {
    return state.clinic.dentists.find((d) => d.practice === practice && d.dentist === id);
}

// The dentists whose times the calendar shows.
export function shownDentists() {
    return state.clinic.dentists.filter((d) => d.practice === state.choice.practice
        && (state.choice.dentist === 0 || d.dentist === state.choice.dentist));
}

export function practice(id = state.choice.practice) {
    return state.clinic.practices.find((p) => p.practice === id);
}

const MOTION = new Set(["holding", "confirming", "releasing"]);
const STANDING = new Set(["holding", "confirming", "confirmed"]);

// True while the server or the provider still works on it.
export function inMotion(visit) {
    return MOTION.has(visit.state);
}

// True while the visit occupies its time.
export function isStanding(visit) {
    return STANDING.has(visit.state);
}
