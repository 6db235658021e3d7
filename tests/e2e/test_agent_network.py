"""Goal: whatever the network does between an agent and its server, the agent installs the signed bytes or nothing, goes on
where it was cut, keeps protecting, and says what is wrong."""
import contextlib
import hashlib
import json
import os
import random
import ssl
import time
import urllib.request
from pathlib import Path

import pytest

from conftest import BIN
from front import Front, is_content, send
from lab import Agent, Lab, Process, wait_for

GATE = {"limit": "99%", "min_healthy": 1}
SMALL_FLEET = {
    "format": 1,
    "rings": [{"name": "internal", "select": "local", "bake": "1s", "gate": GATE}, {"name": "broad", "share": "rest", "gate": GATE}],
    "classes": {"rules": {"min_bake": {"broad": "1s"}}},
    "window": {"confirm": {"start": 4, "per_survivor_thousandths": 1000, "deadline": "300s", "probation": "2s"}, "cohort": {"start": 4}},
    "health": {"false_halts_per_year": 1, "releases_per_year": 7300},
    "poll": {"rollout": "1s"},
}
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
DAY_S = 24 * 3600
HALF = 700_000  # of the content, about


def rules(seed: int, changed: int = 0) -> str:
    """1.4 MB of rules: mostly words that do not compress to nothing; `changed` of them differ from release to release."""
    words = random.Random(1)
    new = random.Random(seed)
    lines = [f"// {words.getrandbits(400):0100x}" for _ in range(13_000)]
    for _ in range(changed):
        lines[new.randrange(len(lines))] = f"// {new.getrandbits(400):0100x}"
    return "\n".join(lines) + f'\nrule r{seed} {{ strings: $a = "no file holds {new.getrandbits(120):030x}" condition: $a }}\n'


def number(release: str) -> int:
    return int(release.split("/")[1])


class World(Lab):
    """A server, an endpoint in each ring that reaches it undisturbed, and a release that is everywhere."""

    def begin(self):
        self.init().start_server()
        self.first_timestamp = (self.server_dir / "repo/metadata/timestamp.json").read_bytes()
        self.add_agent("internal")
        self.add_agent("computed")
        self.current = self.release(1)
        return self

    def release(self, seed: int, changed: int = 0, complete: bool = True) -> str:
        content = self.dir / f"release-{seed}.yar"
        content.write_text(rules(seed, changed))
        release = self.publish(content, f"release of seed {seed}")
        self.cli("rollout", "start", release, check=True)
        if complete:
            self.wait_rollout(release, {"complete"}, 180)
            self.current = release
        return release

    def newcomer(self, front: Front, env: dict | None = None, **settings) -> Agent:
        """One more endpoint of ring internal, behind `front`."""
        values = {"server": front.url, "ca_file": None, **settings}
        agent = Agent(self, f"newcomer-{len(self.agents)}", "internal", **values)
        self.agents.append(agent)
        start(agent, env)
        return agent

    def wait_current(self, agent: Agent, timeout_s: float = 120):
        wait_for(f"{agent.name} runs {self.current}", lambda: agent.active_release() == number(self.current) and settled(agent), timeout_s)


def start(agent: Agent, env: dict | None = None):
    agent.process = Process([agent.lab.bin / "ringward-agent", "run", "--config", agent.conf], agent.dir / "agent.log",
                            {**agent.lab.env, **(env or {})})


def set_conf(agent: Agent, **values):
    lines = [line for line in agent.conf.read_text().splitlines() if line.split(" = ")[0] not in values]
    agent.conf.write_text("\n".join(lines + [f"{k} = {v}" for k, v in values.items()]) + "\n")


def settled(agent: Agent) -> bool:
    s = agent.status()
    return s.get("phase") == "steady" and s["sensor"]["proven"]


def family(agent: Agent) -> dict:
    return next(iter(agent.status().get("families", [])), {})


def check(agent: Agent) -> dict:
    """Lets the agent poll now and waits for the outcome."""
    r = agent.lab.run("ringward-agent", "check", "--config", agent.conf, "-o", "json", check=True)
    return json.loads(r.stdout)


