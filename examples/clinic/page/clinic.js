// clinic.js - starts the page and ties its parts together.
//
// Data flows one way: the server (feed, live) and the patient (choose, calendar, visits, dialogs)
// change `state`; draw() shows it. What must arrive goes through the outbox. Begin reading at
// state.js, then feed.js and outbox.js; the rest shows or asks.

import { openAnytime } from "./anytime.js";
import { clearSuggestions, openBooking } from "./booking.js";
import { drawCalendar, prepareCalendar } from "./calendar.js";
import { drawChoice, prepareChoice, restoreChoice } from "./choose.js";
import { drawConnection, turnConnection } from "./connection.js";
import { prepareDialog } from "./dialog.js";
import { byId } from "./element.js";
import {
    hear, loadClinic, loadVisits, loadWeek, pollWithoutSocket, turnTo, wakeFeed,
} from "./feed.js";
import { openLive } from "./live.js";
import { say, tell } from "./notice.js";
import { resume, wakeOutbox } from "./outbox.js";
import { knowPatient } from "./person.js";
import { laneState, planOf } from "./slots.js";
import {
    changed, now, onChange, shownDentists, state, thisWeek, today, treatment,
} from "./state.js";
import { DAY_MINUTES, mondayOf, QUARTER, weekday } from "./time.js";
import { askMove, drawMoving, drawVisits, openVisit, stopMoving } from "./visits.js";
import { refusalText } from "./words.js";

const TICK_MS = 20000;

function draw() {
    drawConnection();
    if (!state.clinic) return;
    drawChoice();
    drawCalendar();
    drawMoving();
    drawVisits();
    document.documentElement.dataset.ready = "true";
}

// Shows a week; on a phone its first day, or its last when coming back from the week after.
function turnWeek(step) {
    const week = state.week + 7 * step;
    if (week < thisWeek()) return;
    state.day = step < 0 ? week + 4 : week;
    clearSuggestions();
    turnTo(week);
}

function turnDay(step) {
    const day = state.day + step;
    const last = Math.max(4, ...state.shifts.map((s) => weekday(s.day)));
    if (day < state.week) turnWeek(-1);
    else if (day > state.week + last) turnWeek(1);
    else {
        state.day = day;
        changed();
    }
}

function page(step) {
    if (byId("days").hidden) turnWeek(step);
    else turnDay(step);
}

// On a Friday evening the week that matters is the next one.
async function openFirstFreeWeek() {
    state.day = today();
    await turnTo(thisWeek());
    if (!hasFree(0, 7)) {
        state.day = thisWeek() + 7;
        await turnTo(thisWeek() + 7);
    } else {
        const free = Array.from({ length: 7 }, (_, i) => i).find((i) => hasFree(i, i + 1));
        state.day = state.week + free;
        changed();
    }
}

function hasFree(from, to) {
    const plan = planOf(state.shifts, state.taken.values(), []);
    const { minutes } = treatment();
    return shownDentists().some((d) => {
        for (let i = from * DAY_MINUTES; i < to * DAY_MINUTES; i += QUARTER) {
            const [day, minute] = [state.week + Math.floor(i / DAY_MINUTES), i % DAY_MINUTES];
            if (laneState(plan, d.dentist, day, minute, minutes, now()) === "free") return true;
        }
        return false;
    });
}

function connect() {
    let first = true;
    const live = openLive({
        address() {
            const scheme = location.protocol === "https:" ? "wss:" : "ws:";
            return `${scheme}//${location.host}/api/live?practice=${state.choice.practice}`
                + `&patient=${state.patient}`;
        },
        turned: turnConnection,
        heard(message) {
            hear(message);
            if (message.type !== "hello") return;
            wakeOutbox();
            wakeFeed();
            if (!first) loadClinic().then(changed);
            first = false;
            loadWeek();
            loadVisits();
        },
    });
    const wake = () => {
        live.wake();
        wakeOutbox();
        wakeFeed();
    };
    addEventListener("online", wake);
    document.addEventListener("visibilitychange", () => {
        if (document.visibilityState === "visible") wake();
    });
    return live;
}

function prepareControls() {
    byId("previous").addEventListener("click", () => page(-1));
    byId("next").addEventListener("click", () => page(1));
    byId("this-week").addEventListener("click", () => openFirstFreeWeek());
    byId("find").addEventListener("click", openAnytime);
    byId("moving-stop").addEventListener("click", stopMoving);
    addEventListener("keydown", (event) => {
        if (event.key === "Escape" && state.moving && !byId("dialog").open) stopMoving();
    });
    for (const tab of document.querySelectorAll("#tabs [data-to]")) {
        tab.addEventListener("click", () => showTab(tab.dataset.to));
    }
    byId("tab-find").addEventListener("click", openAnytime);
    showTab("calendar");
}

function showTab(name) {
    document.body.dataset.tab = name;
    for (const tab of document.querySelectorAll("#tabs [data-to]")) {
        if (tab.dataset.to === name) tab.setAttribute("aria-current", "page");
        else tab.removeAttribute("aria-current");
    }
    scrollTo(0, 0);
}

// What an earlier life of this page had asked for has been answered.
function settled(entry, { refusal }) {
    if (refusal) tell(refusalText(refusal), "bad");
    else say("Your earlier request has arrived.");
    loadVisits();
}

async function start() {
    knowPatient();
    onChange(draw);
    prepareDialog();
    prepareControls();
    turnConnection("connecting");
    addEventListener("online", wakeFeed);
    if (!await loadClinic()) return;
    restoreChoice();
    state.week = mondayOf(today());
    let live = null;
    prepareChoice(() => {
        turnTo(state.week);
        live.reopen();
    });
    prepareCalendar({
        chosen: (slot) => (state.moving ? askMove(slot) : openBooking(slot)),
        visited: openVisit,
        refused: say,
        page,
    });
    resume(settled);
    await openFirstFreeWeek();
    live = connect();
    pollWithoutSocket();
    setInterval(changed, TICK_MS); // the present moves on, and with it what is past
}

start();
