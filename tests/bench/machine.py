"""What the measurements were taken on."""
import os
import platform
import shutil
import subprocess

LIBRARIES = ["libzmq5", "libprotobuf-c1", "liblmdb0", "libsodium23", "libssl3", "postgresql-15", "gcc"]


def output(*command):
    """Standard output of a command, or "" when it is not there or fails."""
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def field(path, name):
    try:
        with open(path, encoding="utf-8") as f:
            for line in f:
                key, _, value = line.partition(":")
                if key.strip() == name:
                    return value.strip()
    except OSError:
        pass
    return "unknown"


def disk(path):
    """File system and device that hold a path."""
    device, kind = (output("findmnt", "-n", "-o", "SOURCE,FSTYPE", "-T", path).split() + ["unknown", "unknown"])[:2]
    return f"{kind} on {device}, {shutil.disk_usage(path).free >> 30} GiB free"


def versions():
    listed = output("dpkg-query", "-W", "-f", "${Package} ${Version}\n", *LIBRARIES)
    return ", ".join(listed.splitlines()) or "not a Debian system"


def commit():
    name = output("git", "rev-parse", "--short=12", "HEAD") or "unknown"
    return name + (" and uncommitted changes" if output("git", "status", "--porcelain") else "")


def facts(path):
    """Ordered (what, value) pairs; `path` is where ledgers are written."""
    return [
        ("commit", commit()),
        ("processor", f"{os.cpu_count()} x {field('/proc/cpuinfo', 'model name')}"),
        ("memory", f"{int(field('/proc/meminfo', 'MemTotal').split()[0]) / 1048576:.1f} GiB"),
        ("disk", disk(path)),
        ("kernel", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("system", field_of_os_release()),
        ("packages", versions()),
        ("load average", " ".join(f"{x:.2f}" for x in os.getloadavg()) + " before the first run"),
    ]


def field_of_os_release():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "unknown"
