// tree.js - the table of actors: a tree that folds, a filter, and orders. A row lives as long as its
// actor, so the focus stays where it is, and only what has changed is written.

import { count, duration, percent, rate } from "./words.js";

const CHILDREN_SHOWN = 24; // of one parent; the busiest
const ROWS_SHOWN = 200;

const body = document.getElementById("actor-rows");
const rows = new Map(); // ref or key -> { tr, cells, shown }
const folded = new Set();
const widened = new Set();
let shownList = [];
let focusKey = null;

export const choice = { order: "tree", filter: "" };

export function drawActors(actors, redraw) {
    const list = choice.order === "tree" && !choice.filter ? treeList(actors) : flatList(actors);
    const keep = new Set(list.map((item) => item.key));
    for (const [key, row] of rows) {
        if (keep.has(key)) continue;
        row.tr.remove();
        rows.delete(key);
    }
    let at = body.firstChild;
    for (const item of list) {
        const row = rows.get(item.key) ?? newRow(item.key, redraw);
        fill(row, item);
        if (row.tr === at) at = at.nextSibling;
        else body.insertBefore(row.tr, at);
    }
    shownList = list;
    if (!keep.has(focusKey)) focusKey = list[0]?.key ?? null;
    for (const [key, row] of rows) row.tr.tabIndex = key === focusKey ? 0 : -1;
}

// ---- which rows ----

// What is in trouble comes before what is only busy.
function activity(actor) {
    const isInTrouble = actor.fill >= .8 || actor.phase !== "running" || actor.oldest_ns > 1e9;
    return actor.rate + 1000 * actor.fill + actor.below.length + (isInTrouble ? 1e12 : 0);
}

function treeList(actors) {
    const list = [];
    const walk = (level, siblings, parent) => {
        let some = siblings;
        if (siblings.length > CHILDREN_SHOWN && !widened.has(parent)) {
            const best = new Set([...siblings].sort((a, b) => activity(b) - activity(a))
                .slice(0, CHILDREN_SHOWN));
            some = siblings.filter((a) => best.has(a));
        }
        for (const actor of some) {
            list.push({ key: actor.ref, actor, level });
            if (!folded.has(actor.ref)) walk(level + 1, actor.below, actor.ref);
        }
        if (some.length < siblings.length) {
            list.push({ key: `more ${parent}`, level, parent,
                more: siblings.length - some.length });
        }
    };
    walk(1, actors.roots, "");
    return list;
}

function flatList(actors) {
    const wanted = choice.filter.toLowerCase();
    const found = actors.all.filter((a) =>
        `${a.name} ${a.type} ${a.ref} ${a.phase}`.toLowerCase().includes(wanted));
    const by = {
        tree: () => 0, rate: (a) => a.rate, queued: (a) => a.queued, busy: (a) => a.part,
        restarts: (a) => a.restarts,
    }[choice.order];
    found.sort((a, b) => by(b) - by(a));
    return found.slice(0, ROWS_SHOWN).map((actor) => ({ key: actor.ref, actor, level: 1 }));
}

// ---- one row ----

function newRow(key, redraw) {
    const tr = document.createElement("tr");
    const cells = Array.from({ length: 6 }, () => tr.insertCell());
    for (const i of [1, 2, 4]) cells[i].className = "n";
    const fold = part(cells[0], "fold");
    const name = part(cells[0], "name");
    const type = part(cells[0], "type");
    const bar = part(cells[3], "bar");
    const level = bar.appendChild(document.createElement("i"));
    const queue = part(cells[3], "");
    const badges = [part(cells[5], "badge"), part(cells[5], "badge")];
    const row = { tr, cells, fold, name, type, bar, level, queue, badges, item: null };
    fold.addEventListener("click", () => toggle(row.item, redraw));
    tr.addEventListener("focus", () => {
        focusKey = key;
        for (const other of rows.values()) other.tr.tabIndex = other.tr === tr ? 0 : -1;
    });
    tr.addEventListener("click", () => tr.focus());
    tr.addEventListener("keydown", (event) => press(event, row.item, redraw));
    rows.set(key, row);
    return row;
}

