// person.js - who is asking: name and email, checked before they are sent, kept for the next time.

import { h } from "./element.js";
import { state } from "./state.js";
import { newUuid } from "./uuid.js";

const PATIENT = "clinic.patient";
const PERSON = "clinic.person";

// One random name per browser: it is how the server knows whose visits are whose.
export function knowPatient() {
    let id = localStorage.getItem(PATIENT);
    if (!id) {
        id = newUuid();
        localStorage.setItem(PATIENT, id);
    }
    state.patient = id;
}

function remembered() {
    try {
        return JSON.parse(localStorage.getItem(PERSON)) ?? {};
    } catch {
        return {};
    }
}

// The clinic counts bytes of UTF-8.
function bytes(text) {
    return new TextEncoder().encode(text).length;
}

const CHECKS = {
    name(value) {
        if (value === "") return "Please tell us your name.";
        return bytes(value) > 80 ? "That is too long; 80 letters at most." : "";
    },
    email(value) {
        if (value === "") return "Please give an email for the confirmation.";
        const looksRight = /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value) && bytes(value) <= 120;
        return looksRight ? "" : "That does not look like an email, for example ada@example.org.";
    },
};

function field(name, label, type, value, complete) {
    const input = h("input", {
        id: `person-${name}`, name, type, value, "autocomplete": complete,
        "aria-describedby": `person-${name}-error`, "required": true,
    });
    const error = h("p", { class: "error", id: `person-${name}-error` });
    input.addEventListener("input", () => {
        if (input.getAttribute("aria-invalid")) check(input, error);
    });
    const row = h("div", { class: "field" },
        h("label", { for: input.id, text: label }), input, error);
    return { row, input, error };
}

function check(input, error) {
    const text = CHECKS[input.name](input.value.trim());
    error.textContent = text;
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    return text === "";
}

// Returns {rows, read}; read() gives {name, email}, or null after showing what is wrong and moving
// the focus to the first field that is.
export function personFields() {
    const kept = remembered();
    const fields = [
        field("name", "Your name", "text", kept.name ?? "", "name"),
        field("email", "Email", "email", kept.email ?? "", "email"),
    ];
    const read = () => {
        const wrong = fields.filter((f) => !check(f.input, f.error));
        if (wrong.length > 0) {
            wrong[0].input.focus();
            return null;
        }
        const [name, email] = fields.map((f) => f.input.value.trim());
        localStorage.setItem(PERSON, JSON.stringify({ name, email }));
        return { name, email };
    };
    return { rows: fields.map((f) => f.row), read };
}
