// model.js - what two snapshots, one after the other, say. Pure: tests run it without a browser.
//
// A snapshot has counters that only grow; what a person wants is how fast. `follow` keeps the last
// snapshot and a minute of history, and gives for each new one a view: rates, the tree of actors,
// and what is wrong, the worst first.

import { count, duration, percent, plural } from "./words.js";

const HISTORY = 90;
const OLD_NS = 1e9; // a message that waits for longer is worth a word
const RECENT_NS = 60e9;

export function newFollower() {
    return { last: null, history: {}, actors: new Map() };
}

// Per second; 0 where there is nothing before it, or where a counter began anew.
function speed(now, before, seconds) {
    if (before === undefined || !(seconds > 0) || now < before) return 0;
    return (now - before) / seconds;
}

export function follow(follower, snapshot) {
    const { last, history } = follower;
    const restarted = last && snapshot.uptime_ns < last.uptime_ns;
    const before = restarted ? null : last;
    const seconds = before ? (snapshot.now_ns - before.now_ns) / 1e9 : 0;
    const view = {
        snapshot, seconds,
        tiles: tilesOf(snapshot, before, seconds),
        workers: workersOf(snapshot, before, seconds),
        actors: actorsOf(snapshot, follower, seconds),
        machines: machinesOf(snapshot, before, seconds),
    };
    view.alerts = alertsOf(view);
    for (const tile of view.tiles) {
        const values = history[tile.key] ??= [];
        if (before || !tile.rated) values.push(tile.value);
        if (values.length > HISTORY) values.shift();
        tile.history = values;
    }
    follower.last = snapshot;
    return view;
}

function sum(object) {
    return Object.values(object ?? {}).reduce((all, n) => all + n, 0);
}

function tilesOf(now, before, seconds) {
    const tiles = [];
    const add = (key, label, value, form, rated = false, note = "") =>
        tiles.push({ key, label, value, form, rated, note });
    const { node, process } = now;
    if (node?.account) {
        const was = before?.node?.account;
        add("rate", "Messages", speed(node.account.handled, was?.handled, seconds), "rate", true);
        add("queued", "Waiting", node.account.queued, "count");
        add("dropped", "Dropped", speed(sum(node.account.dropped), was && sum(was.dropped),
            seconds), "rate", true, `${count(sum(node.account.dropped))} in all`);
        add("actors", "Actors", node.actors_alive ?? 0, "count");
        add("restarts", "Restarts", node.restarts ?? 0, "count");
    }
    if (now.machines?.length) {
        const steps = (s) => s?.machines?.reduce((all, m) => all + (m.durable_seq ?? 0), 0);
        add("steps", "Steps stored", speed(steps(now), steps(before), seconds), "rate", true);
        add("pending", "Actions owed", now.machines.reduce(
            (all, m) => all + (m.pending_actions ?? 0), 0), "count");
    }
    if (now.scopes?.fibers !== undefined) add("fibers", "Fibers", now.scopes.fibers, "count");
    if (process) {
        add("cpu", `CPU, ${plural(process.cores, "core")}`,
            speed(process.cpu_ns, before?.process?.cpu_ns, seconds) / 1e9, "percent", true);
        add("memory", "Memory", process.resident_bytes, "bytes");
    }
    return tiles;
}

function workersOf(now, before, seconds) {
    return (now.node?.workers ?? []).map((worker) => {
        const was = before?.node?.workers?.find((w) => w.number === worker.number);
        return {
            ...worker,
            part: Math.min(1, speed(worker.busy_ns, was?.busy_ns, seconds) / 1e9),
            rate: speed(worker.handled, was?.handled, seconds),
        };
    });
}

// With the rate of each, its children in order, and what the rows below it add up to.
function actorsOf(now, follower, seconds) {
    const known = new Map();
    for (const actor of now.node?.actors ?? []) {
        const was = seconds > 0 ? follower.actors.get(actor.ref) : undefined;
        known.set(actor.ref, {
            ...actor, below: [],
            rate: speed(actor.handled, was?.handled, seconds),
            part: speed(actor.busy_ns ?? 0, was?.busy_ns, seconds) / 1e9,
            fill: actor.capacity > 0 ? actor.queued / actor.capacity : 0,
        });
    }
    const roots = [];
    for (const actor of known.values()) (known.get(actor.parent)?.below ?? roots).push(actor);
    follower.actors = known;
    return { all: [...known.values()], roots };
}

function machinesOf(now, before, seconds) {
    return (now.machines ?? []).map((machine) => {
        const was = before?.machines?.find((m) => m.name === machine.name);
        return {
            ...machine, steps: speed(machine.durable_seq, was?.durable_seq, seconds),
            retrying: speed(machine.retries, was?.retries, seconds),
        };
    });
}

// ---- what is wrong ----

function alertsOf(view) {
    const { snapshot } = view;
    const alerts = [];
    const say = (level, text, ref) => alerts.push({ level, text, ref });
    for (const machine of view.machines) {
        if (machine.halted) say("bad", `machine ${machine.name} halted: ${machine.halted_by}`);
        else if (machine.store_trouble) {
            say("bad", `machine ${machine.name} stores nothing: ${machine.store_trouble}`);
        } else if (machine.retrying > 0) {
            const why = machine.last_failure ?? "no reason is given";
            say("warn", `machine ${machine.name}: attempts fail: ${why}`);
        }
    }
    for (const store of snapshot.stores ?? []) {
        if (store.trouble && !snapshot.machines?.some((m) => m.store_trouble === store.trouble)) {
            say("bad", `store ${store.name}: ${store.trouble}`);
        }
    }
    for (const worker of view.workers) {
        if (worker.answered === false) say("bad", `worker ${worker.number} does not answer`);
    }
    for (const actor of view.actors.all) alertsOfActor(actor, say);
    alertsOfScopes(snapshot.scopes, say);
    for (const [name, err] of Object.entries(snapshot.errors ?? {})) {
        say("warn", `${name} could not all be read (${err})`);
    }
    const latest = (snapshot.node?.events ?? []).filter(
        (e) => e.kind === "restarted" && snapshot.node.now_ns - e.at_ns < RECENT_NS);
    if (latest.length > 0) say("warn", `${plural(latest.length, "restart")} in the last minute`);
    const order = { bad: 0, warn: 1 };
    return alerts.sort((a, b) => order[a.level] - order[b.level]);
}

function alertsOfActor(actor, say) {
    if (actor.phase === "waiting") {
        const why = actor.last_err ? ` after ${actor.last_err}` : "";
        say("warn", `${actor.name} waits for its next start${why}`, actor.ref);
    }
    if (actor.fill >= 0.8) {
        const level = actor.fill >= 0.98 ? "bad" : "warn";
        say(level, `${actor.name}: mailbox ${percent(actor.fill)} full`, actor.ref);
    } else if (actor.oldest_ns > OLD_NS && actor.phase !== "waiting") {
        say("warn", `${actor.name}: a message waits since ${duration(actor.oldest_ns)}`,
            actor.ref);
    }
}

function alertsOfScopes(scope, say) {
    if (!scope) return;
    if (scope.kind === "service" && scope.phase === "waiting") {
        say("warn", `service ${scope.name} waits for its next start`);
    }
    for (const child of scope.children ?? []) alertsOfScopes(child, say);
}
