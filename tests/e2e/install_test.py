"""`make install` under a prefix: the programs speak Chinese from there, the units start them, and what operators need lies beside them."""
import glob
import os
import re
import subprocess
import sys
import tempfile

BUILD = os.environ["BUILD"]
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PREFIX = "/opt/sanquan"
count = 0
failed = False


def check(name, good, why=""):
    global count, failed
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}")
    if not good:
        failed = True
        print("# " + str(why)[-2000:].replace("\n", "\n# "))


with tempfile.TemporaryDirectory(prefix="sanquan-install.") as root:
    made = subprocess.run(["make", f"BUILD={os.path.relpath(BUILD, TOP)}", f"DESTDIR={root}", f"PREFIX={PREFIX}", "install"], cwd=TOP, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    at = root + PREFIX
    check("it installs", made.returncode == 0, made.stdout)
    said = subprocess.run([f"{at}/bin/sanquan", "--help"], env={**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "zh_CN"}, stdout=subprocess.PIPE, text=True)
    check("what is installed speaks Chinese", said.returncode == 0 and "用法" in said.stdout, said.stdout)
    text = {path: open(path, encoding="utf-8").read() for path in glob.glob(f"{at}/lib/systemd/system/*") + glob.glob(f"{at}/share/doc/sanquan/*.yaml")}
    starts = {program for t in text.values() for program in re.findall(r"^ExecStart(?:Pre)?=(\S+)", t, re.M)}
    check("units start the programs that were installed", starts and all(os.access(root + program, os.X_OK) for program in starts), starts)
    pages = [os.path.isdir(root + path) for t in text.values() for path in re.findall(r"^pages: (\S+)", t, re.M)]
    check("the console's example finds its pages", pages == [True], pages)
    there = [len(glob.glob(f"{at}/share/{what}")) > 0 for what in ("sanquan/calendar/*.csv", "doc/sanquan/programmes/*.yaml", "doc/sanquan/monitoring/*.json")]
    check("calendars, programmes and dashboards lie beside them", all(there), there)
    outside = [p for p in subprocess.run(["find", root, "-type", "f"], stdout=subprocess.PIPE, text=True).stdout.split() if not p.startswith(at + "/")]
    check("nothing goes outside the prefix", outside == [], outside)
print(f"1..{count}")
sys.exit(failed)
