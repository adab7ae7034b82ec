import { history } from "./api.js";
import { cards, h, kindName, section, state, table, when, yuan } from "./format.js";
import { t } from "./i18n.js";

const DOWNLOAD_PAGE = 500;
const STATES = ["accepted", "refused", "waiting", "granted", "mandated", "revoked"];

// The address holds the question as the API takes it; a form shows fen as yuan, and the first moment that is too late as the last day.
const day = { show: v => /^\d{8}$/.test(v) ? `${v.slice(0, 4)}-${v.slice(4, 6)}-${v.slice(6)}` : "", take: v => v.replaceAll("-", "") };
const next = (text, days) => new Date(Date.parse(text) + days * 86400000).toISOString().slice(0, 10);
const FIELDS = [
    ["voucher"], ["provider"], ["holder"], ["invoice"], ["batch"], ["window"], ["issuer"], ["programme"],
    ["kind", { options: () => [["", t("any")], ...[1, 2, 3].map(k => [String(k), kindName(k)])] }],
    ["scenario"], ["debtor"], ["creditor"], ["region"],
    ["state", { options: () => [["", t("any")], ...STATES.map(s => [s, t("s_" + s)])] }],
    ["refusal"],
    ["least", { type: "number", show: v => v ? String(Number(v) / 100) : "", take: v => v ? String(Math.round(Number(v) * 100)) : "" }],
    ["most", { type: "number", show: v => v ? String(Number(v) / 100) : "", take: v => v ? String(Math.round(Number(v) * 100)) : "" }],
    ["from", { type: "date", ...day }],
    ["until", { type: "date", show: v => day.show(v) && next(day.show(v), -1), take: v => v ? day.take(next(v, 1)) : "" }],
    ["life", { options: () => [["", t("items_only")], ["1", t("with_life")]] }],
    ["order", { options: () => [["newest", t("newest")], ["oldest", t("oldest")]] }],
    ["max", { options: () => ["25", "100", "500"].map(n => [n, n]) }],
];

function filters(question) {
    const inputs = FIELDS.map(([name, f = {}]) => {
        const value = f.show ? f.show(question.get(name) ?? "") : question.get(name) ?? "", id = "f-" + name;
        const input = f.options ? h("select", { id, name }, f.options().map(([v, text]) => h("option", { value: v, selected: v === value }, text)))
            : h("input", { id, name, value, type: f.type ?? "text", step: f.type === "number" ? "0.01" : null, min: f.type === "number" ? "0" : null, autocomplete: "off", spellcheck: "false" });
        return { name, take: f.take ?? (v => v.trim()), input, element: h("div", {}, h("label", { for: id }, t("f_" + name)), input) };
    });
    const go = e => {
        e.preventDefault();
        const q = new URLSearchParams(inputs.map(i => [i.name, i.take(i.input.value)]).filter(([, v]) => v !== ""));
        location.hash = "#/search?" + q;
    };
    return h("form", { class: "filters", onsubmit: go }, inputs.map(i => i.element),
        h("div", { class: "buttons" }, h("button", { class: "main", type: "submit" }, t("find")), h("a", { class: "button", href: "#/search" }, t("clear"))));
}

export function itemLink(i) { return `#/item/${i.seq}.${i.row}?voucher=${i.voucher}`; }

function rows(items, total) {
    return table(t("results_caption", items.length, total), [
        { head: t("c_at"), cell: i => when(i.at_ms) }, { head: t("c_open"), cell: i => h("a", { href: itemLink(i), "aria-label": `${t("details")} ${i.seq}.${i.row}` }, t("details")) }, { head: t("c_voucher"), rowHead: true, cell: i => h("a", { href: `#/voucher/${i.voucher}` }, i.voucher) },
        { head: t("kind"), cell: i => i.kind ? kindName(i.kind) : "" }, { head: t("c_provider"), cell: i => i.provider ?? "" }, { head: t("c_verb"), cell: i => i.verb ? t("v_" + i.verb) : "" },
        { head: t("c_flow"), cell: i => i.creditor ? `${i.debtor} → ${i.creditor}` : i.debtor ?? "" },
        { head: t("c_amount"), number: true, cell: i => yuan(i.amount_fen) }, { head: t("c_state"), cell: i => h("span", {}, state(i.state), i.refusal_name ? " " + i.refusal_name : "") },
        { head: t("c_window"), cell: i => i.window ?? "" }], items, t("nothing"));
}

