"""Goal: what people sign besides new releases, through the command line and real programs: a withdrawal is for good, a
renewal changes nothing but the end, an expedite shortens the bake and skips no gate."""
import copy
import json

import pytest

from conftest import BIN
from lab import EXAMPLES, POLICY, Lab, LabError, wait_for


def two_rings(bake):
    policy = copy.deepcopy(POLICY)
    policy["rings"] = [
        {"name": "internal", "select": "local", "bake": bake, "gate": {"limit": "60%", "min_healthy": 4}},
        {"name": "broad", "share": "rest", "gate": {"limit": "70%", "min_healthy": 3}},
    ]
    policy["classes"] = {"rules": {}}
    policy["expedite"] = {"hard_min": "3s", "longest": "4h"}
    return policy


def roles(lab, name):
    """Versions of a role in the published repository, the newest last."""
    found = sorted((lab.server_dir / "repo" / "metadata").glob(f"*.{name}.json"), key=lambda p: int(p.name.split(".")[0]))
    return [json.loads(p.read_text())["signed"] for p in found]


def sign(lab, key, *what, check=True):
    return lab.cli("release", "sign", "--key", lab.server_dir / key, *what, check=check)


def actions(lab):
    text = lab.cli("audit", "show", "--limit", "1000", "-o", "ndjson", check=True).stdout
    return [(r["action"], r["object"], r["reason"]) for r in map(json.loads, text.splitlines())]


def number(release):
    return int(release.split("/")[1])


@pytest.fixture
def lab():
    with Lab(BIN, policy=two_rings("2s")) as lab:
        yield lab.init().start_server()


def test_a_renewal_changes_nothing_but_the_end(lab):
    lab.publish(EXAMPLES / "good-1.yar", "good")
    before = roles(lab, "content-yara")[-1]
    lab.cli("release", "renew", "yara", check=True)
    one = sign(lab, "engineers/alice.key", "--renew", "yara")
    assert "1 of 2" in one.stdout and roles(lab, "content-yara")[-1] == before
    refused = sign(lab, "officers/carol.key", "--renew", "yara", check=False)
    assert refused.returncode == 9, refused.stderr
    sign(lab, "engineers/alice.key", "--renew", "yara")  # the same key again is no second vote
    assert roles(lab, "content-yara")[-1] == before
    two = sign(lab, "engineers/bob.key", "--renew", "yara")
    assert "state done" in two.stdout
    after = roles(lab, "content-yara")[-1]
    assert after["version"] == before["version"] + 1 and after["expires"] >= before["expires"]
    assert after["targets"] == before["targets"]
    again = sign(lab, "engineers/alice.key", "--renew", "yara", check=False)
    assert again.returncode == 9 and "in force" in again.stderr
    lab.cli("release", "renew", "yara", check=True)  # next week
    assert "0 of 2" in lab.cli("release", "renew", "yara", check=True).stdout
    assert ("order.done", "renew/yara/0", "") in actions(lab)


def test_a_floor_must_be_meant_by_everyone_who_signs(lab):
    lab.publish(EXAMPLES / "good-1.yar", "good")
    lab.publish(EXAMPLES / "good-2.yar", "better")
    lab.cli("release", "renew", "--floor", "2", "--reason", "old ones match nothing any more", "yara", check=True)
    unaware = sign(lab, "engineers/alice.key", "--renew", "yara", check=False)
    assert unaware.returncode == 9 and "--floor" in unaware.stderr
    for who in ("alice", "bob"):
        sign(lab, f"engineers/{who}.key", "--renew", "--floor", "2", "yara")
    role = roles(lab, "content-yara")[-1]
    assert role["ringward"] == {"format": 1, "floor": 2, "withdrawn": []}
    assert list(role["targets"]) == ["content/yara/2.rwc"]
    lower = lab.cli("release", "renew", "--floor", "1", "--reason", "x", "yara")
    assert lower.returncode == 9 and "never sinks" in lower.stderr
    third = lab.dir / "third.yar"
    third.write_text('rule third { strings: $a = "a text that no clean file holds 5f1e" condition: $a }\n')
    lab.publish(third, "what the role says is kept by the next release")
    assert roles(lab, "content-yara")[-1]["ringward"]["floor"] == 2


