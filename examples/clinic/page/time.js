// time.js - days, minutes and money as people read them.
//
// The clinic counts a day as days since 1970-01-01 and a time as minutes since midnight, both in
// the clinic's own time zone. Nothing here asks the browser for its zone: a day number is turned
// into a Date only to be named, always in UTC, so that a patient abroad reads the clinic's times.

export const QUARTER = 15;
export const DAY_MINUTES = 24 * 60;

const DAY_MS = 24 * 60 * 60 * 1000;
const HISTORY_TIME = new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const MONEY = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });

function named(options) {
    const format = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
    return (day) => format.format(new Date(day * DAY_MS));
}

export const weekdayShort = named({ weekday: "short" });
export const dayOfMonth = named({ day: "numeric" });
export const dayShort = named({ weekday: "short", day: "numeric", month: "short" });
export const dayLong = named({ weekday: "long", day: "numeric", month: "long" });
export const monthAndYear = named({ month: "long", year: "numeric" });

const monthLong = named({ month: "long" });

// Monday is 0. Day 0 of the epoch was a Thursday.
export function weekday(day) {
    return (day + 3) % 7;
}

export function mondayOf(day) {
    return day - weekday(day);
}

export function clock(minute) {
    const two = (n) => String(n).padStart(2, "0");
    return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

export function span(minute, minutes) {
    return `${clock(minute)} – ${clock(minute + minutes)}`;
}

// "23 – 27 November 2026", or with both months where the week lies on a border.
export function weekTitle(first, last) {
    const start = monthLong(first) === monthLong(last)
        ? dayOfMonth(first)
        : `${dayOfMonth(first)} ${monthLong(first)}`;
    return `${start} – ${dayOfMonth(last)} ${monthAndYear(last)}`;
}

export function money(cents) {
    return MONEY.format(cents / 100);
}

export function historyTime(unixMs) {
    return HISTORY_TIME.format(new Date(unixMs));
}
