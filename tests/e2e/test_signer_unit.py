"""Goal: the signer as a unit of its own: another user than the server's holds the online keys (INV-7), the server reaches
it over a socket only, and neither strangers nor garbage nor a death of the signer do more than end a session."""
import contextlib
import copy
import os
import shutil
import socket
import struct
import subprocess

import pytest

from conftest import BIN
from lab import EXAMPLES, POLICY, Lab, LabError, Process, wait_for

if os.geteuid() != 0:
    pytest.skip("not root: two more users cannot be had", allow_module_level=True)
if shutil.which("setpriv") is None:
    pytest.skip("setpriv (util-linux) is not there", allow_module_level=True)

# Users need no name. The signer's group is the server's: that is how the server comes to the socket.
SERVER, SIGNER, STRANGER = 20001, 20002, 20003
GROUP = SERVER
PYTHON = "/usr/bin/python3"  # of the system: one below somebody's home is not for other users
FLEET = {"internal": 4, "canary": 6, "early": 3, "broad": 3}
GATES = {"internal": ("60%", 4), "canary": ("45%", 6), "early": ("70%", 3), "broad": ("70%", 3)}


def as_user(uid, *argv):
    return ["setpriv", f"--reuid={uid}", f"--regid={GROUP}", "--clear-groups", *map(str, argv)]


class UnitLab(Lab):
    """Server and signer under users of their own, as docs/server.md "A signer of its own" says."""

    def __init__(self):
        super().__init__(BIN, policy=copy.deepcopy(POLICY))
        for ring in self.policy["rings"]:
            limit, healthy = GATES[ring["name"]]
            ring["gate"] = {"limit": limit, "min_healthy": healthy}
        self.signer = None
        self.starts = 0
        self.run_dir = self.dir / "run"
        self.socket = self.run_dir / "socket"
        # The binaries may lie where other users cannot go.
        self.bin = self.dir / "bin"
        shutil.copytree(BIN, self.bin)

    def prepare(self):
        self.init()
        self.run_dir.mkdir()
        os.chown(self.run_dir, SIGNER, GROUP)
        self.run_dir.chmod(0o750)
        self.dir.chmod(0o711)
        with open(self.server_dir / "server.conf", "a") as conf:
            conf.write(f"signer_socket = {self.socket}\n")
        for args in (["chown", "-R", f"{SERVER}:{GROUP}", self.server_dir],
                     ["chown", "-R", f"{SIGNER}:{GROUP}", self.server_dir / "signer"],
                     ["chmod", "0710", self.server_dir],
                     ["chmod", "-R", "g+rX", self.server_dir / "repo"]):
            subprocess.run(args, check=True)
        return self

    def add_agent(self, ring, **settings):
        """An agent believes files of root and of its own user, not of the server's: what it needs is handed over."""
        handed = self.dir / "handed-over"
        if not handed.exists():
            handed.mkdir()
            for path in ("root.json", "tls/ca.pem", "tokens/enrol.token"):
                shutil.copy(self.server_dir / path, handed)  # as root: copies belong to root
        return super().add_agent(ring, root_file=handed / "root.json", ca_file=handed / "ca.pem",
                                 enrol_token_file=handed / "enrol.token", **settings)

    def start_signer(self):
        self.starts += 1
        self.signer = Process(
            as_user(SIGNER, self.bin / "ringward-signer", "--keys", self.server_dir / "signer", "--repo",
                    self.server_dir / "repo", "--listen", self.socket, "--peer-user", SERVER), self.dir / "signer.log",
            self.env)

        def up():
            if not self.signer.running():
                raise LabError(f"ringward-signer ended:\n{self.signer.tail()}")
            return self.signer.log.read_text().count("event=listening") == self.starts
        wait_for("ringward-signer listens", up)
        return self

    def start_server(self):
        ready = self.server_dir / "port"
        self.server = Process(as_user(SERVER, self.bin / "ringward-server", "serve", "--dir", self.server_dir,
                                      "--port-file", ready), self.dir / "server.log", self.env)

        def up():
            if not self.server.running():
                raise LabError(f"ringward-server ended:\n{self.server.tail()}")
            return ready.exists() and ready.read_text().strip()
        wait_for("ringward-server accepts", up, 60)
        return self

    def check_config(self):
        return subprocess.run(as_user(SERVER, self.bin / "ringward-server", "check-config", "--dir", self.server_dir),
                              capture_output=True, text=True, env=self.env, timeout=30)

    def ready(self) -> int:
        r = subprocess.run(["curl", "-s", "--cacert", self.server_dir / "tls" / "ca.pem", "-o", "/dev/null", "-w",
                            "%{http_code}", f"{self.url}/readyz"], capture_output=True, text=True, timeout=20)
        return int(r.stdout)

    def signer_log(self) -> str:
        return self.signer.log.read_text()

    def connect(self) -> socket.socket:
        """A connection of root, who is a stranger here: --peer-user names the server's user alone."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        s.connect(str(self.socket))
        return s

    def close(self):
        super_close = super().close
        try:
            if self.signer is not None and self.signer.running():
                self.signer.stop()
        finally:
            super_close()


@pytest.fixture(scope="module")
def unit():
    with UnitLab() as lab:
        yield lab.prepare().start_signer().start_server()


@pytest.fixture
def lone_signer():
    """Without a server, so that the test's own frames are the session."""
    with UnitLab() as lab:
        yield lab.prepare().start_signer()


def speak(lab, what: bytes) -> bytes:
    """Sends bytes as the server's user and gives what comes back until the signer closes or one answer is there."""
    code = ("import socket,sys\n"
            "s=socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1])\n"
            "s.sendall(bytes.fromhex(sys.argv[2]))\n"
            "try: sys.stdout.buffer.write(s.recv(65536))\n"
            "except ConnectionResetError: pass\n")
    r = subprocess.run(as_user(SERVER, PYTHON, "-c", code, lab.socket, what.hex()), capture_output=True,
                       timeout=30)
    assert r.returncode == 0, r.stderr
    return r.stdout


