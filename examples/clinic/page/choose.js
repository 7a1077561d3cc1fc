// choose.js - practice, treatment and dentist: the choices beside the calendar, remembered.

import { initials } from "./calendar.js";
import { byId, h } from "./element.js";
import { changed, practice, shownDentists, state } from "./state.js";
import { money } from "./time.js";

const CHOICE = "clinic.choice";

// Takes what was chosen last time where it still exists.
export function restoreChoice() {
    let kept = {};
    try {
        kept = JSON.parse(localStorage.getItem(CHOICE)) ?? {};
    } catch {
        // A broken memory is no memory.
    }
    const { practices, treatments } = state.clinic;
    const known = (list, name, value) => list.some((x) => x[name] === value);
    state.choice.practice = known(practices, "practice", kept.practice)
        ? kept.practice : practices[0].practice;
    state.choice.treatment = known(treatments, "treatment", kept.treatment)
        ? kept.treatment : (treatments[1] ?? treatments[0]).treatment;
    state.choice.dentist = kept.dentist ?? 0;
    if (shownDentists().length === 0) state.choice.dentist = 0;
}

function keep() {
    localStorage.setItem(CHOICE, JSON.stringify(state.choice));
    state.suggested = [];
    changed();
}

// `turned()` is called when another practice was chosen, after the choice is kept.
export function prepareChoice(turned) {
    const select = byId("practice");
    select.replaceChildren(...state.clinic.practices.map((p) =>
        h("option", { value: p.practice, text: p.name })));
    select.addEventListener("change", () => {
        state.choice.practice = Number(select.value);
        state.choice.dentist = 0;
        state.moving = 0; // a visit stays in its practice
        keep();
        turned();
    });
    byId("treatments").append(...state.clinic.treatments.map(treatmentCard));
    byId("treatments").addEventListener("change", (event) => {
        state.choice.treatment = event.target.value;
        keep();
    });
    byId("dentists").addEventListener("change", (event) => {
        state.choice.dentist = Number(event.target.value);
        keep();
    });
}

function treatmentCard(t) {
    return h("label", { class: "card" },
        h("input", { type: "radio", name: "treatment", value: t.treatment }),
        h("span", { class: "card-body" },
            h("b", { text: t.label }),
            h("span", { class: "card-price", text: money(t.price_cents) }),
            h("small", { text: `${t.minutes} minutes` })));
}

function dentistCard({ dentist, name, colour }) {
    return h("label", { class: "card person", css: { "--hue": colour ?? 0 } },
        h("input", { type: "radio", name: "shown-dentist", value: dentist }),
        h("span", { class: "card-body" },
            h("span", { "class": dentist ? "face" : "face all", "aria-hidden": "true",
                "text": dentist ? initials(name) : "∗" }),
            h("b", { text: name })));
}

export function drawChoice() {
    const { choice } = state;
    byId("practice").value = choice.practice;
    byId("street").textContent = practice().street;
    const group = byId("dentists");
    if (group.dataset.practice !== String(choice.practice)) {
        group.dataset.practice = choice.practice;
        for (const card of group.querySelectorAll(".card")) card.remove();
        const here = state.clinic.dentists.filter((d) => d.practice === choice.practice);
        group.append(...[{ dentist: 0, name: "Anyone" }, ...here].map(dentistCard));
    }
    check("treatment", choice.treatment);
    check("shown-dentist", choice.dentist);
}

function check(name, value) {
    const input = document.querySelector(`input[name="${name}"][value="${value}"]`);
    if (input && !input.checked) input.checked = true;
}
