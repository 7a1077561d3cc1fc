// console.test.mjs - the console of a running clinic, and what its page makes of a busy program.
//
// The clinic's own snapshot is looked at as it is; busier ones are put in its place, so that the
// page is tested with actors, restarts and trouble whatever the clinic does.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { follow, newFollower } from "../../src/net/console/model.js";
import { bytes, count, duration, rate } from "../../src/net/console/words.js";
import { openService } from "./service.mjs";
import { DESKTOP, openBrowser, PHONE } from "./window.mjs";

const FOLDER = new URL("../cmd/top/", import.meta.url);
const recorded = await Promise.all(["busy_1.json", "busy_2.json"].map(
    async (name) => JSON.parse(await readFile(new URL(name, FOLDER), "utf8"))));

let browser;
let service;

before(async () => {
    service = await openService();
    browser = await openBrowser();
});

after(async () => {
    await browser?.close();
    await service?.close();
});

// A console, with errors on it counted; `snapshots` are answered instead of the clinic's, the last
// one again and again, a second later each time.
async function openConsole(t, options = DESKTOP, snapshots = null) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.stack));
    page.on("console", (message) => {
        if (message.type() === "error" && !/ERR_|Failed to load/.test(message.text())) {
            errors.push(message.text());
        }
    });
    t.after(async () => {
        await context.close();
        assert.deepEqual(errors, [], "errors on the console's console");
    });
    let asked = 0;
    if (snapshots) {
        await page.route("**/_hypha/snapshot", (route) => {
            const at = Math.min(asked, snapshots.length - 1);
            const json = structuredClone(snapshots[at]);
            const later = (asked - at) * 1e9;
            asked += 1;
            json.now_ns += later;
            json.uptime_ns += later;
            json.node.now_ns += later;
            return route.fulfill({ json });
        });
    }
    await page.goto(new URL("_hypha", service.url).href);
    await page.waitForSelector("html[data-ready][data-state=live]");
    return page;
}

function row(page, name) {
    return page.locator("#actor-rows tr", { has: page.locator(`.name:text-is("${name}")`) });
}

test("words are short and right", () => {
    assert.deepEqual([0, 999, 9999, 12345, 4560000].map(count),
        ["0", "999", "9,999", "12.3 k", "4.56 M"]);
    assert.equal(rate(0.26), "0.3");
    assert.deepEqual([512, 2048, 50e6].map(bytes), ["512 B", "2.0 KiB", "47.7 MiB"]);
    assert.deepEqual([4e6, 1.8e9, 99e9, 7.2e12].map(duration),
        ["4 ms", "1.8 s", "1 min 39 s", "2 h 0 min"]);
});

test("two snapshots make rates, and a restarted program makes none", () => {
    const follower = newFollower();
    const first = follow(follower, recorded[0]);
    assert.equal(first.seconds, 0);
    const second = follow(follower, recorded[1]);
    assert.equal(second.seconds, 1);
    const handled = recorded.map((s) => s.node.account.handled);
    const tile = second.tiles.find(({ key }) => key === "rate");
    assert.equal(tile.value, handled[1] - handled[0]);
    assert.equal(second.actors.roots.length, 1);
    assert.equal(second.alerts[0].level, "bad");
    const again = follow(follower, { ...recorded[0], uptime_ns: 5 });
    assert.equal(again.seconds, 0, "its counters began anew");
});

test("the clinic shows its actors, machines, store and scopes", async (t) => {
    const page = await openConsole(t);
    assert.match(await page.title(), /clinic – Hypha$/);
    await page.locator("#machine-rows h3", { hasText: "clinic" }).first().waitFor();
    await page.locator("#actor-rows .type", { hasText: "machine" }).first().waitFor();
    await page.locator("#worker-rows li").first().waitFor();
    await page.locator("#store-rows h3", { hasText: "clinic.db" }).waitFor();
    await page.locator("#scope-rows b", { hasText: /^server$/ }).waitFor();
    await page.locator(".tile[data-key=memory] b", { hasText: "MiB" }).waitFor();
});

test("only this machine may look", async () => {
    const at = (path) => new URL(path, service.url);
    for (const path of ["_hypha", "_hypha/snapshot", "_hypha/console.js"]) {
        const asked = await fetch(at(path), { headers: { "X-Forwarded-For": "10.0.0.1" } });
        assert.equal(asked.status, 403, path);
        assert.equal((await fetch(at(path), { method: "POST" })).status, 405, path);
    }
    assert.equal((await fetch(at("_hypha/snapshot"))).headers.get("cache-control"), "no-store");
});

