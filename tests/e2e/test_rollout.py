"""Goal: the main job with real programs: a good release reaches everyone, a bad one nobody but a handful."""
import copy
import time

import pytest

from bounds import Bounds
from conftest import BIN
from lab import EXAMPLES, POLICY, Lab, wait_for

SMALL = {"internal": 4, "canary": 6, "early": 3, "broad": 3}
HARMED_MAX = 2  # the window of the test policy starts with 2


def small_policy(lab):
    """Gates that rings of this size can answer."""
    sizes = {"internal": ("60%", 4), "canary": ("45%", 6), "early": ("70%", 3), "broad": ("70%", 3)}
    for ring in lab.policy["rings"]:
        limit, healthy = sizes[ring["name"]]
        ring["gate"] = {"limit": limit, "min_healthy": healthy}


@pytest.fixture(scope="module")
def fleet():
    """A small fleet that runs the first good release; the tests of this module go on from there."""
    with Lab(BIN, policy=copy.deepcopy(POLICY)) as lab:
        small_policy(lab)
        lab.init().start_server()
        # The first ring has no loader for dry runs: there the validator's verdict stands alone between bytes and sensor.
        lab.add_fleet({"internal": SMALL["internal"]}, sensor_loader=None)
        lab.add_fleet({ring: count for ring, count in SMALL.items() if ring != "internal"})
        wait_for("all are enrolled", lambda: len(lab.fleet()) == len(lab.agents), 240, 0.5)
        lab.good = lab.publish(EXAMPLES / "good-1.yar", "good")
        lab.cli("rollout", "start", lab.good, check=True)
        lab.good_rollout = lab.wait_rollout(lab.good, {"complete"}, 240)
        yield lab


def number(release):
    return int(release.split("/")[1])


def wait_all_on(lab, release, timeout_s=90):
    total = len(lab.agents)
    wait_for(f"all endpoints on {release}, on disk and by the sensor's proof",
             lambda: len(lab.on_release(number(release))) == total and lab.server_says_on(number(release)) == total,
             timeout_s, 0.5)


def sums(rollout, key):
    return sum(r[key] for r in rollout["rings"])


def test_a_good_release_reaches_every_ring_and_every_sensor_proves_it(fleet):
    wait_all_on(fleet, fleet.good)
    assert [r["state"] for r in fleet.good_rollout["rings"]] == ["complete"] * 4
    assert sums(fleet.good_rollout, "healthy") == len(fleet.agents)
    assert sums(fleet.good_rollout, "failed") == 0


def test_a_release_that_does_not_parse_is_refused_before_it_exists(fleet):
    before = len(fleet.json("release", "list")["releases"])
    release, refused = fleet.create(EXAMPLES / "bad-syntax.yar", "bad", check=False)
    assert release is None
    assert refused.returncode == 9, refused.stderr
    assert "refused" in (refused.stdout + refused.stderr)
    assert len(fleet.json("release", "list")["releases"]) == before


def test_content_that_matches_everything_is_refused_by_clean_files_of_this_host(fleet):
    release, refused = fleet.create(EXAMPLES / "matches-everything.yar", "condition: true", check=False)
    assert release is None and refused.returncode == 9, refused.stdout + refused.stderr


def test_forced_past_the_checks_it_is_refused_by_the_endpoints_own_box(fleet):
    """INV-5: the sensor never sees bytes that the endpoint's box did not accept."""
    release = fleet.publish(EXAMPLES / "bad-syntax.yar", "forced", "--unchecked", "test of the endpoint's box")
    fleet.cli("rollout", "start", release, check=True)
    rollout = fleet.wait_rollout(release, {"halted", "rolling_back", "rolled_back"}, 120)
    assert 1 <= sums(rollout, "refused") <= 4
    assert sums(rollout, "healthy") + sums(rollout, "failed") == 0
    assert rollout["halt"]["term"] == "refuse"
    wait_all_on(fleet, fleet.good)


