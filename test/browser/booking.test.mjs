// booking.test.mjs - booking, racing, cancelling and moving, as patients do them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openService } from "./service.mjs";
import {
    book, cell, dialogClosed, escapeDialog, expectState, focused, freeSlot, live, openBrowser,
    openForm, openWindow, outboxEmpty, PHONE, reachState, submit, visit, visitsOf,
} from "./window.mjs";

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

test("a free time is booked with the mouse", async (t) => {
    const page = await openWindow(t, browser, service.url);
    const slot = await freeSlot(page, 2);
    await cell(page, slot).click();
    await submit(page);
    assert.equal(await page.locator("[aria-invalid=true]").count(), 2, "both fields are asked for");
    assert.equal(await page.evaluate(() => document.activeElement.id), "person-name");
    await page.fill("#person-name", "Nora Winther");
    await page.fill("#person-email", "not an email");
    await submit(page);
    await page.waitForSelector("#person-email[aria-invalid=true]");
    await page.fill("#person-email", "nora@example.org");
    await submit(page);
    await reachState(page, "confirmed");
    await page.click("dialog .primary");
    await expectState(page, slot, "mine");
    await visit(page, "confirmed").waitFor();
    await outboxEmpty(page);
});

test("a time is booked with the keyboard alone", async (t) => {
    const page = await openWindow(t, browser, service.url);
    await page.locator("#treatments input").first().focus();
    for (let i = 0; i < 30 && !await inGrid(page); i++) await page.keyboard.press("Tab");
    assert.ok(await inGrid(page), "Tab reaches the calendar");
    await page.keyboard.press("Control+Home");
    const start = await focusedSlot(page);
    await page.keyboard.press("ArrowRight");
    assert.equal((await focusedSlot(page)).day, start.day + 1, "right is the next day");
    await page.keyboard.press("ArrowDown");
    assert.equal((await focusedSlot(page)).minute, start.minute + 15, "down is a quarter-hour");
    await page.keyboard.press("ArrowLeft");
    for (let i = 0; i < 40 && (await focusedSlot(page)).state !== "free"; i++) {
        await page.keyboard.press("ArrowDown");
    }
    const slot = await focusedSlot(page);
    assert.equal(slot.state, "free");
    await page.keyboard.press("Enter");
    await focused(page, "#person-name");
    await escapeDialog(page);
    await focused(page, "#calendar [role=gridcell]");
    assert.deepEqual(await focusedSlot(page), slot, "Escape gives the focus back");
    await page.keyboard.press("Enter");
    await focused(page, "#person-name");
    await page.keyboard.type("Kay Board");
    await page.keyboard.press("Tab");
    await focused(page, "#person-email");
    await page.keyboard.type("kay@example.org");
    await page.keyboard.press("Enter");
    await reachState(page, "confirmed");
    await focused(page, "dialog .primary");
    await page.keyboard.press("Enter");
    await dialogClosed(page);
    await expectState(page, slot, "mine");
});

function inGrid(page) {
    return page.evaluate(() => document.activeElement.matches("#calendar [role=gridcell]"));
}

function focusedSlot(page) {
    return page.evaluate(() => {
        const { day, minute, state } = document.activeElement.dataset;
        return { day: +day, minute: +minute, state };
    });
}

test("whoever is faster than the page loses nothing of what they type", async (t) => {
    const page = await openWindow(t, browser, service.url);
    await cell(page, await freeSlot(page, 2)).click();
    await focused(page, "#person-name");
    // Escape and Enter, both before the dialog has told that it was closed.
    await page.evaluate(() => new Promise((told) => {
        const dialog = document.querySelector("dialog");
        dialog.addEventListener("close", told, { once: true });
        dialog.close();
        document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {
            key: "Enter", bubbles: true, cancelable: true,
        }));
    }));
    await page.keyboard.type("Kay Board");
    assert.equal(await page.inputValue("#person-name"), "Kay Board");
});

test("news that come during a press do not swallow it", async (t) => {
    const page = await openWindow(t, browser, service.url);
    await page.route("**/api/request_slot", (route) => route.abort("connectionreset"));
    await openForm(page, await freeSlot(page, 2));
    await submit(page);
    const news = page.locator(".progress .newest");
    await news.filter({ hasText: /^Attempt/ }).waitFor();
    await page.locator("dialog .primary").hover();
    await page.mouse.down();
    const [old] = /^Attempt \d+/.exec(await news.textContent());
    await news.filter({ hasText: /^Attempt/, hasNotText: `${old} ` }).waitFor();
    await page.mouse.up();
    await dialogClosed(page);
});

test("two windows race for one slot: one wins, both see it", async (t) => {
    const windows = [await openWindow(t, browser, service.url),
        await openWindow(t, browser, service.url)];
    const slot = await freeSlot(windows[0], 5);
    // The barrier: both forms are filled in before either is sent.
    for (const page of windows) await openForm(page, slot);
    await Promise.all(windows.map(submit));
    const outcomes = await Promise.all(windows.map(outcome));
    assert.deepEqual(outcomes.toSorted(), ["gone", "won"]);
    const winner = windows[outcomes.indexOf("won")];
    const loser = windows[outcomes.indexOf("gone")];

    assert.match(await loser.textContent("#dialog-title"), /slot has just gone/);
    const offers = await loser.locator(".offer").count();
    assert.ok(offers > 0, "the loser is offered other times");
    await loser.click("text=Show them in the calendar");
    assert.equal(await loser.locator("#calendar .suggested").count(), offers);
    await expectState(winner, slot, "mine");
    await expectState(loser, slot, "taken");

    const other = loser.locator("#calendar .suggested").first();
    await other.click();
    await submit(loser);
    await reachState(loser, "confirmed");
    assert.equal((await visitsOf(winner)).length, 1);
    assert.equal((await visitsOf(loser)).length, 1);
});

