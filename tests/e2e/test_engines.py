"""Goal: engines that know nothing of Ringward work behind its sensor contract, as docs/sensor.md and examples/sensor say: a shell
script, and Debian's clamd with signatures of its own. What is loaded is proven, what is refused leaves the old content at work."""
import copy
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from conftest import BIN
from lab import POLICY, ROOT, Lab, wait_for

HOOKS = ROOT / "examples/sensor"
CLAMD = "/usr/sbin/clamd"
needs_clamd = pytest.mark.skipif(not os.path.exists(CLAMD) or not os.path.exists("/usr/bin/clamscan"),
                                 reason="Debian's packages clamav and clamav-daemon are not installed")
NEEDLE = "Test.Needle:0:*:" + b"needle 4711".hex() + "\n"
SAMPLE = b"here is a needle 4711 in the hay"


def clamd_command(work) -> str:
    return f"{HOOKS}/hook-sensor --engine --work {work} --load-timeout 8 {HOOKS}/clamd-hooks"


def words_command(work) -> str:
    return f"{HOOKS}/hook-sensor --work {work} {HOOKS}/words-engine"


class Manager:
    """What starts an observed sensor, and starts it again when it has ended: a service manager of the size of a test."""

    def __init__(self, argv, ready, env=None, pid_file=None):
        self.argv, self.ready, self.env, self.pid_file = [str(a) for a in argv], ready, env, pid_file
        self.starts = 0
        self.child = None
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.end.wait(0.05):
            if (self.child is None or self.child.poll() is not None) and self.ready():
                self.child = subprocess.Popen(self.argv, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL)
                self.starts += 1
                if self.pid_file is not None:
                    new = self.pid_file.with_suffix(".new")
                    new.write_text(f"{self.child.pid}\n")
                    new.rename(self.pid_file)

    def close(self):
        self.end.set()
        self.thread.join()
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait(20)


class Sensor:
    """A sensor by hand: an active set, the agent's socket, what arrives at it."""

    def __init__(self, folder, command):
        self.dir = folder
        self.made = 0
        self.agent = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.agent.bind(str(folder / "sensor.sock"))
        self.agent.settimeout(60)
        self.command = command
        self.child = None

    def activate(self, **content):
        self.made += 1
        folder = self.dir / f"set-{self.made}"
        folder.mkdir()
        entries = []
        for family, text in content.items():
            family = family.replace("_", "-")
            (folder / f"{family}.rwc").write_text(text)
            entries.append({"family": family, "release": self.made, "sha256": hashlib.sha256(text.encode()).hexdigest(),
                            "bytes": len(text)})
        (folder / "manifest.json").write_text(json.dumps({"set": self.made, "content": entries}))
        link = self.dir / "new"
        link.symlink_to(folder)
        link.rename(self.dir / "current")
        if self.child is None:
            env = {**os.environ, "RINGWARD_ACTIVE": str(self.dir / "current"), "RINGWARD_SOCKET": str(self.dir / "sensor.sock")}
            self.child = subprocess.Popen(self.command.split(), env=env, stdout=subprocess.DEVNULL)
        else:
            self.child.send_signal(signal.SIGHUP)
        return entries

    def next(self, *kinds) -> dict:
        while True:
            message = json.loads(self.agent.recv(4096))
            if message["type"] in kinds:
                return message

    def silence(self, seconds: float) -> bool:
        """Nothing is said for so long. What was under way when this was asked does not count."""
        end = time.monotonic() + 60
        self.agent.settimeout(seconds)
        try:
            while time.monotonic() < end:
                self.agent.recv(4096)
        except TimeoutError:
            return True
        finally:
            self.agent.settimeout(60)
        return False

    def close(self):
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            self.child.terminate()
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                self.child.kill()
        self.agent.close()


@pytest.fixture
def sensor(tmp_path, request):
    work = tmp_path / "work"
    s = Sensor(tmp_path, request.param(work))
    s.work = work
    yield s
    s.close()


with_clamd = pytest.mark.parametrize("sensor", [clamd_command], indirect=True)
with_words = pytest.mark.parametrize("sensor", [words_command], indirect=True)


def clamd_says(work, data: bytes) -> str:
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(str(work / "clamd.sock"))
        s.sendall(b"zINSTREAM\0" + struct.pack("!I", len(data)) + data + struct.pack("!I", 0))
        return s.recv(4096).rstrip(b"\0").decode()


