// visits.js - the patient's own visits: what is booked, what is being paid, cancelling and moving.
//
// A card is drawn again only when its visit has changed, and then keeps an opened history open and
// the focus on the same button.

import { slotCard, slotGone } from "./booking.js";
import { closeButton, closeDialog, isDialogOpen, openDialog } from "./dialog.js";
import { byId, h } from "./element.js";
import { turnTo } from "./feed.js";
import { say, tell } from "./notice.js";
import { send } from "./outbox.js";
import {
    changed, dentist, inMotion, isStanding, now, practice, state, treatment,
} from "./state.js";
import { history, providerNote, sendingAsVisit, stations } from "./timeline.js";
import {
    clock, DAY_MINUTES, dayLong, dayOfMonth, dayShort, mondayOf, money, span, weekdayShort,
} from "./time.js";
import { refusalText, STATE_WORDS } from "./words.js";

const HISTORY_LINES = 5; // in a dialog, and while a payment is tried

const drawn = new Map(); // key -> {signature, card}

function endOf(visit) {
    return visit.day * DAY_MINUTES + visit.minute + visit.minutes;
}

// Where something happens stands on top.
function isBusy(visit) {
    return visit.state === "sending" || inMotion(visit);
}

function isAhead(visit) {
    return inMotion(visit) || (isStanding(visit) && endOf(visit) > now());
}

export function drawVisits() {
    const asked = [...state.sending.values()].filter((e) => e.path.startsWith("/api/request_"))
        .map((e) => ({ key: e.key, visit: sendingAsVisit(e) }));
    const all = [...state.visits.values()]
        .map((v) => ({ key: `visit-${v.appointment}`, visit: v }));
    const ahead = [...asked, ...all.filter((c) => isAhead(c.visit))]
        .sort((a, b) => isBusy(b.visit) - isBusy(a.visit) || endOf(a.visit) - endOf(b.visit));
    const earlier = all.filter((c) => !isAhead(c.visit))
        .sort((a, b) => b.visit.appointment - a.visit.appointment);
    for (const key of drawn.keys()) {
        if (![...ahead, ...earlier].some((c) => c.key === key)) drawn.delete(key);
    }
    arrange(byId("ahead"), ahead.map(cardOf));
    arrange(byId("earlier-list"), earlier.map(cardOf));
    byId("earlier").hidden = earlier.length === 0;
    byId("no-visits").hidden = ahead.length > 0;
    const badge = byId("visits-count");
    badge.textContent = ahead.length > 0 ? String(ahead.length) : "";
}

// Puts the cards in order without touching those that are in place already.
function arrange(list, cards) {
    cards.forEach((card, i) => {
        if (list.children[i] !== card) list.insertBefore(card, list.children[i] ?? null);
    });
    while (list.children.length > cards.length) list.lastChild.remove();
}

function cardOf({ key, visit }) {
    const busy = isBusy(visit);
    const signature = JSON.stringify([visit, busy ? state.provider : "",
        state.moving === visit.appointment, isAhead(visit)]);
    const old = drawn.get(key);
    if (old?.signature === signature) return old.card;
    const card = newCard(visit, busy);
    if (old) replaceCard(old.card, card);
    drawn.set(key, { signature, card });
    return card;
}

function replaceCard(old, card) {
    const focused = old.contains(document.activeElement)
        ? document.activeElement.dataset.action : null;
    const [was, is] = [old.querySelector("details"), card.querySelector("details")];
    if (was && is && old.dataset.state === card.dataset.state) is.open = was.open;
    old.replaceWith(card);
    if (focused) (card.querySelector(`[data-action=${focused}]`) ?? byId("visits-title")).focus();
}

function newCard(visit, busy) {
    const what = treatment(visit.treatment);
    const data = { state: visit.state, appointment: visit.appointment ?? "" };
    return h("li", { class: "visit", data },
        h("div", { class: "visit-head" }, dateTile(visit),
            h("div", { class: "visit-what" },
                h("div", { class: "visit-title" }, h("h3", { text: what.label }),
                    h("span", { class: `state ${visit.state}`, text: STATE_WORDS[visit.state] })),
                h("p", { class: "visit-time", text: visit.day ? span(visit.minute, visit.minutes)
                    : "Looking for a time" }),
                h("p", { class: "visit-who", text: whoAndWhere(visit) }))),
        busy ? stations(visit) : null,
        busy ? providerNote() : null,
        visit.history.length > 0 ? logOf(visit, busy) : null,
        isStanding(visit) && isAhead(visit) ? buttonsOf(visit) : null);
}

function dateTile(visit) {
    if (!visit.day) return h("div", { class: "tile" }, h("b", { text: "?" }));
    return h("div", { class: "tile" },
        h("span", { text: weekdayShort(visit.day) }), h("b", { text: dayOfMonth(visit.day) }));
}

function whoAndWhere(visit) {
    const who = dentist(visit.practice, visit.dentist)?.name;
    const where = visit.practice === state.choice.practice ? "" : practice(visit.practice)?.name;
    return [who, where, money(visit.price_cents)].filter(Boolean).join(" · ");
}

