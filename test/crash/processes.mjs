// processes.mjs - the clinic and its provider as real processes that are started and killed.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import path from "node:path";

const BUILD = process.env.HYPHA_BUILD ?? "build/debug";
const FOLDER = path.join(BUILD, "examples/clinic");
const OPENING_MS = 60000;

// Nothing that was started outlives this process, however it ends.
const children = new Set();
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

// Starts a program and resolves with {process, url, ended} once it has printed its address. With
// `early` the caller gets the process at once instead, to kill it before it is ready.
export function launch(name, args, early = () => {}) {
    const child = spawn(path.join(FOLDER, name), args, { stdio: ["ignore", "pipe", "pipe"] });
    children.add(child);
    const ended = new Promise((resolve) => {
        child.on("exit", (code, signal) => {
            children.delete(child);
            resolve({ code, signal });
        });
    });
    early(child);
    return new Promise((resolve, reject) => {
        let said = "";
        const late = setTimeout(() => {
            child.kill("SIGKILL");
            reject(new Error(`${name} was not ready after ${OPENING_MS} ms:\n${said}`));
        }, OPENING_MS);
        child.stdout.setEncoding("utf8").on("data", (chunk) => {
            said += chunk;
            const match = /(http:\/\/[^/\s]+)/.exec(said);
            if (match) {
                clearTimeout(late);
                resolve({ process: child, url: match[1], ended, said: () => said });
            }
        });
        child.stderr.setEncoding("utf8").on("data", (chunk) => { said += chunk; });
        ended.then(({ code, signal }) => {
            clearTimeout(late);
            reject(Object.assign(new Error(`${name} ended with ${code ?? signal}:\n${said}`),
                { code, signal, said }));
        });
    });
}

export function kill(child, signal = "SIGKILL") {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
}

// A port that is free now: the provider must know the clinic's before there is a clinic. Below the
// range from which the kernel takes ports for connections, or one of those might have it while the
// clinic is down.
export async function freePort() {
    for (;;) {
        const port = 15000 + Math.floor(Math.random() * 15000);
        const free = await new Promise((resolve) => {
            const server = createServer();
            server.on("error", () => resolve(false));
            server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
        });
        if (free) return port;
    }
}

// A clinic that keeps its port and its data over any number of crashes. `up` resolves while one is
// ready to be asked.
export function newClinic(folder, port, provider) {
    let running = null;
    let up = Promise.resolve();
    let tellDeath;
    const died = new Promise((resolve, reject) => { tellDeath = reject; });
    const watch = (one) => one.ended.then(({ code, signal }) => {
        if (one.expected) return;
        tellDeath(new Error(`the clinic ended by itself with ${code ?? signal}:\n${one.said()}`));
    });
    return {
        died, // rejects when a clinic ends that nobody has ended
        url: `http://127.0.0.1:${port}`,
        up: () => up,
        // Resolves when it is ready; `early` may kill it before: then it is started again.
        start(early) {
            const args = ["--port", String(port), "--data", folder, "--provider", provider];
            up = (async () => {
                for (let kills = early; ; kills = undefined) {
                    try {
                        running = await launch("clinic", args, kills);
                        watch(running);
                        return;
                    } catch (error) {
                        if (error.signal !== "SIGKILL" || !kills) throw error;
                    }
                }
            })();
            return up;
        },
        // Ends it, with kill -9 or in order, and starts the next; resolves with how it ended.
        // Whoever asks from now on waits for that start.
        async crash(signal, next) {
            const old = running;
            old.expected = true;
            up = new Promise((resolve) => { this.resume = resolve; });
            const { resume } = this;
            kill(old.process, signal);
            const ended = await old.ended;
            await this.start(next);
            resume();
            return ended;
        },
        async stop() {
            running.expected = true;
            kill(running.process, "SIGTERM");
            return running.ended;
        },
    };
}
