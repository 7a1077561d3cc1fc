// calendar.js - the calendar: what it shows, when it is built and when it is only touched up.
//
// Two layouts share one model: a week (rows are quarter-hours, columns are days) and, on a narrow
// screen, a day (rows are hours, columns their quarters). The elements are built only when the
// shape changes: another week, practice, dentist or layout. Every other change patches classes and
// labels in place, so that the keyboard focus and the pointer never lose the cell they are on.

import { weekBlocks } from "./blocks.js";
import { byId, h, patch } from "./element.js";
import { rove, stopAt } from "./rove.js";
import { cellState, laneState, planOf, visibleHours } from "./slots.js";
import { chosenTreatment, isStanding, now, shownDentists, state, today } from "./state.js";
import {
    clock, DAY_MINUTES, dayLong, dayOfMonth, dayShort, monthAndYear, QUARTER, span, weekday,
    weekdayShort, weekTitle,
} from "./time.js";

const narrow = matchMedia("(max-width: 759px)");

let shape = ""; // what the present elements were built for
let rows = []; // the cells as a matrix
let view = null;

// What the patient occupies: visits, and requests that have no answer yet.
function mine() {
    const visits = [...state.visits.values()]
        .filter((v) => v.practice === state.choice.practice && isStanding(v));
    const asked = [...state.sending.values()]
        .filter((e) => e.about?.slot && e.about.practice === state.choice.practice)
        .map((e) => ({ ...e.about.slot, minutes: e.about.minutes, state: "sending", key: e.key }));
    return [...visits, ...asked];
}

// A visit that is being moved gives up its time: it may move into a part of it.
function withoutMoving() {
    const visit = state.visits.get(state.moving);
    return [...state.taken.values()].filter((b) => !visit || b.dentist !== visit.dentist
        || b.day !== visit.day || b.minute !== visit.minute);
}

// The days with shifts, and Monday to Friday in any case.
function shownDays() {
    const days = Array.from({ length: 7 }, (_, i) => state.week + i);
    return days.filter((d) => weekday(d) < 5 || state.shifts.some((s) => s.day === d));
}

export function currentView() {
    const dentists = shownDentists();
    const ids = new Set(dentists.map((d) => d.dentist));
    const own = mine();
    const staying = own.filter((v) => v.appointment !== state.moving);
    const visible = state.shifts.filter((s) => ids.has(s.dentist)
        && (!narrow.matches || s.day === state.day));
    return {
        layout: narrow.matches ? "day" : "week",
        days: shownDays(),
        dentists,
        own,
        taken: [...state.taken.values()].filter((b) => ids.has(b.dentist)),
        plan: planOf(state.shifts, withoutMoving(), staying),
        minutes: chosenTreatment().minutes,
        now: now(),
        ...visibleHours(visible),
    };
}

export function lanesAt(v, day, minute) {
    return v.dentists.map((d) => laneState(v.plan, d.dentist, day, minute, v.minutes, v.now));
}

export function drawCalendar() {
    view = currentView();
    const shown = view.layout === "day" ? [state.day] : view.days;
    const wanted = [view.layout, shown, view.start, view.end,
        view.dentists.map((d) => d.dentist), state.choice.practice].join("|");
    if (wanted !== shape) {
        build(shown);
        shape = wanted;
    }
    byId("calendar").setAttribute("aria-busy", String(!state.weekLoaded));
    for (const cell of rows.flat()) patchCell(cell);
    drawTitle();
    drawDays();
    if (view.layout === "week") weekBlocks(byId("blocks"), view);
    if (!rows.flat().some((c) => c.tabIndex === 0)) keepStop();
}

function keepStop() {
    const cells = rows.flat();
    const first = cells.find((c) => c.dataset.state === "free") ?? cells[0];
    if (first) stopAt(rows, first);
}

