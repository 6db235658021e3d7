"""Goal: what customers set keeps their endpoints behind exactly as long as it should, ends by itself, is seen with its age, keeps nobody
from the way back, and kept endpoints count as not exposed. (INV-7)"""
import json
import time

import pytest

from conftest import BIN
from lab import EXAMPLES, Agent, Lab, wait_for

GATE = {"limit": "99%", "min_healthy": 1}
POLICY = {
    "format": 1,
    "rings": [{"name": "internal", "select": "local", "bake": "1s", "gate": GATE}, {"name": "broad", "share": "rest", "gate": GATE}],
    "classes": {"rules": {"min_bake": {"broad": "1s"}}, "data": {"min_bake": {"broad": "1s"}, "unpausable": True}},
    "window": {"confirm": {"start": 9, "per_survivor_thousandths": 1000, "deadline": "60s", "probation": "1s"}, "cohort": {"start": 9}},
    "controls": {"delay_longest": "1h", "hold_longest": "1d", "pause_longest": "1h", "pin_longest": "1d"},
    "health": {"false_halts_per_year": 1, "releases_per_year": 7300},
    "poll": {"rollout": "1s"},
}


class World(Lab):
    """A server, an endpoint in each ring that nothing keeps, and beside them those that a test keeps behind."""

    def begin(self, **kept) -> Agent | None:
        self.init().start_server()
        self.add_agent("internal", poll_interval="1s")
        self.add_agent("computed", poll_interval="1s")
        return self.kept("kept", **kept) if kept else None

    def kept(self, name: str, **settings) -> Agent:
        agent = Agent(self, name, "internal", poll_interval="1s", **settings)
        self.agents.append(agent)
        return agent.start()

    def release(self, seed: int, class_name: str = "rules", complete: bool = True) -> int:
        content = self.dir / f"{seed}.yar"
        content.write_text((EXAMPLES / "good-1.yar").read_text() + f"\n// release of seed {seed}\n")
        r = self.cli("release", "create", "--family", "yara", "--class", class_name, "--content", content, "--notes", f"seed {seed}",
                     "-o", "json", check=True)
        found = json.loads(r.stdout.strip().splitlines()[-1])
        name = f"{found['family']}/{found['release']}"
        self.sign(name, "alice")
        self.sign(name, "bob")
        self.cli("release", "publish", name, check=True)
        self.cli("rollout", "start", name, check=True)
        if complete:
            self.wait_rollout(name, {"complete"}, 120)
        return found["release"]

    def exposed(self, number: int) -> int:
        return sum(r["exposed"] for r in self.rollout(f"yara/{number}")["rings"])

    def why(self, agent: Agent) -> str:
        return self.run("ringward-agent", "why", "--config", agent.conf, check=True).stdout

    def rules(self, agent: Agent) -> dict:
        """Every rule of the first family by its name."""
        said = json.loads(self.run("ringward-agent", "why", "-o", "json", "--config", agent.conf, check=True).stdout)
        return {r["rule"]: r for f in said["families"][:1] for r in f["rules"]}


@pytest.fixture
def world():
    with World(BIN, POLICY, clean_files=4) as w:
        yield w


