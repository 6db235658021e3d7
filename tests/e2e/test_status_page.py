"""Goal: whoever looks at the status page sees that a rollout is a drill, and that a part of it is stopped while the rest
goes on (INV-12)."""
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from lab import ROOT

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not there to run the page's script")
COHORT = {"os": "windows-11", "arch": "x86_64", "engine": "yara-4.1"}
DRILL = {"ring": "internal", "max": 5, "within_s": 900, "by": "alice", "reason": "<b>quarterly</b>", "exposed": 4, "reported": 3,
         "dark": 1, "refused": 0}


def rollout(state, **more):
    ring = {"ring": "internal", "state": state, "exposed": 4, "pending": 3, "healthy": 0, "failed": 1, "dark": 0, "members": 60,
            "window": {"allowed": 8}, "gate": "NONE", "gate_reason": "9 healthy", "reason": ""}
    return {"family": "yara", "release": 3, "previous": 2, "state": state, "reason": "", "started": "2026-11-22T05:34:16Z",
            "cohorts_halted": [], "tenants_held": [], "rings": [ring], **more}


def card(*of_rollout, **more):
    """The pieces of text of a rollout's card, and what of it is a pill."""
    status = {"server": {"version": "1", "started": "2026-11-22T05:34:16Z", "trust": "production"}, "endpoints": 60, "releases": 3,
              "alarms": [], "rollouts": [rollout(*of_rollout, **more)]}
    answers = {"/v1/status": status, "/v1/controls": {"controls": []}}
    done = subprocess.run(["node", Path(__file__).with_name("status_page_run.js"), ROOT / "server/api/status_page.js"],
                          input=json.dumps(answers), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (pieces,) = json.loads(done.stdout)
    return "".join(text + "\n" for _, text in pieces), [text for cls, text in pieces if "pill" in cls]


def test_an_ordinary_rollout_is_called_neither_a_drill_nor_stopped():
    text, pills = card("ramping")
    assert "yara/3" in text and pills == ["ramping", "ramping"]
    assert not any(word in text for word in ("drill", "Halted", "Held", "no permits", "undefined"))


def test_a_drill_under_way_says_whose_it_is_what_it_may_reach_and_when_it_ends():
    text, pills = card("ramping", drill=DRILL)
    assert pills[0] == "drill" and "A drill is under way, by alice\n<b>quarterly</b>\n" in text
    assert "ring internal, 5 endpoints at most · halted after 15 min at the latest\n" in text
    assert "3 reported" not in text, "counts of the last move are no figures of now"


def test_a_drill_that_is_halted_is_under_way_until_all_are_back():
    text, _ = card("rolling_back", drill={**DRILL, "to_halt_s": 41})
    assert "A drill is under way" in text and "halted after 41 s\n" in text and "at the latest" not in text


def test_a_drill_that_is_over_says_what_it_showed():
    text, pills = card("rolled_back", drill={**DRILL, "to_halt_s": 41, "to_back_s": 75})
    assert pills[0] == "drill" and "A drill, by alice" in text and "under way" not in text
    assert "4 exposed, 3 reported, 1 dark, 0 refused · halted after 41 s · all back 75 s later\n" in text
    assert "ringward drill show yara/3" in text


def test_a_halted_cohort_and_a_held_tenant_stand_out_in_a_rollout_that_goes_on():
    text, pills = card("ramping", cohorts_halted=[COHORT, {**COHORT, "os": "windows-10"}], tenants_held=["acme"])
    assert pills[:3] == ["ramping", "2 cohorts halted", "1 tenant held"]
    assert "Halted in cohort windows-11 / x86_64 / yara-4.1\n" in text and "Halted in cohort windows-10" in text
    assert "Held for tenant acme\n" in text and "the rest is ramping" in text and "ringward explain yara/3" in text


def test_behind_a_halt_of_all_there_is_no_rest():
    halt = {"at": "2026-11-22T05:34:16Z", "by": "controller", "reason": "r"}
    text, pills = card("rolling_back", cohorts_halted=[COHORT], halt=halt)
    assert pills[:2] == ["rolling back", "1 cohort halted"] and "the rest" not in text
