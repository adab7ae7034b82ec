import { ApiError, history, live } from "./api.js";
import { cards, dayText, h, kindName, section, state, table, when, yuan } from "./format.js";
import { t } from "./i18n.js";
import { itemLink } from "./page_search.js";
import { checkItem } from "./verify.js";

const LIFE_MAX = 500;

function told(i) {
    const amount = yuan(i.amount_fen);
    if (i.state === "granted") return t("ev_granted", amount, i.holder ?? "");
    if (i.state === "mandated") return t("ev_mandated", amount, i.provider ?? "");
    if (i.state === "revoked") return t("ev_revoked");
    return t("ev_" + i.state, t("v_" + (i.verb ?? "")), amount, i.provider ?? "", i.refusal_name ?? "");
}

function event(i) {
    return h("li", {}, h("time", {}, when(i.at_ms)), told(i), " ", i.window && i.state === "accepted" ? h("a", { href: `#/window/${i.window}` }, t("in_window", i.window)) : "",
        i.final ? ` ${t("final_word")}` : "", " ", h("a", { href: itemLink(i), "aria-label": `${t("details")} ${i.seq}.${i.row}` }, t("details")));
}

async function standing(session, number, items) {
    if (session.live && session.sees_all) {
        try {
            const v = await live("voucher/" + number);
            return cards([[t("state"), v.state], [t("face"), yuan(v.face_fen)], [t("reserved"), yuan(v.reserved_fen)], [t("spent"), yuan(v.spent_fen)], [t("left"), yuan(v.face_fen - v.reserved_fen - v.spent_fen)], [t("holder"), v.holder]]);
        } catch (e) {
            if (!(e instanceof ApiError) || e.status !== 404) throw e; // another node issued it: what is here is its history only
        }
    }
    const grant = items.find(i => i.state === "granted");
    return grant ? cards([[t("face"), yuan(grant.amount_fen)], [t("holder"), grant.holder ?? ""]]) : "";
}

export async function voucher(session, number) {
    const input = h("input", { id: "voucher", value: number, inputmode: "numeric", autocomplete: "off" });
    const form = section(t("find_voucher"), h("form", { class: "filters", onsubmit: e => { e.preventDefault(); location.hash = "#/voucher/" + encodeURIComponent(input.value.trim()); } },
        h("div", {}, h("label", { for: "voucher" }, t("f_voucher")), input), h("button", { class: "main", type: "submit" }, t("show"))));
    if (number === "") return [form];
    let life, sums;
    try {
        [life, { sums }] = await Promise.all([history({ voucher: number, life: 1, max: LIFE_MAX }), history({ voucher: number, sums: 1 })]);
    } catch (e) {
        if (e.status !== 400) throw e;
        return [form, h("p", { class: "error", role: "alert" }, e.detail)];
    }
    if (life.items.length === 0) return [form, h("p", { class: "empty" }, t("life_empty"))];
    return [form, section(t("life", number), await standing(session, number, life.items), h("p", {}, `${t("net_accepted")}: `, h("b", { id: "voucher-accepted" }, yuan(sums.accepted.amount_fen))),
        h("ol", { class: "life" }, life.items.map(event)), life.after ? h("p", { class: "hint" }, t("more_life", LIFE_MAX), " ", h("a", { href: `#/search?voucher=${number}&life=1&order=oldest` }, t("search"))) : "")];
}

const SHOWN = { at_ms: when, decided_ms: when, verb: v => t("v_" + v), service_day: dayText, final: v => v ? t("yes") : t("no"), part_of_bundle: () => t("yes"), state: s => state(s), kind: kindName, amount_fen: yuan, base_fen: yuan, invoice_total_fen: yuan };

// A field that this page has not heard of goes by its own name.
function name(key) { const text = t("i_" + key); return text === "i_" + key ? key : text; }

export async function item(session, place, question) {
    const [seq, row] = place.split(".").map(Number), before = row > 0 ? `${seq}.${row - 1}` : `${seq - 1}.4294967295`;
    const conditions = { life: 1, order: "oldest", max: 1, after: before, proofs: 1 };
    if (question.get("voucher")) conditions.voucher = question.get("voucher");
    const answer = await history(conditions), i = answer.items[0];
    if (!i || i.seq !== seq || i.row !== row) throw new ApiError(404);
    const key = h("input", { id: "log-key", value: session.log_key, spellcheck: "false", autocomplete: "off" }), out = h("div", { id: "verdict", role: "status" });
    const verify = async () => {
        out.replaceChildren(h("p", {}, t("loading")));
        const r = await checkItem(await history(conditions), i, session, key.value.trim());
        out.replaceChildren(h("p", { class: r.ok ? "good" : "bad", id: "verdict-text" }, r.text), h("ol", { class: "checks" }, r.steps.map(s => h("li", { class: s.ok ? "" : "bad" }, (s.ok ? "✓ " : "✗ ") + s.text))));
    };
    return [section(t("item_title", seq, row), table(t("item_caption"), [{ head: t("field"), rowHead: true, cell: ([k]) => name(k) }, { head: t("value"), cell: ([k, v]) => SHOWN[k] ? SHOWN[k](v) : k === "voucher" ? h("a", { href: `#/voucher/${v}` }, v) : String(v) }], Object.entries(i))),
        section(t("verify"), h("p", { class: "hint" }, t("verify_hint")), h("label", { for: "log-key" }, t("log_key")), key, h("p", { class: "hint" }, t("log_key_hint")),
            h("div", { class: "buttons" }, h("button", { type: "button", class: "main", id: "verify", onclick: () => verify().catch(e => out.replaceChildren(h("p", { class: "error", id: "verdict-text" }, e.message))) }, t("verify"))), out)];
}
