// window.mjs - a patient's browser window, and the words in which the tests speak about it.
//
// Nothing here sleeps: each step waits for what a patient would see. Every window has a context of
// its own and so is another patient; an error on its console fails the test that opened it.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const PATIENCE_MS = 30000;
const SLOWDOWN = Number(process.env.SLOWDOWN ?? 1);

export function openBrowser() {
    return chromium.launch({
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        args: ["--no-sandbox", "--disable-quic", "--disable-background-networking"],
    });
}

export const DESKTOP = { viewport: { width: 1440, height: 900 } };
export const PHONE = {
    viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2,
};

// A window that is live, shows the first dentist's next week and the treatment "checkup". The next
// week because its times are all ahead, whatever the hour of the test.
export async function openWindow(t, browser, url, options = DESKTOP) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    if (SLOWDOWN > 1) await slow(page);
    const errors = watchErrors(page);
    t.after(async () => {
        await context.close();
        assert.deepEqual(errors, [], "errors on the console of a window");
    });
    await page.goto(url);
    await live(page);
    await page.locator("#treatments input[value=checkup]").check();
    await page.locator("#dentists input").nth(1).check();
    await nextWeek(page);
    return page;
}

// The page then runs as on a machine that is so many times slower.
async function slow(page) {
    const session = await page.context().newCDPSession(page);
    await session.send("Emulation.setCPUThrottlingRate", { rate: SLOWDOWN });
}

// Refused and unreachable requests are logged by the browser itself and are part of the tests.
function watchErrors(page) {
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.stack));
    page.on("console", (message) => {
        const network = /Failed to load resource|WebSocket connection|ERR_/.test(message.text());
        if (message.type() === "error" && !network) errors.push(message.text());
    });
    return errors;
}

export async function live(page) {
    await page.waitForSelector("html[data-ready][data-connection=live]");
    await page.waitForSelector("#calendar[aria-busy=false]");
}

let monday = 0; // of the week that this file's windows show

// The same week in every window of a file, even if one opens before and one after the minute in
// which the clinic's last free time of this week passes, or midnight.
async function nextWeek(page) {
    monday ||= await page.evaluate(async () => {
        const { today } = await (await fetch("/api/clinic")).json();
        return today + 7 - (today + 3) % 7;
    });
    await showDay(page, monday);
    await page.waitForSelector("#calendar [data-state=free]");
}

// Forward to a day. Where a calendar begins depends on the hour: late in a week without free times
// it shows the next one.
export async function showDay(page, day) {
    const there = page.locator(`#calendar [data-day="${day}"]`);
    while (await there.count() === 0) await page.click("#next"); // a week, or a day on a phone
    await page.waitForSelector("#calendar[aria-busy=false]");
}

export function cell(page, { day, minute }) {
    return page.locator(`#calendar [role=gridcell][data-day="${day}"][data-minute="${minute}"]`);
}

// Where the `index`-th free time of the calendar is.
export async function freeSlot(page, index = 0) {
    const found = page.locator("#calendar [data-state=free]").nth(index);
    return found.evaluate(({ dataset }) => ({ day: +dataset.day, minute: +dataset.minute }));
}

export async function expectState(page, slot, state) {
    const wanted = cell(page, slot).and(page.locator(`[data-state=${state}]`));
    await wanted.waitFor({ state: "attached" });
}

export async function openForm(page, slot, name = "Nora Winther") {
    await cell(page, slot).click();
    await page.fill("#person-name", name);
    await page.fill("#person-email", "nora@example.org");
}

export async function submit(page) {
    await page.click("dialog [type=submit]");
}

export async function reachState(page, state) {
    await page.waitForSelector(`dialog .progress[data-state=${state}]`);
}

// Waits until what `selector` names has the focus, and so the next key.
export async function focused(page, selector) {
    await page.locator(selector).and(page.locator(":focus")).waitFor();
}

export async function dialogClosed(page) {
    await page.waitForSelector("dialog:not([open])", { state: "attached" });
}

// Escape is for the dialog only while it has the focus.
export async function escapeDialog(page) {
    await page.waitForSelector("dialog[open]:focus-within");
    await page.keyboard.press("Escape");
    await dialogClosed(page);
}

// From a free slot to a booked one, with the dialog closed again.
export async function book(page, slot) {
    await openForm(page, slot);
    await submit(page);
    await reachState(page, "confirmed");
    await escapeDialog(page);
}

export function visit(page, state) {
    return page.locator(`.visit[data-state=${state}]`);
}

// What the browser still keeps to send.
export function outboxSize(page) {
    return page.evaluate(() => Object.keys(localStorage)
        .filter((name) => name.startsWith("clinic.outbox.")).length);
}

export async function outboxEmpty(page) {
    await page.waitForSelector("html[data-sending='0']");
    assert.equal(await outboxSize(page), 0, "the outbox is empty once all is answered");
}

// The patient's visits as the server tells them.
export function visitsOf(page) {
    return page.evaluate(async () => {
        const patient = localStorage.getItem("clinic.patient");
        const response = await fetch(`/api/mine?patient=${patient}`);
        return (await response.json()).appointments;
    });
}
