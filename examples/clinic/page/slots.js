// slots.js - which quarter-hours are open, taken, or free for a treatment.
//
// Pure: values in, values out, no document and no clock. The server decides again when a request
// arrives; what is computed here only keeps people from asking for what cannot be given.

import { DAY_MINUTES, QUARTER } from "./time.js";

export const QUARTERS = DAY_MINUTES / QUARTER;

export const OFF = 0; // no shift
export const OPEN = 1;
export const TAKEN = 2;
export const MINE = 3;

// Returns a plan: for each dentist and day one byte per quarter-hour. `mine` are visits and
// unanswered requests of this patient; they win over `taken`, which lists them a second time.
export function planOf(shifts, taken, mine) {
    const days = new Map();
    const row = (dentist, day) => {
        const key = `${dentist}:${day}`;
        if (!days.has(key)) days.set(key, new Uint8Array(QUARTERS));
        return days.get(key);
    };
    for (const s of shifts) row(s.dentist, s.day).fill(OPEN, s.start / QUARTER, s.end / QUARTER);
    for (const b of taken) mark(row(b.dentist, b.day), b, TAKEN);
    for (const b of mine) mark(row(b.dentist, b.day), b, MINE);
    return days;
}

function mark(quarters, booking, value) {
    const first = Math.floor(booking.minute / QUARTER);
    quarters.fill(value, first, first + Math.ceil(booking.minutes / QUARTER));
}

export function at(plan, dentist, day, minute) {
    const quarters = plan.get(`${dentist}:${day}`);
    return quarters ? quarters[minute / QUARTER] : OFF;
}

// Whether `minutes` of treatment fit from this quarter-hour on.
export function fits(plan, dentist, day, minute, minutes) {
    const quarters = plan.get(`${dentist}:${day}`);
    if (!quarters) return false;
    const first = minute / QUARTER;
    const end = first + Math.ceil(minutes / QUARTER);
    if (end > QUARTERS) return false;
    for (let q = first; q < end; q++) {
        if (quarters[q] !== OPEN) return false;
    }
    return true;
}

// One lane of one cell: what a dentist offers at this time.
export function laneState(plan, dentist, day, minute, minutes, now) {
    const value = at(plan, dentist, day, minute);
    if (value === OFF) return "off";
    if (value === MINE) return "mine";
    if (value === TAKEN) return "taken";
    if (day * DAY_MINUTES + minute < now) return "past";
    return fits(plan, dentist, day, minute, minutes) ? "free" : "short";
}

const RANK = ["mine", "free", "taken", "short", "past", "off"];

// A cell is as good as its best lane; but who has a visit then is not offered another.
export function cellState(lanes) {
    return RANK.find((name) => lanes.includes(name)) ?? "off";
}

// The minutes [start, end) that the calendar must show, on whole hours; a week without shifts
// still gets the outline of a working day.
export function visibleHours(shifts) {
    if (shifts.length === 0) return { start: 9 * 60, end: 17 * 60 };
    const start = Math.min(...shifts.map((s) => s.start));
    const end = Math.max(...shifts.map((s) => s.end));
    return { start: Math.floor(start / 60) * 60, end: Math.ceil(end / 60) * 60 };
}

// Free slots nearest to `wanted`, best first. They lie half an hour apart at least, because five
// neighbouring quarter-hours are no choice; another dentist counts like an hour of distance.
export function alternatives(plan, dentists, days, wanted, minutes, now, count) {
    const found = [];
    for (const dentist of dentists) {
        for (const day of days) {
            for (let minute = 0; minute < DAY_MINUTES; minute += QUARTER) {
                const gone = dentist === wanted.dentist && day === wanted.day
                    && minute === wanted.minute;
                const lanes = dentists.map((d) => laneState(plan, d, day, minute, minutes, now));
                const free = lanes[dentists.indexOf(dentist)] === "free";
                if (gone || !free || lanes.includes("mine")) continue;
                found.push({ dentist, day, minute, cost: distance(wanted, dentist, day, minute) });
            }
        }
    }
    found.sort((a, b) => a.cost - b.cost || a.dentist - b.dentist);
    return spread(found, count);
}

function distance(wanted, dentist, day, minute) {
    const time = Math.abs((day - wanted.day) * DAY_MINUTES + minute - wanted.minute);
    return time + (dentist === wanted.dentist ? 0 : 60);
}

function spread(found, count) {
    const chosen = [];
    for (const slot of found) {
        const close = chosen.some((c) => c.day === slot.day
            && Math.abs(c.minute - slot.minute) < 30);
        if (!close) chosen.push({ dentist: slot.dentist, day: slot.day, minute: slot.minute });
        if (chosen.length === count) break;
    }
    return chosen;
}
