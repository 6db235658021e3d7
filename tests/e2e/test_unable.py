"""Goal: an endpoint whose box is broken does not speak against a release: it says that it cannot try it, keeps what it has,
and stands as a fault of its own; most of a ring in that state keeps the gate shut (INV-3)."""
import shutil

import pytest

from conftest import BIN
from lab import EXAMPLES, Lab, wait_for

GATE = {"limit": "99%", "min_healthy": 1}
POLICY = {
    "format": 1,
    "rings": [{"name": "internal", "select": "local", "bake": "1s", "gate": GATE},
              {"name": "early", "share": "10%", "bake": "1s", "gate": GATE}, {"name": "broad", "share": "rest", "gate": GATE}],
    "classes": {"rules": {"min_bake": {"broad": "1s"}}},
    "window": {"confirm": {"start": 4, "per_survivor_thousandths": 1000, "deadline": "60s", "probation": "1s"}, "cohort": {"start": 4}},
    "health": {"false_halts_per_year": 1, "releases_per_year": 7300},
    "poll": {"rollout": "1s"},
}
VALIDATOR = "ringward-validate-yara"


@pytest.fixture
def lab():
    with Lab(BIN, POLICY) as lab:
        lab.init().start_server()
        yield lab


def box_of_its_own(lab, name: str):
    """The programs of the box without the validator, as after a failed installation."""
    folder = lab.dir / f"box-{name}"
    folder.mkdir()
    for program in lab.bin.glob("ringward-*"):
        if program.is_file() and program.name not in (VALIDATOR, "ringward-server", "ringward-agent"):
            shutil.copy2(program, folder)
    return folder


def ring(rollout: dict, name: str) -> dict:
    return next(r for r in rollout["rings"] if r["ring"] == name)


def start(lab, number: int) -> str:
    release = lab.publish(EXAMPLES / f"good-{number}.yar", f"release {number}")
    lab.cli("rollout", "start", release, check=True)
    return release


def test_a_broken_box_is_a_fault_of_its_endpoint_and_mending_it_is_enough(lab):
    box = box_of_its_own(lab, "one")
    sound = lab.add_agent("internal")
    broken = lab.add_agent("internal", box_dir=box)
    release = start(lab, 1)
    wait_for("the sound endpoint runs it", lambda: sound.active_release() == 1, 60, 0.2)
    marked = wait_for("the broken one is told of", lambda: lab.marked(1, "unable"), 60, 0.3)
    assert len(marked) == 1 and not lab.marked(1, "refused")
    done = lab.wait_rollout(release, {"ramping", "baking", "passed", "complete"})
    wait_for("the ring passes", lambda: ring(lab.rollout(release), "internal")["state"] in ("passed", "complete"), 60, 0.3)
    seen = ring(lab.rollout(release), "internal")
    assert (seen["unable"], seen["refused"], seen["failed"], seen["healthy"]) == (1, 0, 0, 1), done
    assert "UNABLE" in lab.cli("rollout", "status", release).stdout
    assert broken.active_release() == 0
    assert "sandbox_error" in lab.run("ringward-agent", "why", "--config", broken.conf).stdout
    shutil.copy2(lab.bin / VALIDATOR, box)
    wait_for("mended, it runs the release", lambda: broken.active_release() == 1, 60, 0.3)
    wait_for("and nothing is left of it", lambda: not lab.marked(1, "unable"), 60, 0.3)


def test_when_most_cannot_try_it_the_gate_stays_shut_and_nothing_halts(lab):
    for _ in range(2):
        lab.add_agent("internal", box_dir=lab.dir / "no-box")
    sound = lab.add_agent("internal")
    release = start(lab, 1)
    wait_for("the sound endpoint runs it", lambda: sound.active_release() == 1, 60, 0.2)

    def told():
        r = ring(lab.rollout(release), "internal")
        return r if r["unable"] == 2 and r["healthy"] == 1 and "cannot try it" in r["gate_reason"] else None
    seen = wait_for("both others cannot try it, and the gate says so", told, 60, 0.3)
    assert seen["gate"] == "NONE" and seen["refused"] == 0
    assert lab.rollout(release)["state"] not in ("halted", "rolled_back")
    assert [a.active_release() for a in lab.agents] == [0, 0, 1]  # the others keep the set that they have (INV-6)