function logOf(visit, busy) {
    return h("details", { "class": "log", "open": busy, "aria-label": "History" },
        h("summary", { "text": "What the clinic did", "data-action": "log" }),
        history(visit, busy ? HISTORY_LINES : undefined));
}

function buttonsOf(visit) {
    const booked = visit.state === "confirmed";
    return h("div", { class: "visit-buttons" },
        booked ? actionButton("Move", visit, startMoving) : null,
        actionButton("Cancel", visit, askCancel));
}

function actionButton(text, visit, action) {
    return h("button", {
        "type": "button", "class": "quiet", "text": text, "data-action": text.toLowerCase(),
        "aria-label": `${text} the visit on ${dayLong(visit.day)}`,
        "on": { click: () => action(visit) },
    });
}

// One visit in a dialog: what a press on one's own block opens.
export function openVisit(visit) {
    const act = (action) => () => {
        closeDialog();
        action(visit);
    };
    const busy = inMotion(visit);
    openDialog(treatment(visit.treatment).label, [
        slotCard(visit, visit.minutes),
        h("p", { class: "with", text: whoAndWhere(visit) }),
        stations(visit), history(visit, HISTORY_LINES),
        h("div", { class: "buttons" },
            h("button", { type: "button", class: "quiet", text: "Cancel the visit",
                on: { click: act(askCancel) } }),
            busy ? null : h("button", { type: "button", class: "quiet", text: "Move it",
                on: { click: act(startMoving) } }),
            closeButton("Close", "primary")),
    ]);
}

function askCancel(visit) {
    openDialog("Cancel this visit?", [
        slotCard(visit, visit.minutes),
        h("p", { text: "The time becomes free for others, and whatever is held or paid of "
            + `${money(visit.price_cents)} goes back to your card.` }),
        h("div", { class: "buttons" },
            h("button", { type: "button", class: "quiet", text: "Keep it", autofocus: true,
                on: { click: closeDialog } }),
            h("button", { type: "button", class: "danger", text: "Cancel the visit",
                on: { click: () => cancel(visit) } })),
    ]);
}

async function cancel(visit) {
    closeDialog();
    const body = { patient: state.patient, appointment: visit.appointment };
    const { refusal } = await send("/api/cancel", body, null).outcome;
    if (refusal) tell(refusalText(refusal), "bad");
    else {
        const when = `${dayShort(visit.day)} at ${clock(visit.minute)}`;
        tell(`Your visit on ${when} is cancelled.`, "good");
    }
}

export async function startMoving(visit) {
    state.moving = visit.appointment;
    state.suggested = [];
    state.day = visit.day;
    document.body.dataset.tab = "calendar";
    const elsewhere = visit.practice !== state.choice.practice;
    state.choice.practice = visit.practice;
    if (state.choice.dentist !== visit.dentist) state.choice.dentist = 0;
    if (elsewhere || mondayOf(visit.day) !== state.week) await turnTo(mondayOf(visit.day));
    changed();
    say("Pick a new time in the calendar. Escape keeps the old one.");
    queueMicrotask(() => document.querySelector("#calendar [tabindex='0']")?.focus());
}

export function stopMoving() {
    state.moving = 0;
    changed();
}

export function drawMoving() {
    const visit = state.visits.get(state.moving);
    byId("moving").hidden = !visit;
    if (!visit) return;
    const what = treatment(visit.treatment).label.toLowerCase();
    byId("moving-text").textContent = `Moving your ${what} `
        + `of ${dayShort(visit.day)}, ${clock(visit.minute)}. Pick a new time.`;
}

// `slot` is {day, minute, dentists}; the visit's own dentist is kept where possible.
export function askMove(slot) {
    const visit = state.visits.get(state.moving);
    const id = slot.dentists.includes(visit.dentist) ? visit.dentist : slot.dentists[0];
    const to = { dentist: id, day: slot.day, minute: slot.minute };
    openDialog("Move your visit here?", [
        slotCard(to, visit.minutes),
        h("p", { class: "with", text: `with ${dentist(visit.practice, id).name}, instead of `
            + `${dayShort(visit.day)} at ${clock(visit.minute)}` }),
        h("div", { class: "buttons" },
            closeButton("Back"),
            h("button", { type: "button", class: "primary", text: "Move it",
                on: { click: () => move(visit, to) } })),
    ]);
}

async function move(visit, to) {
    closeDialog();
    const about = {
        practice: visit.practice, slot: to, treatment: visit.treatment,
        minutes: visit.minutes, price_cents: visit.price_cents,
    };
    const { refusal } = await send("/api/move",
        { patient: state.patient, appointment: visit.appointment, ...to }, about).outcome;
    if (refusal?.code === "SLOT_TAKEN") {
        slotGone(refusal, to, (s) => askMove({ ...s, dentists: [s.dentist] }),
            () => state.moving === visit.appointment && !isDialogOpen());
        return;
    }
    stopMoving();
    if (refusal) tell(refusalText(refusal), "bad");
    else tell(`Your visit is now on ${dayShort(to.day)} at ${clock(to.minute)}.`, "good");
}
