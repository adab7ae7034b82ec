// The console's own answers; every failure is an ApiError with words for a person.
import { t } from "./i18n.js";

export class ApiError extends Error {
    constructor(status, name, detail) {
        const known = { 401: "e_401", 403: "e_403", 404: "e_404", 429: "e_429", 504: "e_504", 0: "e_network" }[status];
        super(known ? t(known) : t("e_other", detail || name));
        this.status = status;
        this.detail = detail;
    }
}

async function ask(path, options) {
    let r;
    try {
        r = await fetch(path, { credentials: "same-origin", ...options });
    } catch {
        throw new ApiError(0);
    }
    if (!r.ok) {
        const e = await r.json().then(o => o.error, () => ({}));
        throw new ApiError(r.status, e.status, e.detail);
    }
    return r;
}

export async function json(path) { return (await ask(path)).json(); }
export async function text(path) { return (await ask(path)).text(); }
export async function bytes(path) { return new Uint8Array(await (await ask(path)).arrayBuffer()); }
export function history(conditions) { return json("/api/history?" + new URLSearchParams(conditions)); }
export function live(path) { return json("/api/live/" + path); }
export function logIn(token) { return ask("/login", { method: "POST", headers: { "Content-Type": "application/x-www-form-urlencoded" }, body: "token=" + encodeURIComponent(token) }); }
export function logOut() { return ask("/logout", { method: "POST" }); }

const SPANS = [60, 300, 900, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400, 91 * 86400, 365 * 86400].map(s => s * 1000);
const BUCKETS = 14;

// Sums in equal spans of time from the first item to the last: [{from, sums}], none when there are no items.
export async function overTime(conditions) {
    const [oldest, newest] = await Promise.all(["oldest", "newest"].map(order => history({ ...conditions, order, max: 1 })));
    if (oldest.items.length === 0) return [];
    const begin = oldest.items[0].at_ms, end = newest.items[0].at_ms;
    const span = SPANS.find(s => (end - begin) / s < BUCKETS - 1) ?? Math.ceil((end - begin) / (BUCKETS - 1));
    const start = Math.floor((begin + 8 * 3600000) / span) * span - 8 * 3600000; // days begin at midnight UTC+8
    const all = [];
    for (let from = start; from <= end; from += span) all.push(from);
    return Promise.all(all.map(async from => ({ from, sums: (await history({ ...conditions, sums: 1, from, until: from + span })).sums })));
}
