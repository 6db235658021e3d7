"""Goal: the units in examples/systemd are valid, as tight as docs/service.md says, and in the right order (INV-6).

systemd-analyze works on files, no systemd has to run."""
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from conftest import BIN
from lab import ROOT, Lab

UNITS = ROOT / "examples" / "systemd"
NAMES = ("ringward-agent", "ringward-guard", "ringward-server", "ringward-signer", "ringward-prune")

if shutil.which("systemd-analyze") is None:
    pytest.skip("systemd-analyze (package systemd) is not there", allow_module_level=True)


def analyze(*argv):
    env = dict(os.environ, SYSTEMD_COLORS="0", LC_ALL="C.UTF-8")
    return subprocess.run(["systemd-analyze", *map(str, argv)], capture_output=True, text=True, env=env, timeout=60)


def setting(unit: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", (UNITS / f"{unit}.service").read_text(), re.M)


def test_systemd_finds_no_fault_in_any_unit(tmp_path):
    for name in NAMES:
        text = (UNITS / f"{name}.service").read_text()
        (tmp_path / f"{name}.service").write_text(text.replace("/usr/bin/ringward", f"{BIN}/ringward"))
    for other in ("ringward-server.socket", "ringward-prune.timer"):
        shutil.copy(UNITS / other, tmp_path)
    r = analyze("verify", "--man=no", "--recursive-errors=no", *tmp_path.iterdir())
    assert r.returncode == 0 and r.stderr == "", r.stderr


@pytest.mark.parametrize("name", NAMES)
def test_exposure_is_what_the_documents_say(name):
    r = analyze("security", "--offline=yes", UNITS / f"{name}.service")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", r.stdout)
    stated = re.search(rf"^\| `{name}` \| ([\d.]+) \|", (ROOT / "docs" / "service.md").read_text(), re.M)
    assert found and stated, r.stdout + r.stderr
    assert found.group(1) == stated.group(1)


def test_the_guard_comes_before_the_agent_and_cannot_keep_it_from_starting():
    assert "ringward-agent.service" in setting("ringward-guard", "Before")
    assert "ringward-guard.service" in setting("ringward-agent", "After")
    assert "ringward-guard.service" in setting("ringward-agent", "Wants")
    assert setting("ringward-agent", "Requires") == [] and setting("ringward-agent", "BindsTo") == []


def test_an_agent_that_dies_at_once_is_not_restarted_for_ever():
    assert setting("ringward-agent", "StartLimitIntervalSec") == ["10min"]
    assert setting("ringward-agent", "StartLimitBurst") == ["5"]
    assert setting("ringward-agent", "WatchdogSec") == ["3min"]


def test_the_agent_tells_systemd_when_it_is_ready_that_its_loop_lives_and_when_it_stops(tmp_path):
    with Lab(BIN) as lab, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        lab.init()  # no server runs: none of this waits for one
        manager.bind(f"{lab.dir}/notify")
        manager.settimeout(60)
        lab.env |= {"NOTIFY_SOCKET": f"{lab.dir}/notify", "WATCHDOG_USEC": "3000000"}
        agent = lab.add_agent("internal")
        heard = [manager.recv(100).decode() for _ in range(4)]
        sensors = [e for e in map(environment, children(agent.process.child.pid)) if b"RINGWARD_ACTIVE=" in e]
        assert sensors and b"NOTIFY_SOCKET=" not in sensors[0]  # the manager is none of the sensor's business
        assert agent.process.stop() == 0
        while heard[-1] != "STOPPING=1":
            heard.append(manager.recv(100).decode())
        assert heard[0] == "READY=1" and set(heard[1:-1]) == {"WATCHDOG=1"}


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def environment(pid: str) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def test_users_and_folders_come_out_as_the_units_need_them(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("not root: users of another root directory cannot own its files")
    (tmp_path / "etc" / "ringward").mkdir(parents=True)
    (tmp_path / "etc" / "ringward" / "enrol.token").write_text("x\n")
    for tool, file in (("systemd-sysusers", "ringward.sysusers"), ("systemd-tmpfiles", "ringward.tmpfiles")):
        more = ["--create"] if tool == "systemd-tmpfiles" else []
        r = subprocess.run([tool, *more, f"--root={tmp_path}", "-"], input=(UNITS / file).read_text(), capture_output=True, text=True,
                           timeout=60)
        assert r.returncode == 0, r.stderr
    fields = {line.split(":")[0]: line.split(":") for line in (tmp_path / "etc" / "passwd").read_text().splitlines()}
    assert set(fields) == {"ringward", "ringward-agent", "ringward-signer"}
    assert fields["ringward-signer"][3] == fields["ringward"][3]  # the server's group
    state = (tmp_path / "var" / "lib" / "ringward-agent").stat()
    token = (tmp_path / "etc" / "ringward" / "enrol.token").stat()
    assert (state.st_uid, state.st_mode & 0o7777) == (int(fields["ringward-agent"][2]), 0o700)
    assert (token.st_gid, token.st_mode & 0o7777) == (int(fields["ringward-agent"][3]), 0o640)


def install(prefix: Path, *parts: str) -> set[str]:
    for part in parts:
        r = subprocess.run(["cmake", "--install", BIN.parent, "--prefix", prefix, "--component", part], capture_output=True, text=True,
                           timeout=60)
        assert r.returncode == 0, r.stderr
    return {str(p.relative_to(prefix)) for p in prefix.rglob("*") if not p.is_dir()}


def programs(tree: Path) -> set[str]:
    """What the units of an installed tree start."""
    texts = [unit.read_text() for unit in tree.glob("lib/systemd/system/*.service")]
    return {name for text in texts for name in re.findall(r"^ExecStart\w*=/usr/(\S+)", text, re.M)}


def test_parts_are_installed_where_the_units_look(tmp_path):
    endpoint = install(tmp_path / "endpoint", "agent", "box")
    assert programs(tmp_path / "endpoint") == {"bin/ringward-agent"} <= endpoint
    assert not [name for name in endpoint if "ringward-server" in name or "ringward-signer" in name]
    for beside in ("http", "patch", "sensor", "sensor.manifest", "load-sensor.conf", "box", "box-selftest", "validate-yara"):
        assert f"bin/ringward-{beside}" in endpoint
    server = install(tmp_path / "server", "server", "box", "cli", "doc")
    assert programs(tmp_path / "server") == {"bin/ringward-server", "bin/ringward-signer"} <= server
    both = endpoint | server
    assert {f"lib/systemd/system/{p.name}" for p in UNITS.iterdir() if p.suffix in (".service", ".socket", ".timer")} <= both
    assert {f"share/man/man{p.suffix[1:]}/{p.name}" for p in (ROOT / "docs" / "man").iterdir()} <= both
    assert {"lib/sysusers.d/ringward.conf", "lib/tmpfiles.d/ringward.conf", "share/doc/ringward/rings.json"} <= both
    # A box that was moved finds what belongs to it.
    r = subprocess.run([tmp_path / "endpoint" / "bin" / "ringward-box", "self-test"], capture_output=True, text=True, timeout=120)
    assert r.returncode == 0 and "grade    full" in r.stdout, r.stdout + r.stderr
