"""Goal: a server whose disk is full, or becomes read-only, grants nothing and loses nothing, says so to people, probes and
metrics, and goes on by itself once the disk is well again."""
import contextlib
import http.client
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import BIN
from lab import Lab, wait_for
from load import Law, Load, check_exactly, get, metrics
from test_hostile_clients import CONTEXT
from test_kill_load import one_ring, rolled_out


def run(*args):
    r = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=60)
    if r.returncode != 0:
        raise OSError(f"{args[0]}: {r.stderr.strip()}")
    return r.stdout


class Disk:
    """A file system in a file, mounted where the server's directory is to be."""

    def __init__(self, lab):
        self.image, self.at = lab.dir / "disk", lab.server_dir
        with open(self.image, "wb") as f:
            f.truncate(40 << 20)
        run("mkfs.ext4", "-q", "-F", "-m", "0", self.image)
        self.at.mkdir()
        self.mount()
        (self.at / "lost+found").rmdir()

    def mount(self):
        run("mount", "-o", "loop,errors=remount-ro", self.image, self.at)

    def lose_trust(self):
        """As after an error of the device: the kernel refuses every write from now on, also to files that are open."""
        device = Path(run("findmnt", "-no", "SOURCE", self.at).strip()).name
        (Path("/sys/fs/ext4") / device / "trigger_fs_error").write_text("a test")

    def repair(self):
        """The new mount may be read at first only: whoever mends it looks before he lets anybody write."""
        run("umount", "-l", self.at)  # the server still has files open there
        # A device of its own: mounting the same one again would give the file system that nobody may write.
        broken = self.image.rename(self.image.with_suffix(".broken"))
        shutil.copyfile(broken, self.image)
        subprocess.run(["e2fsck", "-fy", str(self.image)], capture_output=True, timeout=60)
        device = run("losetup", "-f", "--show", self.image).strip()  # 'loop,ro' would make the device read-only, too
        run("mount", "-o", "ro", device, self.at)
        run("losetup", "-d", device)  # it goes with the mount

    def let_write(self):
        run("mount", "-o", "remount,rw", self.at)

    def may_write(self, may):
        """Refuses every write to the store on the mount as it is, through open files too, and lets them again. The kernel
        gives no mount that is written to away: 'remount,ro' is busy then."""
        # Not ringward.db-shm: it is mapped, and the kernel ends who writes to a clean page of it by SIGBUS (known-risks.md).
        store = self.at / "store"
        run("chattr", "-i" if may else "+i", store / "ringward.db", store / "ringward.db-wal")


@pytest.fixture(scope="module")
def small():
    """A server under load whose directory is a small file system of its own."""
    if os.getuid() != 0:
        pytest.skip("a file system of its own needs root")
    with Lab(BIN, policy=one_ring()) as lab:
        try:
            lab.disk = Disk(lab)
        except OSError as e:
            print(f"not tried here: {e}")
            pytest.skip(f"no file system of its own: {e}")
        try:
            lab.init().start_server()
            _, sha256 = rolled_out(lab)
            lab.load = Load(lab, [("127.0.0.1", lab.port)], 1, sha256, endpoints=300, law=Law(4, 1)).start()
            wait_for("the load runs", lambda: lab.load.alive > 20, 60)
            yield lab
        finally:
            if hasattr(lab, "load"):
                lab.load.stopping.set()
            if lab.server is not None:
                lab.server.stop()
            subprocess.run(["umount", "-l", lab.server_dir], timeout=30)


def alarms(lab):
    """Those of the store; None while the status cannot be told."""
    token = (lab.server_dir / "tokens" / "admin.token").read_text().strip()
    with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", lab.port, context=CONTEXT, timeout=30)) as c:
        c.request("GET", "/v1/status", headers={"Authorization": f"Bearer {token}"})
        r = c.getresponse()
        body = json.loads(r.read())
    return [a for a in body["alarms"] if a.startswith("store:")] if r.status == 200 else None


def is_down(lab):
    """Nothing is acknowledged, and everybody who asks is told."""
    wait_for("it is not ready", lambda: get(lab.port, "/readyz")[0] == 503, 60)
    wait_for("the alarm", lambda: alarms(lab), 60)
    assert get(lab.port, "/healthz")[0] == 200, "a probe for life must not restart it"
    m = metrics(lab.port)
    assert m["ringward_ready"] == 0 and m["ringward_journal_failures_total"] > 0
    alive, permits = lab.load.alive, len(lab.load.permits)
    refused = lab.load.unanswered
    wait_for("requests are refused", lambda: lab.load.unanswered > refused + 8, 60)
    assert lab.load.alive <= alive + len(lab.load.threads) and len(lab.load.permits) <= permits + len(lab.load.threads)


def goes_on(lab):
    before = lab.load.alive
    wait_for("endpoints are answered", lambda: lab.load.alive > before + 20, 60)
    wait_for("it is ready", lambda: get(lab.port, "/readyz")[0] == 200, 60)
    assert alarms(lab) == [] and lab.server.running()


def test_inv_3_a_full_disk_stops_permits_and_is_recovered_from(small):
    ballast = small.server_dir / "ballast"
    with pytest.raises(OSError, match="No space"), open(ballast, "wb", buffering=0) as f:
        while True:
            f.write(bytes(4096))
    is_down(small)
    ballast.unlink()
    goes_on(small)


def test_a_mount_that_refuses_writes_and_takes_them_again_needs_nothing_from_anybody(small):
    with pytest.raises(OSError, match="busy"):
        run("mount", "-o", "remount,ro", small.server_dir)
    small.disk.may_write(False)
    try:
        is_down(small)
    finally:
        small.disk.may_write(True)
    goes_on(small)
    assert "event=opened_anew" not in small.server.log.read_text(errors="replace")


def test_inv_8_a_disk_that_becomes_read_only_loses_nothing_that_was_answered(small):
    """The kernel lets nobody write again before it is mounted anew: then the server goes on by itself."""
    small.disk.lose_trust()
    is_down(small)
    small.disk.repair()
    is_down(small)  # another mount, which takes no files yet: it waits with the one it holds
    assert "event=opened_anew" not in small.server.log.read_text(errors="replace") and small.server.running()
    small.disk.let_write()
    goes_on(small)
    assert "event=opened_anew" in small.server.log.read_text(errors="replace")
    small.load.stop()
    assert small.server.running()
    check_exactly(small.load, small, small.port)
    small.cli("audit", "verify", check=True)
