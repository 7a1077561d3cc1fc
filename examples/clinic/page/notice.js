// notice.js - tells people what happened: aloud for screen readers, and as a card that goes away.

import { byId, h } from "./element.js";

const CARD_MS = 9000;

// Spoken politely, not shown. An open dialog makes the rest of the page inert, and an inert region
// is not read, so the dialog has one of its own.
export function say(text) {
    const region = byId(byId("dialog").open ? "dialog-spoken" : "spoken");
    region.textContent = "";
    // The region must change in a later task, or a repeated sentence is not read again.
    setTimeout(() => { region.textContent = text; }, 50);
}

// `kind`: "good", "bad" or "plain". The card stays while it is pointed at or holds the focus.
export function tell(text, kind = "plain") {
    say(text);
    const card = h("div", { class: `notice ${kind}` },
        h("p", { text }),
        h("button", {
            "type": "button", "class": "notice-close", "aria-label": "Dismiss", "text": "×",
            "on": { click: () => card.remove() },
        }));
    byId("notices").append(card);
    const leave = () => {
        if (card.matches(":hover, :focus-within")) setTimeout(leave, CARD_MS);
        else card.remove();
    };
    setTimeout(leave, CARD_MS);
}
