"""The units of examples/systemd under Debian's systemd: guard before agent, the agent's watchdog and restart, the server
behind the socket that systemd holds. `systemd-analyze verify` (tests/e2e/test_units.py) reads them only."""
import json
import os
import re
import subprocess
import time

import pytest

from conftest import BIN

if os.geteuid() != 0:
    pytest.skip("not root: the files of the units' users cannot be made", allow_module_level=True)


# What Debian's kernel does not have, an unprivileged launcher cannot have, and this machine does not set up.
BEYOND_THE_UNIT = {"landlock_truncate", "landlock_net", "landlock_scope", "mdwe", "noexec_seal", "uid", "sensor_loader"}


@pytest.fixture(scope="module")
def machine(tmp_path_factory, possible):
    from systemd_machine import SystemdMachine
    folder = tmp_path_factory.mktemp("vm")
    subprocess.run([BIN / "ringward-server", "init", "--dev", "--dir", folder / "server"], check=True, capture_output=True)
    one = SystemdMachine(folder / "systemd", BIN, folder / "server")
    yield one.start()
    one.stop()


def show(machine, unit: str, name: str) -> str:
    status, said = machine.run(f"systemctl show --value -p {name} {unit}")
    assert status == 0, said
    return said.strip()


def until(machine, what: str, condition: str, timeout_s: int = 120) -> str:
    """Asks inside the machine, which may be slow, until the shell's condition holds."""
    status, said = machine.run(f"i=0; until {condition}; do sleep 1; i=$((i+1)); [ $i -lt {timeout_s} ] || exit 1; done", timeout_s + 60)
    if status != 0:
        _, log = machine.run("systemctl --no-pager --failed; journalctl --no-pager -n 60", 120)
        pytest.fail(f"not within {timeout_s} s: {what}\n{said}\n{log}")
    return said


def agent_says(machine, conf: str = "agent") -> dict:
    status, said = machine.run(f"ringward-agent status --config /etc/ringward/{conf}.conf -o json")
    assert status == 0, said
    return json.loads(said)


def test_the_guard_has_ended_before_the_agent_begins(machine, tell):
    until(machine, "the agent runs", "systemctl is-active -q ringward-agent")
    assert show(machine, "ringward-guard", "ActiveState") == "active"  # once per boot
    assert show(machine, "ringward-guard", "Result") == "success"
    guard_end = int(show(machine, "ringward-guard", "ExecMainExitTimestampMonotonic"))
    agent_begin = int(show(machine, "ringward-agent", "ExecMainStartTimestampMonotonic"))
    assert 0 < guard_end <= agent_begin
    until(machine, "its sensor is its child", "grep -q ringward-sensor /sys/fs/cgroup/system.slice/ringward-agent.service/main/cgroup.procs"
          " || pidof ringward-sensor")
    _, up = machine.run("cut -d' ' -f1 /proc/uptime")
    tell(f"agent and guard under systemd ({machine.accel}): agent begun {agent_begin / 1e6:.0f} s after the kernel, asked at {float(up):.0f} s")


def test_the_first_connection_starts_the_server_and_the_agent_enrols(machine):
    until(machine, "the socket listens", "systemctl is-active -q ringward-server.socket")
    until(machine, "the agent's poll has started server and signer",
          "systemctl is-active -q ringward-server && systemctl is-active -q ringward-signer", 240)
    until(machine, "the agent is enrolled", "ringward-agent status -o json | grep -q '\"enrolled\":true'", 240)
    assert show(machine, "ringward-server", "NRestarts") == "0"


def test_the_box_has_every_layer_in_the_units_own_control_group(machine):
    """INV-12: what the unit forbids must not cost the sandbox a layer, the memory limit included."""
    says = "ringward-agent status -o json | grep -qE"
    until(machine, "the box's self-test has ended", f"""{says} '"grade":"(full|good|weak|none)"'""", 240)
    if machine.run(f"""{says} '"grade":"full"'""")[0] != 0:  # a busy host: the trials' clocks ran out before their turn
        machine.run("systemctl restart ringward-agent")
        until(machine, "the box has passed it with grade full", f"""{says} '"grade":"full"'""", 240)
    lacking = {m.split(":")[0] for f in agent_says(machine)["families"] for m in f["missing"].split("; ") if m}
    assert lacking <= BEYOND_THE_UNIT, lacking
    _, group = machine.run("cat /sys/fs/cgroup/system.slice/ringward-agent.service/cgroup.subtree_control")
    assert {"memory", "pids", "cpu"} <= set(group.split()), group


