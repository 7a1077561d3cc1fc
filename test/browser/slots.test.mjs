// slots.test.mjs - the page's arithmetic of free time, without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
    alternatives, cellState, fits, laneState, planOf, visibleHours,
} from "../../examples/clinic/page/slots.js";
import { clock, dayLong, mondayOf, weekday, weekTitle } from "../../examples/clinic/page/time.js";

const DAY = 20777; // Friday 20 November 2026
const LONG_AGO = 0;
const SHIFTS = [{ dentist: 1, day: DAY, start: 540, end: 720 }];

test("a treatment fits when every quarter-hour of it is open", () => {
    const plan = planOf(SHIFTS, [{ dentist: 1, day: DAY, minute: 600, minutes: 30 }], []);
    assert.ok(fits(plan, 1, DAY, 540, 60), "until the booking begins");
    assert.ok(!fits(plan, 1, DAY, 555, 60), "not into the booking");
    assert.ok(fits(plan, 1, DAY, 630, 90), "from its end to the end of the shift");
    assert.ok(!fits(plan, 1, DAY, 660, 75), "not past the end of the shift");
    assert.ok(!fits(plan, 1, DAY, 525, 15), "not before the shift");
    assert.ok(!fits(plan, 2, DAY, 540, 15), "not with somebody else");
});

test("a lane says why it is not free", () => {
    const plan = planOf(SHIFTS, [{ dentist: 1, day: DAY, minute: 600, minutes: 30 }],
        [{ dentist: 1, day: DAY, minute: 660, minutes: 15 }]);
    const state = (minute, now = LONG_AGO) => laneState(plan, 1, DAY, minute, 30, now);
    assert.deepEqual([530, 540, 585, 600, 660].map((m) => state(Math.floor(m / 15) * 15)),
        ["off", "free", "short", "taken", "mine"]);
    assert.equal(state(540, DAY * 1440 + 541), "past");
    assert.equal(state(540, DAY * 1440 + 540), "free", "this very minute is not past");
});

test("a cell is as good as its best lane, unless the patient is busy then", () => {
    assert.equal(cellState(["taken", "free"]), "free");
    assert.equal(cellState(["mine", "free"]), "mine");
    assert.equal(cellState([]), "off");
});

test("alternatives are near, apart, and never the slot that has gone", () => {
    const plan = planOf(SHIFTS, [], []);
    const wanted = { dentist: 1, day: DAY, minute: 600 };
    const found = alternatives(plan, [1], [DAY], wanted, 30, LONG_AGO, 4);
    assert.deepEqual(found.map((s) => clock(s.minute)), ["09:45", "10:15", "09:15", "10:45"]);
    assert.deepEqual(alternatives(plan, [1], [DAY], wanted, 300, LONG_AGO, 4), []);
});

test("the calendar shows whole hours around the shifts", () => {
    const odd = { dentist: 1, day: DAY, start: 555, end: 735 };
    assert.deepEqual(visibleHours([odd]), { start: 540, end: 780 });
    assert.deepEqual(visibleHours([]), { start: 540, end: 1020 });
});

test("days are counted from a Thursday", () => {
    assert.equal(weekday(0), 3);
    assert.equal(weekday(DAY), 4);
    assert.equal(mondayOf(DAY), DAY - 4);
    assert.equal(dayLong(DAY), "Friday 20 November");
    assert.equal(weekTitle(DAY - 4, DAY), "16 – 20 November 2026");
    assert.equal(weekTitle(DAY + 10, DAY + 14), "30 November – 4 December 2026");
});
