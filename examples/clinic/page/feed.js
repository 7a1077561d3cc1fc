// feed.js - keeps `state` equal to the server: load, then follow.
//
// A week is a snapshot with a sequence number; each live "slot" message has the next one. Messages
// that arrive while a week is being loaded are kept and applied on top of it if they are newer, so
// the order in which the two arrive does not matter. After every reconnect the week is loaded
// again: the server may have restarted, and its numbers may have begun anew.

import { get, Refusal } from "./api.js";
import { newPause, waitMs } from "./backoff.js";
import { tell } from "./notice.js";
import { changed, inMotion, setClock, state } from "./state.js";
import { refusalText } from "./words.js";

const POLL_MS = 4000;

let loading = 0; // the newest load of a week; an older one that ends later is dropped
let early = null; // slot messages since that load began; null when none is running
let loadingVisits = 0; // likewise
let told = new Map(); // visits that were told live since then
let weekSeq = 0; // what the shown week already contains
const pause = newPause();

export function wakeFeed() {
    pause.wake();
}

// Tries until it gets an answer. Gives null when the answer is no longer wanted, and when the
// clinic refuses, which the patient is told: asking again would not help.
async function patiently(path, wanted = () => true) {
    for (let attempt = 0; wanted(); attempt++) {
        try {
            return await get(path);
        } catch (error) {
            if (error instanceof Refusal) {
                tell(refusalText(error), "bad");
                return null;
            }
        }
        await pause.wait(waitMs(attempt));
    }
    return null;
}

// Gives false when the clinic refuses to say what it is.
export async function loadClinic() {
    const clinic = await patiently("/api/clinic");
    if (!clinic) return false;
    setClock(clinic.today, clinic.now_minute);
    state.clinic = clinic;
    return true;
}

export async function loadWeek() {
    const ticket = ++loading;
    early = [];
    const { week, choice: { practice } } = state;
    const answer = await patiently(`/api/week?practice=${practice}&day=${week}`,
        () => ticket === loading);
    if (ticket !== loading) return;
    const missed = early;
    early = null;
    if (!answer) return;
    state.shifts = answer.shifts;
    state.taken = new Map(answer.bookings.map((b) => [slotKey(b), b]));
    weekSeq = answer.seq;
    for (const message of missed) applySlot(message);
    state.weekLoaded = true;
    changed();
}

// Shows another week or practice: what is shown now belongs to neither.
export function turnTo(week) {
    state.week = week;
    state.weekLoaded = false;
    state.shifts = [];
    state.taken = new Map();
    changed();
    return loadWeek();
}

// A live message that arrives while the visits are loaded wins over them: it may be newer, and if
// it is older, the newer one is on its way.
export async function loadVisits(load = patiently) {
    const ticket = ++loadingVisits;
    told = new Map();
    const answer = await load(`/api/mine?patient=${state.patient}`);
    if (!answer || ticket !== loadingVisits) return;
    state.visits = new Map([...answer.appointments.map((a) => [a.appointment, a]), ...told]);
    changed();
}

// One message of the live socket.
export function hear(message) {
    if (message.type === "slot") {
        if (early) early.push(message);
        else applySlot(message);
    } else if (message.type === "appointment") {
        const visit = message.appointment;
        state.visits.set(visit.appointment, visit);
        told.set(visit.appointment, visit);
    } else if (message.type === "status") {
        state.provider = message.provider;
    } else if (message.type === "hello") {
        state.provider = "ok"; // a status follows when it is not
    } else return;
    changed();
}

function slotKey(slot) {
    return `${slot.dentist}:${slot.day}:${slot.minute}`;
}

function applySlot(slot) {
    if (slot.seq <= weekSeq) return;
    if (slot.day < state.week || slot.day >= state.week + 7) return;
    if (slot.state === "free") state.taken.delete(slotKey(slot));
    else state.taken.set(slotKey(slot), slot);
}

// While a payment is under way and no socket tells of it, ask. A socket can be blocked for good
// where plain requests still pass.
export function pollWithoutSocket() {
    setInterval(() => {
        const waiting = [...state.visits.values()].some(inMotion);
        if (!waiting || state.connection !== "lost") return;
        loadVisits((path) => get(path).catch(() => null)); // else the next tick asks again
    }, POLL_MS);
}