def test_a_release_that_kills_the_sensor_is_halted_and_rolled_back_without_a_hand(fleet):
    """INV-1, INV-6: at most the window's start is harmed, and all of them come back."""
    release = fleet.publish(EXAMPLES / "crash-on-load.yar", "kills the sensor")
    fleet.cli("rollout", "start", release, check=True)
    with Bounds(fleet, release) as bounds:
        rollout = fleet.wait_rollout(release, {"rolled_back"}, 150)
    assert len(bounds.harmed) <= HARMED_MAX
    harmed = sums(rollout, "failed") + sums(rollout, "dark")
    assert 1 <= harmed <= HARMED_MAX, rollout
    assert sums(rollout, "exposed") <= HARMED_MAX
    assert all(r["exposed"] == 0 for r in rollout["rings"][1:])
    wait_all_on(fleet, fleet.good)
    watch = fleet.cli("rollout", "watch", release, "--timeout", "20s")
    assert watch.returncode == 5, watch.stdout  # rolled back
    explained = fleet.cli("explain", release, check=True).stdout
    assert "crash" in explained and "halted" in explained
    again = fleet.cli("rollout", "start", release)
    assert again.returncode == 9, again.stderr  # a halted release is never started again


def test_a_hanging_sensor_is_found_by_its_silence(fleet):
    content = fleet.dir / "hang.yar"
    content.write_text('rule hangs { meta: rehearse = "hang" strings: $a = "no such text in any file 81d2" condition: $a }\n')
    release = fleet.publish(content, "makes the sensor hang")
    fleet.cli("rollout", "start", release, check=True)
    with Bounds(fleet, release):
        rollout = fleet.wait_rollout(release, {"halted", "rolling_back", "rolled_back"}, 240)
    assert 1 <= sums(rollout, "failed") + sums(rollout, "dark") <= HARMED_MAX
    wait_all_on(fleet, fleet.good, 180)


