"""From single values to rows with medians, goals and verdicts; as JSON, text and a chart."""
import os
import shutil
import statistics
import subprocess
import sys

LIMIT_GOAL = 0.45

# name, unit, goal (None: there is none), is more better, what it is
TABLE = [
    ("local_rps", "redemptions/s", 1_000_000, True, "one region, socket to durable receipt"),
    ("cross_rps", "redemptions/s", 400_000, True, "two regions, acquirer to issuer and back"),
    ("limit_rps", "redemptions/s", None, True, "decode, hash, append, fsync by one thread"),
    ("postgres_rps", "redemptions/s", None, False, "PostgreSQL 15, the same job"),
    ("postgres_times", "x", 10, True, "local_rps over postgres_rps"),
    ("rules_plain_ns", "ns", 300, False, "one decision: rate, three caps, pool, services"),
    ("rules_conditions_ns", "ns", None, False, "the same with conditions and a tier"),
    ("rules_limits_ns", "ns", None, False, "the same with three limits more"),
    ("single_p50_ms", "ms", 1, False, "single items, 1,000/s offered, median"),
    ("single_p99_ms", "ms", 5, False, "the same, 99th percentile"),
    ("flood_p99_ratio", "x", 2, False, "another's p99 during a flood over its p99 alone"),
    ("window_close_s", "s", 1, False, "cut-off to certificate on all of three nodes"),
    ("net34_ms", "ms", 50, False, "statements and netting, 34 nodes, dense"),
    ("net333_ms", "ms", 1000, False, "statements and netting, 333 nodes, dense"),
    ("propose34_ms", "ms", 50, False, "proposal made, and made again by a voter, 34 nodes, dense"),
    ("propose333_ms", "ms", 1000, False, "proposal made, and made again by a voter, 333 nodes, dense"),
    ("ledger_bytes_per_redemption", "bytes", 110, False, "whole ledger directory, a redemption of 70 bytes"),
    ("rss_mib", "MiB", 1024, False, "most memory the node ever held"),
    ("restart_s", "s", 10, False, "SIGKILL, then start to the first answer"),
    ("growth_loss_pct", "%", 15, False, "throughput lost between the first million and the end"),
    ("query_p99_ms", "ms", 20, False, "regulator's queries, first page, under load"),
    ("query_load_loss_pct", "%", 10, False, "throughput lost while they are asked"),
    ("audit_rps", "redemptions/s", 333_333, True, "sanquan audit"),
]


def ratios(values, name):
    """Each round's value over the same round's limit."""
    return [v / limit for v, limit in zip(values[name], values.get("limit_rps", []))]


def rows(values):
    """`values`: name -> single values in the order they were measured. Absent names stay absent."""
    values = {k: v for k, v in values.items() if v}
    if "local_rps" in values and "postgres_rps" in values:
        values["postgres_times"] = [a / b for a, b in zip(values["local_rps"], values["postgres_rps"])]
    out = []
    for name, unit, goal, _, _ in TABLE:
        if name not in values:
            continue
        row = {"name": name, "value": statistics.median(values[name]), "unit": unit, "goal": goal}
        if name in ("local_rps", "cross_rps") and "limit_rps" in values:
            row["limit_ratio"] = statistics.median(ratios(values, name))
        row["runs"] = values[name]
        out.append(row)
    return out


def met(row):
    better_more = next(t[3] for t in TABLE if t[0] == row["name"])
    return row["value"] >= row["goal"] if better_more else row["value"] <= row["goal"]


def number(v):
    return f"{v:,.0f}" if abs(v) >= 1000 else f"{v:.3g}" if abs(v) < 100 else f"{v:.0f}"


def verdict(row):
    if row["goal"] is None:
        return ""
    if met(row) and row.get("limit_ratio", 1) < LIMIT_GOAL:
        return "met, but not as a share of the limit"
    return "met" if met(row) else "MISSED"