function build(shown) {
    const grid = byId("calendar");
    const focus = rows.flatMap((r, i) => r.map((c, j) => [c, i, j]))
        .find(([c]) => c === document.activeElement);
    grid.className = view.layout;
    grid.style.setProperty("--columns", view.layout === "week" ? shown.length : 4);
    grid.style.setProperty("--rows", (view.end - view.start) / QUARTER);
    if (view.layout === "week") buildWeek(grid, shown);
    else buildDay(grid, shown[0]);
    if (focus) rows[Math.min(focus[1], rows.length - 1)][focus[2]]?.focus();
}

function newCell(day, minute) {
    const lanes = view.dentists.map((d) => h("i", { class: "lane", css: { "--hue": d.colour } }));
    const data = { day, minute };
    return h("div", { role: "gridcell", class: "cell", tabindex: -1, data }, lanes);
}

function buildWeek(grid, days) {
    const times = [];
    for (let m = view.start; m < view.end; m += QUARTER) times.push(m);
    rows = times.map((minute) => days.map((day) => newCell(day, minute)));
    const head = h("div", { role: "row", class: "head" },
        h("span", { role: "columnheader", class: "corner", "aria-label": "Time" }),
        days.map(dayHead));
    const body = times.map((minute, i) => h("div", {
        role: "row", class: minute % 60 === 0 ? "line hour" : "line", css: { "--at": i + 2 },
    },
    h("span", { role: "rowheader", class: "time" },
        h("span", { class: minute % 60 === 0 ? "" : "hidden", text: clock(minute) })),
    rows[i]));
    grid.replaceChildren(head, ...body, h("div", { id: "blocks", "aria-hidden": "true" }));
}

function dayHead(day) {
    const lanes = view.dentists.length > 1
        ? h("span", { class: "lanes", "aria-hidden": "true" },
            view.dentists.map(({ colour, name }) =>
                h("span", { css: { "--hue": colour }, text: initials(name) })))
        : null;
    return h("span", { "role": "columnheader", "class": "day", "data": { day },
        "aria-label": dayLong(day) },
    h("span", { class: "weekday", text: weekdayShort(day) }),
    h("span", { class: "date", text: dayOfMonth(day) }), lanes);
}

export function initials(name) {
    return name.replace(/^(Dr|Prof)\.?\s+/, "").split(/\s+/).map((w) => w[0]).join("").slice(0, 2);
}

function buildDay(grid, day) {
    rows = [];
    for (let hour = view.start; hour < view.end; hour += 60) {
        rows.push([0, 15, 30, 45].map((m) => newCell(day, hour + m)));
    }
    const lines = rows.map((cells, i) => {
        for (const cell of cells) {
            cell.append(h("span", { class: "when", text: clock(+cell.dataset.minute) }));
        }
        const hour = clock(view.start + i * 60);
        return h("div", { role: "row", class: "line" },
            h("span", { role: "rowheader", class: "hidden", text: hour }), cells);
    });
    grid.replaceChildren(...lines);
}

const WORDS = {
    mine: "your visit", taken: "taken", past: "past", off: "closed",
};

function patchCell(cell) {
    const [day, minute] = [+cell.dataset.day, +cell.dataset.minute];
    const lanes = lanesAt(view, day, minute);
    const name = cellState(lanes);
    const suggested = name === "free"
        && state.suggested.some((s) => s.day === day && s.minute === minute);
    if (cell.dataset.state !== name) cell.dataset.state = name;
    patch(cell, "class", suggested ? "cell suggested" : "cell");
    patch(cell, "aria-disabled", name === "free" || name === "mine" ? null : "true");
    patch(cell, "aria-label",
        `${dayLong(day)}, ${clock(minute)}, ${words(name, lanes, suggested)}`);
    patch(cell, "data-label", name === "free" ? span(minute, view.minutes) : null);
    cell.style.setProperty("--span", view.minutes / QUARTER);
    lanes.forEach((lane, i) => patch(cell.children[i], "data-lane", lane));
}

