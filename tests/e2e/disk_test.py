"""The disk of a real node: power cuts at every moment, every bit turned over. IMAGES, EVERY=1: how much of it; make test-long takes all."""
import os
import subprocess

from disk import NODE, PEER, Recording
from network import BUILD, Network, check, done

IMAGES = os.environ.get("IMAGES", "4000")
EVERY = os.environ.get("EVERY", "401")  # bits
JOBS = str(os.cpu_count())


def run(program, *arguments):
    r = subprocess.run([os.path.join(BUILD, "tests/disk", program), *arguments, "--jobs", JOBS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    print("# note: " + r.stdout.strip().replace("\n", "\n# note: "))
    return r


with Network((NODE, PEER)) as net:
    recording = Recording(net)
    trace = ("--trace", recording.trace, "--directory", net.directory)
    r = run("images", *trace, "--images", IMAGES)
    check("whatever a power cut leaves of a node's disk, all that was acknowledged is there, and nothing that was not written", r.returncode == 0, r.stderr)
    r = run("images", *trace, "--images", "500", "--ignore-syncs")
    check("of a disk that only pretends to sync, the same search finds losses", r.returncode == 0, r.stderr)
    r = run("damage", "--ledger", net.path(NODE), "--directory", net.directory, "--keys", net.key(f"node:{NODE}"), "--every", EVERY)
    check("no bit, page or length of a ledger's file is other than it was without being noticed", r.returncode == 0, r.stderr)
done()
