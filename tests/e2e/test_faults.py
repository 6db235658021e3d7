"""Goal: kinds of bad releases that are not plain crashers: each is stopped within the policy's bound, which holds at every
look in between (bounds.py), and all endpoints come back without a hand. Which endpoints have the fault is chosen by which
sensors rehearse; the release is the same for all."""
import contextlib
import copy
import json
import os
import signal
import threading

import pytest

from bounds import Bounds
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
        for os_name, count in ((COMMON, 9), (RARE, 2)):
            for _ in range(count):
                lab.add_agent("internal", os=os_name, load_timeout="8s")
        lab.add_agent("broad", os=COMMON)
        lab.add_agent("broad", os=COMMON)
        wait_for("all are enrolled", lambda: len(lab.fleet()) == len(lab.agents), 240, 0.5)
        lab.good = lab.publish(EXAMPLES / "good-1.yar", "good")
        lab.cli("rollout", "start", lab.good, check=True)
        lab.wait_rollout(lab.good, {"complete"}, 120)
        lab.ids = {agent.name: agent.status()["endpoint"] for agent in lab.agents}
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


@contextlib.contextmanager
def running(lab, fault, notes):
    """The rollout of a release with that fault, watched until the end."""
    release = start(lab, fault, notes)
    with Bounds(lab, release) as bounds:
        yield release, bounds


def listed(lab, *filters):
    """Who is dark by `fleet dark`, whose exit status says whether anybody is."""
    r = lab.cli("fleet", "dark", "-o", "ndjson", *filters)
    found = [json.loads(x) for x in r.stdout.splitlines()]
    assert r.returncode == (6 if found else 0), r.stderr
    return {x["endpoint"] for x in found}


def the_silent_are_found(lab, release, dead):
    """By the list, its filters, and each one's own story (INV-4)."""
    silent = {lab.ids[a.name] for a in dead}
    wait_for("who fell silent is listed", lambda: listed(lab) == silent, 60, 0.5)
    assert listed(lab, "--release", release, "--ring", "internal") == silent
    assert listed(lab, "--ring", "broad") == set() and listed(lab, "--older", "1h") == set()
    assert lab.cli("fleet", "dark", "--ring", "moon").returncode == 7
    why = lab.cli("fleet", "why", lab.ids[dead[0].name])
    assert why.returncode == 6 and f"with {release} for" in why.stdout and "not heard of since" in why.stdout, why.stdout


def test_bricks_are_counted_by_their_silence(fleet):
    """No beacon ever comes; the permits that were recorded before the install say who is missing (INV-2)."""
    rehearsing(fleet, fleet.agents)
    with running(fleet, "hang", "bricks") as (release, bounds):
        with bricked_by(fleet, release) as dead:
            rollout = fleet.wait_rollout(release, {"halted", "rolling_back"}, 180)
            assert 1 <= len(dead) <= START and sums(rollout, "exposed") <= START, rollout
            assert sums(rollout, "healthy") == 0
        living = [a for a in fleet.agents if a not in dead]
        wait_for("who lives is where it was, whatever the dead do",
                 lambda: all(a.active_release() == number(fleet.good) for a in living), 60, 0.3)
    assert bounds.harmed <= {a.name for a in dead}
    halt = fleet.rollout(release)["halt"]
    assert halt["by"] == "controller" and halt["term"] == "dark", halt
    the_silent_are_found(fleet, release, dead)
    for agent in dead:
        agent.start()  # somebody pressed the power button, and did nothing else
    wait_all_on(fleet, fleet.good)


def test_three_of_ten_crash(fleet):
    rehearsing(fleet, [a for i, a in enumerate(fleet.agents) if i % 3 == 0])
    with running(fleet, "crash-on-load", "a third crashes") as (release, _):
        rollout = fleet.wait_rollout(release, {"halted", "rolling_back", "rolled_back"}, 180)
        assert sums(rollout, "failed") >= 1 and rollout["halt"]["by"] == "controller", rollout
        wait_all_on(fleet, fleet.good)


