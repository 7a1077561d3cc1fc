// words.js - what states and refusals are called on the page.

import { money } from "./time.js";

export const STATE_WORDS = {
    sending: "Sending",
    holding: "Paying",
    confirming: "Almost there",
    confirmed: "Booked",
    declined: "Payment declined",
    releasing: "Giving money back",
    released: "Money given back",
    cancelled: "Cancelled",
};

const REFUSALS = {
    SLOT_TAKEN: "That time has just gone.",
    NO_SLOT: "No time fits what you asked for. Allow more days or more hours.",
    OFF_GRID: "Visits start on the quarter-hour.",
    OUTSIDE_HOURS: "The dentist does not work at that time.",
    IN_THE_PAST: "That time has already passed.",
    TOO_FAR_AHEAD: "That is more than a year ahead.",
    TOO_MANY: "You have as many open visits as one patient may have.",
    ALREADY_OVER: "That visit is over or cancelled already.",
    NOT_CONFIRMED: "Only a booked visit can be changed. Please wait for the payment to finish.",
};

// Our own sentence where we have one, else the server's.
export function refusalText(refusal) {
    return REFUSALS[refusal.code] ?? `The clinic said no: ${refusal.message}`;
}

// The stations of a payment: [{mark: done|now|todo|bad, title}]. `visit` may be an outbox entry
// shown as a visit in the state "sending".
export function stationsOf(visit) {
    const price = money(visit.price_cents);
    const titles = ["Time kept for you", `Hold ${price} at your bank`, "Booked"];
    const marks = {
        sending: ["now", "todo", "todo"],
        holding: ["done", "now", "todo"],
        confirming: ["done", "done", "now"],
        confirmed: ["done", "done", "done"],
    }[visit.state];
    if (!marks) return endings(visit.state, price);
    return titles.map((title, i) => ({ title: past(title, i, marks[i], price), mark: marks[i] }));
}

function past(title, index, mark, price) {
    if (index === 0 && mark === "now") return "Asking for the time";
    if (index === 1 && mark === "done") return `${price} held`;
    if (index === 2 && mark === "done") return "Booked and paid";
    return title;
}

function endings(state, price) {
    const done = (title) => ({ title, mark: "done" });
    const bad = (title) => ({ title, mark: "bad" });
    switch (state) {
    case "declined":
        return [bad("Your bank declined the payment"), done("Nothing charged, time given back")];
    case "releasing":
        return [done("Time given back"), { title: `Giving ${price} back`, mark: "now" }];
    case "released":
        return [done("Time given back"), done(`${price} given back`)];
    default:
        return [done("Cancelled")];
    }
}
