"""Goal: content that passes the box and is still wrong on real files: a storm of false detections, scans that became
slow, and a sensor that lives and detects nothing. Each ends halted by its own signal with no more than the window's start exposed, and every endpoint comes back by
itself; what was taken into quarantine is back as it was."""
import copy
import json
import os

import pytest

from bounds import Bounds
from conftest import BIN
from lab import EXAMPLES, POLICY, Lab, wait_for
from test_webhook import Receiver, target

FLEET = {"internal": 4, "broad": 2}
HARMED_MAX = 2  # the window of the test policy starts with 2
PER_RULE = 5  # trial_rule_budget, the default
FILES = 14
# No other file of this host has it, so the box lets it pass; every file of this shop has it.
WORDS = "minutes of the meeting 6ab1"
STORM = f"""rule greedy {{ meta: action = "quarantine" strings: $a = "{WORDS}" condition: $a }}
"""
# A rehearsed fault of the sensor (--rehearse): the content itself is harmless.
SLOW = """rule dear { meta: rehearse = "slow" strings: $a = "no such text in any file 4c07" condition: $a }
"""
MUTE = """rule deaf { meta: rehearse = "mute" strings: $a = "no such text in any file 81d3" condition: $a }
"""


def small_policy():
    policy = copy.deepcopy(POLICY)
    policy["rings"] = [
        {"name": "internal", "select": "local", "bake": "1s", "gate": {"limit": "60%", "min_healthy": 4}},
        {"name": "broad", "share": "rest", "gate": {"limit": "85%", "min_healthy": 2}},
    ]
    policy["classes"] = {"rules": {"min_bake": {"broad": "1s"}}}
    return policy


def fill(folder):
    """Clean files of many kinds: bytes that are no text, modes, owners, a name that is no text."""
    folder.mkdir()
    for i in range(FILES):
        name = os.fsencode(folder) + (b"/report \xff\xfe.bin" if i == 0 else b"/report-%02d.doc" % i)
        with open(name, "wb") as out:
            out.write(bytes(range(256)) * i + WORDS.encode() + b"\n%d\n" % i)
        os.chmod(name, [0o644, 0o600, 0o4755, 0o444][i % 4])
        if os.geteuid() == 0:
            os.chown(name, 1000 + i, 2000 + i)
            os.chmod(name, [0o644, 0o600, 0o4755, 0o444][i % 4])


def seen(folder):
    """Everything about the files that must come back: names, bytes, modes, owners, times."""
    state = {}
    for name in os.listdir(os.fsencode(folder)):
        path = os.path.join(os.fsencode(folder), name)
        st = os.lstat(path)
        with open(path, "rb") as f:
            state[name] = (f.read(), st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, st.st_ino)
    return state


def add(lab, ring):
    number = sum(a.ring == ring for a in lab.agents) + 1
    home = lab.dir / f"host-{ring}-{number}"
    home.mkdir()
    fill(home / "files")
    command = (f"{lab.bin / 'ringward-sensor'} --rehearse --watch {home / 'files'} --quarantine {home / 'quarantine'} "
               f"--detections {home / 'detections.jsonl'}")
    agent = lab.add_agent(ring, sensor_command=command)
    agent.home = home
    agent.files = seen(home / "files")


@pytest.fixture(scope="module")
def fleet():
    with Lab(BIN, policy=small_policy()) as lab:
        lab.init()
        lab.hook = Receiver()
        target(lab, "pager", lab.hook.url, events="rollout.*")
        lab.start_server()
        for ring, count in FLEET.items():
            for _ in range(count):
                add(lab, ring)
        wait_for("all are enrolled", lambda: len(lab.fleet()) == len(lab.agents), 240, 0.5)
        lab.good = lab.publish(EXAMPLES / "good-1.yar", "good")
        lab.cli("rollout", "start", lab.good, check=True)
        lab.wait_rollout(lab.good, {"complete"}, 240)
        wait_all_on(lab, lab.good)
        yield lab
        lab.hook.close()


def number(release):
    return int(release.split("/")[1])


def wait_all_on(lab, release, timeout_s=120):
    total = len(lab.agents)
    wait_for(f"all endpoints on {release}, on disk and by the sensor's proof",
             lambda: len(lab.on_release(number(release))) == total and lab.server_says_on(number(release)) == total,
             timeout_s, 0.5)


def sums(rollout, key):
    return sum(r[key] for r in rollout["rings"])


def halted(lab, name, text):
    """A rollout of this content, which keeps the window's bound at every look (INV-1) and halts by itself."""
    content = lab.dir / name
    content.write_text(text)
    release = lab.publish(content, name)
    lab.cli("rollout", "start", release, check=True)
    with Bounds(lab, release):
        rollout = lab.wait_rollout(release, {"rolled_back"}, 150)
    assert rollout["halt"]["by"] == "controller", rollout["halt"]
    return release, rollout


def logged(agent, event):
    """Lines that the agent's sensor wrote about an event."""
    return [line for line in agent.process.log.read_text(errors="replace").splitlines() if f" event={event} " in line]


