// pictures.mjs - takes the pictures of docs/images from a clinic with a busy week.
//
//   node test/browser/pictures.mjs [DIR]        (programs as for test/browser/run)

import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { openService } from "./service.mjs";
import { book, expectState, freeSlot, openBrowser, openForm, openWindow, PHONE, submit } from
    "./window.mjs";

const OTHERS = 22; // visits of other patients
const TREATMENTS = ["checkup", "filling", "cleaning", "root_canal", "checkup"];

// Of snapshots: what only grows.
const COUNTERS = new Set(["handled", "sent", "busy_ns", "cpu_ns", "durable_seq", "now_ns", "at_ns",
    "uptime_ns", "wall_ms", "resident_bytes", "full"]);

const folder = process.argv[2] ?? "docs/images";
const endings = [];
const t = { after: (ending) => endings.unshift(ending) };

await mkdir(folder, { recursive: true });
const service = await openService();
const browser = await openBrowser();
t.after(() => service.close());
t.after(() => browser.close());
try {
    const page = await openWindow(t, browser, service.url,
        { viewport: { width: 1440, height: 900 }, deviceScaleFactor: 1.5 });
    await page.locator("#dentists input").first().check();
    const { day } = await freeSlot(page);
    await fillWeek(day - (day + 3) % 7);
    await page.locator(".block.taken").nth(OTHERS - 1).waitFor({ state: "attached" });
    for (const index of [9, 50]) await book(page, await freeSlot(page, index));
    await service.behave({ mode: "down" });
    const waiting = await freeSlot(page, 21);
    await openForm(page, waiting);
    await submit(page);
    await page.locator(".visit .history li", { hasText: /attempt/i }).nth(1)
        .waitFor({ state: "attached" });
    await page.keyboard.press("Escape");
    await page.evaluate(() => document.activeElement.blur());
    await expectState(page, waiting, "mine");
    await page.locator("#calendar [data-state=free]").nth(44).hover();
    await shoot(page, "clinic.png");
    await service.behave();

    const phone = await openWindow(t, browser, service.url, PHONE);
    await phone.locator("#dentists input").first().check();
    await phone.click("#next");
    await book(phone, await freeSlot(phone, 6));
    await phone.evaluate(() => document.activeElement.blur());
    await shoot(phone, "clinic-phone.png");

    await shoot(await openConsole(), "console.png");
} finally {
    for (const ending of endings) await ending();
}

function shoot(page, name) {
    return page.screenshot({ path: path.join(folder, name), animations: "disabled" });
}

// The console of a busy program: two recorded snapshots, a second apart, and more in their manner.
async function openConsole() {
    const context = await browser.newContext({ viewport: { width: 1440, height: 1000 } });
    const page = await context.newPage();
    const folder = new URL("../cmd/top/", import.meta.url);
    const [first, second] = await Promise.all(["busy_1.json", "busy_2.json"].map(
        async (name) => JSON.parse(await readFile(new URL(name, folder), "utf8"))));
    let asked = 0;
    await page.route("**/_hypha/snapshot", (route) => {
        asked += 1;
        return route.fulfill({ json: ahead(first, second, asked - 2) });
    });
    await page.goto(new URL("_hypha", service.url).href);
    while (asked < 14) await page.waitForResponse("**/_hypha/snapshot");
    await page.locator("#worker-rows .n", { hasText: /[1-9]/ }).first().waitFor();
    await page.click("#pause");
    return page;
}

// `seconds` after `b`, which is a second after `a`: what counts goes on as before, a bit unevenly.
function ahead(a, b, seconds, key = "") {
    if (typeof b === "number") {
        const uneven = 1 - .12 * Math.abs(Math.sin(seconds * 1.7));
        if (COUNTERS.has(key) && b > a) return Math.round(b + seconds * (b - a));
        return key === "queued" ? Math.max(0, Math.round(b * uneven)) : b;
    }
    if (b === null || typeof b !== "object") return b;
    const copy = Array.isArray(b) ? [] : {};
    for (const name of Object.keys(b)) copy[name] = ahead(a?.[name], b[name], seconds, name);
    return copy;
}

// The same choice on every run, without a pattern that the eye would find.
function pick(index, count) {
    let x = Math.imul(index + 1, 0x9e3779b1);
    x = Math.imul(x ^ x >>> 15, 0x85ebca6b);
    return ((x ^ x >>> 13) >>> 0) % count;
}

// Asks for times spread over the week until enough were granted; a refusal is no matter.
async function fillWeek(monday) {
    const clinic = await (await fetch(new URL("api/clinic", service.url))).json();
    const dentists = clinic.dentists.filter((d) => d.practice === clinic.practices[0].practice);
    let granted = 0;
    for (let i = 0; granted < OTHERS && i < 400; i++) {
        const response = await fetch(new URL("api/request_slot", service.url), {
            method: "POST",
            headers: {
                "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID(),
            },
            body: JSON.stringify({
                patient: crypto.randomUUID(), name: "Somebody Else", email: "else@example.org",
                practice: clinic.practices[0].practice,
                dentist: dentists[i % dentists.length].dentist,
                day: monday + pick(i, 5), minute: 540 + pick(i + 1000, 34) * 15,
                treatment: TREATMENTS[pick(i + 2000, TREATMENTS.length)],
            }),
        });
        if (response.ok) granted += 1;
    }
}