def test_the_next_good_release_still_goes_through_after_the_bad_ones(fleet):
    release = fleet.publish(EXAMPLES / "good-2.yar", "second good release")
    fleet.cli("rollout", "start", release, check=True)
    # A server that is killed in the middle loses nothing that it answered, and goes on (INV-8).
    fleet.wait_rollout(release, {"ramping", "baking"}, 60)
    time.sleep(1.5)
    fleet.server.kill()
    fleet.start_server()
    rollout = fleet.wait_rollout(release, {"complete"}, 240)
    assert sums(rollout, "healthy") == len(fleet.agents)
    wait_all_on(fleet, release)
    fleet.good = release
    verified = fleet.cli("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_person_halts_and_everyone_goes_back(fleet):
    content = fleet.dir / "third.yar"
    content.write_text('rule third { strings: $a = "a text that no clean file holds 5f1e" condition: $a }\n')
    release = fleet.publish(content, "to be halted by hand")
    fleet.cli("rollout", "start", release, check=True)
    wait_for("somebody has it", lambda: fleet.on_release(number(release)), 60)
    refused = fleet.cli("rollout", "halt", release)
    assert refused.returncode == 2 and "reason" in refused.stderr
    fleet.cli("rollout", "halt", release, "--reason", "ticket 4711", check=True)
    rollout = fleet.wait_rollout(release, {"rolled_back"}, 120)
    assert rollout["halt"]["reason"] == "ticket 4711"
    assert rollout["reason"].startswith("halted by ") and rollout["reason"].endswith(": ticket 4711")
    assert "ticket 4711" in fleet.cli("explain", release, check=True).stdout
    wait_all_on(fleet, fleet.good)


def test_a_fix_starts_while_an_endpoint_has_not_come_back_and_can_be_paused(fleet):
    content = fleet.dir / "fourth.yar"
    content.write_text('rule fourth { strings: $a = "a text that no clean file holds 77c0" condition: $a }\n')
    bad = fleet.publish(content, "to be halted while an endpoint is away")
    content.write_text('rule fifth { strings: $a = "a text that no clean file holds 90ab" condition: $a }\n')
    fix = fleet.publish(content, "the fix")
    fleet.cli("rollout", "start", bad, check=True)
    away = wait_for("somebody has it", lambda: fleet.on_release(number(bad)), 60)[0]
    away.process.kill()
    fleet.cli("rollout", "halt", bad, "--reason", "an endpoint is away", check=True)
    fleet.wait_rollout(bad, {"rolling_back"}, 60)
    assert fleet.cli("rollout", "start", bad).returncode == 9  # halted once is halted for good
    fleet.cli("rollout", "start", fix, check=True)
    fleet.wait_rollout(fix, {"ramping", "baking"}, 60)
    fleet.cli("rollout", "pause", fix, "--reason", "change freeze", check=True)
    held = fleet.wait_rollout(fix, {"held"}, 30)
    assert held["reason"].endswith(": change freeze")
    assert "change freeze" in fleet.cli("explain", fix, check=True).stdout
    fleet.cli("rollout", "resume", fix, "--reason", "freeze is over", check=True)
    fleet.wait_rollout(fix, {"ramping", "baking", "pending"}, 30)
    fleet.cli("rollout", "halt", fix, "--reason", "end of the test", check=True)
    away.start()
    fleet.wait_rollout(fix, {"rolled_back"}, 120)
    fleet.wait_rollout(bad, {"rolled_back"}, 120)
    wait_all_on(fleet, fleet.good)


def test_an_agent_that_is_killed_comes_back_on_a_valid_set(fleet):
    """INV-6, from outside: SIGKILL of the agent leaves a set that its sensor loads again. Kills that lie further apart
    than the time after which a start counts as stable are no boot loop, however many they are."""
    agent = fleet.agents[0]
    for _ in range(4):
        agent.process.kill()
        assert agent.active_release() == number(fleet.good)
        agent.start()
        wait_for("the sensor proves its load again and the start is stable",
                 lambda: agent.status().get("sensor", {}).get("proven") and agent.status().get("stable"), 60, 0.3)
    assert agent.active_release() == number(fleet.good)


def test_without_a_server_protection_goes_on_and_nothing_new_is_installed(fleet):
    """INV-2: no server, no permit, no activation."""
    fleet.server.stop()
    agent = fleet.agents[1]
    time.sleep(4)
    assert agent.process.running()
    assert agent.status()["sensor"]["running"]
    assert agent.active_release() == number(fleet.good)
    fleet.start_server()
    wait_for("the agent is back", lambda: fleet.server_says_on(number(fleet.good)) == len(fleet.agents), 60, 0.5)


def test_a_boot_loop_ends_on_the_previous_set(fleet):
    """INV-6: unclean starts in a row, each before the former was stable: one more try, then the previous set."""
    agent = fleet.agents[2]
    before = number(fleet.good)
    content = fleet.dir / "last.yar"
    content.write_text('rule last { strings: $a = "no file holds 9b1f4c77d0" condition: $a }\n')
    released = fleet.publish(content, "the last one")
    fleet.cli("rollout", "start", released, check=True)
    wait_for("the endpoint has committed it",
             lambda: agent.active_release() == number(released) and agent.status().get("phase") == "steady", 60, 0.2)
    agent.process.stop()
    agent.conf.write_text(agent.conf.read_text().replace("stable_after = 1s", "stable_after = 10m"))
    for _ in range(3):
        agent.start()
        wait_for("the sensor proves a load", lambda: agent.status().get("sensor", {}).get("proven"), 60, 0.2)
        agent.process.kill()
    assert agent.active_release() == before
    agent.start()
    wait_for("the sensor runs on what was proven before", lambda: agent.status().get("sensor", {}).get("proven"), 60, 0.3)
    assert agent.active_release() in (before, 0)  # this start is an unclean one too: the third in a row
