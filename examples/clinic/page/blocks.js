// blocks.js - the bodies of visits that lie over the week: taken ones calm, one's own in colour.
//
// They are decoration: hidden from screen readers and from the pointer, because the cells beneath
// carry the labels and take the presses. A block keeps its element while it exists, so that a hold
// that is confirmed changes its colour instead of blinking.

import { h } from "./element.js";
import { treatment } from "./state.js";
import { clock, DAY_MINUTES, QUARTER } from "./time.js";

const known = new Map(); // key -> element

export function weekBlocks(layer, view) {
    const wanted = new Map();
    for (const b of view.taken) {
        if (isOwn(view.own, b)) continue;
        wanted.set(`taken:${b.dentist}:${b.day}:${b.minute}`, takenBlock(b));
    }
    for (const v of view.own) wanted.set(`own:${v.dentist}:${v.day}:${v.minute}`, ownBlock(v));
    const line = nowLine(view);
    if (line) wanted.set("now", line);

    for (const [key, element] of known) {
        if (!wanted.has(key) || element.parentNode !== layer) {
            element.remove();
            known.delete(key);
        }
    }
    for (const [key, block] of wanted) place(layer, view, key, block);
}

function isOwn(own, b) {
    return own.some((v) => v.dentist === b.dentist && v.day === b.day && v.minute === b.minute);
}

function takenBlock(b) {
    return { ...b, kind: b.state === "held" ? "held" : "taken", title: "", detail: "" };
}

const OWN_WORDS = {
    sending: "sending", holding: "paying", confirming: "paying", confirmed: "booked",
};

function ownBlock(v) {
    const name = v.treatment ? treatment(v.treatment).label : "Your visit";
    const kind = v.state === "confirmed" ? "own" : "own waiting";
    return { ...v, kind, title: name, detail: OWN_WORDS[v.state] };
}

function nowLine(view) {
    const day = Math.floor(view.now / DAY_MINUTES);
    const minute = view.now % DAY_MINUTES;
    if (!view.days.includes(day) || minute < view.start || minute >= view.end) return null;
    return { kind: "now", day, minute, minutes: QUARTER, dentist: 0, title: "", detail: "" };
}

function place(layer, view, key, block) {
    const lane = view.dentists.findIndex((d) => d.dentist === block.dentist);
    if (block.kind !== "now" && lane < 0) {
        known.get(key)?.remove();
        known.delete(key);
        return;
    }
    let element = known.get(key);
    if (!element) {
        element = h("div", {}, h("b"), h("b", { class: "brief" }), h("span"));
        known.set(key, element);
        layer.append(element);
    }
    const first = Math.floor((block.minute - view.start) / QUARTER) + 1;
    element.className = `block ${block.kind}`;
    element.style.gridColumn = view.days.indexOf(block.day) + 2;
    element.style.gridRow = `${first} / span ${Math.ceil(block.minutes / QUARTER)}`;
    element.style.setProperty("--lane", Math.max(lane, 0));
    element.style.setProperty("--lanes", block.kind === "now" ? 1 : view.dentists.length);
    element.style.setProperty("--part", (block.minute % QUARTER) / QUARTER);
    const [title, brief, detail] = element.children;
    title.textContent = block.title;
    brief.textContent = block.title && clock(block.minute);
    detail.textContent = block.detail;
}