def first_poll(agent: Agent):
    """Its first poll by itself is up to half a minute away when its polls are rare."""
    wait_for("the agent answers", agent.status)
    check(agent)


def parts(agent: Agent) -> list[int]:
    return [p.stat().st_size for p in (agent.state / "store").glob(".*.part")]


def stored(agent: Agent) -> list[str]:
    """Names of whole content: what is on its way begins with a dot."""
    return [p.name for p in (agent.state / "store").glob("[!.]*")]


@pytest.fixture(scope="module")
def world():
    with World(BIN, policy=SMALL_FLEET) as world:
        yield world.begin()


@pytest.fixture
def front(world):
    with Front(world) as front:
        yield front
    for agent in world.agents[2:]:  # what a test started ends with it
        agent.process.stop()


@pytest.fixture
def newcomers(world):
    """Endpoints that live at the same time, each behind a front of its own: newcomers(name, disturb, **settings), where
    disturb(front) says what the front does to it. Gives [(name, agent, front)]."""
    made = []
    with contextlib.ExitStack() as fronts:
        def make(name: str, disturb, **settings):
            front = fronts.enter_context(Front(world))
            disturb(front)
            made.append((name, world.newcomer(front, **settings), front))
            return made
        yield make
    for _, agent, _ in made:
        agent.process.stop()


# --- downloads ---
def test_a_download_goes_on_where_it_was_cut_also_after_a_restart(world, front):
    def cut(request, h):
        if not is_content(request) or "Range" in request.headers:
            return False
        data = front.payload(request.path)
        send(h, 200, data[:HALF], length=len(data))
        return True
    front.lie = cut
    agent = world.newcomer(front, poll_interval="1h")
    first_poll(agent)
    wait_for("half of it is stored", lambda: parts(agent) == [HALF])
    agent.process.kill()
    start(agent)
    first_poll(agent)
    world.wait_current(agent)
    asked = [r.headers.get("Range") for r in front.paths("/targets/content/")]
    assert f"bytes={HALF}-" in asked
    assert parts(agent) == []


def test_a_server_without_ranges_serves_the_whole_again(world, front):
    def whole(request, h):
        if not is_content(request):
            return False
        data = front.payload(request.path)
        first = len(front.paths("/targets/content/")) == 1
        send(h, 200, data[:HALF] if first else data, length=len(data))
        return True
    front.lie = whole
    world.wait_current(world.newcomer(front))


def redirect(data, h):
    send(h, 302, b"", Location="http://127.0.0.1:1/elsewhere")


def wrong_bytes(data, h):
    send(h, 200, data[:-10] + b"0123456789")


def too_long(data, h):
    send(h, 200, data + b"x")


def too_short(data, h):
    send(h, 200, data[:-1])