def test_a_withdrawal_waits_for_the_ring_and_is_for_good(lab):
    lab.add_fleet({"internal": 4, "broad": 3})
    wait_for("all are enrolled", lambda: len(lab.fleet()) == 7, 60, 0.5)
    good = lab.publish(EXAMPLES / "good-1.yar", "good")
    lab.cli("rollout", "start", good, check=True)
    lab.wait_rollout(good, {"complete"}, 120)
    better = lab.publish(EXAMPLES / "good-2.yar", "thought to be better")
    lab.cli("rollout", "start", better, check=True)
    wait_for("somebody runs it", lambda: lab.on_release(number(better)), 60)
    refused = lab.cli("release", "withdraw", "--reason", "harms", better)
    assert refused.returncode == 9 and "points at" in refused.stderr and "roll back" in refused.stderr
    lab.cli("rollout", "halt", "--reason", "harms", better, check=True)
    lab.wait_rollout(better, {"rolled_back"}, 120)
    needs_reason = lab.cli("release", "withdraw", better)
    assert needs_reason.returncode == 2 and "--reason" in needs_reason.stderr
    lab.cli("release", "withdraw", "--reason", "harms", better, check=True)
    assert any("waits for signatures" in a for a in lab.json("status")["alarms"])
    sign(lab, "engineers/alice.key", "--withdraw", better)
    sign(lab, "engineers/bob.key", "--withdraw", better)
    role = roles(lab, "content-yara")[-1]
    assert list(role["targets"]) == [f"content/yara/{number(good)}.rwc"]
    assert [w["release"] for w in role["ringward"]["withdrawn"]] == [number(better)]
    assert lab.json("release", "show", better)["state"] == "withdrawn"
    assert ("release.withdraw", better, "harms") in actions(lab)
    assert lab.cli("rollout", "start", better).returncode != 0
    assert lab.cli("release", "withdraw", "--reason", "again", better).returncode == 9
    wait_for("everyone protects with the good one", lambda: len(lab.on_release(number(good))) == 7, 60, 0.5)
    assert lab.cli("audit", "verify").returncode == 0


def test_an_expedite_shortens_the_bake_and_skips_no_gate():
    with Lab(BIN, policy=two_rings("1h")) as lab:
        lab.init().start_server()
        lab.add_fleet({"internal": 3, "broad": 3})  # one endpoint too few for the gate of ring internal
        wait_for("all are enrolled", lambda: len(lab.fleet()) == 6, 60, 0.5)
        release = lab.publish(EXAMPLES / "good-1.yar", "urgent")
        lab.cli("rollout", "start", release, check=True)
        wait_for("the first ring runs it", lambda: len(lab.on_release(number(release))) == 3, 60, 0.3)
        stranger = lab.cli("release", "expedite", "--ring", "nobody", "--until", "1h", "--reason", "x", release)
        assert stranger.returncode == 7, stranger.stderr
        long = lab.cli("release", "expedite", "--ring", "broad", "--until", "5h", "--reason", "x", release)
        assert long.returncode == 9 and "at most" in long.stderr
        lab.cli("release", "expedite", "--ring", "broad", "--until", "1h", "--reason", "worm outbreak", release, check=True)
        engineer = sign(lab, "engineers/alice.key", "--expedite", release, check=False)
        assert engineer.returncode == 9, engineer.stderr
        one = sign(lab, "officers/carol.key", "--expedite", release)
        assert "worm outbreak" in one.stderr and "broad" in one.stderr and "1 of 2" in one.stdout
        assert not roles(lab, "expedite")
        sign(lab, "officers/dave.key", "--expedite", release)
        assert list(roles(lab, "expedite")[-1]["targets"]) == [f"expedite/yara/{number(release)}"]
        assert any("EXPEDITED" in a and "worm outbreak" in a for a in lab.json("status")["alarms"])
        assert ("order.done", f"expedite/yara/{number(release)}", "worm outbreak") in actions(lab)
        # The gate still wants a fourth healthy endpoint: nothing opens without it.
        with pytest.raises(LabError):
            wait_for("broad opens", lambda: lab.rollout(release)["rings"][1]["state"] != "pending", 8, 0.5)
        lab.add_agent("internal")
        wait_for("everyone runs it", lambda: len(lab.on_release(number(release))) == 7, 90, 0.5)
        broad = lab.rollout(release)["rings"][1]
        assert broad["expedited"] and broad["exposed"] == 3, broad
        doctor = lab.cli("doctor")
        assert "expedite" not in doctor.stdout, doctor.stdout
        assert lab.cli("audit", "verify").returncode == 0
