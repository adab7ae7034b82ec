"""The demonstration, as a person runs it: its own checks pass, its figures tie out, a failed check is a failed run, and nothing is left."""
import json
import os
import re
import shutil
import subprocess

BUILD = os.path.abspath(os.environ.get("BUILD", "build/release"))
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join("build", "test-demo")
count = 0
failed = False


def check(name, good, why=""):
    global count, failed
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}")
    if not good:
        failed = True
        print("# " + str(why)[-3000:].replace("\n", "\n# "))


def run(*command):
    environment = {**os.environ, "BUILD": os.path.relpath(BUILD, TOP), "DEMO": FOLDER, "LC_ALL": "C.UTF-8", "LANGUAGE": ""}
    return subprocess.run(command, cwd=TOP, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def nodes_alive():
    alive = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
                if f"{TOP}/{FOLDER}/" in f.read():
                    alive.append(int(pid))
        except OSError:
            continue
    return alive


made = subprocess.run(["make", f"BUILD={os.path.relpath(BUILD, TOP)}", f"{os.path.relpath(BUILD, TOP)}/demo-hostile"], cwd=TOP, stdout=subprocess.PIPE,
                      stderr=subprocess.STDOUT, text=True)
check("what it needs beside the programs is built", made.returncode == 0, made.stdout)
up = run("ops/demo/run", "up")
check("it runs through and finds nothing wrong", up.returncode == 0 and "FAIL" not in up.stdout, up.stdout)
with open(os.path.join(TOP, FOLDER, "result.json"), encoding="utf-8") as f:
    result = json.load(f)
check("some 20,000 redemptions, a few per cent of them refused", 19000 < result["rows"] < 21000 and 0.01 < sum(result["refused"].values()) / result["rows"] < 0.05,
      result["rows"])
with open(os.path.join(TOP, "proto", "README.md"), encoding="utf-8") as f:
    rows = {f"SQ_R_{name}" for number, name in re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", f.read(), re.M) if 130 <= int(number) <= 179 or int(number) >= 220}
# Grants and applications; a network whose charter asks for money in advance; a region that is suspended; a claim that lay for a week; a node
# that breaks its word.
ELSEWHERE = {"SQ_R_CONTRACT_TAKEN", "SQ_R_RIVAL", "SQ_R_ASSESSED_OUT", "SQ_R_NOT_PREFUNDED", "SQ_R_REGION_STANDING", "SQ_R_TOO_LATE", "SQ_R_PROMISE"}
rows |= {"SQ_R_DISPUTED"}
check("rows are refused for every reason there is about a row", set(result["refused"]) == rows - ELSEWHERE, set(result["refused"]) ^ (rows - ELSEWHERE))
gross = {k: sum(p["total_fen"][k] for p in result["pairs"]) for k in range(7)}
paid_in = {k: sum(p["amount_fen"] for p in result["payments"] if p["kind"] == k + 1 and p["payee"] == "hub") for k in range(7)}
check("netting leaves less to be paid than was owed, in each of three kinds", all(0 < paid_in[k] < gross[k] for k in range(3)), (gross, paid_in))

tries = [line.strip() for line in up.stdout.split("Try:")[1].splitlines() if line.startswith("  ")]
outcomes = {line: subprocess.run(["bash", "-c", line], cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for line in tries}
check("the five commands it prints work as they are pasted", len(tries) == 5 and all(o.returncode == 0 and o.stdout for o in outcomes.values()),
      {line: o.stdout for line, o in outcomes.items() if o.returncode != 0})
check("its three nodes and a console are left running", len(nodes_alive()) == 4, nodes_alive())

expected = os.path.join(TOP, FOLDER, "expected.json")
with open(expected, encoding="utf-8") as f:
    told = f.read()
with open(expected, "w", encoding="utf-8") as f:
    f.write(told.replace('"SQ_R_CHANNEL": 12', '"SQ_R_CHANNEL": 11'))
off = run("python3", "ops/demo/check.py", FOLDER, os.path.relpath(BUILD, TOP))
check("a number that does not tie out fails it", off.returncode == 1 and "FAIL" in off.stdout and "SQ_R_CHANNEL" in off.stdout, off.stdout)

stranger = subprocess.Popen(["sleep", "100"])
pid_file = os.path.join(TOP, FOLDER, "310000.pid")
with open(pid_file, encoding="utf-8") as f:
    recorded = f.read()
with open(pid_file, "w", encoding="utf-8") as f:
    f.write(str(stranger.pid))
run("ops/demo/run", "down")
check("a process that is not its own is left alone", stranger.poll() is None)
stranger.kill()
stranger.wait()
with open(pid_file, "w", encoding="utf-8") as f:
    f.write(recorded)
down = run("ops/demo/run", "down")
check("the nodes end when they are told to", down.returncode == 0 and nodes_alive() == [], (down.stdout, nodes_alive()))
if not failed:
    shutil.rmtree(os.path.join(TOP, FOLDER), ignore_errors=True)
print(f"1..{count}")
raise SystemExit(failed)