def at(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def family(agent: Agent) -> dict:
    return next(iter(agent.status().get("families", [])), {})


def steady_on(agent: Agent, number: int):
    wait_for(f"{agent.name} runs {number}", lambda: agent.active_release() == number and agent.status().get("phase") == "steady", 60)


def test_hold_and_pin_keep_behind_and_end(world):
    """n-1 stays one behind release after release; a held endpoint takes nothing, counts as not exposed, and follows when the hold is over."""
    world.begin()
    one = world.release(1)
    pinned = world.kept("pinned", pin="n-1")
    steady_on(pinned, one)
    # Starts with what is there, then stays one behind.
    two = world.release(2)
    wait_for("the pin is told", lambda: family(pinned).get("pointer") == two)
    assert pinned.active_release() == one and "pinned by the administrator to n-1" in world.why(pinned)
    held = world.kept("held", hold=at(3600))
    wait_for("the hold is told", lambda: "held by the administrator until" in family(held).get("reason", ""))
    rules = world.rules(held)
    assert rules["hold"]["state"] == "keep" and 3000 < rules["hold"]["left_s"] <= 3600, rules["hold"]
    assert [r for r, x in rules.items() if x["state"] == "keep"] == ["hold"], rules
    assert "'internal' by configuration" in rules["ring"]["reason"] and rules["permit"]["state"] == "unknown"
    assert "KEEP    hold" in world.why(held)
    three = world.release(3)
    steady_on(pinned, two)
    assert held.active_release() == 0
    assert world.exposed(three) == 2, "two endpoints follow; held and pinned ones are not exposed"
    status = world.run("ringward-agent", "status", "--config", held.conf, check=True).stdout
    assert "control      hold until" in status and "in force, ends in" in status
    # The same endpoint, with a hold that ends soon: it follows by itself.
    held.process.stop()
    held.conf.write_text(held.conf.read_text().replace("hold = ", "#") + f"hold = {at(4)}\n")
    held.start()
    steady_on(held, three)
    states = [c["state"] for c in held.status()["controls"]]
    assert states == ["over"]
    # A release that is taken back is left by everyone, held or pinned.
    world.cli("control", "set", "--tenant", "default", "--pause", "--reason", "freeze", check=True)
    world.cli("rollout", "rollback", f"yara/{three}", "--reason", "test", check=True)
    steady_on(held, two)


def test_operators_hold_keeps_agents_and_is_seen_and_unpausable_class_is_not_kept(world):
    """An operator holds a tenant: no permit, however the agent is set; the class that the policy marks goes through all the same."""
    kept = world.begin(pause="yes")
    wait_for("endpoints are known", lambda: len(world.fleet()) == 3)
    tenant = world.fleet()[0]["tenant"]
    refused = world.cli("control", "set", "--tenant", tenant, "--hold", "30d", "--reason", "too long")
    assert refused.returncode == 9 and "longer than the policy allows (1d)" in refused.stderr
    assert world.cli("control", "set", "--tenant", tenant, "--hold", "1h").returncode == 2, "a reason is required"
    # What nothing fits would be shown as set and hold nobody back.
    nobody = world.cli("control", "set", "--tenant", tenant, "--family", "yarra", "--hold", "1h", "--reason", "a slip")
    assert nobody.returncode == 7 and "there is no family 'yarra'" in nobody.stderr, nobody.stderr
    nothing = world.cli("control", "set", "--tenant", tenant, "--pin", "yara/999", "--reason", "a slip")
    assert nothing.returncode == 7 and "there is no release yara/999" in nothing.stderr, nothing.stderr
    world.cli("hold", "--tenant", tenant, "--reason", "change freeze", "1h", check=True)
    one = world.release(1, complete=False)
    free = world.agents[0]
    wait_for("the operator's hold is told at the endpoint", lambda: any(c["by"] == "operator" for c in free.status().get("controls", [])), 60)
    wait_for("and keeps it", lambda: "operator" in family(free).get("reason", "") + family(free).get("note", ""))
    assert world.exposed(one) == 0
    why = world.cli("fleet", "why", free.status()["endpoint"], check=True).stdout  # it is well: status 0
    assert f"yara/{one}, ramping: wait 1h: held by the operator until " in why and "control  hold until" in why and "in force" in why, why
    shown = world.cli("control", "list", check=True).stdout
    assert f"tenant {tenant}" in shown and "change freeze" in shown
    world.cli("control", "clear", "--tenant", tenant, "--reason", "over", check=True)
    world.wait_rollout(f"yara/{one}", {"complete"}, 120)
    assert kept.active_release() == 0, "its own pause goes on"
    # Class data cannot be paused: refusal with class and line, and the endpoint follows.
    two = world.release(2, "data")
    steady_on(kept, two)
    assert "pause is refused: class 'data' cannot be controlled (policy line" in world.why(kept)
