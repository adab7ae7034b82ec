// Programmes, breaks, health: what the node says now.
import { ApiError, live, overTime, text } from "./api.js";
import { chart } from "./charts.js";
import { ago, cards, dayText, h, kindName, section, stateName, sum, table, yuan } from "./format.js";
import { t } from "./i18n.js";
import { timeLabel } from "./page_overview.js";
import { checkNote } from "./verify.js";

const DRAWN_MAX = 12; // more bars than that cannot be told apart
const name = p => `${String(p.issuer).padStart(6, "0")}/${p.number}`;

async function spentOverTime(code) {
    const buckets = await overTime({ programme: code, state: "accepted" });
    if (buckets.length === 0) return section(t("spent_over_time", code), h("p", { class: "empty" }, t("no_items")));
    const span = buckets.length > 1 ? buckets[1].from - buckets[0].from : 60000;
    let so_far = 0;
    const fen = buckets.map(b => so_far += sum(b.sums.accepted_by_kind_fen));
    const ends = [buckets[0].from, ...buckets.map(b => b.from + span)]; // nothing at first, then what stood at the end of each span
    return section(t("spent_over_time", code), chart(t("spent_over_time", code), t("time"), ends.map(ms => timeLabel(ms, span)), [{ name: t("cumulative"), fen: [0, ...fen] }], { line: true }));
}

export async function programmes(session, path) {
    if (!session.live) return [h("p", { class: "hint" }, t("no_live"))];
    const list = (await live("programmes")).programmes;
    if (list.length === 0) return [section(t("programmes_title"), h("p", { class: "empty" }, t("no_programmes")))];
    const available = p => p.pool_fen - p.reserved_fen - p.spent_fen;
    const drawn = path === "" ? [...list].sort((a, b) => b.pool_fen - a.pool_fen).slice(0, DRAWN_MAX) : list.filter(p => name(p) === path);
    if (drawn.length === 0) throw new ApiError(404);
    return [path === "" ? "" : await spentOverTime(path), section(t("programmes_title"), path === "" && list.length > DRAWN_MAX ? h("p", { class: "hint" }, t("p_largest", DRAWN_MAX)) : "",
        chart(t("programmes_title"), t("programme"), drawn.map(name), [{ name: t("spent"), fen: drawn.map(p => p.spent_fen) }, { name: t("reserved"), fen: drawn.map(p => p.reserved_fen) }, { name: t("p_available"), fen: drawn.map(available) }], { horizontal: true, stacked: true }),
        table(t("programmes_caption"), [{ head: t("programme"), rowHead: true, cell: p => h("a", { href: `#/programmes/${name(p)}` }, name(p)) }, { head: t("p_title"), cell: p => p.title }, { head: t("kind"), cell: p => kindName(p.kind) },
            { head: t("p_budget"), number: true, cell: p => yuan(p.pool_fen) }, { head: t("p_available"), number: true, cell: p => yuan(available(p)) }, { head: t("reserved"), number: true, cell: p => yuan(p.reserved_fen) },
            { head: t("spent"), number: true, cell: p => yuan(p.spent_fen) }, { head: t("p_granted"), number: true, cell: p => yuan(p.granted_fen) }, { head: t("p_vouchers"), number: true, cell: p => String(p.vouchers) },
            { head: t("p_rate"), number: true, cell: p => `${p.rate_bp / 100}%` }, { head: t("p_days"), cell: p => `${dayText(p.from_day)} – ${dayText(p.until_day)}` }], list))];
}

export async function breaks(session) {
    if (!session.live) return [h("p", { class: "hint" }, t("no_live"))];
    if (!session.sees_all) return [h("p", { class: "hint" }, t("own_only"))];
    const [found, regions, caps] = await Promise.all(["breaks", "regions", "caps"].map(live));
    return [section(t("breaks_title"), table(t("breaks_caption"), [{ head: t("debtor"), rowHead: true, cell: b => b.debtor }, { head: t("creditor"), cell: b => b.creditor }, { head: t("state"), cell: b => stateName(b.state) },
        { head: t("b_cause"), cell: b => b.cause }, { head: t("b_outcome"), cell: b => b.outcome }, { head: t("b_number"), number: true, cell: b => String(b.number) },
        { head: t("b_said"), number: true, cell: b => `${yuan(sum(b.debtor_stated.total_fen))} / ${yuan(sum(b.creditor_stated.total_fen))}` }, { head: t("b_age"), cell: b => t("hours_long", (b.age_ms / 3600000).toFixed(1)) }, { head: t("b_note"), cell: b => b.note }], found.breaks, t("no_breaks"))),
    section(t("regions_title"), table(t("regions_title"), [{ head: t("region"), rowHead: true, cell: r => r.region }, { head: t("standing"), cell: r => r.standing }, { head: t("guarantee"), number: true, cell: r => yuan(r.guarantee_fen) }], regions.regions)),
    section(t("caps_title"), table(t("caps_title"), [{ head: t("debtor"), rowHead: true, cell: c => c.debtor }, { head: t("creditor"), cell: c => c.creditor }, { head: t("cap"), number: true, cell: c => yuan(c.cap_fen) },
        { head: t("used"), number: true, cell: c => yuan(c.used_fen) }, { head: t("alarm"), cell: c => c.alarm ? t("yes") : t("no") }], caps.caps.filter(c => c.set), t("no_caps")))];
}