const CSV = ["seq", "row", "at_ms", "state", "voucher", "kind", "provider", "holder", "debtor", "creditor", "amount_fen", "verb", "batch", "batch_row", "base_fen", "invoice_total_fen", "invoice", "service", "scenario", "service_day", "refusal", "refusal_name", "decided_seq", "link", "window", "final"];

async function download(question, form, told) {
    const q = new URLSearchParams(question), parts = form === "csv" ? ["\ufeff" + CSV.join(",") + "\r\n"] : [];
    q.set("max", DOWNLOAD_PAGE);
    q.delete("after");
    let count = 0, answer;
    do {
        answer = await history(q);
        // Every cell is a number, a code or a name of ours: none needs quotes. Long digits are marked as text for spreadsheets.
        for (const i of answer.items) parts.push(form === "csv" ? CSV.map(c => (c === "voucher" || c === "invoice") && i[c] ? `"=""${i[c]}"""` : i[c] ?? "").join(",") + "\r\n" : JSON.stringify(i) + "\n");
        count += answer.items.length;
        told.textContent = t("downloading", count);
        if (answer.after) q.set("after", answer.after);
    } while (answer.after);
    const url = URL.createObjectURL(new Blob(parts, { type: form === "csv" ? "text/csv" : "application/x-ndjson" }));
    h("a", { href: url, download: `sanquan-history.${form}` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    told.textContent = t("downloaded", count);
}

export async function search(session, path, question) {
    const form = section(t("search"), filters(question)), q = new URLSearchParams(question);
    if (!q.has("order")) q.set("order", "newest");
    const of = new URLSearchParams(q);
    for (const key of ["order", "max", "after"]) of.delete(key);
    let answer, sums;
    try {
        [answer, { sums }] = await Promise.all([history(q), history(new URLSearchParams([...of, ["sums", "1"]]))]);
    } catch (e) {
        if (e.status !== 400 && e.status !== 403) throw e;
        return [form, h("p", { class: "error", role: "alert" }, e.status === 400 ? e.detail : e.message)];
    }
    const states = STATES.filter(s => sums[s].count > 0), total = states.reduce((n, s) => n + sums[s].count, 0), told = h("span", { role: "status" });
    const fetchAll = kind => () => download(q, kind, told).catch(e => { told.textContent = e.message; });
    const link = (change, text) => { const to = new URLSearchParams(question); change(to); return h("a", { class: "button", href: "#/search?" + to }, text); };
    return [form,
        section(t("sums"), states.length === 0 ? h("p", { class: "empty" }, t("nothing")) : cards(states.map(s => [`${t("s_" + s)} · ${sums[s].count}`, `${yuan(sums[s].amount_fen)} ${t("yuan")}`])
            .concat(sums.accepted_by_kind_fen.flatMap((v, k) => v !== 0 ? [[`${t("s_accepted")} · ${kindName(k + 1)}`, `${yuan(v)} ${t("yuan")}`]] : [])))),
        section(t("results"), rows(answer.items, total), h("div", { class: "buttons" },
            question.has("after") ? link(to => to.delete("after"), t("first")) : null, answer.after ? link(to => to.set("after", answer.after), t("next")) : null,
            h("button", { type: "button", onclick: fetchAll("csv") }, t("csv")), h("button", { type: "button", onclick: fetchAll("jsonl") }, t("jsonl")), told))];
}
