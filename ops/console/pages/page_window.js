import { json, live } from "./api.js";
import { h, kindName, section, state, sum, table, when, yuan, cards } from "./format.js";
import { t } from "./i18n.js";
import { flowOf, netsOf, windowsTable } from "./page_overview.js";

function kindColumns(rows) {
    const kinds = [0, 1, 2, 3, 4, 5, 6].filter(k => rows.some(r => r.total_fen[k] !== 0));
    return [...kinds.map(k => ({ head: kindName(k + 1), number: true, cell: r => yuan(r.total_fen[k]) })), { head: t("total"), number: true, cell: r => yuan(sum(r.total_fen)) }];
}
const place = code => code === "hub" ? t("hub") : code;

async function methods(n, used) {
    const answer = await json("/api/preview/" + n);
    return table(t("methods_caption"), [
        { head: t("method"), rowHead: true, cell: m => t("m_" + m.method) + (m.method === used ? ` (${t("in_force")})` : "") },
        { head: t("gross"), number: true, cell: m => yuan(m.gross_fen) }, { head: t("cleared"), number: true, cell: m => yuan(m.cleared_fen) },
        { head: t("money"), number: true, cell: m => yuan(m.money_fen) }, { head: t("payment_count"), number: true, cell: m => String(m.payments) }], answer.methods);
}

async function settlement(w) {
    return [
        h("div", { class: "pair" }, section(t("flow", w.window), flowOf(w)), section(t("nets", w.window), netsOf(w))),
        section(t("pairs"), table(t("pairs_caption"), [{ head: t("debtor"), rowHead: true, cell: p => p.debtor }, { head: t("creditor"), cell: p => p.creditor },
            { head: t("numbers"), cell: p => `${p.first}–${p.last}` }, { head: t("count"), number: true, cell: p => String(p.count) }, ...kindColumns(w.pairs)], w.pairs)),
        section(t("payments"), table(`${t("method")}: ${t("m_" + w.method)}`, [{ head: t("kind"), cell: p => kindName(p.kind) }, { head: t("payer"), rowHead: true, cell: p => place(p.payer) },
            { head: t("payee"), cell: p => place(p.payee) }, { head: t("amount"), number: true, cell: p => yuan(p.amount_fen) }, { head: t("state"), cell: p => p.defaulted ? t("defaulted") : "" }], w.payments)),
        section(t("methods"), await methods(w.window, w.method)),
        section(t("signers"), h("p", {}, t("signers_text", w.signers.length, w.round, w.signers.join(", "))), h("p", {}, t("settlement_hash"), ": ", h("code", {}, w.settlement_hash))),
    ];
}

export async function windowPage(session, path) {
    if (!session.live) return [h("p", { class: "hint" }, t("no_live"))];
    if (!session.sees_all) return [h("p", { class: "hint" }, t("own_only"))];
    if (path === "") return [section(t("window"), windowsTable((await live("windows")).windows.reverse())), await unsettled()];
    const w = await live("window/" + encodeURIComponent(path));
    const head = section(`${t("w_number")} ${w.window}`, cards([[t("state"), state(w.state)], [t("w_opened"), when(w.opened_ms)], [t("w_cut"), when(w.cut_ms)], [t("w_final"), when(w.final_ms)], [t("w_settled"), when(w.settled_ms)]]),
        h("p", { class: "buttons" }, h("a", { class: "button", href: `#/search?window=${w.window}` }, t("window_items")), h("a", { class: "button", href: "#/window" }, t("windows_recent"))));
    return [head, ...(w.pairs ? await settlement(w) : [section(t("pairs"), h("p", { class: "empty" }, t("no_settlement", t("s_" + w.state)))), await unsettled()])];
}

async function unsettled() {
    const links = (await live("links")).links.filter(l => l.debtor !== l.creditor && l.number > l.settled_number);
    return section(t("unsettled"), table(t("unsettled_caption"), [{ head: t("debtor"), rowHead: true, cell: l => l.debtor }, { head: t("creditor"), cell: l => l.creditor },
        { head: t("numbers"), cell: l => `${l.settled_number + 1}–${l.number}` }, { head: t("count"), number: true, cell: l => String(l.count) }, ...kindColumns(links)], links));
}
