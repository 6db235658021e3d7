"""Goal: kinds of bad releases that are not plain crashers: each is stopped within the policy's bound, and all endpoints come
back without a hand. Which endpoints have the fault is chosen by which sensors rehearse; the release is the same for all."""
import contextlib
import copy
import os
import signal
import threading

import pytest

from conftest import BIN
from lab import EXAMPLES, POLICY, Lab, LabError, wait_for

COMMON, RARE = "common-os", "rare-os"
START = 4  # of the window, in the ring and in each cohort: so many must fall silent for a halt without a person


@pytest.fixture(scope="module")
def fleet():
    policy = copy.deepcopy(POLICY)
    policy["rings"] = [
        {"name": "internal", "select": "local", "bake": "2s", "gate": {"limit": "60%", "min_healthy": 4}},
        {"name": "broad", "share": "rest", "gate": {"limit": "80%", "min_healthy": 2}},
    ]
    policy["window"]["confirm"].update(start=START, deadline="20s")
    policy["window"]["cohort"]["start"] = START
    with Lab(BIN, policy=policy) as lab:
        lab.init().start_server()
        for os_name, count in ((COMMON, 9), (RARE, 3)):
            for _ in range(count):
                lab.add_agent("internal", os=os_name, load_timeout="8s")
        lab.add_agent("broad", os=COMMON)
        lab.add_agent("broad", os=COMMON)
        wait_for("all are enrolled", lambda: len(lab.fleet()) == len(lab.agents), 240, 0.5)
        lab.good = lab.publish(EXAMPLES / "good-1.yar", "good")
        lab.cli("rollout", "start", lab.good, check=True)
        lab.wait_rollout(lab.good, {"complete"}, 120)
        yield lab


def number(release):
    return int(release.split("/")[1])


def sums(rollout, *keys):
    return sum(r[key] for r in rollout["rings"] for key in keys)


def wait_all_on(lab, release, timeout_s=120):
    def others():
        return [a for a in lab.agents if a.active_release() != number(release)]
    try:
        wait_for(f"all endpoints on {release}, on disk and by the sensor's proof",
                 lambda: not others() and lab.server_says_on(number(release)) == len(lab.agents), timeout_s, 0.5)
    except LabError as e:
        stuck = "\n".join(f"{a.name}: {a.process.tail(4)}" for a in others()[:3])
        raise LabError(f"{e}\n{lab.server_says_on(number(release))} by the server; the release itself: "
                       f"{lab.rollout(release)['reason']}\n{stuck}") from None


def rehearsing(lab, chosen):
    """Exactly these endpoints have the fault that a release asks for."""
    changed = []
    for agent in lab.agents:
        text = agent.conf.read_text()
        plain = text.replace("ringward-sensor --rehearse", "ringward-sensor")
        want = plain.replace("ringward-sensor", "ringward-sensor --rehearse") if agent in chosen else plain
        if want != text:
            agent.conf.write_text(want)
            changed.append(agent)
    for agent in changed:
        agent.process.stop()
        agent.start()
    wait_for("the changed sensors prove their load",
             lambda: all(a.status().get("sensor", {}).get("proven") and a.status().get("stable") for a in changed), 120, 0.3)


def start(lab, fault, notes):
    content = lab.dir / f"{fault}.yar"
    content.write_text(f'rule faulty {{ meta: rehearse = "{fault}" strings: $a = "no clean file holds this {notes}" condition: $a }}\n')
    release = lab.publish(content, notes)
    lab.cli("rollout", "start", release, check=True)
    return release


def within_law(rollout):
    """INV-1 as the operator sees it: in no ring more failed than the window lets out."""
    for ring in rollout["rings"]:
        assert ring["failed"] + ring["dark"] <= START + ring["healthy"], rollout


@contextlib.contextmanager
def bricked_by(lab, release):
    """Whoever takes the release dies with all its processes at once and stays dead, like a machine that does not boot."""
    dead, done = [], threading.Event()

    def reap():
        while not done.wait(0.05):
            for agent in lab.on_release(number(release)):
                if agent not in dead:
                    os.killpg(agent.process.child.pid, signal.SIGKILL)
                    agent.process.child.wait()
                    dead.append(agent)
    thread = threading.Thread(target=reap, daemon=True)
    thread.start()
    try:
        yield dead
    finally:
        done.set()
        thread.join()


def test_bricks_are_counted_by_their_silence(fleet):
    """No beacon ever comes; the permits that were recorded before the install say who is missing (INV-2)."""
    rehearsing(fleet, fleet.agents)
    release = start(fleet, "hang", "bricks")
    with bricked_by(fleet, release) as dead:
        rollout = fleet.wait_rollout(release, {"halted", "rolling_back"}, 180)
        assert 1 <= len(dead) <= START and sums(rollout, "exposed") <= START, rollout
        assert sums(rollout, "healthy") == 0
    halt = fleet.rollout(release)["halt"]
    assert halt["by"] == "controller" and halt["term"] == "dark", halt
    for agent in dead:
        agent.start()  # somebody pressed the power button, and did nothing else
    wait_all_on(fleet, fleet.good)


def test_three_of_ten_crash(fleet):
    rehearsing(fleet, [a for i, a in enumerate(fleet.agents) if i % 3 == 0])
    release = start(fleet, "crash-on-load", "a third crashes")
    rollout = fleet.wait_rollout(release, {"halted", "rolling_back", "rolled_back"}, 180)
    within_law(rollout)
    assert sums(rollout, "failed") >= 1, rollout
    wait_all_on(fleet, fleet.good)


def test_only_one_cohort_crashes(fleet):
    """The cohort's own window and test: it is stopped although the ring as a whole looks well."""
    rare = [a for a in fleet.agents if f"os = {RARE}\n" in a.conf.read_text()]
    rehearsing(fleet, rare)
    release = start(fleet, "crash-on-load", "one cohort crashes")

    def stopped():
        seen = fleet.rollout(release)
        within_law(seen)  # at every look, not at the end alone
        return seen if seen["cohorts_halted"] or seen["state"] in ("halted", "rolling_back", "rolled_back") else None
    rollout = wait_for("the controller stops the cohort, or the release", stopped, 180, 0.3)
    assert 1 <= sums(rollout, "failed", "dark") <= START, rollout
    assert [c["os"] for c in rollout["cohorts_halted"]] in ([RARE], []), rollout
    if not rollout["cohorts_halted"]:
        assert rollout["halt"]["by"] == "controller", rollout
    wait_for("the crashed are back by themselves", lambda: all(a.active_release() == number(fleet.good) for a in rare), 120, 0.3)
    if rollout["state"] == "held":
        fleet.cli("rollout", "halt", release, "--reason", "not for one cohort either", check=True)
    wait_all_on(fleet, fleet.good)


def test_a_crash_behind_the_probation_is_late_and_is_found(fleet):
    rehearsing(fleet, fleet.agents)
    release = start(fleet, "crash-after-5s", "crashes when it was taken for good")
    rollout = fleet.wait_rollout(release, {"halted", "rolling_back", "rolled_back"}, 180)
    assert sums(rollout, "exposed") <= sums(rollout, "healthy") + START + sums(rollout, "healthy"), rollout
    wait_all_on(fleet, fleet.good)
