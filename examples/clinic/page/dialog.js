// dialog.js - the one dialog of the page, on the browser's own <dialog>.
//
// showModal() gives the focus trap, the inert background and Escape; what is added here is a title,
// the close button, closing by a press on the backdrop, and giving the focus back to where it was
// even when the calendar was built anew meanwhile.

import { byId, h } from "./element.js";

let onClosed = null;

// `content` are nodes below the title. `closed()` runs once, when the dialog goes away or shows
// something else.
export function openDialog(title, content, closed = null) {
    const dialog = byId("dialog");
    finish();
    onClosed = closed;
    fill(title, content);
    if (!dialog.open) dialog.showModal();
    focusFirst(dialog);
}

// For an open dialog whose content changes in place.
export function retitleDialog(title) {
    byId("dialog-title").textContent = title;
}

export function isDialogOpen() {
    return byId("dialog").open;
}

export function closeDialog() {
    byId("dialog").close();
}

function finish() {
    const closed = onClosed;
    onClosed = null;
    if (closed) closed();
}

function fill(title, content) {
    byId("dialog-content").replaceChildren(
        h("header", { class: "dialog-head" },
            h("h2", { id: "dialog-title", tabindex: -1, text: title }),
            h("button", {
                "type": "button", "class": "close", "aria-label": "Close", "text": "×",
                "on": { click: closeDialog },
            })),
        h("div", { class: "dialog-body" }, ...content),
    );
}

// The first thing to fill in or to press; else the title, so that it is read aloud.
function focusFirst(dialog) {
    const wanted = dialog.querySelector("[autofocus]")
        ?? dialog.querySelector(".dialog-body input:not([type=hidden])")
        ?? dialog.querySelector(".dialog-body .primary");
    (wanted ?? dialog.querySelector("#dialog-title")).focus();
}

// A button that only closes. `kind` is "quiet" or "primary".
export function closeButton(text, kind = "quiet") {
    return h("button", { type: "button", class: kind, text, on: { click: closeDialog } });
}

export function prepareDialog() {
    const dialog = byId("dialog");
    dialog.addEventListener("close", () => {
        // The event comes later than the closing: whoever is quick, or an action that closes one
        // thing to ask another, has opened the dialog again by now, and this is about the old one.
        if (dialog.open) return;
        byId("dialog-content").replaceChildren();
        finish();
    });
    dialog.addEventListener("pointerdown", (event) => {
        if (event.target === dialog) dialog.close();
    });
}
