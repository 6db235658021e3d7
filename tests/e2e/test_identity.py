"""Goal: an endpoint's token is renewed while it runs and whatever is killed meanwhile locks nobody out; a copied disk becomes an endpoint
of its own, is told, and leaves the original alone."""
import shutil
import signal
import time

import pytest

from conftest import BIN
from lab import Agent, Lab, wait_for


class World(Lab):
    def begin(self, *settings: str):
        self.init()
        with open(self.server_dir / "server.conf", "a") as f:
            f.write("".join(f"{s}\n" for s in settings))
        return self.start_server()

    def agent(self, name: str, machine: str, **settings) -> Agent:
        (self.dir / f"{machine}.id").write_text(f"{machine}\n")
        a = Agent(self, name, "internal", machine_id_file=self.dir / f"{machine}.id", poll_interval="1s", **settings)
        self.agents.append(a)
        return a

    def token(self, agent: Agent) -> str:
        path = agent.state / "token"
        return path.read_text() if path.exists() else ""

    def known(self) -> set[str]:
        return {e["endpoint"] for e in self.fleet()}


@pytest.fixture
def world():
    with World(BIN) as w:
        yield w


def test_token_is_renewed_and_no_kill_locks_the_endpoint_out(world):
    world.begin("endpoint_token_life = 6s")
    agent = world.agent("renews", "one").start()
    first = wait_for("the endpoint has a token", lambda: world.token(agent))
    second = wait_for("it is renewed", lambda: world.token(agent) not in ("", first) and world.token(agent), 60)
    assert second.split(".")[:3] == first.split(".")[:3], "the same endpoint and tenant"
    # Killed at any moment around renewals: what lies on the disk is always a token that the server takes.
    for i in range(3):
        time.sleep(0.7 + 0.31 * i)
        agent.process.kill()
        assert world.token(agent).count(".") == 4
        agent.start()
    before = world.token(agent)
    wait_for("and renewed again", lambda: world.token(agent) != before, 60)
    assert len(world.known()) == 1
    # Off for longer than the token lives: it enrols anew by itself, as the same endpoint.
    agent.process.stop()
    old = world.token(agent)
    time.sleep(7)
    agent.start()
    wait_for("a new token", lambda: world.token(agent) != old, 60)
    wait_for("beacons go through", lambda: agent.status().get("spool", {}).get("waiting") == 0, 60)
    assert len(world.known()) == 1 and not agent.status()["token_refused"]


def test_copied_disk_becomes_an_endpoint_of_its_own(world):
    world.begin()
    original = world.agent("original", "one").start()
    wait_for("the original is known", lambda: len(world.known()) == 1)
    identity = original.status()["endpoint"]
    original.process.stop()
    copy = world.agent("copy", "two")
    shutil.copytree(original.state, copy.state, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
    original.start()
    copy.start()
    wait_for("both are known", lambda: len(world.known()) == 2, 60)
    said = wait_for("the copy answers", copy.status)
    assert said["cloned_from"] == identity and said["endpoint"] != identity
    assert original.status()["endpoint"] == identity and original.status()["cloned_from"] == ""
    shown = world.run("ringward-agent", "status", "--config", copy.conf, check=True).stdout
    assert f"this disk was copied from endpoint {identity}" in shown
    assert "identity_cloned" in copy.process.tail(1000) and "endpoint_cloned" in world.server.tail(1000)
    # Once only: the next start is an ordinary one.
    copy.process.stop()
    copy.start()
    again = wait_for("the copy answers again", copy.status)
    assert again["endpoint"] == said["endpoint"]


def test_copies_with_one_machine_id_are_told_by_the_server(world):
    world.begin()
    original = world.agent("original", "one").start()
    wait_for("the original is known", lambda: len(world.known()) == 1)
    original.process.stop()
    copy = world.agent("copy", "one")
    shutil.copytree(original.state, copy.state, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
    original.start()
    copy.start()
    alarms = wait_for("the server tells", lambda: [a for a in world.json("status")["alarms"] if "shared by several machines" in a], 60)
    assert original.status()["endpoint"] in alarms[0]
    assert "endpoint_shared" in world.server.tail(1000) and len(world.known()) == 1


def test_one_time_token_lets_one_endpoint_in_and_a_crash_does_not_lock_it_out(world):
    """INV-11: the token is the first endpoint's; that one may ask again, a second one is refused and told why."""
    world.begin()
    made = world.run("ringward-server", "token", "--dir", world.server_dir, "--name", "host17", "--role", "enrol", "--once",
                     "--valid", "1h", check=True).stdout.strip()
    world.server.child.send_signal(signal.SIGHUP)
    wait_for("the server took note", lambda: "tokens_loaded" in world.server.tail(1000))
    path = world.dir / "host17.token"
    path.write_text(made + "\n")
    agent = world.agent("first", "one", enrol_token_file=path).start()
    first = wait_for("it enrols", lambda: world.token(agent), 60)
    # As killed between the server's answer and the file: the answer is lost.
    agent.process.kill()
    (agent.state / "token").unlink()
    agent.start()
    again = wait_for("it enrols again", lambda: world.token(agent), 60)
    assert again.split(".")[:3] == first.split(".")[:3] and len(world.known()) == 1
    other = world.agent("second", "two", enrol_token_file=path).start()
    said = wait_for("the second is refused", lambda: "used by another endpoint" in str(other.status().get("poll")) and other.status(), 60)
    assert not said["enrolled"] and len(world.known()) == 1
    why = world.run("ringward-agent", "why", "--config", other.conf, check=True).stdout
    assert "KEEP    enrolment" in why, why
    listed = world.run("ringward-server", "token", "--dir", world.server_dir, "--list", check=True).stdout
    assert f"one-time, used by {agent.status()['endpoint']}" in listed and made not in listed, listed
    # A second asks the store, so a revocation counts at once, before any SIGHUP.
    world.run("ringward-server", "token", "--dir", world.server_dir, "--name", "host17", "--revoke", check=True)
    wait_for("the revocation is told", lambda: "was revoked" in str(other.status().get("poll")), 60)
