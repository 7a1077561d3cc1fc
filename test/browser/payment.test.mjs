// payment.test.mjs - what patients see when the provider, the network or the clinic itself fails.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { CAN_BEHAVE, CAN_KILL, openService } from "./service.mjs";
import {
    cell, escapeDialog, expectState, freeSlot, live, openBrowser, openForm, openWindow, outboxEmpty,
    outboxSize, reachState, showDay, submit, visit, visitsOf,
} from "./window.mjs";

let browser;
let service;

before(async () => {
    service = await openService();
    browser = await openBrowser();
});

afterEach(async () => {
    if (CAN_BEHAVE) await service.behave();
});

after(async () => {
    await browser?.close();
    await service?.close();
});

test("a provider that is down is waited for, and the patient sees it", { skip: !CAN_BEHAVE },
    async (t) => {
        const page = await openWindow(t, browser, service.url);
        await service.behave({ mode: "down" });
        await openForm(page, await freeSlot(page, 1));
        await submit(page);
        await reachState(page, "holding");
        await page.locator(".progress .newest", { hasText: /again/ }).waitFor();
        const lines = page.locator(".progress .history li", { hasText: /attempt/i });
        await lines.nth(1).waitFor();
        await service.behave();
        await reachState(page, "confirmed");
        await page.click("dialog .primary");
        await visit(page, "confirmed").waitFor();
    });

test("a declined payment says so and frees the time", { skip: !CAN_BEHAVE }, async (t) => {
    const page = await openWindow(t, browser, service.url);
    const slot = await freeSlot(page, 2);
    await service.behave({ decline_percent: 100 });
    await openForm(page, slot);
    await submit(page);
    await reachState(page, "declined");
    assert.match(await page.textContent("#dialog-title"), /declined/);
    await page.click("dialog .primary");
    await expectState(page, slot, "free");
});

test("kill -9 in the middle of a payment: booked, and one hold", { skip: !CAN_KILL }, async (t) => {
    const page = await openWindow(t, browser, service.url);
    const other = await openWindow(t, browser, service.url);
    const before = (await service.ledger()).length;
    const slot = await freeSlot(page, 3);
    await service.behave({ mode: "slow", delay_ms: 60000 }); // "holding" waits for the kill
    await openForm(page, slot);
    await submit(page);
    await reachState(page, "holding");
    await service.kill();
    await page.waitForSelector("html[data-connection=lost]");
    await page.waitForSelector("#banner:not([hidden])", { state: "attached" });
    await service.behave();
    await service.start();
    await page.waitForSelector("html[data-connection=live]");
    await reachState(page, "confirmed");
    await expectState(other, slot, "taken");
    const paid = (await service.ledger()).slice(before);
    assert.deepEqual(paid.map((line) => line.event), ["hold", "capture"], "charged once");
    assert.equal(paid[0].key, paid[1].key);
    assert.equal((await visitsOf(page)).length, 1, "booked once");
    await outboxEmpty(page);
});

test("a request sent while the clinic is dead arrives after its restart", { skip: !CAN_KILL },
    async (t) => {
        const page = await openWindow(t, browser, service.url);
        const slot = await freeSlot(page, 4);
        await openForm(page, slot);
        await service.kill();
        await submit(page);
        await page.locator(".progress .newest", { hasText: /no answer/ }).waitFor();
        await expectState(page, slot, "mine"); // shown as held at once
        await service.start();
        await reachState(page, "confirmed");
        assert.equal((await visitsOf(page)).length, 1);
        await outboxEmpty(page);
    });

test("offline is said, and what was asked for goes out afterwards", async (t) => {
    const page = await openWindow(t, browser, service.url);
    const slot = await freeSlot(page, 5);
    await openForm(page, slot);
    await page.context().setOffline(true);
    await page.waitForSelector("html[data-connection=offline]");
    assert.match(await page.textContent("#banner-text"), /offline/);
    await submit(page);
    await page.locator(".progress .newest", { hasText: /no answer/ }).waitFor();
    assert.equal(await outboxSize(page), 1, "kept in this browser");
    await page.context().setOffline(false);
    await page.waitForSelector("html[data-connection=live]");
    await reachState(page, "confirmed");
    assert.equal(await page.isVisible("#banner"), false);
    assert.equal((await visitsOf(page)).length, 1);
    await outboxEmpty(page);
});

