"""Goal: what takes too much, or does not go together with the rest of the set, is refused before anything is switched: by name, at
`release create`, on the server and on the endpoint; and the active set goes on."""
import copy
import json
import time

import pytest

from conftest import BIN
from lab import POLICY, Lab, wait_for
from load import metrics

RINGS = [{"name": "internal", "select": "local", "bake": "2s", "gate": {"limit": "80%", "min_healthy": 2}},
         {"name": "broad", "share": "rest", "gate": {"limit": "80%", "min_healthy": 2}}]


class TwoFamilies(Lab):
    def init(self):
        policy = self.dir / "rings.json"
        policy.write_text(json.dumps(self.policy, indent=2))
        self.run("ringward-server", "init", "--dir", self.server_dir, "--dev", "--policy", policy, "--family", "yara,yara-more",
                 "--listen", f"127.0.0.1:{self.port}", check=True)
        return self

    def content(self, name: str, text: str):
        path = self.dir / name
        path.write_text(text)
        return path

    def create(self, content, notes, *more, check=True, family="yara"):
        r = self.cli("release", "create", "--family", family, "--class", "rules", "--content", content, "--notes", notes,
                     "-o", "json", *more, check=check)
        if r.returncode != 0:
            return None, r
        release = json.loads(r.stdout.strip().splitlines()[-1])
        return f"{release['family']}/{release['release']}", r

    def publish(self, content, notes, *more, family="yara"):
        release, _ = self.create(content, notes, *more, family=family)
        self.sign(release, "alice")
        self.sign(release, "bob")
        self.cli("release", "publish", release, check=True)
        return release


def rules(count: int, kind: str = "") -> str:
    return "".join('rule r%d { strings: %s condition: any of them }\n' % (
        r, " ".join(f'$s{i} = "no such text anywhere {r:05d} {i:05d} abcdefgh"{kind}' for i in range(8))) for r in range(count))


@pytest.fixture(scope="module")
def lab():
    policy = copy.deepcopy(POLICY)
    policy["rings"] = RINGS
    with TwoFamilies(BIN, policy=policy) as lab:
        lab.init().start_server()
        for ring in ("internal", "internal", "broad", "broad"):
            lab.add_agent(ring, families="yara,yara-more")
        release = lab.publish(lab.content("light.yar", rules(60)), "light")
        lab.cli("rollout", "start", release, check=True)
        wait_for("all run the first release", lambda: all(a.active_release() == 1 for a in lab.agents), 120)
        lab.wait_rollout(release, {"complete"}, 120)
        yield lab


def sets_of(lab) -> list[str]:
    return [(a.state / "current" / "manifest.json").read_text() for a in lab.agents]


def refusals(lab, words: str) -> list:
    return [a for a in lab.agents if words in str(a.status().get("families"))]


# --- resources against the release before: the same content in the three places ---
@pytest.fixture(scope="module")
def heavy(lab):
    """As many rules, nearly as many bytes, and many times the memory: the modifier xor stands for 255 strings."""
    return lab.content("heavy.yar", rules(60, " xor"))


def decided(lab, *what):
    """A box that was cut off for want of time has decided nothing (INV-3): on a busy machine it is asked again."""
    end = time.monotonic() + 240
    while True:
        release, r = lab.create(*what, check=False)
        if not ("timed_out" in r.stderr or "no verdict" in r.stderr) or time.monotonic() > end:
            return release, r


def test_many_times_the_memory_is_refused_where_it_is_made(lab, heavy):
    release, r = decided(lab, heavy, "heavy")
    assert release is None and r.returncode == 9, r.stderr
    assert "memory in KiB" in r.stderr and "the release before" in r.stderr, r.stderr


def test_measured_against_something_else_it_is_still_refused_by_the_server(lab, heavy):
    """An engineer's machine cannot choose what the server compares with: here nothing that could be measured."""
    nothing = lab.content("nothing.yar", "rule a { condition: $x }")
    release, r = decided(lab, heavy, "heavy", "--against", nothing)
    assert release is None and r.returncode == 9, r.stderr
    assert "the server" in r.stderr and "the release before" in r.stderr, r.stderr