def frame(kind: int, fields: bytes = b"") -> bytes:
    return struct.pack("<IH", 2 + len(fields), kind) + fields


def answered(lab) -> bool:
    """A renewal is answered: u16 type 101, granted."""
    return speak(lab, frame(3))[4:6] == struct.pack("<H", 101)


def test_the_servers_user_cannot_reach_a_key(unit):
    """INV-7 by the kernel: not the folder, not a file of it, not the process."""
    for path in ("signer", "signer/timestamp.key", "signer/ring-canary.key"):
        tried = subprocess.run(as_user(SERVER, "ls" if path == "signer" else "cat", unit.server_dir / path),
                               capture_output=True, text=True)
        assert tried.returncode != 0 and "Permission denied" in tried.stderr, path
    memory = subprocess.run(as_user(SERVER, "cat", f"/proc/{unit.signer.child.pid}/maps"), capture_output=True, text=True)
    assert memory.returncode != 0 and "Permission denied" in memory.stderr
    status = open(f"/proc/{unit.signer.child.pid}/status").read()
    assert f"Uid:\t{SIGNER}" in status and "NoNewPrivs:\t1" in status
    assert f"Uid:\t{SERVER}" in open(f"/proc/{unit.server.child.pid}/status").read()


def test_check_config_tells_where_the_signer_is(unit):
    told = unit.check_config()
    assert told.returncode == 0, told.stderr
    assert f"signer: listens on {unit.socket}" in told.stdout
    assert "note:" not in told.stdout
    assert unit.ready() == 200


def test_a_rollout_goes_through_with_two_users(unit):
    unit.add_fleet(FLEET)
    wait_for("all are enrolled", lambda: len(unit.fleet()) == len(unit.agents), 240, 0.5)
    unit.good = unit.publish(EXAMPLES / "good-1.yar", "good")
    unit.cli("rollout", "start", unit.good, check=True)
    rollout = unit.wait_rollout(unit.good, {"complete"}, 240)
    assert sum(r["healthy"] for r in rollout["rings"]) == len(unit.agents)
    for agent in unit.agents:
        agent.process.stop()


def test_a_stranger_is_refused_while_the_server_is_served(unit):
    before = unit.signer_log().count("event=stranger_refused")
    with unit.connect() as s:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            s.sendall(frame(3))
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(100) == b""
    wait_for("it is logged", lambda: unit.signer_log().count("event=stranger_refused") == before + 1)
    assert "uid=0" in unit.signer_log()
    outside = subprocess.run(["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups",
                              PYTHON, "-c",
                              f"import socket; socket.socket(socket.AF_UNIX).connect({str(unit.socket)!r})"],
                             capture_output=True, text=True)
    assert "PermissionError" in outside.stderr
    assert unit.ready() == 200


def test_without_the_signer_nothing_is_published_and_all_goes_on_after_its_return(unit):
    release, _ = unit.create(EXAMPLES / "good-2.yar", "while it is away")
    unit.sign(release, "alice")
    unit.sign(release, "bob")
    unit.signer.kill()
    wait_for("readyz tells", lambda: unit.ready() == 503, 10)
    refused = unit.cli("release", "publish", release)
    assert refused.returncode != 0
    assert "ringward-signer cannot be reached" in refused.stderr, refused.stderr
    assert "start it: systemctl start ringward-signer" in refused.stderr, refused.stderr
    told = unit.check_config()
    assert told.returncode != 0 and "start it" in told.stderr
    assert unit.server.running()
    unit.start_signer()
    unit.cli("release", "publish", release, check=True)
    wait_for("readyz tells", lambda: unit.ready() == 200, 20)


def test_a_quiet_restart_of_the_signer_goes_unnoticed(unit):
    assert unit.signer.stop() == 0
    assert not unit.socket.exists()
    unit.start_signer()
    wait_for("the server found it again", lambda: unit.ready() == 200 and "event=session_begun" in
             unit.signer_log().rsplit("event=listening", 1)[1], 20)


def test_garbage_ends_the_session_and_never_the_signer(lone_signer):
    assert answered(lone_signer)
    for what, reason in ((b"\xff" * 64, "frame of"), (b"GET / HTTP/1.1\r\n\r\n", "frame of"),
                         (struct.pack("<IH", 0, 1), "frame of"), (struct.pack("<IH", 0x7fffffff, 1), "frame of")):
        before = lone_signer.signer_log().count("event=session_ended")
        assert speak(lone_signer, what) == b"", what
        wait_for("the session ended", lambda b=before: lone_signer.signer_log().count("event=session_ended") == b + 1)
        assert reason in lone_signer.signer_log().splitlines()[-1]
    refused = speak(lone_signer, frame(77, b"no such request"))
    assert refused[4:6] == struct.pack("<H", 102)
    assert answered(lone_signer)
    assert lone_signer.signer.running()


def test_sigterm_ends_it_cleanly_also_in_a_session(lone_signer):
    assert lone_signer.signer.running()
    code = ("import socket,sys\n"
            "s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print('up', flush=True); s.recv(1)\n")
    with subprocess.Popen(as_user(SERVER, PYTHON, "-c", code, lone_signer.socket),
                          stdout=subprocess.PIPE) as peer:
        assert peer.stdout.readline() == b"up\n"
        wait_for("the session began", lambda: "event=session_begun" in lone_signer.signer_log())
        assert lone_signer.signer.stop() == 0
    assert "event=stopped" in lone_signer.signer_log()
    assert not lone_signer.socket.exists()
