// booking.js - from a free slot to a booked one: the form, the progress, the slot that has gone.
//
// The dialog only shows; the request itself lives in the outbox. Closing the dialog, or the window,
// stops nothing.

import { currentView } from "./calendar.js";
import { closeButton, closeDialog, openDialog, retitleDialog } from "./dialog.js";
import { h } from "./element.js";
import { loadVisits, loadWeek, turnTo } from "./feed.js";
import { say, tell } from "./notice.js";
import { send } from "./outbox.js";
import { personFields } from "./person.js";
import { alternatives } from "./slots.js";
import { changed, dentist, inMotion, onChange, practice, state, treatment } from "./state.js";
import { history, providerNote, sendingAsVisit, stations } from "./timeline.js";
import { clock, dayLong, dayShort, mondayOf, money, span } from "./time.js";
import { refusalText } from "./words.js";

const SUGGESTIONS = 4;
const HISTORY_LINES = 5;

export function slotCard(slot, minutes) {
    return h("div", { class: "slot-card" },
        h("p", { class: "slot-day", text: dayLong(slot.day) }),
        h("p", { class: "slot-time", text: span(slot.minute, minutes) }));
}

// The dentists to choose from; a single one is only named.
export function dentistChoice(ids) {
    const people = ids.map((id) => dentist(state.choice.practice, id));
    if (people.length === 1) {
        return h("p", { class: "with", text: `with ${people[0].name}` },
            h("input", { type: "hidden", name: "dentist", value: ids[0] }));
    }
    return h("fieldset", { class: "choice" }, h("legend", { text: "With" }),
        people.map((d, i) => h("label", { class: "chip", css: { "--hue": d.colour } },
            h("input", { type: "radio", name: "dentist", value: d.dentist, checked: i === 0 }),
            h("span", { class: "dot" }), h("span", { text: d.name }))));
}

// `slot` is {day, minute, dentists}.
export function openBooking(slot) {
    const wanted = treatment();
    const price = money(wanted.price_cents);
    const person = personFields();
    const form = h("form", { class: "book", novalidate: true },
        slotCard(slot, wanted.minutes),
        h("p", { class: "what" },
            h("b", { text: wanted.label }), ` · ${price} · ${practice().name}`),
        dentistChoice(slot.dentists),
        ...person.rows,
        h("p", { class: "small", text: `We hold ${price} at your bank and take it only when the `
            + "time is yours. Whatever breaks on the way, you are charged once or not at all." }),
        h("div", { class: "buttons" },
            closeButton("Not now"),
            h("button", { type: "submit", class: "primary", text: `Book and hold ${price}` })));
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        const who = person.read();
        if (!who) return;
        const id = Number(new FormData(form).get("dentist"));
        request({ dentist: id, day: slot.day, minute: slot.minute }, wanted, who);
    });
    openDialog("Book this time", [form]);
}

function request(slot, wanted, who) {
    clearSuggestions();
    const body = {
        patient: state.patient, ...who, practice: state.choice.practice,
        ...slot, treatment: wanted.treatment,
    };
    follow(send("/api/request_slot", body, aboutOf(wanted, slot)), slot);
}

export function aboutOf(wanted, slot) {
    return {
        practice: state.choice.practice, slot, treatment: wanted.treatment,
        minutes: wanted.minutes, price_cents: wanted.price_cents,
    };
}

// Shows a request from its sending to its end. `slot` is what was asked for, or null for "any".
// `again()`, if given, opens the form that asked.
export async function follow({ key, outcome }, slot, again = null) {
    const progress = { key, appointment: 0, last: "", watched: true, ...progressBox() };
    const draw = () => drawProgress(progress);
    const stop = onChange(draw);
    openDialog("Booking …", [progress.box], () => {
        progress.watched = false;
        stop();
    });
    draw();
    const { reply, refusal } = await outcome;
    if (refusal) {
        refused(refusal, slot, again, () => progress.watched);
        return;
    }
    progress.appointment = reply.appointment;
    if (!state.visits.has(reply.appointment)) await loadVisits();
    if (!slot && reply.day) {
        state.day = reply.day;
        await turnTo(mondayOf(reply.day));
    }
    draw();
}

// What is told changes; the button stays the same element, so that a press that has begun, and the
// focus, are not lost when the clinic has news in that moment.
function progressBox() {
    const told = h("div", { class: "told" });
    const hint = h("p", { class: "small" });
    const button = closeButton("Close", "primary");
    const box = h("div", { class: "progress" }, told, h("div", { class: "buttons" }, hint, button));
    return { box, told, hint, button };
}