def endless(data, h):
    h.send_response(200)
    h.end_headers()
    for _ in range(20 * len(data) // 65536):
        h.wfile.write(b"A" * 65536)


def another_part(data, h):
    send(h, 206, data[:-5], Content_Range=f"bytes 5-{len(data) - 1}/{len(data)}")


def error_page(data, h):
    send(h, 500, data)


LIES = [redirect, wrong_bytes, too_long, too_short, endless, another_part, error_page]


@pytest.fixture(scope="module")
def stalled(world):
    """An endpoint whose first download stands still in its middle; nobody waits for it before it is asked for."""
    stalls, resumed = [], []

    def stall(request, h):
        if not is_content(request):
            return False
        if stalls:
            resumed.append((time.monotonic(), request.headers.get("Range")))
            return False
        data = front.payload(request.path)
        stalls.append(time.monotonic())
        send(h, 200, data[:HALF], length=len(data))
        time.sleep(60)
        return True
    with Front(world) as front:
        front.lie = stall
        agent = world.newcomer(front)
        yield agent, stalls, resumed
    agent.process.stop()


def test_lying_servers_get_nothing_installed_and_an_honest_answer_ends_it(world, stalled, newcomers):
    honest, all_lied_to = set(), []

    def lying(lie):
        def disturb(front):
            def hook(request, h):
                if not is_content(request) or lie in honest:
                    return False
                lie(front.payload(request.path), h)
                return True
            front.lie = hook
        return disturb
    for lie in LIES:
        all_lied_to = newcomers(lie.__name__, lying(lie))
    for (name, agent, _), lie in zip(all_lied_to, LIES):
        wait_for(f"{name}: it says that it could not fetch", lambda: family(agent).get("note", "").startswith("fetch: "), 120)
        assert agent.active_release() == 0, name
        assert stored(agent) == [], name
        assert sum(parts(agent)) <= len(rules(1)), f"{name}: no more than the signed length is ever kept"
        honest.add(lie)
    for name, agent, front in all_lied_to:
        world.wait_current(agent)
        assert all("elsewhere" not in r.path for r in front.seen), name


def test_a_line_that_stands_still_is_left_and_taken_up_again(world, stalled):
    agent, stalls, resumed = stalled
    world.wait_current(agent)
    assert resumed[0][0] - stalls[0] < 45
    assert resumed[0][1] == f"bytes={HALF}-", resumed


def test_downloads_keep_to_the_rate_that_was_set(world, front):
    begun, ended = [], []

    def timed(request, h):
        if not is_content(request):
            return False
        begun.append(time.monotonic())
        send(h, 200, front.payload(request.path))
        return True
    front.lie = timed
    agent = world.newcomer(front, max_download_rate="256KiB")
    wait_for("content is stored", lambda: stored(agent))
    ended.append(time.monotonic())
    seconds = ended[0] - begun[0]
    assert len(begun) == 1
    assert 3.5 < seconds < 20, f"{len(rules(1))} bytes in {seconds:.1f} s"
    world.wait_current(agent)


def test_content_beyond_the_disk_budget_is_not_fetched_and_the_setting_is_named(world, front):
    agent = world.newcomer(front, store_max="1MiB")
    wait_for("the agent names its budget", lambda: "store_max" in family(agent).get("note", ""))
    assert front.paths("/targets/content/") == []
    assert agent.active_release() == 0
    agent.process.stop()
    set_conf(agent, store_max="16MiB")
    start(agent)
    world.wait_current(agent)


def test_all_requests_go_through_the_proxy_that_is_set(world, front):
    agent = world.newcomer(front, server="http://127.0.0.1:1", proxy=front.url)
    world.wait_current(agent)
    assert {r.method for r in front.seen} == {"GET", "POST"}


# --- polls ---
def test_a_quiet_poll_costs_two_requests(world, front):
    agent = world.newcomer(front, poll_interval="1h")
    first_poll(agent)
    world.wait_current(agent)
    check(agent)
    wait_for("nothing is left to say", lambda: agent.status()["spool"]["waiting"] == 0)
    for _ in range(5):
        before = len(front.seen)
        assert check(agent)["poll"]["ok"]
        wait_for("the beacon is acknowledged", lambda: agent.status()["spool"]["waiting"] == 0)
        cost = front.seen[before:]
        assert [r.path for r in cost] == ["/repo/metadata/timestamp.json", "/v1/beacons"], cost
        assert "If-None-Match" in cost[0].headers


def test_an_older_timestamp_of_a_cache_is_a_quiet_retry_past_the_cache(world, front):
    agent = world.newcomer(front, poll_interval="1h")
    first_poll(agent)
    world.wait_current(agent)
    old = world.first_timestamp
    assert front.payload("repo/metadata/timestamp.json") != old
    stale = []

    def cache(request, h):
        if not request.path.endswith("/timestamp.json") or not stale:
            return False
        send(h, 200, old, ETag='"stale"')
        return True
    front.lie = cache
    stale.append(True)
    before = len(front.seen)
    status = check(agent)
    assert status["poll"]["ok"], status["poll"]
    assert status["trust"] == "development"
    asked = [r for r in front.seen[before:] if r.path.endswith("/timestamp.json")]
    assert len(asked) == 2 and asked[1].headers.get("Cache-Control") == "no-cache"
    assert status["poll"]["next_s"] <= 60, "it looks again soon"
    assert agent.active_release() == number(world.current)
    assert "poll_failed" not in agent.process.log.read_text()
    stale.clear()
    assert check(agent)["poll"]["ok"]


# --- clock and expiry ---
class Clock:
    """The wall clock of one process, moved while it runs."""

    def __init__(self, folder: Path):
        self.file = folder / f"clock-{time.monotonic_ns()}"
        self.set(0)
        self.env = {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}

    def set(self, offset_s: int):
        tmp = self.file.with_suffix(".new")
        tmp.write_text(f"{offset_s:+d}\n")
        os.replace(tmp, self.file)

    @staticmethod
    def kill(process):
        """SIGKILL; what faketime shares between processes would stay behind for good."""
        process.kill()
        for left in Path("/dev/shm").glob(f"*faketime_*_{process.child.pid}"):
            left.unlink()


needs_faketime = pytest.mark.skipif(FAKETIME is None, reason="faketime is not installed")


def last_beacon(front):
    """What the agent told last, from the bodies that the front forwarded."""
    return front.beacons[-1] if front.beacons else {}


def metric(world: Lab, name: str) -> float:
    context = ssl.create_default_context(cafile=world.server_dir / "tls" / "ca.pem")
    with urllib.request.urlopen(f"{world.url}/metrics", context=context) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(name))


