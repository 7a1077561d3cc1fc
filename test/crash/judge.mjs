// judge.mjs - do the clients, the database and the provider agree? Each check is one sentence; it
// returns the list of what contradicts it.

import { execFileSync } from "node:child_process";
import path from "node:path";

export function readDatabase(folder) {
    const rows = (sql) => {
        const args = ["-readonly", "-json", path.join(folder, "clinic.db"), sql];
        return JSON.parse(execFileSync("sqlite3", args, { maxBuffer: 1 << 28 }) || "[]");
    };
    // Each practice counts its own appointments; outside they are called as practices.h says.
    return {
        appointments: rows("select id * 1000 + practice as id, practice, dentist, day, minute, "
            + "minutes, treatment, state, price_cents, held from appointment"),
        bookings: rows("select practice, dentist, day, minute, minutes, "
            + "appointment * 1000 + practice as appointment from booking"),
        offices: rows("select cast(hy_instance.key as integer) as practice, "
            + "printf('%016x', salt) as salt, money_cents "
            + "from office join hy_instance on number = office.machine"),
        owed: rows("select * from hy_ledger"),
        integrity: rows("pragma integrity_check")[0].integrity_check,
    };
}

// What the provider calls a hold is the salt of its practice, and the appointment's number there.
function appointmentOf(hold, db) {
    const [, salt, number] = /^c([0-9a-f]{16})-(\d+)$/.exec(hold.key) ?? [];
    const office = db.offices.find((o) => o.salt === salt);
    return office ? Number(number) * 1000 + office.practice : 0;
}

function keyed(list, key) {
    return new Map(list.map((item) => [key(item), item]));
}

export const CHECKS = {
    "every acknowledged request is an appointment, and there is no other": ({ visits, db }) => {
        const known = keyed(db.appointments, (a) => a.id);
        const told = new Set(visits.map((v) => v.appointment));
        return [
            ...visits.filter((v) => !known.has(v.appointment)).map((v) => ["lost", v]),
            ...db.appointments.filter((a) => !told.has(a.id)).map((a) => ["nobody asked for", a]),
        ];
    },

    "no two requests got the same appointment": ({ visits }) => {
        const seen = new Set();
        return visits.filter((v) => seen.has(v.appointment) || !seen.add(v.appointment));
    },

    "every appointment is where its patient was told": ({ visits, db }) => {
        const known = keyed(db.appointments, (a) => a.id);
        const fields = ["practice", "dentist", "day", "minute", "treatment"];
        return visits.filter((v) => {
            const a = known.get(v.appointment);
            return a && fields.some((f) => a[f] !== v[f]);
        });
    },

    "what was cancelled is over, and only that and what was declined": ({ visits, db }) => {
        const known = keyed(db.appointments, (a) => a.id);
        return visits.filter((v) => {
            const state = known.get(v.appointment)?.state;
            const ends = v.cancelled ? ["released", "cancelled"] : ["confirmed", "declined"];
            return !ends.includes(state);
        }).map((v) => [known.get(v.appointment)?.state, v]);
    },

    "no slot is taken twice": ({ db }) => {
        const sorted = [...db.bookings].sort((a, b) => a.practice - b.practice
            || a.dentist - b.dentist || a.day - b.day || a.minute - b.minute);
        return sorted.filter((b, i) => i > 0 && sorted[i - 1].practice === b.practice
            && sorted[i - 1].dentist === b.dentist && sorted[i - 1].day === b.day
            && sorted[i - 1].minute + sorted[i - 1].minutes > b.minute);
    },

    "a slot is taken by a confirmed appointment, and by each of them one": ({ db }) => {
        const text = (b, id) => [id, b.practice, b.dentist, b.day, b.minute, b.minutes].join();
        const taken = db.bookings.map((b) => text(b, b.appointment)).sort();
        const wanted = db.appointments.filter((a) => a.state === "confirmed")
            .map((a) => text(a, a.id)).sort();
        return taken.join(";") === wanted.join(";") ? [] : [{ taken, wanted }];
    },

    "nothing is owed any more but tomorrow's routine": ({ db }) =>
        (db.owed.length === db.offices.length ? [] : db.owed),

    "the provider has one hold for a key": ({ ledger }) => {
        const seen = new Set();
        return ledger.filter((h) => seen.has(h.key) || !seen.add(h.key));
    },

    "every confirmed appointment is charged once, and exactly its price": ({ db, ledger }) => {
        const holds = keyed(ledger, (hold) => appointmentOf(hold, db));
        return db.appointments.filter((a) => a.state === "confirmed").filter((a) => {
            const hold = holds.get(a.id);
            return hold?.status !== "captured" || hold.amount_cents !== a.price_cents
                || hold.charges !== 1 || hold.refunds !== 0;
        }).map((a) => [a, holds.get(a.id)]);
    },

    "nobody else pays: what was charged came back, and no hold is left": ({ db, ledger }) => {
        const known = keyed(db.appointments, (a) => a.id);
        return ledger.filter((hold) => {
            const state = known.get(appointmentOf(hold, db))?.state;
            if (state === "confirmed") return false;
            const over = hold.status === "declined" || hold.status === "released";
            return !state || !over || hold.charges !== hold.refunds;
        });
    },

    "no key was charged or held twice": ({ ledger }) =>
        ledger.filter((hold) => hold.charges > 1 || hold.holds > 1 || hold.refunds > 1),

    "each practice's own sum of money is what it has taken": ({ db }) =>
        db.offices.filter((office) => {
            const confirmed = db.appointments.filter((a) => a.state === "confirmed"
                && a.practice === office.practice);
            const sum = confirmed.reduce((cents, a) => cents + a.price_cents, 0);
            return office.money_cents !== sum;
        }),

    "the same key still gets the same answer": ({ repeated }) =>
        repeated.filter(({ answer, again }) => JSON.stringify(answer) !== JSON.stringify(again)),

    "the file is whole": ({ db }) => (db.integrity === "ok" ? [] : [db.integrity]),

    "every clinic that was asked to stop did so in order": ({ stopped }) =>
        stopped.filter(({ code }) => code !== 0),
};