function words(name, lanes, suggested) {
    if (name === "short") return `too short for ${view.minutes} minutes`;
    if (name !== "free") return WORDS[name];
    const who = view.dentists.filter((_, i) => lanes[i] === "free").map((d) => d.name);
    return `${suggested ? "suggested, " : ""}free with ${who.join(" or ")}`;
}

function drawTitle() {
    byId("week-title").textContent = view.layout === "day"
        ? monthAndYear(state.day)
        : weekTitle(view.days[0], view.days.at(-1));
    for (const head of document.querySelectorAll("#calendar .day")) {
        head.classList.toggle("today", +head.dataset.day === today());
    }
    byId("previous").disabled = (view.layout === "day" ? state.day : state.week) <= today();
}

// The strip of days on a phone, each with the number of times that are free.
function drawDays() {
    const strip = byId("days");
    strip.hidden = view.layout !== "day";
    if (strip.hidden) return;
    const key = view.days.join();
    if (strip.dataset.days !== key) {
        strip.dataset.days = key;
        strip.replaceChildren(...view.days.map(dayButton));
    }
    for (const button of strip.children) {
        const day = +button.dataset.day;
        const free = freeOn(day);
        patch(button, "aria-pressed", String(day === state.day));
        patch(button, "aria-label", `${dayShort(day)}, ${free} free times`);
        button.lastChild.textContent = free === 0 ? "–" : String(free);
    }
}

function dayButton(day) {
    return h("button", { type: "button", data: { day } },
        h("span", { class: "weekday", text: weekdayShort(day) }),
        h("span", { class: "date", text: dayOfMonth(day) }),
        h("span", { class: "count" }));
}

function freeOn(day) {
    let count = 0;
    for (let m = 0; m < DAY_MINUTES; m += QUARTER) {
        if (lanesAt(view, day, m).includes("free")) count += 1;
    }
    return count;
}

// `chosen(slot)` gets {day, minute, dentists} of a free cell; `visited(visit)` one of the patient's
// own; `refused(text)` the reason why neither; `page(step)` turns the week or the day.
export function prepareCalendar({ chosen, visited, refused, page }) {
    const press = (cell) => {
        const [day, minute] = [+cell.dataset.day, +cell.dataset.minute];
        const lanes = lanesAt(view, day, minute);
        const name = cellState(lanes);
        if (name === "free") {
            const free = view.dentists.filter((_, i) => lanes[i] === "free");
            chosen({ day, minute, dentists: free.map((d) => d.dentist) });
        } else if (name === "mine") {
            const visit = view.own.find((v) => v.day === day && v.minute <= minute
                && minute < v.minute + v.minutes);
            if (visit?.appointment) visited(visit);
        } else refused(`${clock(minute)} is ${words(name, lanes, false)}.`);
    };
    const grid = byId("calendar");
    rove(grid, { matrix: () => rows, chosen: press, page });
    grid.addEventListener("click", (event) => {
        const cell = event.target.closest("[role=gridcell]");
        if (cell) press(cell);
    });
    byId("days").addEventListener("click", (event) => {
        const button = event.target.closest("button");
        if (button) page(+button.dataset.day - state.day);
    });
    swipe(grid, page);
    narrow.addEventListener("change", drawCalendar);
}

// A level stroke of a finger turns the day.
function swipe(grid, page) {
    const FAR = 48;
    let from = null;
    grid.addEventListener("touchstart", ({ touches }) => {
        from = touches.length === 1 ? { x: touches[0].clientX, y: touches[0].clientY } : null;
    }, { passive: true });
    grid.addEventListener("touchend", ({ changedTouches: [end] }) => {
        if (!from || view.layout !== "day") return;
        const [dx, dy] = [end.clientX - from.x, end.clientY - from.y];
        if (Math.abs(dx) > FAR && Math.abs(dx) > 2 * Math.abs(dy)) page(dx < 0 ? 1 : -1);
    }, { passive: true });
}
