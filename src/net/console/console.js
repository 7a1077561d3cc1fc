// console.js - asks for a snapshot each second, and draws it. Changes nothing in the program.
//
// model.js says what a snapshot means, tree.js draws the actors, words.js writes numbers; the rest
// of the page is drawn here. What comes from the program reaches the page as text nodes only.

import { follow, newFollower } from "./model.js";
import { choice, drawActors, focusOn } from "./tree.js";
import { bytes, clock, count, duration, percent, plural, rate } from "./words.js";

const EVERY_MS = 1000;
const PATIENCE_MS = 5000;
const FORMS = { rate, count, bytes, percent };
const KNOWN = new Set(["hypha", "format", "program", "wall_ms", "now_ns", "uptime_ns", "process",
    "scopes", "node", "machines", "stores", "errors"]);

const follower = newFollower();
let view = null;
let isPaused = false;

const byId = (id) => document.getElementById(id);

function h(tag, name, ...children) {
    const node = document.createElement(tag);
    if (name) node.className = name;
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
}

function write(node, text) {
    if (node.textContent !== text) node.textContent = text;
}

// ---- asking ----

async function look() {
    const response = await fetch("/_hypha/snapshot",
        { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!response.ok) throw new Error(`the program answered ${response.status}`);
    return response.json();
}

async function beat() {
    if (!isPaused && !document.hidden) {
        try {
            view = follow(follower, await look());
            turn(isPaused ? "paused" : "live");
            draw();
        } catch (error) {
            turn("lost", error.name === "TypeError" ? "no connection" : error.message);
        }
    }
    setTimeout(beat, EVERY_MS);
}

function turn(state, why) {
    document.documentElement.dataset.state = state;
    write(byId("state"), { live: "Live", paused: "Paused", lost: `Lost: ${why}` }[state]);
}

// ---- drawing ----

function draw() {
    if (!view) return;
    const { snapshot } = view;
    document.title = `${view.alerts.length > 0 ? `(${view.alerts.length}) ` : ""}` +
        `${snapshot.program} – Hypha`;
    write(byId("program"), snapshot.program);
    write(byId("where"), whereText(snapshot));
    write(byId("footer"), `Hypha ${snapshot.hypha}`);
    drawVerdict();
    drawTiles();
    drawNode(snapshot.node);
    drawMachines();
    drawStores(snapshot.stores);
    drawScopes(snapshot.scopes);
    drawOthers(snapshot);
    document.documentElement.dataset.ready = "true";
}

function whereText({ process, uptime_ns }) {
    const of = process ? `process ${process.pid} · ` : "";
    const files = process ? ` · ${plural(process.files_open, "file")} open` : "";
    return `${of}up ${duration(uptime_ns)}${files}`;
}

function drawVerdict() {
    const { alerts } = view;
    const level = alerts[0]?.level ?? "good";
    byId("verdict").dataset.level = level;
    write(byId("verdict-title"), alerts.length === 0 ? "All is well"
        : level === "bad" ? "Something is broken" : "Worth a look");
    const key = JSON.stringify(alerts);
    if (byId("alerts").dataset.key === key) return;
    byId("alerts").dataset.key = key;
    byId("alerts").replaceChildren(...alerts.slice(0, 12).map(({ level, text, ref }) => {
        const node = h(ref ? "button" : "span", `alert ${level}`, text);
        if (ref) {
            node.type = "button";
            node.addEventListener("click", () => find(ref));
        }
        return h("li", "", node);
    }), ...(alerts.length > 12 ? [h("li", "", `and ${alerts.length - 12} more`)] : []));
}

function find(ref) {
    choice.order = byId("order").value = "tree";
    choice.filter = byId("filter").value = "";
    draw();
    if (focusOn(ref)) return;
    choice.filter = byId("filter").value = ref;
    draw();
    focusOn(ref);
}

// ---- tiles ----

function sparkline(values) {
    const top = Math.max(1e-9, ...values);
    const points = values.map((v, i) =>
        `${(100 * i / Math.max(1, values.length - 1)).toFixed(1)} ${(30 - 27 * v / top).toFixed(1)}`);
    return points.length > 1 ? `M${points.join("L")}` : "";
}

const SVG = "http://www.w3.org/2000/svg";

function newTile(key) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 100 32");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    const area = svg.appendChild(document.createElementNS(SVG, "path"));
    area.setAttribute("class", "area");
    svg.append(document.createElementNS(SVG, "path"));
    const tile = h("div", "tile", svg, h("p"), h("b"), h("i"));
    tile.dataset.key = key;
    return byId("tiles").appendChild(tile);
}