// Who has cosigned this ledger's checkpoints, how far the others' are seen, and forks with both notes.
function witnessSection(w) {
    if (w.witness_ms === 0) return section(t("witnesses"), h("p", { class: "empty" }, t("no_witnesses")));
    const others = w.nodes.filter(n => n.seen_size !== undefined), forks = w.nodes.filter(n => n.fork), state = n => n.fork ? t("w_fork") : n.unproven_ms ? t("w_unproven") : n.seen_size ? t("w_continued") : t("w_unseen");
    return section(t("witnesses"), cards([[t("w_shown"), w.shown_size.toLocaleString("en-US")], [t("w_witnessed"), w.witnessed_size.toLocaleString("en-US")], [t("w_quorum"), String(w.quorum)]]),
        table(t("witnesses_caption"), [{ head: t("region"), rowHead: true, cell: n => n.node }, { head: t("w_cosigned"), number: true, cell: n => String(n.cosigned_size) }, { head: t("w_when"), cell: n => n.cosigned_ms ? ago(n.cosigned_ms) : "" },
            { head: t("w_seen"), number: true, cell: n => String(n.seen_size) }, { head: t("w_heard"), number: true, cell: n => n.heard_size ? String(n.heard_size) : "" }, { head: t("w_log"), cell: state }], others),
        forks.map(n => h("div", { class: "error fork", role: "alert" }, h("p", {}, t("fork_text", n.node, n.fork.entry, n.fork.told_by)), h("pre", { tabindex: "0" }, n.fork.first), h("pre", { tabindex: "0" }, n.fork.second))),
        others.filter(n => n.accused_ms).map(n => h("p", { class: "bad", role: "alert" }, t("accused", n.node))));
}

export async function health(session) {
    const note = await text("/checkpoint"), out = h("div", { id: "verdict", role: "status" });
    const check = async () => {
        const r = await checkNote(note, session, session.log_key);
        out.replaceChildren(h("p", { class: r.ok ? "good" : "bad", id: "verdict-text" }, r.text));
    };
    const parts = [section(t("checkpoint"), h("pre", { tabindex: "0" }, note), h("p", { class: "hint" }, t("public_log")), h("div", { class: "buttons" }, h("button", { type: "button", onclick: check }, t("check_checkpoint"))), out)];
    if (!session.live) return [...parts, h("p", { class: "hint" }, t("no_live"))];
    if (!session.sees_all) return [...parts, h("p", { class: "hint" }, t("own_only"))];
    const [s, witnesses] = await Promise.all(["status", "witnesses"].map(live)), refused = Object.entries(s.totals.refused).sort((a, b) => b[1] - a[1]);
    return [section(t("health_title"), cards([[t("entries"), s.seq.toLocaleString("en-US")], [t("open_window"), String(s.open_window)], [t("free"), `${s.free_permille / 10} %`], [t("takes_work"), s.takes_new_work ? t("yes") : t("no")],
        [t("s_accepted"), s.totals.items_accepted.toLocaleString("en-US")], [t("s_refused"), s.totals.items_refused.toLocaleString("en-US")], [t("waiting"), String(s.totals.batches_waiting)]])), ...parts, witnessSection(witnesses),
    section(t("peers"), table(t("peers_caption"), [{ head: t("region"), rowHead: true, cell: p => p.node }, { head: t("heard"), cell: p => ago(p.heard_ms) }, { head: t("received"), number: true, cell: p => String(p.received) },
        { head: t("sent"), number: true, cell: p => String(p.sent) }, { head: t("unacknowledged"), number: true, cell: p => String(p.unacknowledged) }, { head: t("overdue"), number: true, cell: p => String(p.overdue_parts) }], s.peers)),
    section(t("refusals"), table(t("refusals"), [{ head: t("f_refusal"), rowHead: true, cell: r => r[0] }, { head: t("count"), number: true, cell: r => String(r[1]) }], refused))];
}