def text(all_rows, facts, notes, full, sizes, seconds, complete):
    out = [f"{what + ':':14}{value}\n" for what, value in facts]
    out.append(f"{'sizes:':14}{'those of the goals' if full else 'small ones (FULL=1 for those of the goals)'}; "
               f"{sizes['rounds']} rounds, medians; {seconds:.0f} s\n\n")
    out.append(f"{'':28} {'value':>12} {'goal':>12}  {'unit':14} {'of limit':>8}  {'lowest':>10} {'highest':>10}  verdict\n")
    for r in all_rows:
        ratio = f"{100 * r['limit_ratio']:.0f} %" if "limit_ratio" in r else ""
        goal = number(r["goal"]) if r["goal"] is not None else ""
        out.append(f"{r['name']:28} {number(r['value']):>12} {goal:>12}  {r['unit']:14} {ratio:>8}  {number(min(r['runs'])):>10} "
                   f"{number(max(r['runs'])):>10}  {verdict(r)}\n")
    absent = [(t[0], t[4]) for t in TABLE if t[0] not in [r["name"] for r in all_rows]]
    if complete and absent:
        out.append("\nnot measured, because this version has no such feature: " + "; ".join(f"{name} ({what})" for name, what in absent) + "\n")
    out.append("\n")
    out.extend(f"{name}: {value}\n" for name, value in dict.fromkeys(notes))
    return "".join(out)


def chart(all_rows, facts, out):
    """Throughputs, and how far each row is from its goal, as chart.png."""
    if shutil.which("gnuplot") is None:
        print("no chart: gnuplot is not installed (ops/deps bench)", file=sys.stderr)
        return
    rates = [r for r in all_rows if r["name"].endswith("_rps")]
    goals = [r for r in all_rows if r["goal"] is not None and r["value"] > 0]
    title = "; ".join(value for what, value in facts if what in ("commit", "processor"))
    panels = []
    if rates:
        panels.append(bars("redemptions a second, millions", [(r["name"], r["value"] / 1e6, f"{r['value'] / 1e6:.2f}") for r in rates], log=False))
    if goals:
        panels.append(bars("times better than its goal", [(r["name"], better(r), f"{better(r):.2f} x") for r in goals], log=True))
    if not panels:
        return
    script = [
        f"set terminal pngcairo size 1200,{180 + 200 * len(panels) + 34 * len(goals)} font 'sans,11'",
        f"set output '{os.path.join(out, 'chart.png')}'",
        f"set multiplot layout {len(panels)},1 title '{title}' noenhanced",
        "set style fill solid 0.8 border -1; set boxwidth 0.6; unset key; set grid x; set tics nomirror",
    ]
    for panel in panels:
        script += panel
    script.append("unset multiplot")
    done = subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit("gnuplot failed:\n" + done.stderr)


def better(row):
    more = next(t[3] for t in TABLE if t[0] == row["name"])
    return row["value"] / row["goal"] if more else row["goal"] / row["value"]


def bars(title, data, log):
    """Horizontal bars, the first on top, with a line at 1 when the axis is logarithmic."""
    n = len(data)
    script = [f"set title '{title}'", f"set yrange [{-n + 0.5}:0.5]"]
    script.append("set ytics (" + ", ".join(f"'{name}' {-i}" for i, (name, _, _) in enumerate(data)) + ") noenhanced")
    if log:
        low, high = min([v for _, v, _ in data] + [0.5]), max([v for _, v, _ in data] + [2])
        script.append(f"set logscale x; set xrange [{low / 2}:{high * 4}]; set arrow 1 from 1,graph 0 to 1,graph 1 nohead lw 2 lc rgb '#b03030' front")
    else:
        script.append(f"unset logscale x; set xrange [0:{max(v for _, v, _ in data) * 1.15}]")
    script.append("$data << EOD")
    origin = 1 if log else 0
    script += [f"{min(v, origin)} {max(v, origin)} {-i} {1 if v >= 1 or not log else 0} \"{label}\"" for i, (_, v, label) in enumerate(data)]
    script.append("EOD")
    script.append("plot $data using 2:3:1:2:($3-0.3):($3+0.3):($4 == 1 ? 0x4878a8 : 0xb05040) with boxxyerror lc rgb variable, "
                  "$data using 2:3:5 with labels left offset 0.7,0 noenhanced")
    return script
