"""INV-6 on a real kernel: content whose sensor stops the kernel makes a machine boot-loop; it must come back by itself.

The sensor is tests/fakes/fake_sensor_main.c: in this machine its words `panic-on-load` and `panic-later` write `c` to
/proc/sysrq-trigger, so the kernel panics and reboots within a second (panic=1) without writing anything out. What the
agent then finds on its disk is what it had made durable. Evidence: the serial console, the state disk read from
outside, the server's view.
"""
import hashlib
import json
import re
import shutil
import time

import pytest

from conftest import BIN
from lab import Lab, wait_for
from machine import STATE

PROBE = "RINGWARD-MACHINE-PROBE-7c41"
SENSOR = BIN.parent / "tests" / "fake_sensor"
# Two rings, and a deadline that a slow machine's three boots do not miss.
POLICY = {
    "format": 1,
    "rings": [{"name": "internal", "select": "local", "bake": "1s", "gate": {"limit": "80%", "min_healthy": 3}},
              {"name": "broad", "share": "rest", "gate": {"limit": "80%", "min_healthy": 1}}],
    "classes": {"rules": {"min_bake": {"broad": "2s"}}},
    "window": {"confirm": {"start": 2, "per_survivor_thousandths": 1000, "deadline": "15m", "probation": "1s"},
               "cohort": {"start": 2}},
    "health": {"false_halts_per_year": 1, "releases_per_year": 7300},
    "poll": {"rollout": "1s"},
}
FLEET = {"internal": 4, "broad": 3}


def number(release: str) -> int:
    return int(release.split("/")[1])


def content(lab, word: str):
    """YARA rules for everybody, and a word for the sensor of this test."""
    path = lab.dir / f"{word}.yar"
    path.write_text(f'// {word}\nrule probe_{word.replace("-", "_")} {{ strings: $a = "{PROBE}" condition: $a }}\n')
    return path


def roll_out(lab, word: str) -> str:
    release = lab.publish(content(lab, word), f"the sensor's word is {word}")
    lab.cli("rollout", "start", release, check=True)
    lab.wait_rollout(release, {"complete"}, 120)
    wait_for(f"all on {release}", lambda: len(lab.on_release(number(release))) == len(lab.agents), 60)
    return release


@pytest.fixture(scope="module")
def fleet():
    """A server and seven endpoints on this host, all on a good release."""
    with Lab(BIN, POLICY) as lab:
        lab.init("--host", "localhost,server.test").start_server()
        lab.add_fleet(FLEET, sensor_command=SENSOR)
        lab.good = roll_out(lab, "ok")
        yield lab


@pytest.fixture(scope="module")
def bad_state(fleet):
    """State of an endpoint that committed a good release, then one that was good everywhere else."""
    bad = roll_out(fleet, "panic-later")
    agent = fleet.agents[0]
    agent.process.stop()
    folder = fleet.dir / "state-to-copy"
    shutil.copytree(agent.state, folder, symlinks=True, ignore=lambda _, names: [n for n in names if n.endswith(".sock")])
    for name in ("sets", "store"):  # a copy of linked files is no link any more; the agent does not mind
        assert (folder / name).is_dir()
    agent.start()
    return folder, number(fleet.good), number(bad)


def machine_conf(fleet, **more) -> dict:
    conf = {"server": f"https://server.test:{fleet.port}", "ca_file": "/etc/ringward/ca.pem",
            "root_file": "/etc/ringward/root.json", "state_dir": STATE, "enrol_token_file": "/etc/ringward/enrol.token",
            "families": "yara", "ring": "internal", "engine": "yara-4.2", "engine_version": 40200, "poll_interval": "2s",
            "sensor_command": "/usr/bin/fake_sensor", "clean_files": 20, "stable_after": "10m"}
    return conf | more


def machine_files(fleet) -> dict:
    return {"ca.pem": fleet.server_dir / "tls" / "ca.pem", "root.json": fleet.server_dir / "root.json",
            "enrol.token": fleet.server_dir / "tokens" / "enrol.token"}


def status(vm) -> dict:
    code, text = vm.run(f"ringward-agent status --config /etc/ringward/agent.conf -o json")
    return json.loads(text) if code == 0 else {}


def proven_release(vm) -> int:
    """What the sensor proved that it loaded; -1: nothing yet."""
    said = status(vm)
    if not said.get("sensor", {}).get("proven"):
        return -1
    return next((c["release"] for c in said["content"] if c["family"] == "yara"), 0)


def wait_proven(vm, release: int, timeout_s: float = 240):
    wait_for(f"the machine's sensor proves release {release}", lambda: proven_release(vm) == release, timeout_s, 0.5)


def detects(vm) -> bool:
    """Does the real engine find the probe with what is active now?"""
    _, text = vm.run(f"printf %s {PROBE} >/tmp/probe && ringward-sensor --active {STATE}/current --scan /tmp/probe")
    return "probe_" in text


def guards(vm) -> list[tuple[int, int]]:
    """Set and unclean starts in the guard's own line of each boot; the run's line behind it repeats the count."""
    lines = re.findall(r"machine: (boot) |event=boot_guard set=(\d+) unclean=(\d+)", vm.text())
    found = []
    for at, (boot, _, _) in enumerate(lines):
        if boot and at + 1 < len(lines) and not lines[at + 1][0]:
            found.append((int(lines[at + 1][1]), int(lines[at + 1][2])))
    return found


