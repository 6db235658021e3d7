"""INV-1 attacked from outside: two thousand simulated endpoints that all want a release at once, and a release that
kills whatever it touches. Who was harmed is counted by the endpoints (ringward-fleet), not by the server."""
import copy
import json

import pytest
from conftest import BIN
from lab import EXAMPLES, Lab, Process, wait_for

FLEET = BIN.parent / "tests" / "ringward-fleet"
ENDPOINTS = 2000
START = 16
FEW, HOLDS = 2, 2
# One ring: nobody stands between the release and the whole fleet but the window.
POLICY = {
    "format": 1,
    "rings": [{"name": "broad", "share": "rest", "gate": {"limit": "20%", "min_healthy": 20}}],
    "classes": {"rules": {"min_bake": {"broad": "1s"}}},
    "window": {"confirm": {"start": START, "per_survivor_thousandths": 1000, "deadline": "60s", "probation": "2s"},
               "cohort": {"start": START}},
    "health": {"false_halts_per_year": 1, "releases_per_year": 7300},
    "poll": {"rollout": "1s"},
}


@pytest.fixture
def fleet_lab():
    with Lab(BIN, POLICY) as lab:
        yield lab.init().start_server()


def start_fleet(lab, fault, endpoints=ENDPOINTS):
    ready = lab.dir / "ready"
    argv = [FLEET, "run", "--server", lab.url, "--dir", lab.server_dir, "--endpoints", endpoints, "--connections", 32,
            "--poll", "4s", "--load-time", "100ms", "--fault", fault, "--ready", ready, "--resumes", lab.dir / "resumes",
            "--output", "json"]
    fleet = Process(["/bin/sh", "-c", 'out=$1; shift; exec "$@" >"$out"', "sh", lab.dir / "ledger.json", *argv],
                    lab.dir / "fleet.log", lab.env)
    wait_for("the fleet lives", lambda: ready.exists() or not fleet.running(), 90)
    assert fleet.running(), fleet.tail()
    return fleet


def test_a_release_that_kills_all_it_touches_harms_no_more_than_the_window_says(fleet_lab):
    lab = fleet_lab
    release = lab.publish(EXAMPLES / "good-1.yar", "looks good")
    fleet = start_fleet(lab, "release=1 effect=crash")
    try:
        lab.cli("rollout", "start", release, check=True)
        halted = lab.wait_rollout(release, {"halted", "rolling_back", "rolled_back"}, 90)
        assert "halt" in halted, halted
    finally:
        status = fleet.stop()
    ledger = json.loads((lab.dir / "ledger.json").read_text())
    seen = ledger["releases"][0]
    assert status == 0, fleet.tail()  # 1: a permit was beyond a law at its moment
    assert 0 < seen["harmed"] <= seen["exposed"] <= START, seen
    assert seen["law_broken"] == 0 and seen["healthy"] == 0, seen
    assert "harm_to_halt_ms" in seen, seen  # the endpoints have heard of it
    assert ledger["permit"]["sent"] > 100, ledger["permit"]  # far more asked than were let in


def wait_full(lab, release, exposed):
    """The rollout, stopped again once so many have tried the release, or more than that."""
    def stopped():
        seen = lab.rollout(release)
        return seen if seen["rings"][0]["exposed"] >= exposed and seen["state"] != "ramping" else None
    return wait_for(f"stopped with {exposed} exposed", stopped, 90)


def test_a_resume_gives_back_places_of_the_lost_and_the_ledger_still_counts_every_permit():
    policy = copy.deepcopy(POLICY)
    policy["window"]["confirm"]["start"] = policy["window"]["cohort"]["start"] = FEW
    with Lab(BIN, policy) as lab:
        lab.init().start_server()
        release = lab.publish(EXAMPLES / "good-1.yar", "looks good")
        fleet = start_fleet(lab, "release=1 effect=crash", 200)
        try:
            lab.cli("rollout", "start", release, check=True)
            for i in range(HOLDS + 1):
                seen = wait_full(lab, release, FEW * (i + 1))
                if i == HOLDS or "full of failures" not in seen["reason"]:
                    break  # halted too early: the ledger says why
                with (lab.dir / "resumes").open("a") as notes:
                    notes.write("1\n")
                lab.cli("rollout", "resume", release, "--reason", "looked at", check=True)
        finally:
            status = fleet.stop()
        seen = json.loads((lab.dir / "ledger.json").read_text())["releases"][0]
        assert status == 0, fleet.tail()
        assert seen["resumes"] == HOLDS and seen["law_broken"] == 0, seen
        assert seen["exposed"] == FEW * (1 + HOLDS), seen