async function outcome(page) {
    const end = page.locator(".gone, .progress[data-state=confirmed]");
    await end.waitFor();
    return await page.locator(".gone").count() === 1 ? "gone" : "won";
}

test("a cancelled visit frees its time in the other window", async (t) => {
    const mine = await openWindow(t, browser, service.url);
    const other = await openWindow(t, browser, service.url);
    const slot = await freeSlot(mine, 4);
    await book(mine, slot);
    await expectState(other, slot, "taken");
    await mine.click("[data-action=cancel]");
    await mine.click("dialog .quiet"); // keep it
    await mine.click("[data-action=cancel]");
    await mine.click("dialog .danger");
    await expectState(other, slot, "free");
    await expectState(mine, slot, "free");
    await visit(mine, "released").waitFor({ state: "attached" });
});

test("a visit is cancelled from the dialog that its time opens", async (t) => {
    const page = await openWindow(t, browser, service.url);
    const slot = await freeSlot(page, 4);
    await book(page, slot);
    await cell(page, slot).click();
    await page.click("dialog >> text=Cancel the visit");
    await page.click("dialog .danger");
    await expectState(page, slot, "free");
});

test("a visit is moved by picking another time", async (t) => {
    const mine = await openWindow(t, browser, service.url);
    const other = await openWindow(t, browser, service.url);
    const from = await freeSlot(mine, 3);
    await book(mine, from);
    await expectState(other, from, "taken");
    await mine.click("[data-action=move]");
    await mine.waitForSelector("#moving:not([hidden])");
    await mine.keyboard.press("Escape");
    await mine.waitForSelector("#moving", { state: "hidden" });
    await mine.click("[data-action=move]");
    await expectState(mine, from, "free"); // it may move into a part of its own time
    const to = await freeSlot(mine, 12);
    await cell(mine, to).click();
    await mine.click("dialog .primary");
    await expectState(mine, to, "mine");
    await expectState(other, from, "free");
    await expectState(other, to, "taken");
    const [moved] = await visitsOf(mine);
    assert.deepEqual([moved.day, moved.minute, moved.state], [to.day, to.minute, "confirmed"]);
});

test("any time finds one within the wishes", async (t) => {
    const page = await openWindow(t, browser, service.url);
    await page.click("#find");
    for (const box of await page.locator("dialog input[name=part]").all()) await box.uncheck();
    await page.fill("#person-name", "Any Time");
    await page.fill("#person-email", "any@example.org");
    await submit(page);
    await page.waitForSelector("dialog [role=alert]:not(:empty)");
    await page.locator("dialog input[name=part]").first().check();
    await submit(page);
    await reachState(page, "confirmed");
    const [found] = await visitsOf(page);
    assert.ok(found.minute + found.minutes <= 12 * 60, "in the morning, as wished");
    await page.click("dialog .primary");
    await expectState(page, found, "mine");
});

test("a week without a free time says so", async (t) => {
    const page = await openWindow(t, browser, service.url);
    await page.route("**/api/request_any", (route) => route.fulfill({
        status: 409, json: { error: "NO_SLOT", message: "no slot" },
    }));
    await page.click("#find");
    await page.fill("#person-name", "Any Time");
    await page.fill("#person-email", "any@example.org");
    await submit(page);
    await page.waitForSelector("dialog .problem");
    assert.match(await page.textContent("dialog .problem"), /No time fits/);
    await page.click("text=Ask differently");
    await page.waitForSelector("dialog form.any");
    await outboxEmpty(page);
});

test("a clinic that refuses says why", async (t) => {
    const page = await openWindow(t, browser, service.url);
    await page.route("**/api/week?*", (route) => route.fulfill({
        status: 422, json: { error: "OUT_OF_RANGE", message: "the day is out of range" },
    }));
    await page.click("#next");
    await page.locator(".notice.bad", { hasText: /the day is out of range/ }).waitFor();
});

test("a phone shows one day, turns it by swiping, and books", async (t) => {
    const page = await openWindow(t, browser, service.url, PHONE);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.equal(overflow, 0, "nothing sticks out at the side");
    const day = () => page.locator("#calendar [role=gridcell]").first().getAttribute("data-day");
    const first = Number(await day());
    await swipe(page, -200);
    await page.waitForSelector(`#calendar [data-day="${first + 1}"]`);
    await swipe(page, 200);
    await page.waitForSelector(`#calendar [data-day="${first}"]`);
    const slot = await freeSlot(page, 1);
    await book(page, slot);
    await expectState(page, slot, "mine");
    await page.click("#tabs [data-to=visits]");
    await visit(page, "confirmed").waitFor();
    assert.equal(await page.locator("#calendar").isVisible(), false);
    assert.equal(await page.textContent("#visits-count"), "1");
    await page.reload();
    await live(page);
    await page.click("#tabs [data-to=visits]");
    await visit(page, "confirmed").waitFor();
});

function swipe(page, dx) {
    return page.evaluate((by) => {
        const grid = document.querySelector("#calendar");
        const touch = (x) => new Touch({ identifier: 1, target: grid, clientX: x, clientY: 500 });
        const send = (type, props) => grid.dispatchEvent(new TouchEvent(type, {
            bubbles: true, ...props,
        }));
        send("touchstart", { touches: [touch(200)], changedTouches: [touch(200)] });
        send("touchend", { touches: [], changedTouches: [touch(200 + by)] });
    }, dx);
}