def halted_there(lab, release, rare):
    """What is halted in one cohort alone is in the table, in its exit status and in what its endpoints are answered."""
    shown = lab.cli("fleet", "cohorts", "--family", "yara")
    assert shown.returncode == 6 and f"{release} is halted in cohort {RARE}/" in shown.stderr, shown.stderr
    lines = {line.split("/")[0]: line for line in shown.stdout.splitlines()}
    assert " halted " in lines[RARE] and "xx" in lines[RARE], shown.stdout
    assert " held " in lines[COMMON] and "x" not in lines[COMMON].split()[4], shown.stdout
    why = json.loads(lab.cli("fleet", "why", "-o", "json", lab.ids[rare[0].name]).stdout)
    mine = next(r for r in why["rollouts"] if r["release"] == number(release))
    assert mine["decision"] != "granted" and not mine["runs_it"], mine


def test_only_one_cohort_crashes(fleet):
    """The cohort's own window and test: it is halted and back by itself although the ring as a whole looks well; the rest is
    held for a person, and goes on without that cohort when that person says so (docs/health.md, Verdicts)."""
    rare = [a for a in fleet.agents if f"os = {RARE}\n" in a.conf.read_text()]
    broad = [a for a in fleet.agents if a.ring == "broad"]
    rehearsing(fleet, rare)
    for agent in rare + broad:
        agent.process.stop()  # the rare ones ask when the others have proven the release, the next ring still waits
    with running(fleet, "crash-on-load", "one cohort crashes") as (release, _):
        wait_for("the others are healthy", lambda: fleet.rollout(release)["rings"][0]["healthy"] == 9, 120, 0.3)
        for agent in rare:
            agent.start()
        rollout = fleet.wait_rollout(release, {"held", "halted", "rolling_back", "rolled_back"}, 180)
        assert rollout["state"] == "held" and "halt" not in rollout, rollout
        assert [c["os"] for c in rollout["cohorts_halted"]] == [RARE], rollout
        assert sums(rollout, "failed", "dark") == len(rare), rollout
        wait_for("the cohort is back by itself, on disk and by the sensor's proof",
                 lambda: all(a.active_release() == number(fleet.good) and a.status().get("sensor", {}).get("proven")
                             for a in rare), 120, 0.3)
    halted_there(fleet, release, rare)
    records = map(json.loads, fleet.cli("audit", "show", "--limit", "1000", "-o", "ndjson", check=True).stdout.splitlines())
    did = {(r["actor"], r["action"]) for r in records if r["object"].endswith(f" of {release}")}
    assert ("controller", "rollout.cohort_halted") in did and {actor for actor, _ in did} == {"controller"}, did
    for agent in broad:
        agent.start()
    fleet.cli("rollout", "resume", release, "--reason", "the others are well", check=True)
    fleet.wait_rollout(release, {"complete"}, 120)
    assert all(a.active_release() == number(fleet.good) for a in rare)
    (kept,) = fleet.json("explain", release)["stopped"]  # the evidence has begun anew, what it was halted for is still told
    assert kept["scope"].startswith(f"cohort {RARE}/") and float(kept["log_e"]) >= float(kept["threshold"]), kept
    assert f"{kept['scope']}  " in fleet.cli("explain", release, check=True).stdout
    fleet.cli("rollout", "halt", release, "--reason", "the next test begins where this one did", check=True)
    wait_all_on(fleet, fleet.good)


def test_a_crash_behind_the_probation_is_late_and_is_found(fleet):
    rehearsing(fleet, fleet.agents)
    with running(fleet, "crash-after-5s", "crashes when it was taken for good") as (release, _):
        rollout = fleet.wait_rollout(release, {"halted", "rolling_back", "rolled_back"}, 180)
        assert rollout["halt"]["by"] == "controller", rollout
        wait_all_on(fleet, fleet.good)