def test_a_killed_agent_is_started_again_and_the_guard_is_not(machine):
    before, guard = show(machine, "ringward-agent", "MainPID"), show(machine, "ringward-guard", "ExecMainStartTimestampMonotonic")
    machine.run(f"kill -9 {before}")
    until(machine, "another process runs", f"[ \"$(systemctl show --value -p MainPID ringward-agent)\" != {before} ] && "
          "systemctl is-active -q ringward-agent")
    assert show(machine, "ringward-guard", "ExecMainStartTimestampMonotonic") == guard
    assert agent_says(machine)["unclean_starts"] == 1


def test_a_server_that_starts_again_refuses_nobody(machine):
    begun = time.monotonic()
    status, said = machine.run("systemctl restart ringward-server & sleep 0.2; "
                               "i=0; while [ $i -lt 5 ]; do nc -w 30 127.0.0.1 8443 </dev/null || exit 9; i=$((i+1)); done; wait; "
                               "systemctl is-active ringward-server", 180)
    assert status == 0 and re.search(r"^active$", said, re.M), f"{said} after {time.monotonic() - begun:.0f} s"


def times(machine, unit: str) -> dict[str, int]:
    _, said = machine.run(f"systemctl show {unit} -p ExecMainStartTimestampMonotonic,ActiveExitTimestampMonotonic,ExecMainExitTimestampMonotonic")
    return {name.removesuffix("TimestampMonotonic"): int(value) for name, value in re.findall(r"(\w+)=(\d+)", said)}


def test_systemd_tells_a_stop_from_a_crash(machine):
    """What observe_rule.c builds on: a unit that is told to stop is left by its state first, then by its process."""
    machine.run("systemctl start stubborn; systemctl stop stubborn")
    assert show(machine, "stubborn", "Result") == "signal"
    t = times(machine, "stubborn")
    assert t["ExecMainStart"] < t["ActiveExit"] < t["ExecMainExit"], t
    machine.run("systemctl reset-failed stubborn; systemctl start stubborn; kill -9 $(systemctl show --value -p MainPID stubborn)")
    until(machine, "its end is known", "systemctl is-failed -q stubborn")
    assert show(machine, "stubborn", "Result") == "signal"
    t = times(machine, "stubborn")
    assert t["ExecMainStart"] < t["ExecMainExit"] <= t["ActiveExit"], t
    machine.run("systemctl reset-failed stubborn")


def test_a_sensor_unit_is_found_loads_again_and_only_its_crash_counts(machine):
    says = "ringward-agent status --config /etc/ringward/observed.conf -o json"
    proven = f"{says} | grep -q '\"proven\":true'"

    def another_than(pid: str) -> str:
        return f"[ \"$(systemctl show --value -p MainPID own-sensor)\" != {pid} ] && {says} | grep -vq '\"pid\":{pid},' && {proven}"
    machine.run("systemctl start ringward-observed own-sensor")
    until(machine, "the sensor has proven the set", proven)
    first = show(machine, "own-sensor", "MainPID")
    sensor = agent_says(machine, "observed")["sensor"]
    assert (sensor["supervised"], str(sensor["pid"]), sensor["restarts"]) == (False, first, 0), sensor
    machine.run("systemctl reload own-sensor")
    until(machine, "it has loaded once more", f"{says} | grep -q '\"generation\":{sensor['generation'] + 1}'")
    until(machine, "and proven that", proven)
    assert show(machine, "own-sensor", "MainPID") == first
    machine.run("systemctl reload own-sensor; systemctl restart own-sensor")
    until(machine, "the process started by hand has proven the set", another_than(first))
    assert agent_says(machine, "observed")["sensor"]["restarts"] == 0
    second = show(machine, "own-sensor", "MainPID")
    machine.run(f"kill -SEGV {second}")
    until(machine, "its crash is counted", f"{says} | grep -q '\"restarts\":[1-9]'")
    until(machine, "the next process has proven the set", another_than(second))
    assert show(machine, "own-sensor", "NRestarts") == "1"
    _, log = machine.run("journalctl --no-pager -u ringward-observed")
    assert log.count("by hand: no crash") == 1, log
    machine.run("systemctl stop ringward-observed own-sensor")


def test_nothing_has_failed(machine):
    _, failed = machine.run("systemctl --no-pager --plain --no-legend --failed")
    assert failed.strip() == "", failed