function drawTiles() {
    for (const { key, label, value, form, rated, note, history } of view.tiles) {
        const tile = byId("tiles").querySelector(`[data-key="${key}"]`) ?? newTile(key);
        const waits = rated && view.seconds === 0;
        write(tile.querySelector("p"), label);
        write(tile.querySelector("b"), waits ? "…" : FORMS[form](value));
        write(tile.querySelector("i"), form === "rate" ? "/s" : "");
        tile.title = note;
        const line = sparkline(history);
        const [area, stroke] = tile.querySelectorAll("path");
        stroke.setAttribute("d", line);
        area.setAttribute("d", line ? `${line}L100 32L0 32Z` : "");
        const isWarn = key === "dropped" && value > 0;
        tile.dataset.level = isWarn ? "warn" : "";
    }
}

// ---- the node ----

function drawNode(node) {
    const has = Boolean(node?.workers);
    for (const id of ["actors", "workers", "events", "letters"]) byId(id).hidden = !has;
    document.querySelector("main").classList.toggle("no-actors", !has);
    if (!has) return;
    const all = node.actors_alive ?? view.actors.all.length;
    write(byId("actors-count"), view.actors.all.length < all
        ? `the busiest ${count(view.actors.all.length)} of ${count(all)}` : count(all));
    drawActors(view.actors, draw);
    byId("worker-rows").replaceChildren(...view.workers.map(drawWorker));
    drawFeed("event-rows", [...node.events ?? []].reverse(), eventRow, "Nothing has happened yet");
    drawFeed("letter-rows", [...node.dead_letters ?? []].reverse(), letterRow,
        "No message was lost");
    const dropped = Object.entries(node.account?.dropped ?? {}).filter(([, n]) => n > 0)
        .map(([why, n]) => `${count(n)} ${why}`).join(", ");
    write(byId("letters-count"), dropped);
}

function drawWorker(worker) {
    const isDead = worker.answered === false;
    const bar = h("span", `bar ${isDead ? "bad" : worker.part > .9 ? "warn" : ""}`, h("i"));
    bar.firstChild.style.setProperty("--part", isDead ? 1 : worker.part);
    const says = isDead ? "does not answer"
        : [`${rate(worker.rate)}/s`, worker.ready > 0 ? `${count(worker.ready)} ready` : null,
            worker.parked ? "parked" : null, worker.restarts ? plural(worker.restarts, "restart")
                : null].filter(Boolean).join(" · ");
    return h("li", "", h("b", "", String(worker.number)), bar,
        h("span", "n", percent(worker.part)), h("small", "", says));
}

function drawFeed(id, items, row, nothing) {
    const list = byId(id);
    const key = items.length === 0 ? "empty"
        : `${items.length} ${items[0].worker ?? ""} ${items[0].number ?? ""} ${items[0].at_ns}`;
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    list.replaceChildren(...(items.length === 0 ? [h("li", "empty", nothing)]
        : items.slice(0, 100).map(row)));
}

function timeOf(at_ns) {
    const { snapshot } = view;
    return h("time", "", clock(snapshot.wall_ms, snapshot.node.now_ns - at_ns));
}

const LEVELS = {
    failed: "bad", stuck: "bad", escalated: "bad", restarts: "bad", poison: "bad",
    full: "warn", dropped: "warn", health: "warn", restarted: "warn", started: "good",
    spawned: "good",
};

function nameOf(ref, type) {
    const actor = follower.actors.get(ref);
    return actor?.name || type || ref;
}

function eventRow(event) {
    const says = event.err ? event.err
        : event.kind === "stuck" ? `for ${duration(event.value)}`
            : event.kind === "full" ? `${count(event.value)} wait`
                : event.kind === "restarted" ? plural(event.value, "restart") : event.reason ?? "";
    return h("li", "", timeOf(event.at_ns), h("span", "what",
        h("span", `badge ${LEVELS[event.kind] ?? ""}`, event.kind),
        h("b", "", nameOf(event.ref, event.type)), says ? ` ${says}` : ""));
}

function letterRow(letter) {
    return h("li", "", timeOf(letter.at_ns), h("span", "what",
        h("span", "badge warn", letter.reason), h("b", "", `${letter.protocol}.${letter.message}`),
        ` to ${nameOf(letter.to, "")}`));
}

// ---- machines, stores, scopes ----

function facts(title, badge, pairs) {
    const list = h("dl");
    for (const [name, value] of pairs) {
        list.append(h("div", "", h("dt", "", name), h("dd", "", value)));
    }
    return h("div", "machine", h("h3", "", title, " ", badge), list);
}