def slots(read) -> dict:
    """The newer copy of the agent's slots (magic, serial, length, CRC-32, payload); `read` gives a file of the state folder."""
    copies = [read(name) for name in ("slots.a", "slots.b")]
    newest = max(copies, key=lambda c: int.from_bytes(c[8:16], "little"))
    return json.loads(newest[24:24 + int.from_bytes(newest[16:20], "little")])


def installed(vm) -> int:
    """Release in the set that the link on the disk names; 0: the empty set."""
    target = re.search(r'Fast link dest: "([^"]+)"', vm.disk_stat("current")).group(1)
    manifest = json.loads(vm.state_file(f"{target}/manifest.json"))
    return next((c["release"] for c in manifest["content"] if c["family"] == "yara"), 0)


def test_with_a_network_the_rollout_halts_on_what_the_machine_tells(fleet, machines, tell):
    """INV-4, INV-6: the trial itself stops the kernel, twice. What the guard then tells stops the rollout for all."""
    good = number(fleet.good)
    vm = machines("online", machine_conf(fleet), files=machine_files(fleet), network=True, extra=(SENSOR,)).start()
    wait_proven(vm, good)
    wait_for("the server counts the machine", lambda: fleet.server_says_on(good) == len(fleet.agents) + 1, 60)
    endpoint = status(vm)["endpoint"]
    for agent in fleet.agents:  # so that the machine is the first one that gets a permit
        agent.process.stop()
    release = fleet.publish(content(fleet, "panic-on-load"), "stops the kernel of the machine, kills sensors elsewhere")
    fleet.cli("rollout", "start", release, check=True)
    vm.wait_console("a kernel panic", "Kernel panic - not syncing")
    began = time.monotonic()
    for agent in fleet.agents:
        agent.start()
    vm.wait_console("the guard goes back", r"machine: boot 3[\s\S]*unclean=2")
    wait_proven(vm, good)
    took_s = time.monotonic() - began
    rollout = fleet.wait_rollout(release, {"rolled_back"}, 180)
    told = [e for e in fleet.marked(number(release), "failed") if e["endpoint"] == endpoint]
    harmed = sum(r["failed"] + r["dark"] for r in rollout["rings"])
    assert rollout["halt"]["term"] == "crash", rollout
    assert len(told) == 1 and [c["release"] for c in told[0]["content"]] == [good]
    assert harmed == 2 and all(r["exposed"] == 0 for r in rollout["rings"][1:]), rollout
    assert "guard_reported" in vm.text()  # by the helper that the guard leaves behind
    # The box in a real machine: version 2 of control groups, memory limit included.
    assert re.search(r"event=box_verdict \S+ release=\d+ verdict=accepted .* grade=full", vm.text())
    assert (vm.boots(), vm.panics()) == (3, 2) and [u for _, u in guards(vm)] == [0, 1, 2], vm.text()[-3000:]
    assert detects(vm)
    wait_for("all are on the good release", lambda: len(fleet.on_release(good)) == len(fleet.agents), 90)
    vm.power_off()
    tell(f"vm ({vm.accel}), network: {vm.boots()} boots, {vm.panics()} kernel panics; release {number(release)} left for {good} and "
         f"protected {took_s:.0f} s after the first panic; {harmed} endpoints harmed, {rollout['state']} by term {rollout['halt']['term']}")


def test_without_network_the_machine_leaves_the_bad_set_within_two_restarts(fleet, bad_state, machines, tell):
    """INV-6: no network card, nobody at the keyboard. The bad set is not taken again, also after a clean restart."""
    state, good, bad = bad_state
    vm = machines("offline", machine_conf(fleet), state=state, files=machine_files(fleet), extra=(SENSOR,)).start()
    vm.wait_console("the third boot", r"machine: boot 3\b")
    wait_proven(vm, good)
    took_s = time.monotonic() - vm.began
    assert (vm.boots(), vm.panics()) == (3, 2) and [u for _, u in guards(vm)] == [0, 1, 2], vm.text()[-3000:]
    assert detects(vm)
    vm.power_off()
    assert installed(vm) == good
    # The endpoint whose state was copied may have left a set before: not every run of the test above harms the same one.
    before, after = slots(lambda name: (state / name).read_bytes()), slots(vm.state_file)
    left = hashlib.sha256((fleet.dir / "panic-later.yar").read_bytes()).hexdigest()
    assert set(after["abandoned"]) - set(before["abandoned"]) == {left}, (before, after)
    assert not after["boot"]["open"]
    vm.start()
    wait_proven(vm, good)
    assert (vm.boots(), vm.panics()) == (4, 2) and guards(vm)[-1][1] == 0
    tell(f"vm ({vm.accel}), no network: 3 boots, 2 kernel panics; release {bad} left for {good} and protected {took_s:.0f} s after "
         "power-on; a clean restart stays there")


def test_when_every_set_stops_the_kernel_the_third_unclean_start_is_empty_and_lasts(fleet, bad_state, machines, tell):
    """INV-6: the previous set is no cure either; the built-in empty set is what a sensor can always load."""
    state, _, _ = bad_state
    vm = machines("empty", machine_conf(fleet), state=state, files=machine_files(fleet), extra=(SENSOR,), words="ringward.panic=any")
    vm.start()
    vm.wait_console("the fourth boot", r"machine: boot 4\b")
    wait_proven(vm, 0)
    took_s = time.monotonic() - vm.began
    assert (vm.boots(), vm.panics()) == (4, 3) and [u for _, u in guards(vm)] == [0, 1, 2, 3], vm.text()[-3000:]
    vm.power_off()
    assert installed(vm) == 0
    tell(f"vm ({vm.accel}), both sets bad: 4 boots, 3 kernel panics; the empty set runs {took_s:.0f} s after power-on")