def test_past_both_it_is_refused_by_the_endpoint_and_the_active_set_goes_on(lab, heavy):
    before = sets_of(lab)
    release = lab.publish(heavy, "past all boxes", "--unchecked", "rehearsal")
    lab.cli("rollout", "start", release, check=True)
    rollout = lab.wait_rollout(release, {"halted", "rolling_back", "rolled_back"}, 120)
    assert rollout["halt"]["term"] == "refuse", rollout["halt"]
    lines = [line for a in lab.agents for line in (a.dir / "agent.log").read_text().splitlines() if "box_verdict" in line]
    assert any("verdict=refused" in x and "memory in KiB" in x and "before=accepted" in x for x in lines), lines
    assert sets_of(lab) == before
    lab.cli("release", "withdraw", release, "--reason", "rehearsal is over")


# --- the whole set ---
def test_a_rule_that_another_family_has_already_is_refused_on_the_endpoint(lab):
    """Good for every validator, which sees one family; the sensor's own loader sees both (INV-5)."""
    clash = lab.content("clash.yar", 'rule r7 { strings: $a = "no such text 9d11" condition: $a }\n')
    before = sets_of(lab)
    release = lab.publish(clash, "same name", family="yara-more")
    lab.cli("rollout", "start", release, check=True)
    rollout = lab.wait_rollout(release, {"halted", "rolling_back", "rolled_back"}, 120)
    assert rollout["halt"]["term"] == "refuse", rollout["halt"]
    said = wait_for("an endpoint names it", lambda: refusals(lab, "both hold a rule 'r7'"), 60)
    verdict = next(f["verdict"] for f in said[0].status()["families"] if f["family"] == "yara-more")
    assert verdict.startswith("refused: dry run of the whole set: "), verdict
    why = said[0].lab.run("ringward-agent", "why", "--config", said[0].conf, check=True).stdout
    assert "both hold a rule 'r7'" in why and "KEEP    " in why, why
    assert sets_of(lab) == before and all(a.status()["sensor"] for a in lab.agents)
    assert not (said[0].state / "dry-run" / "2").exists()


def test_what_goes_together_is_activated(lab):
    good = lab.content("apart.yar", 'rule apart { strings: $a = "no such text 4c1e" condition: $a }\n')
    release = lab.publish(good, "another name", family="yara-more")
    number = int(release.split("/")[1])
    lab.cli("rollout", "start", release, check=True)
    wait_for("all run it", lambda: all(a.active_release("yara-more") == number for a in lab.agents), 120)
    assert all("dry run" not in str(a.status().get("families")) for a in lab.agents)


# --- INV-12 ---
def test_without_a_loader_the_missing_check_is_named(lab):
    agent = lab.add_agent("internal", families="yara,yara-more", sensor_loader=None)
    named = "sensor_loader: none, no dry run of the whole set"
    wait_for("status names it", lambda: named in str(agent.status()), 60)
    wait_for("it runs what the others run", lambda: agent.active_release("yara-more") > 0, 120)
    assert named in (agent.dir / "agent.log").read_text()
    why = agent.lab.run("ringward-agent", "why", "--config", agent.conf, check=True).stdout
    assert f"unknown loader        {named}" in why, why
    # The server was told by the alive beacons, and shows it to whoever looks there.
    lacking = wait_for("the server knows", lambda: json.loads(
        agent.lab.cli("fleet", "list", "--no-loader", "-o", "json", check=True).stdout)["endpoints"], 60)
    assert len(lacking) == 1 and len(agent.lab.fleet()) > 1
    assert metrics(agent.lab.port)["ringward_endpoints_no_loader"] == 1
    endpoint = lacking[0]["endpoint"]
    agent.lab.cli("control", "set", "--endpoint", endpoint, "--hold", "2h", "--family", "yara", "--reason", "wait", check=True)
    shown = agent.lab.cli("fleet", "show", endpoint, check=True).stdout
    assert "loader   none" in shown and "control  " in shown and "hold" in shown, shown
    other = next(e["endpoint"] for e in agent.lab.fleet() if e["endpoint"] != endpoint)
    shown = agent.lab.cli("fleet", "show", other, check=True).stdout
    assert "loader   none" not in shown and "control  " not in shown, shown
