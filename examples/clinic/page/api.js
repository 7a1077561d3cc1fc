// api.js - one call to the server, with exactly three outcomes.
//
// An answer is returned. A Refusal is thrown when the server understood and said no: asking again
// gives the same no. Unreachable is thrown when nobody knows: no network, no answer in time, an
// answer that is not JSON, a server that is full or restarting. Only Unreachable may be retried,
// and a retried POST must carry the same Idempotency-Key.

const ANSWER_MS = 12000;
const TRY_AGAIN = new Set([408, 425, 429, 500, 502, 503, 504]);

export class Refusal extends Error {
    constructor(status, body) {
        super(body.message || body.error || `refused with status ${status}`);
        this.code = body.error || "REFUSED";
        this.status = status;
        this.place = body.place || "";
    }
}

export class Unreachable extends Error {}

export function get(path) {
    return call(path, { headers: { Accept: "application/json" } });
}

export function post(path, body, key) {
    return call(path, {
        method: "POST",
        headers: {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        },
        body: JSON.stringify(body),
    });
}

async function call(path, options) {
    let response;
    let text;
    try {
        response = await fetch(path, {
            ...options, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS),
        });
        text = await response.text();
    } catch (cause) {
        throw new Unreachable("the clinic does not answer", { cause });
    }
    if (TRY_AGAIN.has(response.status)) {
        throw new Unreachable(`the clinic answered ${response.status}`);
    }
    const body = parse(text, response.ok);
    if (!response.ok) throw new Refusal(response.status, body);
    return body;
}

// A refusal with a broken body is still a refusal; an answer with a broken body is no answer.
function parse(text, needed) {
    try {
        return JSON.parse(text || "{}");
    } catch (cause) {
        if (needed) throw new Unreachable("the answer was cut off", { cause });
        return {};
    }
}
