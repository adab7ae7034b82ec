// Amounts, times and pieces of a page. Text always goes in as text: nothing here reads HTML.
import { lang, t } from "./i18n.js";

export function yuan(fen) {
    const n = BigInt(Math.trunc(fen)), whole = (n < 0n ? -n : n);
    return (n < 0n ? "-" : "") + (whole / 100n).toLocaleString("en-US") + "." + String(whole % 100n).padStart(2, "0");
}
export function when(ms) { // UTC+8, whatever the browser's own zone
    return ms ? new Date(ms + 8 * 3600000).toISOString().slice(0, 19).replace("T", " ") : t("not_yet");
}
export function ago(ms) {
    if (!ms) return t("never");
    const s = Math.max(0, Math.round((Date.now() - ms) / 1000));
    return s < 120 ? t("seconds", s) : s < 7200 ? t("minutes", Math.round(s / 60)) : t("hours", Math.round(s / 3600));
}
export function kindName(k) { return k <= 3 ? t("kind_" + k) : t("kind_n", k); }
export function stateName(s) { return s ? t("s_" + s) : ""; }
export function dayText(d) { const s = String(d); return s.length === 8 ? `${s.slice(0, 4)}-${s.slice(4, 6)}-${s.slice(6)}` : s; }
export function sum(list) { return list.reduce((a, b) => a + b, 0); }
export function compact(value) { return new Intl.NumberFormat(lang() === "zh" ? "zh-CN" : "en", { notation: "compact", maximumFractionDigits: 2 }).format(value); }

// h("a", {href: "#/x"}, "text", node, ...)
export function h(name, attributes = {}, ...children) {
    const e = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
        if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
        else if (value === true) e.setAttribute(key, "");
        else if (value !== false && value !== undefined && value !== null) e.setAttribute(key, value);
    }
    e.append(...children.flat().filter(c => c !== null && c !== undefined));
    return e;
}

// columns: [{head, cell(row), number, rowHead}]
export function table(caption, columns, rows, empty = t("none")) {
    if (rows.length === 0) return h("p", { class: "empty" }, empty);
    return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
        h("table", {}, h("caption", {}, caption),
            h("thead", {}, h("tr", {}, columns.map(c => h("th", { scope: "col", class: c.number ? "number" : null }, c.head)))),
            h("tbody", {}, rows.map(r => h("tr", {}, columns.map(c =>
                h(c.rowHead ? "th" : "td", { scope: c.rowHead ? "row" : null, class: c.number ? "number" : null }, c.cell(r) ?? "")))))));
}
export function cards(pairs) { return h("dl", { class: "cards" }, pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))); }
export function section(title, ...children) { return h("section", {}, h("h2", {}, title), ...children); }
export function state(s) { return h("span", { class: "state" + (s === "refused" || s === "break" || s === "defaulted" ? " bad" : "") }, stateName(s)); }