const TITLES = {
    sending: "Asking for your time",
    holding: "Holding the payment",
    confirming: "Writing it down",
    confirmed: "It is yours",
    declined: "The payment was declined",
    releasing: "Giving the money back",
    released: "The money is back",
    cancelled: "Cancelled",
};

// Draws again only what differs, and speaks only when the state changes.
function drawProgress(progress) {
    const entry = state.sending.get(progress.key);
    const visit = progress.appointment ? state.visits.get(progress.appointment)
        : entry && sendingAsVisit(entry);
    if (!visit || !progress.watched) return;
    const now = JSON.stringify([visit, state.provider]);
    if (now === progress.last) return;
    if (progress.state !== visit.state) say(TITLES[visit.state]);
    progress.last = now;
    progress.state = visit.state;
    const busy = visit.state === "sending" || inMotion(visit);
    retitleDialog(TITLES[visit.state]);
    progress.box.dataset.state = visit.state;
    progress.told.replaceChildren(...[
        visit.day ? slotCard(visit, visit.minutes) : null,
        stations(visit),
        busy ? providerNote() : null,
        visit.history.length > 0 ? history(visit, HISTORY_LINES) : null,
    ].filter(Boolean));
    progress.hint.textContent = busy ? "You may close this; the clinic goes on with it." : "";
    progress.button.textContent = busy ? "Close" : "Done";
}

// `watched()` is false once the patient has turned to something else, which is not interrupted.
function refused(refusal, slot, again, watched) {
    if (!watched()) {
        tell(refusalText(refusal), "bad");
        return;
    }
    if (refusal.code === "SLOT_TAKEN" && slot) {
        slotGone(refusal, slot, openBookingOf, watched);
        return;
    }
    openDialog("That did not work", [
        h("p", { class: "problem", text: refusalText(refusal) }),
        h("p", { class: "small", text: "Nothing was charged." }),
        h("div", { class: "buttons" },
            closeButton("Back to the calendar"),
            again ? h("button", { type: "button", class: "primary", text: "Ask differently",
                on: { click: again } }) : null),
    ]);
}

function openBookingOf(slot) {
    openBooking({ day: slot.day, minute: slot.minute, dentists: [slot.dentist] });
}

export function clearSuggestions() {
    if (state.suggested.length === 0) return;
    state.suggested = [];
    changed();
}

// Somebody was faster. Loads the week first, so that what is offered instead is free now.
// `choose(slot)` takes one of the offers; `watched()` as for refused().
export async function slotGone(refusal, slot, choose, watched) {
    await loadWeek();
    if (!watched()) {
        tell(refusalText(refusal), "bad");
        return;
    }
    const view = currentView();
    const dentists = view.dentists.map((d) => d.dentist);
    state.suggested = alternatives(view.plan, dentists, view.days, slot, view.minutes, view.now,
        SUGGESTIONS);
    changed();
    openDialog("That slot has just gone", [h("div", { class: "gone" },
        h("p", { text: `Somebody was a moment faster for ${dayShort(slot.day)} at `
            + `${clock(slot.minute)}. Nothing was charged.` }),
        state.suggested.length > 0
            ? h("p", { class: "label", text: "Free, and close to it" })
            : h("p", { text: "Nothing else is free this week. The next week may have room." }),
        h("div", { class: "offers" }, state.suggested.map((s) => offer(s, choose))),
        h("div", { class: "buttons" }, h("button", {
            type: "button", class: "quiet", text: "Show them in the calendar",
            on: { click: showSuggestions },
        })))]);
    say("That slot has just gone.");
}

function offer(slot, choose) {
    return h("button", {
        "type": "button", "class": "offer", "on": { click: () => choose(slot) },
        "css": { "--hue": dentist(state.choice.practice, slot.dentist).colour },
    },
    h("b", { text: clock(slot.minute) }),
    h("span", { text: dayShort(slot.day) }),
    h("span", { class: "who" }, h("span", { class: "dot" }),
        h("span", { text: dentist(state.choice.practice, slot.dentist).name })));
}

function showSuggestions() {
    const [first] = state.suggested;
    closeDialog();
    if (!first) return;
    state.day = first.day;
    changed();
    queueMicrotask(() => document.querySelector("#calendar .suggested")?.focus());
}