function part(cell, name) {
    const span = document.createElement("span");
    span.className = name;
    return cell.appendChild(span);
}

function write(node, text) {
    if (node.textContent !== text) node.textContent = text;
}

function fill(row, item) {
    row.item = item;
    row.tr.setAttribute("aria-level", item.level);
    row.cells[0].style.paddingLeft = `${item.level * 1.125 - .125}rem`;
    if (item.more) {
        row.tr.className = "more";
        row.bar.hidden = true;
        for (const badge of row.badges) badge.hidden = true;
        write(row.fold, "+");
        write(row.name, "");
        write(row.type, `${count(item.more)} more, less busy`);
        return;
    }
    const { actor } = item;
    const open = actor.below.length > 0 && !folded.has(actor.ref);
    if (actor.below.length > 0) row.tr.setAttribute("aria-expanded", open);
    else row.tr.removeAttribute("aria-expanded");
    row.tr.className = actor.rate === 0 && actor.queued === 0 ? "quiet" : "";
    row.tr.dataset.ref = actor.ref;
    row.tr.title = `${actor.ref}, worker ${actor.worker}, ${count(actor.handled)} handled`;
    write(row.fold, actor.below.length === 0 ? "" : open ? "▾" : "▸");
    write(row.name, actor.name);
    write(row.type, actor.type === actor.name ? "" : actor.type);
    write(row.cells[1], actor.rate > 0 ? rate(actor.rate) : "–");
    write(row.cells[2], actor.part > 0.0005 ? percent(actor.part) : "–");
    row.bar.className = `bar ${actor.fill >= .98 ? "bad" : actor.fill >= .8 ? "warn" : ""}`;
    row.level.style.setProperty("--part", Math.min(1, actor.fill));
    write(row.queue, `${count(actor.queued)} of ${count(actor.capacity)}`);
    write(row.cells[4], actor.oldest_ns > 0 ? duration(actor.oldest_ns) : "–");
    fillBadges(row.badges, actor);
}

function fillBadges([phase, restarts], actor) {
    const says = { running: "", waiting: "waits to start" }[actor.phase] ?? actor.phase;
    phase.hidden = !says;
    phase.className = `badge ${actor.phase === "waiting" ? "warn" : ""}`;
    write(phase, says);
    restarts.hidden = !actor.restarts;
    restarts.className = `badge ${actor.last_err ? "bad" : ""}`;
    write(restarts, actor.restarts ? `↻ ${count(actor.restarts)}` : "");
    restarts.title = actor.last_err ? `started again after ${actor.last_err}` : "";
}

// ---- keys ----

function toggle(item, redraw) {
    if (item.more) widened.add(item.parent);
    else if (folded.has(item.key)) folded.delete(item.key);
    else if (item.actor.below.length > 0) folded.add(item.key);
    redraw();
}

function press(event, item, redraw) {
    const at = shownList.findIndex((other) => other.key === item.key);
    const isOpen = !item.more && item.actor.below.length > 0 && !folded.has(item.key);
    const to = {
        ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: shownList.length - 1,
        PageDown: Math.min(shownList.length - 1, at + 15), PageUp: Math.max(0, at - 15),
    }[event.key];
    if (to !== undefined) rows.get(shownList[to]?.key)?.tr.focus();
    else if (event.key === "Enter" || event.key === " ") toggle(item, redraw);
    else if (event.key === "ArrowLeft" && isOpen) toggle(item, redraw);
    else if (event.key === "ArrowLeft" && item.actor) focusOn(item.actor.parent);
    else if (event.key === "ArrowRight" && !isOpen) toggle(item, redraw);
    else return;
    event.preventDefault();
}

// Shows the actor's row, and gives it the focus.
export function focusOn(ref) {
    const row = rows.get(ref);
    if (!row) return false;
    row.tr.classList.add("found");
    row.tr.focus();
    row.tr.scrollIntoView({ block: "nearest" });
    return true;
}
