// Chart.js draws; beside every chart its figures stand as a table, for those who do not see it.
import { t } from "./i18n.js";
import { compact, h, table, yuan } from "./format.js";

const COLOURS = ["#0b5394", "#b45309", "#146c2e", "#6b21a8", "#9d174d", "#0f766e", "#52525b"];
let drawn = [], waiting = [];

export function forget() {
    drawn.forEach(c => c.destroy());
    drawn = [];
    waiting = [];
}

// Once the page stands: before that a canvas has no size.
export function draw() {
    waiting.forEach(make => make());
    waiting = [];
}

// labels: text; sets: [{name, fen: [number a label]}]; options: {horizontal, stacked, line}
export function chart(title, labelHead, labels, sets, options = {}) {
    const canvas = h("canvas", { role: "img", "aria-label": title });
    const figures = h("details", {}, h("summary", {}, t("figures")),
        table(`${title} (${t("yuan")})`, [{ head: labelHead, cell: r => r.label, rowHead: true }, ...sets.map((s, i) => ({ head: s.name, number: true, cell: r => yuan(sets[i].fen[r.at]) }))],
            labels.map((label, at) => ({ label, at }))));
    const box = h("div", {}, h("div", { class: "chart" }, canvas), figures);
    waiting.push(() => {
        if (!canvas.isConnected || typeof Chart === "undefined") return;
        const value = { ticks: { callback: v => compact(v) }, stacked: options.stacked }, label = { stacked: options.stacked };
        drawn.push(new Chart(canvas, {
            type: options.line ? "line" : "bar",
            data: { labels, datasets: sets.map((s, i) => ({ label: s.name, data: s.fen.map(v => v / 100), backgroundColor: COLOURS[i % COLOURS.length], borderColor: COLOURS[i % COLOURS.length], maxBarThickness: 60 })) },
            options: {
                animation: false, responsive: true, maintainAspectRatio: false, indexAxis: options.horizontal ? "y" : "x",
                scales: options.horizontal ? { x: value, y: label } : { x: label, y: value },
                plugins: { legend: { display: sets.length > 1 }, tooltip: { callbacks: { label: c => `${c.dataset.label}: ${yuan(sets[c.datasetIndex].fen[c.dataIndex])}` } } },
            },
        }));
    });
    return box;
}

// regions × regions, fen; a table that is coloured, so it needs no second form
export function heat(caption, regions, fen) {
    const most = Math.max(1, ...regions.flatMap(a => regions.map(b => Math.abs(fen(a, b)))));
    return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption }, h("table", { id: "flow" }, h("caption", {}, caption),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, `${t("debtor")} ↓ ${t("creditor")} →`), regions.map(b => h("th", { scope: "col", class: "number" }, b)))),
        h("tbody", {}, regions.map(a => h("tr", {}, h("th", { scope: "row" }, a), regions.map(b => {
            const v = fen(a, b);
            return h("td", { class: `number heat-${v === 0 ? 0 : Math.max(1, Math.ceil(Math.abs(v) / most * 4))}` }, a === b ? "–" : yuan(v));
        }))))));
}
