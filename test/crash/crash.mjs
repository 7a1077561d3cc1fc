// crash.mjs - a real clinic, a real provider, a real file, and kill -9 at seeded moments.
//
// A moment is a count of what the clients have sent or been answered, not a time. Now and then the
// next clinic is killed again while it is still opening, or, besides, is asked to stop in order.
// Between crashes the provider changes its manners. In the end everything is allowed to settle, and
// judge.mjs compares.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { newDice } from "./dice.mjs";
import { CHECKS, readDatabase } from "./judge.mjs";
import { PRACTICES, after, ask, client, newCounts } from "./load.mjs";
import { freePort, kill, launch, newClinic } from "./processes.mjs";

const CRASHES = Number(process.env.CRASHES ?? 100);
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
const CLIENTS = 12;
const IN_ORDER_PERCENT = 15; // of the crashes are followed by a SIGTERM
const SETTLE_MS = 60000;
const ALL_MS = 60000 + 3000 * CRASHES; // more than it ever took, less than for ever
const REPEATED = 300; // answers that are asked for again at the end
const BUILD = process.env.HYPHA_BUILD ?? "build/debug";

const MANNERS = [
    { mode: "normal" }, { mode: "normal" }, { mode: "twice" }, { mode: "flaky" },
    { mode: "slow", delay_ms: 15 }, { mode: "late", delay_ms: 25 }, { mode: "down" },
];

async function behave(provider, manners) {
    const body = JSON.stringify({ delay_ms: 20, decline_percent: 10, ...manners });
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(`${provider.url}/behaviour`, { method: "POST", headers, body });
    if (!response.ok) throw new Error(`the provider refused ${body}: ${await response.text()}`);
}

async function crashManyTimes(clinic, provider, counts) {
    const dice = newDice(SEED, 0);
    const started = Date.now();
    const stopped = [];
    for (let crash = 1; crash <= CRASHES; crash++) {
        const manners = dice.pick(MANNERS);
        await behave(provider, manners);
        await after(counts, dice.pick(["sent", "answered"]), 1 + dice.below(90));
        const early = dice.chance(10) ? (child) => setImmediate(() => kill(child)) : undefined;
        await clinic.crash("SIGKILL", early);
        if (dice.chance(IN_ORDER_PERCENT)) {
            await after(counts, "sent", 1 + dice.below(40));
            stopped.push(await clinic.crash("SIGTERM"));
        }
        if (crash % 10 === 0 || crash === CRASHES) {
            const seconds = ((Date.now() - started) / 1000).toFixed(1);
            console.log(`crash ${crash} of ${CRASHES}: ${counts.answered} answers, `
                + `${counts.again} asked again, ${seconds} s`);
        }
    }
    return stopped;
}

// Until only the daily routine of each practice is pending.
async function settle(clinic) {
    for (const end = Date.now() + SETTLE_MS; Date.now() < end;) {
        const health = await (await fetch(`${clinic.url}/health`)).json();
        if (health.pending_actions === PRACTICES && health.queue === 0) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`payments had not settled after ${SETTLE_MS / 1000} s`);
}

async function askAgain(clinic, counts, exchanges) {
    const repeated = [];
    for (const { request, answer } of exchanges.slice(-REPEATED)) {
        repeated.push({ request, answer, again: await ask(clinic, counts, request) });
    }
    return repeated;
}

// What `hypha replay --verify` says of the file, where that command was built.
function verify(folder) {
    const hypha = path.join(BUILD, "hypha");
    if (!existsSync(hypha)) return {};
    return {
        "every input, stepped again, meets its digest": () => {
            try {
                execFileSync(hypha, ["replay", path.join(folder, "clinic.db"), "--verify"],
                    { stdio: "pipe" });
                return [];
            } catch (error) {
                return [`${error.stdout}${error.stderr}`];
            }
        },
    };
}

function report(facts, checks) {
    let failed = 0;
    for (const [sentence, check] of Object.entries(checks)) {
        const wrong = check(facts);
        console.log(`${wrong.length === 0 ? "ok   " : "FAIL "} ${sentence}`);
        for (const what of wrong.slice(0, 5)) console.log(`      ${JSON.stringify(what)}`);
        if (wrong.length > 5) console.log(`      and ${wrong.length - 5} more`);
        failed += wrong.length > 0;
    }
    return failed;
}

async function loadAndCrash(clinic, provider) {
    const { today } = await (await fetch(`${clinic.url}/api/clinic`)).json();
    const counts = newCounts();
    const stop = { now: false };
    const clients = Array.from({ length: CLIENTS }, (_, i) =>
        client(clinic, counts, newDice(SEED, i + 1), today, stop));
    const stopped = await crashManyTimes(clinic, provider, counts);
    stop.now = true;
    await behave(provider, { mode: "normal" });
    const believed = await Promise.all(clients);
    await settle(clinic);
    const repeated = await askAgain(clinic, counts, believed.flatMap((b) => b.exchanges));
    return { visits: believed.flatMap((b) => b.visits), repeated, stopped };
}

async function run(folder) {
    const port = await freePort();
    const provider = await launch("clinic-provider", [
        "--port", "0", "--ledger", path.join(folder, "provider.ledger"),
        "--webhook", `http://127.0.0.1:${port}/webhook/payments`,
    ]);
    const clinic = newClinic(folder, port, provider.url);
    await clinic.start();
    const late = new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error(`not done after ${ALL_MS / 1000} s`)), ALL_MS).unref();
    });
    const believed = await Promise.race([loadAndCrash(clinic, provider), clinic.died, late]);
    believed.stopped.push(await clinic.stop());
    const { holds } = await (await fetch(`${provider.url}/ledger`)).json();
    console.log(`${believed.visits.length} appointments, ${holds.length} holds`);
    return { ...believed, ledger: holds, db: readDatabase(folder) };
}

console.log(`seed ${SEED}, ${CRASHES} crashes`);
const folder = await mkdtemp(path.join(tmpdir(), "clinic-crash-"));
const checks = { ...CHECKS, ...verify(folder) };
const total = Object.keys(checks).length;
let failed = total;
try {
    failed = report(await run(folder), checks);
} catch (error) {
    console.log(error.stack);
}
if (failed > 0) {
    console.log(`the data is kept in ${folder}; to repeat:`);
    console.log(`    SEED=${SEED} CRASHES=${CRASHES} HYPHA_BUILD=${BUILD} test/crash/run`);
} else {
    await rm(folder, { recursive: true, force: true });
}
console.log(`${total - failed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