function drawMachines() {
    byId("machines").hidden = view.machines.length === 0;
    byId("machine-rows").replaceChildren(...view.machines.map((m) => {
        const trouble = m.halted ? `halted: ${m.halted_by}` : m.store_trouble;
        const badge = trouble ? h("span", "badge bad", trouble) : h("span", "badge good", "well");
        return facts(m.name, badge, [
            ["step", (m.durable_seq ?? 0).toLocaleString("en-US")], ["steps/s", rate(m.steps)],
            ["queue", count(m.queue ?? 0)], ["in flight", count(m.in_flight ?? 0)],
            ["actions owed", count(m.pending_actions ?? 0)], ["refused", count(m.refused ?? 0)],
            ["duplicates", count(m.duplicates ?? 0)], ["retries", count(m.retries ?? 0)],
            ...(m.instances !== undefined ? [["instances", count(m.instances)]] : []),
        ]);
    }));
}

function drawStores(stores) {
    byId("stores").hidden = !stores?.length;
    byId("store-rows").replaceChildren(...(stores ?? []).map((s) => facts(s.name,
        s.trouble ? h("span", "badge bad", s.trouble) : h("span", "badge good", "well"),
        [["kind", s.kind ?? "?"], ...(s.bytes !== undefined ? [["size", bytes(s.bytes)]] : []),
            ...(s.log_bytes !== undefined ? [["log", bytes(s.log_bytes)]] : [])])));
}

function scopeSays(node) {
    const says = [];
    if (node.kind === "service") says.push(node.phase);
    if (node.starts > 1) says.push(`${count(node.starts)} starts`);
    if (node.last_err) says.push(node.last_err);
    if (node.draining) says.push("draining");
    if (node.cancelled) says.push(`cancelled: ${node.cancelled}`);
    if (node.waits && node.kind === "task") says.push(`waits: ${node.waits}`);
    if (node.wait_left_ns > 0) says.push(`for ${duration(node.wait_left_ns)}`);
    if (node.result) says.push(`ended, ${node.result}`);
    if (node.next_start_ns > 0) says.push(`starts in ${duration(node.next_start_ns)}`);
    if (node.time_left_ns > 0) says.push(`${duration(node.time_left_ns)} left`);
    if (node.bytes > 0) says.push(bytes(node.bytes));
    return says.join(", ");
}

function scopeRow(node) {
    if (node.kind === "more") return h("li", "", h("p", "says", `and ${count(node.count)} more`));
    const name = String(node.name).split("/").pop() && node.line
        ? `${String(node.name).split("/").pop()}:${node.line}` : String(node.name);
    const isOff = node.phase === "waiting" || node.cancelled;
    const line = h("p", "", h("span", "kind", { scope: "◦", service: "◆", task: "·" }[node.kind]),
        h("b", "", name), isOff ? " " : null, isOff ? h("span", "badge warn", "down") : null,
        h("span", "says", scopeSays(node)));
    const item = h("li", "", line);
    if (node.children?.length) item.append(h("ul", "", ...node.children.map(scopeRow)));
    return item;
}

function drawScopes(scopes) {
    byId("scopes").hidden = !scopes;
    if (!scopes) return;
    write(byId("scopes-count"), scopes.fibers === undefined ? "" : plural(scopes.fibers, "fiber"));
    byId("scope-rows").replaceChildren(scopeRow(scopes));
}

// What a program shows that this page does not know is shown as it is.
function drawOthers(snapshot) {
    byId("others").replaceChildren(...Object.keys(snapshot).filter((key) => !KNOWN.has(key))
        .map((key) => h("section", "card", h("h2", "", key),
            h("pre", "", JSON.stringify(snapshot[key], null, 2)))));
}

// ---- a person ----

function pause() {
    isPaused = !isPaused;
    byId("pause").setAttribute("aria-pressed", isPaused);
    turn(isPaused ? "paused" : "live");
}

byId("pause").addEventListener("click", pause);
byId("order").addEventListener("change", ({ target }) => {
    choice.order = target.value;
    draw();
});
byId("filter").addEventListener("input", ({ target }) => {
    choice.filter = target.value.trim();
    draw();
});
document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const types = event.target.matches("input, select");
    if (event.key === "Escape" && event.target === byId("filter")) {
        choice.filter = event.target.value = "";
        event.target.blur();
        draw();
    } else if (!types && event.key === "/") {
        byId("filter").focus();
        event.preventDefault();
    } else if (!types && event.key === "p") pause();
});
beat();