def engine_pid(sensor) -> int:
    children = open(f"/proc/{sensor.child.pid}/task/{sensor.child.pid}/children").read().split()
    return next(int(p) for p in children if "clamd" in os.readlink(f"/proc/{p}/exe"))


# --- the shell engine ---
@with_words
def test_a_shell_script_proves_each_load_and_refuses_what_it_cannot_take(sensor):
    entry, = sensor.activate(words="needle 4711\n")
    loaded = sensor.next("loaded", "error")
    assert (loaded["type"], loaded["sha256"], loaded["generation"]) == ("loaded", entry["sha256"], 1), loaded
    assert sensor.next("selftest")["ok"] and sensor.next("alive")["generation"] == 1
    sensor.activate(words="a word of more than twenty signs\n")
    refused = sensor.next("loaded", "error")
    assert refused["type"] == "error" and "longer than the 20 signs" in refused["detail"], refused
    assert sensor.next("alive")["generation"] == 1, "the old content goes on"
    entry, = sensor.activate(words="hay\n")
    assert sensor.next("loaded", "error")["sha256"] == entry["sha256"]


@with_words
def test_a_copy_that_is_not_what_the_manifest_names_is_not_loaded(sensor):
    sensor.activate(words="needle\n")
    sensor.next("loaded")
    sensor.activate(words="hay\n")
    sensor.next("loaded")
    (sensor.dir / "set-2" / "words.rwc").write_text("hax\n")
    sensor.child.send_signal(signal.SIGHUP)
    assert "not the content" in sensor.next("error", "loaded").get("detail", "")


# --- clamd ---
@needs_clamd
@with_clamd
def test_clamd_runs_what_it_says_and_keeps_it_when_a_signature_file_is_bad(sensor):
    digest = hashlib.md5(b"a file of its own").hexdigest()
    want = sensor.activate(clamav=NEEDLE, clamav_hdb=f"{digest}:17:Test.Hash\n")
    loaded = [sensor.next("loaded", "error") for _ in want]
    assert [(m["family"], m["sha256"]) for m in loaded] == [(e["family"], e["sha256"]) for e in want], loaded
    assert sensor.next("selftest")["ok"]
    assert "Test.Needle" in clamd_says(sensor.work, SAMPLE) and "Test.Hash" in clamd_says(sensor.work, b"a file of its own")
    sensor.activate(clamav="Broken line\n")
    refused = sensor.next("loaded", "error")
    assert refused["type"] == "error" and "does not run with this set" in refused["detail"], refused
    assert sensor.next("alive")["generation"] == 1
    assert "Test.Needle" in clamd_says(sensor.work, SAMPLE), "the old signatures are still at work"
    sensor.activate(clamav=NEEDLE.replace("Needle", "Second"))
    assert sensor.next("loaded", "error")["generation"] == 3
    assert "Test.Second" in clamd_says(sensor.work, SAMPLE)


@needs_clamd
@with_clamd
def test_a_clamd_that_hangs_is_not_spoken_for_and_its_death_is_the_sensors(sensor):
    sensor.activate(clamav=NEEDLE)
    sensor.next("alive")
    pid = engine_pid(sensor)
    os.kill(pid, signal.SIGSTOP)
    assert sensor.silence(4), "the watchdog of the agent has something to hear"
    os.kill(pid, signal.SIGCONT)
    sensor.next("alive")
    os.kill(pid, signal.SIGSEGV)
    assert sensor.child.wait(60) == -signal.SIGSEGV


# --- the whole way ---
class Endpoint(Lab):
    """A laboratory whose box knows the validators of one family of content."""
    family = "clamav"

    def init(self):
        policy = self.dir / "rings.json"
        policy.write_text(json.dumps(self.policy, indent=2))
        self.run("ringward-server", "init", "--dir", self.server_dir, "--dev", "--policy", policy, "--family", self.family,
                 "--listen", f"127.0.0.1:{self.port}", check=True)
        return self

    def create(self, content, notes, *more, check=True):
        r = self.cli("release", "create", "--family", self.family, "--class", "rules", "--content", content, "--notes", notes,
                     "-o", "json", *more, check=check)
        release = json.loads(r.stdout.strip().splitlines()[-1]) if r.returncode == 0 else None
        return release and f"{release['family']}/{release['release']}", r


