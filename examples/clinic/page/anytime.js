// anytime.js - "find me any time": name days and hours, and the clinic takes the first that fits.

import { aboutOf, clearSuggestions, follow } from "./booking.js";
import { closeButton, openDialog } from "./dialog.js";
import { h } from "./element.js";
import { send } from "./outbox.js";
import { personFields } from "./person.js";
import { practice, state, today, treatment } from "./state.js";
import { dayLong, dayOfMonth, mondayOf, money, weekday, weekdayShort } from "./time.js";

const WEEKS = 2;
const PARTS = [
    { name: "Morning", start: 8 * 60, end: 12 * 60, hours: "before 12" },
    { name: "Midday", start: 12 * 60, end: 14 * 60, hours: "12 to 14" },
    { name: "Afternoon", start: 14 * 60, end: 16 * 60, hours: "14 to 16" },
    { name: "Late", start: 16 * 60, end: 20 * 60, hours: "after 16" },
];

// Monday to Friday, and the weekend where somebody works in the week that is shown.
function isOpen(day) {
    return weekday(day) < 5 || state.shifts.some((s) => weekday(s.day) === weekday(day));
}

// Days from now on, in whole weeks so that they stand in columns.
function offeredDays() {
    const first = weekday(today()) < 5 ? mondayOf(today()) : mondayOf(today()) + 7;
    return Array.from({ length: 7 * WEEKS }, (_, i) => first + i).filter(isOpen);
}

// Neighbouring parts become one range: a visit may lie across noon.
function rangesOf(indexes) {
    const ranges = [];
    for (const { start, end } of indexes.map((i) => PARTS[i])) {
        const last = ranges.at(-1);
        if (last && last.end === start) last.end = end;
        else ranges.push({ start, end });
    }
    return ranges;
}

function dayBoxes() {
    const days = offeredDays();
    return h("fieldset", { class: "choice days" }, h("legend", { text: "Which days suit you?" }),
        h("div", { class: "day-boxes", css: { "--columns": days.length / WEEKS } },
            days.map(dayBox)));
}

function dayBox(day) {
    const past = day < today();
    return h("label", { class: "day-box" },
        h("input", {
            "type": "checkbox", "name": "day", "value": day, "aria-label": dayLong(day),
            "disabled": past, "checked": !past,
        }),
        h("span", {},
            h("small", { text: weekdayShort(day) }), h("b", { text: dayOfMonth(day) })));
}

function partBoxes() {
    return h("fieldset", { class: "choice parts" }, h("legend", { text: "And what time of day?" }),
        PARTS.map((part, i) => h("label", { class: "chip" },
            h("input", { type: "checkbox", name: "part", value: i, checked: true }),
            h("span", {}, `${part.name} `, h("small", { text: part.hours })))));
}

function dentistSelect() {
    const here = state.clinic.dentists.filter((d) => d.practice === state.choice.practice);
    return h("div", { class: "field" }, h("label", { for: "any-dentist", text: "With" }),
        h("select", { id: "any-dentist", name: "dentist" },
            h("option", { value: 0, text: "whoever is free first" }),
            here.map((d) => h("option", {
                value: d.dentist, text: d.name, selected: d.dentist === state.choice.dentist,
            }))));
}

export function openAnytime() {
    const wanted = treatment();
    const person = personFields();
    const problem = h("p", { class: "error", role: "alert" });
    const form = h("form", { class: "book any", novalidate: true },
        h("p", { class: "what" }, h("b", { text: wanted.label }),
            ` · ${wanted.minutes} minutes · ${money(wanted.price_cents)} · ${practice().name}`),
        dayBoxes(), partBoxes(), dentistSelect(), ...person.rows, problem,
        h("div", { class: "buttons" },
            closeButton("Not now"),
            h("button", { type: "submit", class: "primary", text: "Find and book" })));
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        const data = new FormData(form);
        const days = data.getAll("day").map(Number);
        const ranges = rangesOf(data.getAll("part").map(Number));
        problem.textContent = days.length === 0 ? "Choose at least one day."
            : ranges.length === 0 ? "Choose at least one time of day." : "";
        const who = person.read();
        if (!who || problem.textContent) return;
        ask({ dentist: Number(data.get("dentist")), days, ranges }, wanted, who);
    });
    openDialog("Find me any time", [form]);
}

function ask(wishes, wanted, who) {
    clearSuggestions();
    const body = {
        patient: state.patient, ...who, practice: state.choice.practice, ...wishes,
        treatment: wanted.treatment,
    };
    follow(send("/api/request_any", body, aboutOf(wanted, null)), null, openAnytime);
}
