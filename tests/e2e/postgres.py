"""A private PostgreSQL server of a test: fresh data in a temporary folder, a unix socket, fsync on; TCP only at an address
that is asked for. As root it runs under the user "postgres" or "nobody", since PostgreSQL refuses root."""
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from lab import LabError, wait_for


class Postgres:
    def __init__(self, address=None, port=5432):
        self.address, self.port = address, port
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found:
            raise LabError("PostgreSQL is not installed; see scripts/packages")
        self.bin = found[-1].parent
        self.dir = Path(tempfile.mkdtemp(prefix="rw-pg-"))
        self.user = {}
        if os.getuid() == 0:
            names = {u.pw_name: u for u in pwd.getpwall()}
            user = names.get("postgres") or names["nobody"]
            os.chown(self.dir, user.pw_uid, user.pw_gid)
            self.user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.child = None
        subprocess.run([self.bin / "initdb", "-D", self.dir / "data", "-U", "ringward", "-A", "trust", "-N", "-E", "UTF8",
                        "--locale=C"], check=True, stdout=subprocess.DEVNULL, cwd=self.dir, **self.user)
        if address:
            with open(self.dir / "data" / "pg_hba.conf", "a") as hba:
                hba.write("host all ringward samenet trust\n")

    def url(self, host=None) -> str:
        return f"postgresql:///postgres?host={host or self.dir}&port={self.port}&user=ringward"

    def start(self):
        log = open(self.dir / "log", "ab")
        settings = {"listen_addresses": self.address or "", "port": self.port, "unix_socket_directories": self.dir,
                    "fsync": "on", "shared_buffers": "16MB"}
        self.child = subprocess.Popen([self.bin / "postgres", "-D", self.dir / "data",
                                       *[a for k, v in settings.items() for a in ("-c", f"{k}={v}")]],
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir, **self.user)
        log.close()
        wait_for("PostgreSQL answers", lambda: subprocess.run(
            [self.bin / "pg_isready", "-q", "-h", self.dir, "-p", str(self.port)], cwd=self.dir).returncode == 0, 60)
        return self

    def stop(self, how=signal.SIGQUIT):
        """SIGQUIT: as a crash of the host would; SIGINT: in order."""
        if self.child is not None:
            self.child.send_signal(how)
            self.child.wait(60)
            self.child = None

    def rows(self, sql: str) -> list[str]:
        r = subprocess.run([self.bin / "psql", "-h", self.dir, "-p", str(self.port), "-U", "ringward", "-d", "postgres",
                            "-A", "-t", "-c", sql], check=True, capture_output=True, text=True, cwd=self.dir)
        return r.stdout.splitlines()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