@pytest.fixture
def endpoint(tmp_path, request):
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    for path in BIN.iterdir():
        if path.is_file():
            os.link(path, bin_dir / path.name) if os.stat(path).st_dev == os.stat(bin_dir).st_dev else subprocess.run(
                ["cp", "-p", path, bin_dir], check=True)
    conf = ROOT / "examples/validator/ringward-validate-clamav.conf"
    (bin_dir / conf.name).write_bytes(conf.read_bytes())
    with Endpoint(bin_dir, policy=copy.deepcopy(POLICY)) as lab:
        lab.family = request.param
        yield lab.init().start_server()


@needs_clamd
@pytest.mark.parametrize("endpoint", ["clamav"], indirect=True)
def test_signatures_go_the_whole_way_to_clamd_and_bad_ones_do_not(endpoint):
    lab = endpoint
    work = lab.dir / "clamd"
    agent = lab.add_agent("internal", families="clamav", engine="clamd", sensor_command=clamd_command(work), sensor_loader=None)
    other = lab.dir / "clamd-of-its-own"
    hooks = f"--work {other} --load-timeout 40 {HOOKS}/clamd-hooks"
    observed = lab.add_agent("internal", families="clamav", engine="clamd", sensor_command=None, sensor_loader=None,
                             sensor_pid_file=other / "clamd.pid", sensor_reload="command",
                             sensor_reload_command=f"{HOOKS}/hook-sensor --once {hooks}",
                             sensor_health_command=f"{HOOKS}/hook-sensor --alive {hooks}")
    manager = Manager([CLAMD, f"--config-file={other}/clamd.conf"], (other / "clamd.conf").exists)
    try:
        content = lab.dir / "one.ndb"
        content.write_text(NEEDLE)
        release = lab.publish(content, "one signature")
        lab.cli("rollout", "start", release, check=True)
        wait_for("both proved it", lambda: sum(c["family"] == "clamav" and c["release"] == 1 for e in lab.fleet()
                                               for c in e["content"]) == 2, 120)
        assert agent.active_release("clamav") == 1 and "Test.Needle" in clamd_says(work, SAMPLE)
        assert observed.active_release("clamav") == 1 and "Test.Needle" in clamd_says(other, SAMPLE)
        wait_for("the change is over", lambda: "change_committed" in observed.process.log.read_text(), 60)
        manager.child.send_signal(signal.SIGSEGV)
        wait_for("its end is told as a crash of what it had", lambda: "kind=crash family=clamav release=1"
                 in observed.process.log.read_text(), 60)
        wait_for("the next one has proven the set", lambda: observed.status().get("sensor", {}).get("proven"), 90)
        assert manager.starts == 2 and "Test.Needle" in clamd_says(other, SAMPLE)
        content.write_text("Broken line\n")
        made, r = lab.create(content, "broken", check=False)
        assert made is None and r.returncode == 9, r.stderr
    finally:
        manager.close()


@pytest.mark.parametrize("endpoint", ["words"], indirect=True)
def test_what_the_engine_alone_refuses_is_taken_back_by_the_agent(endpoint):
    """The validator takes the words, the engine does not: the endpoint goes back to what it had, and says why."""
    lab = endpoint
    subprocess.run(["cc", "-O2", "-static-pie", ROOT / "examples/validator/words.c", "-lcrypto", "-o", lab.bin / "ringward-validate-words"],
                   check=True, capture_output=True, timeout=120)
    agent = lab.add_agent("internal", families="words", engine="words", sensor_command=words_command(lab.dir / "words"), sensor_loader=None)
    content = lab.dir / "words.txt"
    content.write_text("a word of more than twenty signs\n")
    release = lab.publish(content, "a long word")
    lab.cli("rollout", "start", release, check=True)
    wait_for("it was tried and taken back", lambda: "kind=failed" in (agent.dir / "agent.log").read_text(), 120)
    assert "longer than the 20 signs" in (agent.dir / "agent.log").read_text()
    wait_for("the set before is active", lambda: agent.active_release("words") == 0, 60)
    assert "a word of" not in (lab.dir / "words" / "words").read_text()
