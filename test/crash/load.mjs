// load.mjs - patients who ask, cancel and move, and who do not give up.
//
// A request without an answer is sent again with the same Idempotency-Key until there is one, over
// any number of crashes. So in the end every request has exactly one answer, and the sum of all
// answers is what the clinic must hold.

const TRY_AGAIN = new Set([408, 425, 429, 500, 502, 503, 504]);
const ANSWER_MS = 15000;
const TREATMENTS = ["cleaning", "checkup", "filling", "root_canal"];
export const PRACTICES = 3;
const DENTISTS = 3;
const VISITS_EACH = 12; // then the patient is another one: the clinic allows 20 open ones
const DAYS = 40;

// `counts` is shared by all clients: what the kills are timed by.
export function newCounts() {
    return { sent: 0, answered: 0, again: 0, waiting: [] };
}

// Resolves when counts[what] has grown by `by`.
export function after(counts, what, by) {
    const at = counts[what] + by;
    return new Promise((resolve) => counts.waiting.push({ what, at, resolve }));
}

function count(counts, what) {
    counts[what] += 1;
    for (const wait of counts.waiting.filter((w) => w.what === what && w.at <= counts[what])) {
        wait.resolve();
    }
    counts.waiting = counts.waiting.filter((w) => w.at > counts[w.what]);
}

// One exchange. null: nobody knows.
async function exchange(clinic, request) {
    try {
        await clinic.up();
        const response = await fetch(clinic.url + request.path, {
            method: "POST",
            headers: { "Content-Type": "application/json", "Idempotency-Key": request.key },
            body: JSON.stringify(request.body),
            signal: AbortSignal.timeout(ANSWER_MS),
        });
        const text = await response.text();
        if (TRY_AGAIN.has(response.status)) return null;
        return { status: response.status, body: JSON.parse(text) };
    } catch {
        return null;
    }
}

// Until there is an answer.
export async function ask(clinic, counts, request) {
    for (;;) {
        count(counts, "sent");
        const answer = await exchange(clinic, request);
        if (answer) {
            count(counts, "answered");
            return answer;
        }
        count(counts, "again");
        await new Promise((resolve) => setTimeout(resolve, 2));
    }
}

// ---- what a client may want ----

function person(dice, state) {
    if (state.left === 0) Object.assign(state, { patient: dice.uuid(), left: VISITS_EACH });
    state.left -= 1;
    return { patient: state.patient, name: "Crash Test", email: "crash@test.example" };
}

function wantSlot(dice, state, today) {
    return {
        path: "/api/request_slot",
        body: {
            ...person(dice, state),
            practice: 1 + dice.below(PRACTICES), dentist: 1 + dice.below(DENTISTS),
            day: today + 1 + dice.below(DAYS), minute: 480 + 15 * dice.below(40),
            treatment: dice.pick(TREATMENTS),
        },
    };
}

function wantAny(dice, state, today) {
    const start = 15 * dice.below(70);
    return {
        path: "/api/request_any",
        body: {
            ...person(dice, state),
            practice: 1 + dice.below(PRACTICES), dentist: 0,
            days: Array.from({ length: 6 }, () => today + 1 + dice.below(DAYS)),
            ranges: [{ start, end: 1440 }],
            treatment: dice.pick(TREATMENTS),
        },
    };
}

function wantChange(dice, state, today) {
    const visit = dice.pick(state.visits);
    const body = { patient: visit.patient, appointment: visit.appointment };
    if (dice.chance(50)) return { path: "/api/cancel", body, visit };
    return {
        path: "/api/move",
        body: {
            ...body, dentist: 1 + dice.below(DENTISTS), day: today + 1 + dice.below(DAYS),
            minute: 480 + 15 * dice.below(40),
        },
        visit,
    };
}

// Books what an answer means in the client's own memory.
function remember(state, request, answer) {
    if (answer.status !== 200) return;
    const { body, path, visit } = request;
    if (path === "/api/cancel") {
        visit.cancelled = true;
        state.visits.splice(state.visits.indexOf(visit), 1);
    } else if (path === "/api/move") {
        Object.assign(visit, { dentist: body.dentist, day: body.day, minute: body.minute });
    } else {
        const { appointment, dentist, day, minute } = answer.body;
        const booked = {
            appointment, dentist, day, minute, patient: body.patient, practice: body.practice,
            treatment: body.treatment, cancelled: false,
        };
        state.visits.push(booked);
        state.all.push(booked);
    }
}

// Asks until `stop.now`. Resolves with {visits, exchanges}: what this client believes.
export async function client(clinic, counts, dice, today, stop) {
    const state = { visits: [], all: [], left: 0, patient: "" };
    const exchanges = [];
    while (!stop.now) {
        const roll = dice.below(100);
        const want = roll < 35 && state.visits.length > 0 ? wantChange
            : roll < 70 ? wantSlot : wantAny;
        const request = { ...want(dice, state, today), key: `crash-${dice.uuid()}` };
        const answer = await ask(clinic, counts, request);
        exchanges.push({ request, answer });
        remember(state, request, answer);
    }
    return { visits: state.all, exchanges };
}