@pytest.fixture
def telling_front(world):
    """A front that keeps the beacons."""
    with Front(world) as front:
        front.beacons = []
        forward = front.forward

        def keep(request, body, h):
            if request.path == "/v1/beacons":
                front.beacons.extend(json.loads(body)["beacons"])
            forward(request, body, h)
        front.forward = keep
        yield front
    for agent in world.agents[2:]:
        agent.process.stop()


@needs_faketime
def test_a_clock_that_is_behind_is_reported_and_hides_no_expiry(world, telling_front):
    clock = Clock(world.dir)
    agent = world.newcomer(telling_front, clock.env)
    world.wait_current(agent)
    assert check(agent)["clock"] == "ok"
    clock.set(-5 * DAY_S)
    status = check(agent)
    assert status["clock"] == "behind"
    wait_for("the beacon tells", lambda: last_beacon(telling_front).get("clock") == "behind")
    wait_for("the server counts it", lambda: metric(world, 'ringward_beacons_clock_total{clock="behind"}') > 0)
    assert agent.active_release() == number(world.current) and settled(agent)
    clock.kill(agent.process)  # the floor is on the disk
    start(agent, clock.env)
    wait_for("still told after a restart", lambda: agent.status().get("clock") == "behind")
    clock.set(0)
    wait_for("no longer told", lambda: check(agent)["clock"] == "ok")
    wait_for("nor in beacons", lambda: "clock" not in last_beacon(telling_front))


@needs_faketime
def test_a_clock_that_is_far_ahead_is_told_from_expiry_and_installs_nothing(world, telling_front):
    clock = Clock(world.dir)
    clock.set(500 * DAY_S)
    agent = world.newcomer(telling_front, clock.env)
    wait_for("the clock is told", lambda: agent.status().get("clock") == "ahead")
    status = agent.status()
    assert not status["poll"]["ok"] and status["trust"] == "expired"
    wait_for("the beacon tells both", lambda: last_beacon(telling_front).get("clock") == "ahead"
             and last_beacon(telling_front).get("trust") == "expired")
    assert agent.active_release() == 0
    clock.set(0)
    world.wait_current(agent)
    assert agent.status()["clock"] == "ok"


@needs_faketime
def test_expired_metadata_keep_protecting_install_nothing_and_recover(world, telling_front):
    """A signer that is dead for two days, seen from the endpoint; the 304 of the frozen server helps nobody."""
    clock = Clock(world.dir)
    agent = world.newcomer(telling_front, clock.env)
    world.wait_current(agent)
    had = agent.active_release()
    clock.set(2 * DAY_S)  # the timestamp lives 36 hours
    status = check(agent)
    assert not status["poll"]["ok"] and "expired" in status["poll"]["error"]
    assert status["trust"] == "expired" and status["clock"] == "ok"
    released = world.release(3, 50)
    status = check(agent)
    assert status["trust"] == "expired"
    assert agent.active_release() == had and settled(agent), "protection goes on with what is there"
    wait_for("the beacon tells", lambda: last_beacon(telling_front).get("trust") == "expired")
    clock.set(0)
    wait_for("it takes the new release by itself", lambda: agent.active_release() == number(released), 120)
    assert agent.status()["trust"] == "development"


