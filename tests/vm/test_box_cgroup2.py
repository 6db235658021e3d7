"""The box under control groups of version 2 with their memory and pids controllers, on Debian's kernel: born in its group, bounded by
it, killed as one, gone afterwards. (A host whose controllers stand under version 1 cannot show that.)"""
import json

import pytest

from conftest import BIN

HOSTILE = BIN.parent / "tests" / "ringward-validate-hostile"
GROUPS = "/sys/fs/cgroup"


@pytest.fixture(scope="module")
def machine(tmp_path_factory, possible):
    from machine import Machine
    one = Machine(tmp_path_factory.mktemp("vm") / "box", BIN, {}, agent=False, extra=(HOSTILE,))
    yield one.start()
    one.stop()


def box(machine, mode: str, *more) -> dict:
    command = ["ringward-box", "run", "--validator", f"/usr/bin/{HOSTILE.name}", "--type", mode, "--content", "/etc/hosts",
               "--clean-files", "0", "--memory", "64MiB", "--cpu", "20s", "--wall", "100s", *more]
    _, said = machine.run(" ".join(command), 200)
    return json.loads(next(line for line in said.splitlines() if line.startswith('{"format"')))


def test_a_group_of_version_2_bounds_and_names_and_leaves_nothing(machine, tell):
    good = box(machine, "good")
    assert good["verdict"] == "accepted" and good["sandbox"]["grade"] == "full", good
    assert "cgroup:v2" in good["sandbox"]["layers"], good["sandbox"]
    assert not any(m.startswith("cgroup") for m in good["sandbox"]["missing"]), good["sandbox"]
    assert good["usage"]["cgroup_peak_kib"] > 0, "memory.peak is read"
    memory = box(machine, "alloc")
    assert memory["verdict"] == "out_of_memory" and memory["evidence"]["oom_kills"] > 0, memory
    assert "control group reached its limit" in memory["reason"], memory["reason"]
    assert box(machine, "fork")["verdict"] == "policy_violation"
    bare = box(machine, "fork", "--without", "seccomp", "--allow-weak")
    assert bare["sandbox"]["grade"] == "weak" and "EAGAIN after" in bare["reason"], bare
    status, left = machine.run(f"ls -d {GROUPS}/ringward-box-*")
    assert status != 0, left
    tell(f"box under cgroup v2 ({machine.accel}): peak {good['usage']['cgroup_peak_kib']} KiB by memory.peak, "
         f"{memory['evidence']['oom_kills']} processes killed at 64 MiB")


def test_what_a_killed_launcher_left_is_killed_and_swept(machine):
    machine.run(f"ringward-box run --validator /usr/bin/{HOSTILE.name} --type sleep --content /etc/hosts --clean-files 0 --wall 100s "
                ">/dev/null 2>&1 & echo $! >/run/box.pid")
    status, _ = machine.run(f"until ls -d {GROUPS}/ringward-box-* && grep -q . {GROUPS}/ringward-box-*/cgroup.procs; do sleep 0.1; done", 100)
    assert status == 0
    _, cpu = machine.run(f"cat {GROUPS}/ringward-box-*/cpu.max")
    assert cpu.split() == ["100000", "100000"], cpu  # one processor
    machine.run("kill -9 $(cat /run/box.pid)")
    status, said = machine.run(f"i=0; while pidof {HOSTILE.name} && [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done; ! pidof {HOSTILE.name}", 100)
    assert status == 0, said
    assert box(machine, "good")["verdict"] == "accepted"
    status, left = machine.run(f"ls -d {GROUPS}/ringward-box-*")
    assert status != 0, left
