// words.js - numbers, times and sizes as a person reads them. Pure.

const UNITS = ["", " k", " M", " G", " T"];

// 1,204 below ten thousand; then 12.3 k, 4.56 M.
export function count(value) {
    const n = Math.max(0, value);
    if (n < 10000) return Math.round(n).toLocaleString("en-US");
    const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(n) / 3));
    return (n / 1000 ** power).toPrecision(3) + UNITS[power];
}

// A rate, where less than one is still something.
export function rate(value) {
    if (value > 0 && value < 9.95) return value.toFixed(1);
    return count(value);
}

export function bytes(value) {
    let n = value;
    let unit = 0;
    while (n >= 1024 && unit < 4) {
        n /= 1024;
        unit += 1;
    }
    const text = unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1);
    return `${text} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}

export function duration(ns) {
    const s = ns / 1e9;
    if (s < 1e-3) return `${Math.round(ns / 1e3)} µs`;
    if (s < 1) return `${Math.round(s * 1e3)} ms`;
    if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60 % 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600 % 24)} h`;
}

export function percent(part) {
    return `${Math.round(100 * part)} %`;
}

// The time of day, of something `ns` ago.
export function clock(wallMs, ns) {
    return new Date(wallMs - ns / 1e6).toTimeString().slice(0, 8);
}

export function plural(n, one, many = `${one}s`) {
    return `${count(n)} ${n === 1 ? one : many}`;
}
