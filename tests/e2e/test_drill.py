"""Goal: a drill rehearses halt and recovery on real endpoints and harms none: it is signed as a drill, bounded in ring
and number, halted by the detector, left by every endpoint; it is told as a drill everywhere and counts in no history."""
import copy
import json

import pytest

from conftest import BIN
from lab import EXAMPLES, POLICY, Lab, wait_for


def policy():
    p = copy.deepcopy(POLICY)
    p["rings"] = [
        {"name": "internal", "select": "local", "bake": "1s", "gate": {"limit": "60%", "min_healthy": 4}},
        {"name": "broad", "share": "rest", "gate": {"limit": "80%", "min_healthy": 2}},
    ]
    p["classes"] = {"rules": {}}
    p["window"]["confirm"]["start"] = 4
    p["window"]["cohort"]["start"] = 4
    return p


@pytest.fixture(scope="module")
def lab():
    with Lab(BIN, policy=policy()) as lab:
        lab.init().start_server()
        lab.add_fleet({"internal": 4, "broad": 2})
        lab.add_agent("internal", drills="no")
        wait_for("all are enrolled", lambda: len(lab.fleet()) == len(lab.agents), 120, 0.5)
        lab.good = lab.publish(EXAMPLES / "good-1.yar", "good")
        yield lab


def audit(lab):
    text = lab.cli("audit", "show", "--limit", "1000", "-o", "ndjson", check=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def make(lab, *more):
    r = lab.cli("drill", "create", "--family", "yara", "-o", "json", *more, check=True)
    release = json.loads(r.stdout.strip().splitlines()[-1])
    assert release["drill"] is True
    return f"yara/{release['release']}"


def start(lab, drill, *more):
    return lab.cli("drill", "start", "--ring", "internal", "--reason", "quarterly drill", *more, drill)


def halted_content_becomes_no_drill(lab):
    """The newest published release was halted, so that endpoints run the one before: that is what a drill rehearses."""
    bad = lab.dir / "bad.yar"
    bad.write_text((EXAMPLES / "good-1.yar").read_text() + "\n// quarantines the payroll\n")
    halted = lab.publish(bad, "bad")
    lab.cli("rollout", "start", halted, check=True)
    lab.cli("rollout", "halt", "--reason", "it quarantines the payroll", halted)
    made = lab.cli("drill", "create", "--family", "yara", check=True)
    marked = len((EXAMPLES / "good-2.yar").read_bytes()) + 42
    assert f"payload          {marked} bytes" in made.stdout, made.stdout


def test_a_drill_is_halted_by_the_detector_and_leaves_nothing_behind(lab):
    # The content that is in place: there is none yet, published or not. Harmless content of its own will do.
    early = lab.cli("drill", "create", "--family", "yara")
    assert early.returncode == 7 and "has been rolled out" in early.stderr, early.stderr
    own = lab.dir / "drill.yar"
    own.write_text((EXAMPLES / "good-1.yar").read_text() + "\n// a drill\n")
    drill = make(lab, "--class", "rules", "--content", own)
    # Engineers sign it as a drill or not at all.
    refused = lab.sign(drill, "alice", check=False)
    assert refused.returncode == 9 and "this is a drill" in refused.stderr, refused.stderr
    for engineer in ("alice", "bob"):
        lab.cli("release", "sign", "--drill", "--key", lab.server_dir / "engineers" / f"{engineer}.key", drill, check=True)
    lab.cli("release", "publish", drill, check=True)
    assert "DRILL" in lab.cli("release", "show", drill).stdout

    # Nothing to come back to, then a real rollout under way: refused.
    nothing = start(lab, drill)
    assert nothing.returncode == 9 and "could not go back" in nothing.stderr, nothing.stderr
    lab.cli("rollout", "start", lab.good, check=True)
    beside = start(lab, drill)
    assert beside.returncode == 9 and "no drill beside a real rollout" in beside.stderr, beside.stderr
    lab.wait_rollout(lab.good, {"complete"}, 240)
    wait_for("all run the good release", lambda: lab.server_says_on(1) == len(lab.agents), 120, 0.5)
    real = lab.cli("rollout", "start", drill)
    assert real.returncode == 9 and "signed as a drill" in real.stderr, real.stderr
    assert start(lab, lab.good).returncode == 9
    assert lab.cli("drill", "start", "--ring", "nowhere", "--reason", "x", drill).returncode == 7

    started = start(lab, drill, "--max", "3")
    assert started.returncode == 0 and "DRILL: a rehearsal" in started.stdout, started.stderr
    promoted = lab.cli("rollout", "promote", "--reason", "x", drill)
    assert promoted.returncode == 9 and "never promoted" in promoted.stderr, promoted.stderr
    assert any("a drill is under way" in a for a in lab.json("status")["alarms"]) or lab.rollout(drill)["state"] != "ramping"
    over = lab.wait_rollout(drill, {"rolled_back"}, 240)
    record = over["drill"]
    assert over["halt"]["by"] == "controller" and over["halt"]["term"], over["halt"]
    assert 1 <= record["reported"] <= record["exposed"] <= 3 and record["dark"] == 0
    assert record["to_halt_s"] >= 0 and record["to_back_s"] >= 0
    assert "(drill)" in lab.cli("status").stdout and "(drill)" in lab.cli("rollout", "history").stdout
    assert drill in lab.cli("drill", "list").stdout
    shown = lab.cli("drill", "show", drill).stdout
    assert "quarterly drill" in shown and "time to halt" in shown
    assert lab.cli("drill", "show", lab.good).returncode == 7

    # Every endpoint is on what it had; the one that takes no part never tried; only the one ring did.
    wait_for("all are back", lambda: lab.server_says_on(1) == len(lab.agents) and len(lab.on_release(1)) == len(lab.agents), 90, 0.5)
    tried = lab.marked(2, "exposed")
    assert len(tried) == record["exposed"] and {e["ring"] for e in tried} == {"internal"}
    opted_out = lab.agents[-1].process.log.read_text()
    assert "release=1" in opted_out and "release=2" not in opted_out

    # In the records it is a drill throughout, and no move of a rollout.
    records = [r for r in audit(lab) if r["object"].endswith(drill)]
    actions = {r["action"] for r in records}
    assert {"drill.start", "drill.halted", "drill.rolled_back", "drill.end"} <= actions
    assert not any(a.startswith("rollout.") for a in actions)
    end = next(r for r in records if r["action"] == "drill.end")
    assert end["details"]["drill"] is True and end["details"]["exposed"] == record["exposed"]

    # The next real release is measured by real ones only, and the drill is in nobody's way.
    good = lab.publish(EXAMPLES / "good-2.yar", "good, too")
    lab.cli("rollout", "start", good, check=True)
    after = lab.wait_rollout(good, {"complete"}, 240)
    assert after["previous"] == 1
    halted_content_becomes_no_drill(lab)
    wait_for("all run it", lambda: lab.server_says_on(int(good.split("/")[1])) == len(lab.agents), 120, 0.5)
