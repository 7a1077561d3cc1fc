// service.mjs - the clinic and its payment provider as real processes, for one file of tests.
//
// Each service has a folder of its own in the system's temporary directory, and is stopped in
// close(). kill() is kill -9; start() after it uses the same port and data.
// With CLINIC_URL the tests use a clinic that runs already and cannot kill it.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { freePort } from "../crash/processes.mjs";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const BIN = process.env.CLINIC_BIN ?? path.join(ROOT, "build/release/examples/clinic");
const PAGE = path.join(ROOT, "examples/clinic/page");

const LAUNCH_MS = 60000;

export const GIVEN_URL = process.env.CLINIC_URL;
export const CAN_KILL = !GIVEN_URL;
export const CAN_BEHAVE = !GIVEN_URL || Boolean(process.env.PROVIDER_URL);

export async function openService() {
    if (GIVEN_URL) return givenService();
    const folder = await mkdtemp(path.join(tmpdir(), "clinic-browser-"));
    const ledger = path.join(folder, "ledger");
    const provider = await launch("clinic-provider", ["--port", "0", "--ledger", ledger]);
    const args = ["--port", String(await freePort()), "--data", folder, "--provider", provider.url,
        "--page", PAGE];
    let clinic = await launch("clinic", args);
    const { url } = clinic;
    return {
        url,
        ...providerCalls(provider.url),
        // All that the provider ever did: [{event: "hold", key, ...}], the judge of what was paid.
        async ledger() {
            const lines = (await readFile(ledger, "utf8")).split("\n").filter(Boolean);
            return lines.map((line) => JSON.parse(line));
        },
        kill: () => end(clinic.process, "SIGKILL"),
        async start() {
            clinic = await launch("clinic", args);
        },
        async close() {
            await end(clinic.process, "SIGTERM");
            await end(provider.process, "SIGTERM");
            await rm(folder, { recursive: true, force: true });
        },
    };
}

function givenService() {
    return { url: GIVEN_URL, ...providerCalls(process.env.PROVIDER_URL), close() {} };
}

const NORMAL = { mode: "normal", decline_percent: 0 };

function providerCalls(url) {
    return {
        // Sets what the provider does from now on: `mode` normal, slow or down, and
        // `decline_percent`. What is not named becomes normal.
        async behave(behaviour = {}) {
            const response = await fetch(new URL("behaviour", url), {
                method: "POST",
                headers: { "Content-Type": "application/json" },
                body: JSON.stringify({ ...NORMAL, ...behaviour }),
            });
            if (!response.ok) throw new Error(`the provider answered ${response.status}`);
        },
    };
}

// Resolves once the program has printed its address; one that does not within a while is ended.
function launch(name, args) {
    const child = spawn(path.join(BIN, name), args, { stdio: ["ignore", "pipe", "pipe"] });
    return new Promise((resolve, reject) => {
        let said = "";
        const limit = setTimeout(() => child.kill("SIGKILL"), LAUNCH_MS);
        limit.unref();
        const hear = (chunk) => {
            said += chunk;
            const match = /http:\S+/.exec(said);
            if (!match) return;
            clearTimeout(limit);
            resolve({ process: child, url: match[0] });
        };
        child.stdout.setEncoding("utf8").on("data", hear);
        child.stderr.setEncoding("utf8").on("data", (chunk) => { said += chunk; });
        child.on("error", ({ message }) => {
            reject(new Error(`${name}: ${message}; build it first`));
        });
        child.on("exit", (code, signal) => {
            reject(new Error(`${name} ended with ${code ?? signal}:\n${said}`));
        });
    });
}

function end(child, signal) {
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
        child.once("exit", resolve);
        child.kill(signal);
    });
}
