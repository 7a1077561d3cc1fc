// connection.js - says plainly whether this window hears the clinic.
//
// A short gap is not worth a word: the banner comes when a connection that existed is gone, and it
// says that nothing is lost, because nothing is: what was asked for waits in the outbox.

import { byId, patch } from "./element.js";
import { say } from "./notice.js";
import { changed, state } from "./state.js";

const PILL = {
    connecting: "Connecting", live: "Live", lost: "Reconnecting", offline: "Offline",
};
const BANNER = {
    lost: "The clinic is not answering. We keep trying; nothing that you asked for is lost.",
    offline: "You are offline. What you asked for is kept and goes out once you are back.",
};

export function turnConnection(name) {
    if (name === state.connection) return;
    const before = state.connection;
    state.connection = name;
    if (BANNER[name]) say(BANNER[name]);
    else if (BANNER[before]) say("The connection is back.");
    changed();
}

export function drawConnection() {
    const { connection } = state;
    patch(document.documentElement, "data-connection", connection);
    patch(document.documentElement, "data-sending", String(state.sending.size));
    const pill = byId("connection");
    if (pill.textContent !== PILL[connection]) pill.textContent = PILL[connection];
    const banner = byId("banner");
    banner.hidden = !BANNER[connection];
    if (!banner.hidden) byId("banner-text").textContent = BANNER[connection];
}
