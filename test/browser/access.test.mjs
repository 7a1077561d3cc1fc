// access.test.mjs - names, roles, contrast, motion and policy: what an audit of the page would ask.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openService } from "./service.mjs";
import {
    cell, DESKTOP, escapeDialog, freeSlot, openBrowser, openForm, openWindow, PHONE, reachState,
    submit,
} from "./window.mjs";

const CONTRAST = 4.5;
const TARGET_PX = 44;
const NAMED = new Set(["button", "link", "textbox", "combobox", "radio", "checkbox", "gridcell",
    "grid", "columnheader", "rowheader", "dialog", "group", "navigation"]);

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

// Walks through the page's faces and lets `look(page, face)` examine each.
async function eachFace(t, options, look) {
    const page = await openWindow(t, browser, service.url, options);
    await look(page, "calendar");
    const slot = await freeSlot(page, 2);
    await cell(page, slot).click();
    await submit(page);
    await look(page, "form with errors");
    await escapeDialog(page);
    await page.click(options === PHONE ? "#tab-find" : "#find");
    await look(page, "any time");
    await escapeDialog(page);
    await page.route("**/api/request_slot", (route) => route.fulfill({
        status: 409, json: { error: "SLOT_TAKEN", message: "taken" },
    }), { times: 1 });
    await openForm(page, slot);
    await submit(page);
    await page.waitForSelector(".gone");
    await look(page, "slot gone");
    await page.click("text=Show them in the calendar");
    await look(page, "suggestions");
    await openForm(page, slot);
    await submit(page);
    await reachState(page, "confirmed");
    await look(page, "progress");
    await escapeDialog(page);
    if (options === PHONE) await page.click("#tabs [data-to=visits]");
    await look(page, "visits");
    await page.click("[data-action=move]");
    await page.waitForSelector("#moving:not([hidden])");
    await look(page, "moving");
}

test("everything that can be used has a name", async (t) => {
    await eachFace(t, DESKTOP, async (page, face) => {
        const session = await page.context().newCDPSession(page);
        const { nodes } = await session.send("Accessibility.getFullAXTree");
        await session.detach();
        const nameless = nodes.filter((n) => !n.ignored && NAMED.has(n.role?.value)
            && !n.name?.value?.trim());
        assert.deepEqual(nameless.map((n) => n.role.value), [], `without a name: ${face}`);
        const roles = new Set(nodes.filter((n) => !n.ignored).map((n) => n.role?.value));
        const dialog = face !== "calendar" && await page.locator("dialog[open]").count() === 1;
        assert.ok(roles.has(dialog ? "dialog" : "grid"), `the right landmark: ${face}`);
    });
});

test("the calendar is a grid with one stop, and the page is well formed", async (t) => {
    const page = await openWindow(t, browser, service.url);
    const found = await page.evaluate(() => {
        const all = (selector) => [...document.querySelectorAll(selector)];
        const ids = all("[id]").map((e) => e.id);
        return {
            language: document.documentElement.lang,
            headings: all("h1").length,
            stops: all("#calendar [tabindex='0']").length,
            stray: all("[role=gridcell]").filter((c) => !c.closest("[role=row]")).length
                + all("#calendar [role=row]").filter((r) => !r.closest("[role=grid]")).length,
            doubled: ids.filter((id, i) => ids.indexOf(id) !== i),
            dangling: all("[aria-labelledby], [aria-describedby], label[for]")
                .filter((e) => !e.closest("dialog"))
                .flatMap((e) => [e.getAttribute("aria-labelledby"), e.htmlFor,
                    e.getAttribute("aria-describedby")])
                .filter((id) => id && !document.getElementById(id)),
            live: all("[aria-live=polite]").length,
            inline: all("[style*=':']:not([class]), script:not([src]), style").length,
        };
    });
    assert.deepEqual(found, {
        language: "en", headings: 1, stops: 1, stray: 0, doubled: [], dangling: [], live: 2,
        inline: 0,
    });
});

