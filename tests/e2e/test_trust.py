"""Goal: what is signed decides: one engineer is not enough, a changed byte is noticed, keys never reach the server's answers."""
import json

import pytest

from lab import EXAMPLES, LabError, wait_for


def test_one_engineer_alone_cannot_publish(lab):
    release, _ = lab.create(EXAMPLES / "good-1.yar", "one signature")
    lab.sign(release, "alice")
    assert lab.json("release", "show", release)["state"] == "checked"
    refused = lab.cli("release", "publish", release)
    assert refused.returncode == 9, refused.stderr
    lab.sign(release, "alice")  # the same engineer again is no second person
    assert lab.json("release", "show", release)["state"] == "checked"
    lab.sign(release, "bob")
    assert lab.json("release", "show", release)["state"] == "approved"
    lab.cli("release", "publish", release, check=True)


def test_a_key_that_is_no_engineers_is_refused(lab):
    release, _ = lab.create(EXAMPLES / "good-1.yar", "foreign key")
    key = lab.dir / "mallory.key"
    lab.cli("key", "generate", "--out", key, check=True)
    refused = lab.cli("release", "sign", "--key", key, release)
    assert refused.returncode == 9, refused.stdout + refused.stderr


def test_a_payload_that_differs_from_the_one_at_hand_is_not_signed(lab):
    release, _ = lab.create(EXAMPLES / "good-1.yar", "compare")
    refused = lab.cli("release", "sign", "--key", lab.server_dir / "engineers" / "alice.key", "--payload",
                      EXAMPLES / "good-2.yar", release)
    assert refused.returncode == 9 and "another payload" in refused.stderr


def test_a_tampered_payload_never_reaches_a_sensor(lab):
    """The server's disk is changed after signing: the agent's hash check must notice."""
    for ring in lab.policy["rings"]:
        ring["bake"] = "1s"
    lab.add_agent("internal")
    release = lab.publish(EXAMPLES / "good-1.yar", "will be tampered with")
    files = list((lab.server_dir / "repo" / "targets" / "content" / "yara").glob("*.rwc"))
    assert len(files) == 1
    changed = bytearray(files[0].read_bytes())
    changed[-2] ^= 1
    files[0].chmod(0o644)
    files[0].write_bytes(changed)
    started = lab.cli("rollout", "start", release)
    # The checking signer reads the payload again before it points a ring at it: nothing opens.
    with pytest.raises(LabError):
        wait_for("an endpoint installs it", lambda: lab.on_release(1), 12, 0.5)
    assert lab.agents[0].process.running()
    alarms = lab.json("status")["alarms"]
    assert started.returncode != 0 or any("sha" in a.lower() or "hash" in a.lower() for a in alarms), alarms


def test_development_trust_is_said_everywhere(lab):
    agent = lab.add_agent("internal")
    assert "development" in lab.cli("status", check=True).stdout.lower()
    wait_for("the endpoint reports it", lambda: any(e.get("trust") == "development" for e in lab.fleet()), 40, 0.5)
    assert "development" in json.dumps(agent.status())


def test_the_ring_is_the_endpoints_own_choice(lab):
    """INV-7: without a local setting the ring comes from the endpoint's own bucket, and the server only hears of it."""
    agent = lab.add_agent("computed")
    ring = wait_for("the agent knows its ring", lambda: agent.status().get("ring"), 40, 0.3)
    assert ring in {"canary", "early", "broad"}
    wait_for("the server hears of it", lambda: any(e.get("ring") == ring for e in lab.fleet()), 40, 0.5)