test("an answer that comes late does not undo what was told live", { skip: !CAN_BEHAVE },
    async (t) => {
        const page = await openWindow(t, browser, service.url);
        await service.behave({ mode: "down" });
        await openForm(page, await freeSlot(page, 9));
        await submit(page);
        await reachState(page, "holding");
        const told = new Promise((resolve) => {
            page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => {
                if (/"type":"appointment".*"state":"confirmed"/s.test(payload)) resolve();
            }));
        });
        await page.route("**/api/mine?*", async (route) => {
            const response = await route.fetch(); // says "holding"
            await service.behave();
            await told;
            await reachState(page, "confirmed");
            await route.fulfill({ response });
        }, { times: 1 });
        const late = page.waitForResponse(/api\/mine/);
        await page.context().setOffline(true);
        await page.waitForSelector("html[data-connection=offline]");
        await page.context().setOffline(false);
        await (await late).finished();
        await page.click("dialog .primary");
        await visit(page, "confirmed").waitFor();
        assert.equal(await visit(page, "holding").count(), 0);
    });

test("all that could not be loaded is loaded once the clinic answers", async (t) => {
    const page = await openWindow(t, browser, service.url);
    const paths = ["week", "mine"];
    const refused = { week: 0, mine: 0 };
    for (const path of paths) {
        await page.route(`**/api/${path}?*`, (route) => {
            refused[path] += 1;
            if (refused[path] > 3) return route.continue();
            return route.fulfill({ status: 503, json: { error: "HY_LIMIT", message: "full" } });
        });
    }
    const answers = paths.map((path) => page.waitForResponse((response) =>
        response.url().includes(`/api/${path}?`) && response.ok()));
    await page.context().setOffline(true);
    await page.waitForSelector("html[data-connection=offline]");
    await page.context().setOffline(false);
    await Promise.all(answers);
});

test("a lost answer is asked for again with the same key", async (t) => {
    const page = await openWindow(t, browser, service.url);
    const keys = [];
    await page.route("**/api/request_slot", async (route) => {
        keys.push(route.request().headers()["idempotency-key"]);
        if (keys.length > 2) {
            await route.continue();
            return;
        }
        await route.fetch(); // the clinic hears it
        await route.abort("connectionreset"); // and the patient never learns
    });
    await openForm(page, await freeSlot(page, 6));
    await submit(page);
    await reachState(page, "confirmed");
    assert.equal(keys.length, 3);
    assert.equal(new Set(keys).size, 1, "one key for all attempts");
    assert.equal((await visitsOf(page)).length, 1, "three requests, one visit");
});

test("a reload in the middle of a request sends it again, once", async (t) => {
    const page = await openWindow(t, browser, service.url);
    const keys = [];
    page.on("request", (request) => {
        if (request.url().endsWith("/api/request_slot")) {
            keys.push(request.headers()["idempotency-key"]);
        }
    });
    let heard;
    const arrived = new Promise((resolve) => { heard = resolve; });
    await page.route("**/api/request_slot", async (route) => {
        await route.fetch(); // the clinic hears it; the answer is still on its way
        heard();
    }, { times: 1 });
    const slot = await freeSlot(page, 7);
    await openForm(page, slot);
    await submit(page);
    await arrived;
    assert.equal(await outboxSize(page), 1);
    await page.reload();
    await live(page);
    await visit(page, "confirmed").waitFor();
    await outboxEmpty(page);
    assert.equal(keys.length, 2);
    assert.equal(keys[0], keys[1], "the same key after the reload");
    assert.equal((await visitsOf(page)).length, 1);
    await showDay(page, slot.day);
    await expectState(page, slot, "mine");
});

test("a full clinic is asked again instead of giving up", async (t) => {
    const page = await openWindow(t, browser, service.url);
    let asked = 0;
    await page.route("**/api/request_slot", (route) => {
        asked += 1;
        if (asked > 1) return route.continue();
        return route.fulfill({ status: 503, json: { error: "HY_LIMIT", message: "full" } });
    });
    const slot = await freeSlot(page, 8);
    await openForm(page, slot);
    await submit(page);
    await reachState(page, "confirmed");
    await escapeDialog(page);
    assert.equal(asked, 2);
    assert.equal(await cell(page, slot).getAttribute("data-state"), "mine");
});
