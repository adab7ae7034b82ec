import { live, overTime } from "./api.js";
import { chart, heat } from "./charts.js";
import { h, kindName, section, state, sum, table, when, yuan } from "./format.js";
import { t } from "./i18n.js";

export const SHOWN_WINDOWS = 20;

export function timeLabel(ms, span) { return when(ms).slice(span >= 86400000 ? 0 : 5, span >= 86400000 ? 10 : 16); }

export function kindsChart(buckets, title = t("over_time")) {
    if (buckets.length === 0) return h("p", { class: "empty" }, t("no_items"));
    const span = buckets.length > 1 ? buckets[1].from - buckets[0].from : 60000;
    const kinds = buckets[0].sums.accepted_by_kind_fen.map((_, k) => k).filter(k => k < 3 || buckets.some(b => b.sums.accepted_by_kind_fen[k] !== 0));
    return chart(title, t("time"), buckets.map(b => timeLabel(b.from, span)), kinds.map(k => ({ name: kindName(k + 1), fen: buckets.map(b => b.sums.accepted_by_kind_fen[k]) })), { stacked: true });
}

export function windowsTable(windows) {
    return table(t("windows_recent"), [
        { head: t("w_number"), cell: w => h("a", { href: `#/window/${w.window}` }, String(w.window)), rowHead: true },
        { head: t("state"), cell: w => state(w.state) }, { head: t("w_opened"), cell: w => when(w.opened_ms) }, { head: t("w_cut"), cell: w => when(w.cut_ms) },
        { head: t("w_final"), cell: w => when(w.final_ms) }, { head: t("w_settled"), cell: w => when(w.settled_ms) }], windows);
}

export function flowOf(w) {
    const regions = [...new Set(w.pairs.flatMap(p => [p.debtor, p.creditor]).concat(w.nets.map(n => n.node)))].sort();
    const owed = new Map();
    for (const p of w.pairs) owed.set(p.debtor + p.creditor, (owed.get(p.debtor + p.creditor) ?? 0) + sum(p.total_fen));
    return heat(t("flow_caption"), regions, (a, b) => owed.get(a + b) ?? 0);
}

export function netsOf(w) {
    const regions = [...new Set(w.nets.map(n => n.node))].sort(), kinds = [...new Set(w.nets.map(n => n.kind))].sort();
    if (regions.length === 0) return h("p", { class: "empty" }, t("none"));
    const of = (r, k) => sum(w.nets.filter(n => n.node === r && n.kind === k).map(n => n.net_fen));
    return h("div", {}, h("p", { class: "hint" }, t("nets_hint")),
        chart(t("nets", w.window), t("region"), regions, kinds.map(k => ({ name: kindName(k), fen: regions.map(r => of(r, k)) })), { horizontal: true, stacked: true }));
}

export async function overview(session) {
    const parts = [], buckets = overTime({ state: "accepted" });
    if (!session.live) parts.push(h("p", { class: "hint" }, t("no_live")));
    else if (!session.sees_all) parts.push(h("p", { class: "hint" }, t("own_only")));
    else {
        const all = (await live("windows")).windows.reverse();
        parts.push(section(t("window"), windowsTable(all.slice(0, SHOWN_WINDOWS))));
        const agreed = all.find(w => w.final_ms > 0), w = agreed ? await live("window/" + agreed.window) : null;
        parts.push(w?.pairs ? h("div", { class: "pair" }, section(t("flow", w.window), flowOf(w)), section(t("nets", w.window), netsOf(w)))
            : section(t("nets", "–"), h("p", { class: "empty" }, t("no_flow"))));
    }
    const times = await buckets, total = sum(times.flatMap(b => b.sums.accepted_by_kind_fen));
    parts.push(section(t("over_time"), kindsChart(times), h("p", { id: "accepted-total" }, `${t("total")}: ${yuan(total)} ${t("yuan")}`)));
    return parts;
}
