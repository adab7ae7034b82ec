"""sanquan net, as an analyst uses it: the methods side by side, published answers, and files that are wrong.

Payments of `cycles` are compared with what proto/README.md, "Cycles", says, carried out here from its text alone."""
import csv
import json
import os
import random
import subprocess
import tempfile

SANQUAN = os.path.join(os.environ["BUILD"], "sanquan")
count = 0
failed = False


def check(name, good, why=""):
    global count, failed
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}")
    if not good:
        failed = True
        print("# " + str(why).replace("\n", "\n# "))


def net(*arguments):
    r = subprocess.run([SANQUAN, "net", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       env={"PATH": os.environ["PATH"], "LANG": "C"})
    return r.returncode, r.stdout, r.stderr


def write(name, header, rows):
    path = os.path.join(folder, name)
    with open(path, "w", newline="", encoding="utf-8") as f:
        csv.writer(f).writerows([header] + rows)
    return path


def method(path, name, *more):
    code, out, err = net(path, "--json", "--method", name, *more)
    assert code == 0, err
    return json.loads(out)["methods"][0]


# ---- "Cycles", from the specification's text ----

def distances(nodes, steps, sources):
    """Shortest distances by trying every step until nothing changes."""
    d = {v: 0 for v in sources}
    changed = True
    while changed:
        changed = False
        for (u, v, length), room in steps.items():
            if room > 0 and u in d and d[u] + length < d.get(v, 1 << 60):
                d[v] = d[u] + length
                changed = True
    return d


def cycles(owed):
    """{(debtor, creditor): fen} -> what stays, of one kind."""
    nodes = sorted({x for pair in owed for x in pair})
    balance = {v: 0 for v in nodes}
    for (u, v), fen in owed.items():
        balance[u] += fen
        balance[v] -= fen
    source = {v: b for v, b in balance.items() if b > 0}
    sink = {v: -b for v, b in balance.items() if b < 0}
    steps = {}
    for (u, v), fen in owed.items():
        steps[u, v, 1] = fen
        steps[v, u, -1] = 0
    after = {v: [(v, c, 1) for c in nodes if (v, c, 1) in steps] + [(v, c, -1) for c in nodes if (v, c, -1) in steps] for v in nodes}

    def is_open(step):
        u, v, length = step
        return steps[step] > 0 and u in d and d.get(v) == d[u] + length

    def number():
        level = {v: 0 for v in source if source[v] > 0}
        queue = list(level)
        for v in queue:
            if open_sink(v):
                return level, level[v]
            for s in after[v]:
                if s[1] not in level and is_open(s):
                    level[s[1]] = level[v] + 1
                    queue.append(s[1])
        return level, None

    def open_sink(v):
        return sink.get(v, 0) > 0 and d[v] == nearest

    while any(source.values()):
        d = distances(nodes, steps, [v for v in source if source[v] > 0])
        nearest = min(d[v] for v in sink if sink[v] > 0 and v in d)
        while True:
            level, last = number()
            if last is None:
                break
            dropped = set()
            for start in nodes:
                path = []
                while source.get(start, 0) > 0:
                    at = path[-1][1] if path else start
                    if level[at] == last and open_sink(at):
                        fen = min([source[start], sink[at]] + [steps[s] for s in path])
                        source[start] -= fen
                        sink[at] -= fen
                        for u, v, length in path:
                            steps[u, v, length] -= fen
                            steps[v, u, -length] += fen
                        full = [i for i, s in enumerate(path) if steps[s] == 0]
                        path = path[:full[0]] if full else path
                        continue
                    step = next((s for s in after[at] if level[at] < last and s not in dropped and is_open(s) and
                                 level.get(s[1]) == level[at] + 1), None)
                    if step is not None:
                        path.append(step)
                    elif path:
                        dropped.add(path.pop())
                    else:
                        break
                for s in steps:
                    if steps[s] == 0:
                        dropped.add(s)
    return {(u, v): steps[v, u, -1] for u, v in owed if steps[v, u, -1] > 0}


# ---- what is asked ----

with tempfile.TemporaryDirectory() as folder:
    three = write("three.csv", ["debtor", "creditor", "fen"], [["a", "b", 100], ["b", "c", 80], ["c", "a", 70]])
    m = method(three, "cycles")
    check("three firms that owe 100, 80 and 70 set off 210 and leave 40", (m["cleared_fen"], m["money_fen"]) == (210, 40), m)
    seven = write("seven.csv", ["债务人", "债权人", "券种", "金额元"],
                  [["甲", "乙", "算力券", "1.00"], ["乙", "戊", "1", "0.70"], ["戊", "甲", "", "1.00"], ["丙", "丁", "compute", "1"],
                   ["丁", "戊", "1", "1.00"], ["戊", "丙", "1", ".70"], ["乙", "丙", "1", "1.00"]])
    code, out, err = net(seven, "--json")
    check("an amount without its leading digit is refused by line, field and value", code == 2 and 'seven.csv:7: yuan ".70"' in err, err)
    with open(seven, encoding="utf-8") as f:
        text = f.read().replace(",.70", ",0.70")
    with open(seven, "w", encoding="utf-8") as f:
        f.write(text)
    m = method(seven, "cycles")
    check("seven debts between five, in Chinese and in yuan, clear 570 of 640", (m["gross_fen"], m["cleared_fen"]) == (640, 570), m)

    code, out, err = net(three, "--json")
    rows = {m["method"]: m for m in json.loads(out)["methods"]}
    check("without funds there are four methods", sorted(rows) == ["bilateral", "cycles", "gross", "hub"], out)
    check("what is owed is cleared, paid with money, or left, for every method",
          all(m["gross_fen"] == m["cleared_fen"] + m["money_fen"] + m["left_fen"] for m in rows.values()), out)

    funds = write("funds.csv", ["participant", "fen"], [["a", 13], ["z", 5]])
    m = method(three, "funds", "--funds", funds)
    check("with 13 at hand as much is discharged as 13 reach, and the rest is named",
          (m["cleared_fen"], m["money_fen"], m["left_fen"]) == (220, 13, 17) and m["left_list"] == [
              {"kind": 1, "debtor": "a", "creditor": "b", "fen": 17}], m)

    dice = random.Random(4)
    different = []
    for i in range(150):
        n = dice.randint(2, 9)
        names = [f"{x:06d}" for x in dice.sample(range(110000, 660000), n)]
        most = dice.choice([3, 100, 10**12])
        owed = {(u, v): dice.randint(1, most) for u in names for v in names if u != v and dice.random() < dice.random() + 0.2}
        if not owed:
            continue
        rows = [[u, v, fen] for (u, v), fen in owed.items()]
        dice.shuffle(rows)
        path = write("random.csv", ["debtor", "creditor", "fen"], rows)
        expected = [{"kind": 1, "payer": u, "payee": v, "fen": fen} for (u, v), fen in sorted(cycles(owed).items())]
        got = method(path, "cycles")["payment_list"]
        if got != expected:
            different.append((owed, got, expected))
    check("150 random sets are set off exactly as the specification says", not different, different[:1])

    bad = write("bad.csv", ["debtor", "creditor", "kind", "fen"],
                [["a", "b", "8", "1"], ["a", "a", "1", "1"], ["a", "b", "1", "0"], ["a", "b", "1", "1.5"], ["", "b", "1", "1"], ["a", "b", "1", "1"]])
    code, out, err = net(bad)
    told = [line.split("bad.csv:")[1] for line in err.splitlines() if "bad.csv:" in line]
    check("each wrong cell is told with line, field, value and reason, and nothing is printed as a result",
          code == 2 and out == "" and [t.split(": ")[0] + " " + t.split(": ")[1] for t in told] == [
              '2 kind "8"', '3 creditor "a"', '4 fen "0"', '5 fen "1.5"', '6 debtor ""'], err)
    twice = write("twice.csv", ["participant", "fen"], [["a", 13], ["b", 1], ["a", 5]])
    code, out, err = net(three, "--funds", twice)
    check("funds of one participant given twice are refused with both lines", code == 2 and "twice.csv:4" in err and "line 2" in err, err)
    code, out, err = net(three, "--method", "magic")
    check("a method that is none is refused with those that are", code == 2 and "cycles" in err, err)
    code, out, err = net(os.path.join(folder, "none.csv"), "--json")
    check("a file that is not there is named, also in JSON", code == 5 and "none.csv" in json.loads(out)["error"]["detail"], out + err)

print(f"1..{count}")
raise SystemExit(failed)