def detections(agent, release):
    path = agent.home / "detections.jsonl"
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return [d for d in map(json.loads, lines) if d["release"] == number(release)]


def test_a_storm_is_halted_and_quarantined_files_are_back_as_they_were(fleet):
    """INV-1, INV-6; the action budget of content on trial."""
    release, rollout = halted(fleet, "storm.yar", STORM)
    assert rollout["halt"]["term"] == "storm", rollout["halt"]
    assert 1 <= sums(rollout, "storm") <= sums(rollout, "exposed") <= HARMED_MAX, rollout
    assert sums(rollout, "healthy") == 0
    wait_all_on(fleet, fleet.good)
    hit = [a for a in fleet.agents if detections(a, release)]
    assert 1 <= len(hit) <= HARMED_MAX
    for agent in hit:
        taken = logged(agent, "quarantined")
        assert 1 <= len(taken) <= PER_RULE, taken
        found = detections(agent, release)
        assert len(found) > PER_RULE  # it went on watching beyond its budget ...
        assert sum("observed" not in d for d in found) == PER_RULE  # ... without doing anything
        wait_for("every file is back", lambda a=agent: len(seen(a.home / "files")) == FILES, 60)
        assert len(logged(agent, "restored")) == len(taken)
        assert list((agent.home / "quarantine" / "files").iterdir()) == []
        assert list((agent.home / "quarantine" / "manifest").iterdir()) == []
    for agent in fleet.agents:
        assert seen(agent.home / "files") == agent.files, agent.name


def test_people_see_the_storm_by_its_name(fleet):
    release = f"yara/{number(fleet.good) + 1}"
    explained = fleet.cli("explain", release, check=True).stdout
    assert "storm" in explained and "STORM" in explained
    watch = fleet.cli("rollout", "watch", release, "--timeout", "20s")
    assert watch.returncode == 5 and "storm" in watch.stdout + watch.stderr, watch.stdout + watch.stderr
    assert "storm" in fleet.cli("rollout", "status", release).stdout
    assert fleet.marked(number(release), "storm")
    assert '"term":"storm"' in fleet.cli("audit", "show", "-o", "json", check=True).stdout


def test_a_slow_release_is_halted_and_taken_back(fleet):
    """A rehearsed fault: with it the sensor burns 25 ms of processor time on each file."""
    # On a busy host a short probation may end before enough was scanned to tell: then it is a survivor, slow later. The
    # law of the window holds all the same.
    release, rollout = halted(fleet, "slow.yar", SLOW)
    assert rollout["halt"]["term"] == "slow", rollout["halt"]
    assert sums(rollout, "slow") >= 1
    wait_all_on(fleet, fleet.good)


def test_a_release_that_makes_sensors_mute_is_halted_by_that_term(fleet):
    """INV-1, INV-6: the sensor lives and answers, and does not detect its own sample any more."""
    release, rollout = halted(fleet, "mute.yar", MUTE)
    assert rollout["halt"]["term"] == "mute", rollout["halt"]
    assert 1 <= sums(rollout, "mute") <= sums(rollout, "exposed") <= HARMED_MAX, rollout
    assert sums(rollout, "healthy") == 0 and sums(rollout, "failed") == 0
    assert fleet.marked(number(release), "mute")
    # Event, webhook and explain say what it rests on: scope, term, counts, E and its limit.
    def halts(records):
        return [r for r in records if r["action"] == "rollout.halted" and r["object"].endswith(f"of {release}")]
    told = wait_for("the webhook tells of the halt", lambda: halts(e["record"] for e in fleet.hook.unique()), 60, 0.3)
    events = halts(json.loads(line) for line in fleet.cli("audit", "show", "--limit", "1000", "-o", "ndjson", check=True).stdout.splitlines())
    for record in told + events:
        details = record["details"]
        assert float(details["log_e"]) >= float(details["threshold"]) > 0, record
        assert details["term"] == "mute" and 1 <= details["failures"] <= details["exposures"] <= HARMED_MAX, record
        assert details["scope"].endswith("ring internal") and details["mute"] == details["failures"], record
    explained = fleet.cli("explain", release, check=True).stdout
    assert "ring internal: " in explained and ", halts at " in explained, explained
    assert ": mute: " in explained and "MUTE" in explained, explained
    wait_all_on(fleet, fleet.good)


def test_the_next_good_release_goes_through(fleet):
    release = fleet.publish(EXAMPLES / "good-2.yar", "good again")
    fleet.cli("rollout", "start", release, check=True)
    wait_for("the first ring has passed", lambda: fleet.rollout(release)["rings"][0]["state"] == "passed", 240, 0.5)
    rollout = fleet.rollout(release)
    assert rollout["rings"][0]["healthy"] == FLEET["internal"]
    assert sums(rollout, "storm") + sums(rollout, "slow") + sums(rollout, "mute") == 0
    for agent in fleet.agents:
        assert seen(agent.home / "files") == agent.files, agent.name
