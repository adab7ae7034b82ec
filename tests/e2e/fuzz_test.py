"""What fuzzers start from, what they found, and everything one byte away from it: each property holds. `make fuzz` goes on from here."""
import glob
import os
import subprocess

from network import BUILD, check, done

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fuzz", "corpus")

for folder in sorted(glob.glob(os.path.join(CORPUS, "*"))):
    name = os.path.basename(folder)
    files = sorted(glob.glob(os.path.join(folder, "*")))
    r = subprocess.run([os.path.join(BUILD, "tests/fuzz", name), *files], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    check(f"{name}: the property holds for {len(files)} inputs and all near them", r.returncode == 0, (r.returncode, r.stdout, r.stderr[-2000:]))
done()
