"""Goal: `ringward rings check` explains a policy as a newcomer calls it: words, numbers, JSON, without any server."""
import json
import os
import subprocess

import pytest

from conftest import BIN
from lab import ROOT


def ringward(*args):
    return subprocess.run([BIN / "ringward", *map(str, args)], capture_output=True, text=True, timeout=300)


def explained(*args):
    done = ringward("rings", "check", "-o", "json", *args)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_shipped_policy_is_explained_for_a_fleet_that_is_assumed_and_says_so():
    done = ringward("rings", "check", ROOT / "rings.json")
    assert done.returncode == 0, done.stderr
    assert "For a fleet of 1000000 endpoints (assumed: see --hosts)" in done.stdout
    assert "890000" in done.stdout and "window.alive" in done.stdout and "0 warnings" in done.stdout


def test_programs_get_the_same_under_stable_names():
    told = explained(ROOT / "rings.json")
    assert set(told) == {"fleet", "rings", "classes", "laws", "confirm_deadline_s", "poll_rollout_s", "expedite",
                         "controls", "second_person", "health", "warnings", "notes"}
    assert told["fleet"] == {"hosts": 1000000, "hosts_assumed": True, "staff": 27, "staff_advised": True,
                             "cohorts_percent": [60, 25, 12, 3]}
    rings = {r["name"]: r for r in told["rings"]}
    assert [r["hosts"] for r in told["rings"]] == [27, 10000, 100000, 890000]
    assert rings["early"]["gate"] == {"limit_bp": 100, "min_healthy": 300, "needs": 347, "needs_when_one_fails": 839,
                                      "can_pass": True}
    assert rings["broad"]["hold_back"] == {"share_bp": 200, "for_s": 86400, "hosts": 17800}
    assert rings["broad"]["slowed_by_s"]["alive"] > 3600  # the second law stops at 10,000 for two hours
    assert rings["broad"]["reach_95_after_s"] > 7200
    classes = {c["name"]: c for c in told["classes"]}
    assert classes["engine"]["rings"][3] == {"ring": "broad", "min_bake_s": 86400, "opens_s": 86400,
                                             "waits_for": "class"}
    assert classes["data"]["reach_95_s"] < classes["rules"]["reach_95_s"] < classes["engine"]["reach_95_s"]
    assert [law["name"] for law in told["laws"]] == ["confirm", "alive"]
    assert told["warnings"] == [] and told["notes"]


def test_what_can_never_be_is_a_warning_and_no_time():
    told = explained("--hosts", "5000", ROOT / "rings.json")
    assert [w["ring"] for w in told["warnings"]] == ["canary"]
    assert told["rings"][1]["gate"]["can_pass"] is False and "proof_after_s" not in told["rings"][1]
    assert "reach_95_s" not in told["classes"][0]
    assert told["classes"][0]["rings"][2]["waits_for"] == "never"


def test_the_time_is_the_one_that_the_simulator_takes():
    pace_min = explained("--hosts", "200000", ROOT / "rings.json")["classes"][0]["reach_95_s"] / 60
    done = ringward("simulate", "--hosts", "200000", "--runs", "5", "--fault", "good", "-o", "ndjson",
                    ROOT / "rings.json")
    simulated_min = json.loads(done.stdout)["reach_95_median_s"] / 60
    assert abs(pace_min - simulated_min) <= max(5, 0.04 * simulated_min), (pace_min, simulated_min)


def test_a_reader_that_goes_away_is_no_news():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([BIN / "ringward", "rings", "check", ROOT / "rings.json"], stdout=writer,
                          stderr=subprocess.PIPE, text=True, timeout=300)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
    with open("/dev/full", "w", encoding="ascii") as full:  # a full disk is news
        done = subprocess.run([BIN / "ringward", "rings", "check", ROOT / "rings.json"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 1 and "standard output" in done.stderr


@pytest.mark.parametrize("args", [("--hosts", "0"), ("--staff", "-1"), ("--cohorts", "50,40")])
def test_a_fleet_that_is_not_understood_is_refused(args):
    done = ringward("rings", "check", *args, ROOT / "rings.json")
    assert done.returncode == 2 and args[0] in done.stderr and done.stdout == "", (done.stdout, done.stderr)
