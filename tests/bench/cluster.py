"""A PostgreSQL 15 cluster of its own, in a temporary folder, for as long as a measurement takes."""
import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile

BIN = "/usr/lib/postgresql/15/bin"

# Durable as a node is (fsync, full_page_writes and synchronous_commit stay on), with memory and write-ahead log to work in.
SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{folder}'
shared_buffers = 4GB
max_wal_size = 8GB
min_wal_size = 8GB
checkpoint_timeout = 30min
wal_buffers = 64MB
work_mem = 64MB
maintenance_work_mem = 1GB
synchronous_commit = on
jit = off
max_connections = 20
"""


def owner():
    """The server refuses to run as root: then it is the package's own user."""
    return "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name


def make_folder(folder):
    """An empty folder that the server's user owns and can reach; elsewhere if the wanted one cannot be reached."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    if os.getuid() != 0:
        return folder
    shutil.chown(folder, owner())
    if subprocess.run(["test", "-w", folder], user=owner(), check=False).returncode != 0:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="sanquan-postgres-", dir="/var/tmp")
        shutil.chown(folder, owner())
        print(f"  {owner()} cannot reach the build folder: the cluster is in {folder}", file=sys.stderr)
    return folder


def server(*command):
    as_user = {"user": owner(), "group": pwd.getpwnam(owner()).pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    done = subprocess.run([os.path.join(BIN, command[0]), *command[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, cwd="/", **as_user)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stdout}")


@contextlib.contextmanager
def started(folder):
    """Yields the folder of the server's socket; nothing is left of the cluster afterwards."""
    if not os.path.exists(os.path.join(BIN, "initdb")):
        sys.exit("PostgreSQL 15 is not installed: run ops/deps bench")
    folder = make_folder(folder)
    data = os.path.join(folder, "data")
    server("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
    with open(os.path.join(data, "postgresql.conf"), "a", encoding="utf-8") as f:
        f.write(SETTINGS.format(folder=folder))
    server("pg_ctl", "-D", data, "-w", "-s", "-l", os.path.join(folder, "log"), "start")
    try:
        yield folder
    finally:
        server("pg_ctl", "-D", data, "-w", "-s", "-m", "immediate", "stop")
        shutil.rmtree(folder)