for (const colorScheme of ["light", "dark"]) {
    for (const [name, options] of [["desktop", DESKTOP], ["phone", PHONE]]) {
        test(`text stands out ${CONTRAST}:1 on a ${colorScheme} ${name}`, async (t) => {
            const context = options === PHONE ? PHONE : DESKTOP;
            await eachFace(t, context, async (page, face) => {
                await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
                assert.deepEqual(await page.evaluate(pale, CONTRAST), [], face);
            });
        });
    }
}

// Runs in the page: the visible texts whose contrast with what lies behind them is below `least`.
function pale(least) {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].map((v) => v / 255);
    };
    const luminance = ([r, g, b]) => [r, g, b]
        .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const colour = rgba(getComputedStyle(e).backgroundColor);
            if (colour[3] > 0.99) return colour;
        }
        return [1, 1, 1, 1];
    };
    const dialog = document.querySelector("dialog[open]");
    const texts = document.createTreeWalker(dialog ?? document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (texts.nextNode()) {
        const text = texts.currentNode.textContent.trim();
        const element = texts.currentNode.parentElement;
        if (!text || element.closest(".hidden, :disabled, noscript, option, [data-lane]")) continue;
        if (!element.checkVisibility({ visibilityProperty: true })) continue;
        const [a, b] = [rgba(getComputedStyle(element).color), behind(element)].map(luminance);
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < least) found.push(`${text} (${element.className}): ${ratio.toFixed(2)}`);
    }
    return [...new Set(found)];
}

test("targets on a phone are large enough for a finger", async (t) => {
    await eachFace(t, PHONE, async (page, face) => {
        const small = await page.evaluate((least) => {
            const root = document.querySelector("dialog[open]") ?? document.body;
            const all = [...root.querySelectorAll("button, select, [role=gridcell], .card, .chip")];
            return all.filter((e) => e.checkVisibility())
                .map((e) => [e, e.getBoundingClientRect()])
                .filter(([, box]) => box.width > 0 && (box.height < least - 0.5 || box.width < 40))
                .map(([e, box]) => `${e.textContent.trim()} ${box.width}x${box.height}`);
        }, TARGET_PX);
        assert.deepEqual(small, [], face);
    });
});

test("whoever wants no motion gets none", async (t) => {
    const page = await openWindow(t, browser, service.url,
        { ...DESKTOP, reducedMotion: "reduce" });
    await openForm(page, await freeSlot(page, 2));
    await submit(page);
    await reachState(page, "confirmed");
    await escapeDialog(page);
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
});

test("the focus can always be seen", async (t) => {
    const page = await openWindow(t, browser, service.url);
    await page.locator("#practice").focus();
    for (let i = 0; i < 14; i++) {
        await page.keyboard.press("Tab");
        const shown = await page.evaluate(() => {
            const e = document.activeElement;
            const marked = [e, e.nextElementSibling].filter(Boolean)
                .some((x) => getComputedStyle(x).outlineStyle === "solid");
            const ghost = getComputedStyle(e, "::after");
            return marked || (e.matches("[role=gridcell]") && ghost.boxShadow !== "none")
                || e === document.body;
        });
        assert.ok(shown, await page.evaluate(() => document.activeElement.outerHTML.slice(0, 120)));
    }
});

test("nothing comes from elsewhere and the policy is strict", async (t) => {
    const context = await browser.newContext(DESKTOP);
    t.after(() => context.close());
    const page = await context.newPage();
    const { origin } = new URL(service.url);
    const foreign = [];
    page.on("request", (r) => {
        if (!r.url().startsWith(origin)) foreign.push(r.url());
    });
    const response = await page.goto(service.url);
    assert.match(response.headers()["content-security-policy"] ?? "", /default-src 'self'/);
    await page.waitForSelector("html[data-ready]");
    assert.deepEqual(foreign, []);
    const blocked = await page.evaluate(() => new Promise((resolve) => {
        addEventListener("securitypolicyviolation", () => resolve(true), { once: true });
        const script = document.createElement("script");
        script.textContent = "document.title = 'broken'";
        document.head.append(script);
        script.remove();
    }));
    assert.ok(blocked, "a script in the page itself is refused");
});