test("what is wrong stands first, and leads to the actor", async (t) => {
    const page = await openConsole(t, DESKTOP, recorded);
    await page.locator("#verdict[data-level=bad]").waitFor();
    await page.locator(".alert.bad", { hasText: "worker-3: mailbox 100 % full" }).click();
    assert.equal(await page.evaluate(() => document.activeElement.dataset.ref),
        await row(page, "worker-3").getAttribute("data-ref"));
    await row(page, "worker-3").locator(".bar.bad").waitFor();
    await row(page, "gateway").locator(".badge", { hasText: "waits to start" }).waitFor();
    await page.locator("#event-rows li", { hasText: "escalated" }).waitFor();
    await page.locator("#letter-rows li", { hasText: "gateway.charge to gateway" }).waitFor();
});

test("rates are there after the second look", async (t) => {
    const page = await openConsole(t, DESKTOP, recorded);
    await row(page, "worker-2").locator("td").nth(1).filter({ hasText: /\d k$/ }).waitFor();
    await page.locator("#worker-rows li").first().filter({ hasText: /%/ }).waitFor();
});

test("the tree is used by keys", async (t) => {
    const page = await openConsole(t, DESKTOP, recorded);
    const focused = () => page.evaluate(
        () => document.activeElement.querySelector(".name")?.textContent);
    await row(page, "node").focus();
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(), "shop");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowLeft");
    await row(page, "worker-0").waitFor({ state: "detached" });
    await page.keyboard.press("ArrowRight");
    await row(page, "worker-0").waitFor();
    await page.keyboard.press("End");
    assert.equal(await focused(), "topics");
    await page.keyboard.press("/");
    await page.keyboard.type("sender");
    await row(page, "shop").waitFor({ state: "detached" });
    assert.equal(await page.locator("#actor-rows tr").count(), 3);
    await page.keyboard.press("Escape");
    await row(page, "shop").waitFor();
    await page.keyboard.press("p");
    await page.waitForSelector("html[data-state=paused]");
});

test("a program that has gone is said to be", async (t) => {
    const page = await openConsole(t);
    await page.route("**/_hypha/snapshot", (route) => route.abort());
    await page.waitForSelector("html[data-state=lost]");
    await page.unroute("**/_hypha/snapshot");
    await page.waitForSelector("html[data-state=live]");
});

test("names from the program are text and nothing else", async (t) => {
    const odd = structuredClone(recorded[1]);
    odd.program = "<img src=x onerror=alert(1)>";
    odd.node.actors[3].name = "<script>document.title='no'</script>";
    const page = await openConsole(t, DESKTOP, [odd]);
    await row(page, odd.node.actors[3].name).waitFor();
    assert.equal(await page.locator("main script, header img").count(), 0);
});

test("on a phone nothing is wider than the screen", async (t) => {
    const page = await openConsole(t, PHONE, recorded);
    await row(page, "worker-3").waitFor();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= PHONE.viewport.width, `${wide} pixels`);
});

for (const colorScheme of ["light", "dark"]) {
    test(`text can be read in ${colorScheme}`, async (t) => {
        const page = await openConsole(t, { ...DESKTOP, colorScheme }, recorded);
        await row(page, "worker-3").waitFor();
        assert.deepEqual(await page.evaluate(tooPale), []);
    });
}

// Runs in the page: texts whose contrast with what lies behind them is under 4.5.
function tooPale() {
    const channel = (c) => (c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (color) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => .2126 * channel(r / 255) + .7152 * channel(g / 255)
        + .0722 * channel(b / 255);
    const behind = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const color = rgba(getComputedStyle(at).backgroundColor);
            if (color[3] > 250) return color;
        }
        return rgba("white");
    };
    const pale = [];
    for (const node of document.querySelectorAll("body *")) {
        const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
        if (!own || !node.checkVisibility()) continue;
        const [a, b] = [light(rgba(getComputedStyle(node).color)), light(behind(node))];
        const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        if (contrast < 4.5) pale.push(`${node.className}: ${node.textContent} ${contrast}`);
    }
    return pale;
}