# --- differences ---
def lied_delta(front, lie):
    def hook(request, h):
        if "/targets/delta/" not in request.path:
            return False
        lie(front.payload(request.path), h)
        return True
    return hook


BAD_DELTAS = {
    "damaged": lambda data, h: send(h, 200, data[:-3] + b"abc"),
    "cut": lambda data, h: send(h, 200, data[:len(data) // 2]),
    "twice": lambda data, h: send(h, 200, data + data),
    "nonsense": lambda data, h: send(h, 200, b"(\xb5/\xfd" + b"\xff" * 64),
    "larger_than_the_content": lambda data, h: send(h, 200, b"x" * 3_000_000),
    "none": lambda data, h: send(h, 404, b""),
    "redirect": lambda data, h: send(h, 302, b"", Location="http://127.0.0.1:1/"),
}


def test_a_difference_is_fetched_in_place_of_the_whole_and_a_bad_one_costs_one_request(world, newcomers):
    newcomers("honest", lambda front: None)
    for name, lie in BAD_DELTAS.items():
        every = newcomers(name, lambda front, lie=lie: setattr(front, "lie", lied_delta(front, lie)))
    for _, agent, _ in every:
        world.wait_current(agent)
    before = {name: len(front.seen) for name, _, front in every}
    released = world.release(4, 50)
    for name, agent, front in every:
        wait_for(f"{name}: the agent has it", lambda: agent.active_release() == number(released), 120)
        deltas = front.paths("/targets/delta/", before[name])
        wholes = front.paths("/targets/content/", before[name])
        assert (len(deltas), len(wholes)) == (1, 0 if name == "honest" else 1), (name, deltas, wholes)
    _, agent, front = every[0]
    delta, whole = len(front.payload(front.paths("/targets/delta/")[-1].path)), len(rules(4, 50))
    assert delta < whole / 20, (delta, whole)
    names = {p.name for p in (agent.state / "store").iterdir()}
    assert hashlib.sha256(rules(4, 50).encode()).hexdigest() in names
    assert not [n for n in names if n.startswith(".")]


# --- reach-back ---
FAILED_TOLD = 'ringward_beacons_total{kind="failed"}'


def cutting(front):
    """The network dies with the grant of a permit, as if the new content had cut it."""
    forward = front.forward
    front.armed = False

    def cut(request, body, h):
        forward(request, body, h)
        front.down = front.down or (front.armed and request.path == "/v1/permits")
    front.forward = cut


def test_content_that_keeps_the_server_out_of_reach_goes_back_unless_that_is_switched_off(world, newcomers):
    newcomers("asks", cutting, reach_back="3s")
    (_, agent, front), (_, careless, its_front) = newcomers("does not ask", cutting, reach_back="0s")
    world.wait_current(agent)
    world.wait_current(careless)
    before = agent.active_release()
    front.armed = its_front.armed = True
    failures = metric(world, FAILED_TOLD)
    released = world.release(30, 50, complete=False)
    wait_for("the agent tries it", lambda: agent.active_release() == number(released), 120)
    wait_for("and goes back by itself", lambda: agent.active_release() == before, 120)
    wait_for("the sensor proves it", lambda: settled(agent))
    assert "reachable" in agent.process.log.read_text()
    wait_for("the other one has committed it", lambda: careless.active_release() == number(released) and settled(careless), 120)
    assert its_front.down and "reachable" not in careless.process.log.read_text()
    front.armed = front.down = its_front.armed = its_front.down = False
    # Left for want of the server alone is silence, which an outage may have caused, and no failure (INV-4).
    wait_for("the server hears of it", lambda: check(agent) and metric(world, FAILED_TOLD) > failures, 120)
    assert world.marked(number(released), "dark") and not world.marked(number(released), "failed")
    world.cli("rollout", "halt", released, "--reason", "end of the test")
    wait_for("all are back", lambda: all(a.active_release() == before for a in world.agents[:2]), 120)


# --- boot guard ---
def kill_while_starting(agent: Agent, times: int, env=None):
    for _ in range(times):
        start(agent, env)
        wait_for("the sensor proves a load", lambda: agent.status().get("sensor", {}).get("proven"))
        agent.process.kill()


def test_a_set_that_started_well_before_is_not_blamed_for_power_cuts(world, telling_front):
    agent = world.newcomer(telling_front)
    world.wait_current(agent)
    agent.process.stop()
    start(agent)  # a start with this very set, that lasts longer than stable_after
    wait_for("that is remembered", lambda: agent.status().get("started_before"))
    agent.process.kill()
    set_conf(agent, stable_after="10m")
    kill_while_starting(agent, 2)
    start(agent)
    wait_for("the guard has left it", lambda: "not blamed" in agent.process.log.read_text())
    world.wait_current(agent)  # it comes back by a permit, like any release
    assert agent.status()["abandoned"] == []
    told = [b for b in telling_front.beacons if "not blamed" in b.get("detail", "")]
    assert told and all(b["kind"] == "alive" for b in told)


def test_what_the_guard_has_to_say_leaves_at_once_and_nobody_waits_for_it(world, telling_front):
    agent = world.newcomer(telling_front, stable_after="10m")
    world.wait_current(agent)
    agent.process.kill()
    kill_while_starting(agent, 1)
    telling_front.beacons.clear()
    hang = []

    def hold_beacons(request, h):
        if request.path != "/v1/beacons":
            return False
        hang.append(time.monotonic())
        time.sleep(8)
        return False
    telling_front.lie = hold_beacons
    set_conf(agent, poll_interval="1h")  # its first poll is up to half a minute away
    begun = time.monotonic()
    start(agent)
    wait_for("the sensor loads", lambda: agent.status().get("sensor", {}).get("proven"), 7)
    assert hang and hang[0] - begun < 3, "the report left before the first poll"
    assert time.monotonic() - begun < 8, "and the sensor did not wait for its answer"
    wait_for("the server has it", lambda: any(b["kind"] == "failed" for b in telling_front.beacons), 20)
    assert agent.active_release() == 0


def test_the_guard_of_its_own_hands_its_report_to_a_helper(world, telling_front):
    agent = world.newcomer(telling_front, stable_after="10m")
    world.wait_current(agent)
    agent.process.kill()
    kill_while_starting(agent, 1)
    telling_front.beacons.clear()
    begun = time.monotonic()
    world.run("ringward-agent", "guard", "--config", agent.conf, check=True)
    assert time.monotonic() - begun < 5
    wait_for("the server has it", lambda: any(b["kind"] == "failed" for b in telling_front.beacons), 15)
    assert not agent.process.running(), "before any sensor was started, which only a run does"


# --- pointers ---
def policy_with(probation: str) -> dict:
    policy = json.loads(json.dumps(SMALL_FLEET))
    policy["window"]["confirm"]["probation"] = probation
    return policy


@pytest.mark.parametrize("probation", [pytest.param("1s", id="committed"), pytest.param("40s", id="on_trial")])
def test_a_family_whose_pointer_goes_leaves_the_set(probation):
    """A first release that is halted leaves nothing to go back to; a trial of it ends in its middle."""
    with World(BIN, policy=policy_with(probation)) as lab:
        lab.init().start_server()
        agent = lab.add_agent("internal")
        released = lab.release(1, complete=False)
        phase = "probation" if probation == "40s" else "steady"
        wait_for("the agent runs it", lambda: agent.active_release() == 1 and agent.status().get("phase") == phase)
        lab.cli("rollout", "halt", released, "--reason", "test", check=True)
        wait_for("the agent has left it", lambda: agent.active_release() == 0 and settled(agent), 20)
        assert agent.status()["loaded"] == [{"family": "", "release": 0, "sha256": "0" * 64}]
        wait_for("the server knows", lambda: lab.marked(1, "reverted"), 20)
