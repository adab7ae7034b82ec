"""Every text of the command line has its Chinese, and a machine without Chinese locales shows it."""
import os
import subprocess
import sys

BUILD = os.environ["BUILD"]
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
failed = False
count = 0


def check(name, good, why=""):
    global failed, count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}")
    if not good:
        failed = True
        print("# " + why.replace("\n", "\n# "))


def run(*command, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("LC_") and k not in ("LANG", "LANGUAGE")}
    return subprocess.run(command, cwd=TOP, env={**clean, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def messages(text):
    """msgid -> msgstr of a .po text."""
    found, part, now = {}, None, {"msgid": "", "msgstr": ""}
    for line in text.splitlines() + ["msgid \"\""]:
        word = line.split(" ", 1)[0]
        if word == "msgid":
            if part == "msgstr":
                found[now["msgid"]] = now["msgstr"]
            now = {"msgid": "", "msgstr": ""}
        if word in now:
            part, line = word, line.split(" ", 1)[1]
        if part is not None and line.startswith('"'):
            now[part] += line[1:-1]
    found.pop("", None)
    return found


sources = messages(run("ops/locale/extract").stdout)
with open(os.path.join(TOP, "ops/locale/zh_CN.po"), encoding="utf-8") as f:
    po = f.read()
chinese = messages(po)
missing = [m for m in sources if not chinese.get(m)]
stale = [m for m in chinese if m not in sources]
check("the sources have texts to translate", len(sources) > 100, f"only {len(sources)}: does ops/locale/extract work?")
check("every text of the sources has its Chinese", not missing, "no Chinese in ops/locale/zh_CN.po for:\n" + "\n".join(missing))
check("every Chinese text belongs to one of the sources", not stale, "not in the sources any more:\n" + "\n".join(stale))
check("no translation is fuzzy", "#, fuzzy" not in po, "msgattrib --only-fuzzy ops/locale/zh_CN.po lists them")
checked = run("msgfmt", "--check", "-o", "/dev/null", "ops/locale/zh_CN.po")
check("formats of texts and translations agree", checked.returncode == 0, checked.stdout)

sanquan = os.path.join(BUILD, "sanquan")
for name, environment in {
    "LANG=zh_CN.UTF-8": {"LANG": "zh_CN.UTF-8"},
    "LC_ALL=zh_CN": {"LC_ALL": "zh_CN"},
    "LC_MESSAGES=zh_CN.utf8 over LANG=en_US.UTF-8": {"LC_MESSAGES": "zh_CN.utf8", "LANG": "en_US.UTF-8"},
    "LANGUAGE=zh_CN with LANG=C.UTF-8": {"LANGUAGE": "zh_CN", "LANG": "C.UTF-8"},
}.items():
    said = run(sanquan, "--help", **environment).stdout
    check(f"{name} speaks Chinese", "轧差" in said and "Usage" not in said, said)
for name, environment in {"LC_ALL=C": {"LC_ALL": "C"}, "LANG=en_US.UTF-8": {"LANG": "en_US.UTF-8"}, "no language at all": {}}.items():
    said = run(sanquan, "--help", **environment).stdout
    check(f"{name} speaks English", "Usage: sanquan" in said, said)
print(f"1..{count}")
sys.exit(failed)
