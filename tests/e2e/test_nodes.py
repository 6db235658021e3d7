"""Goal: three real nodes on one PostgreSQL under load: the controller is killed, stands still, is cut off; PostgreSQL
crashes and comes back; all nodes are restarted one by one. Nothing that was answered 2xx is lost or counted twice, no
permit is beyond the window, a new controller is there within seconds, and /readyz tells the truth all the while."""
import json
import os
import random
import select
import shutil
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path

import pytest

from conftest import BIN
from lab import Lab, Process, free_port, wait_for
from load import Law, Load, check_exactly, get, metrics
from postgres import Postgres
from test_kill_load import one_ring, rolled_out

SEED = random.SystemRandom().randrange(10**6)
CONTROLLER_WITHIN_S = 10.0
# The times above are of the programs; under the sanitizers and on a busy host everything is slower.
SLOWER = 4 if "asan" in str(BIN) or os.getloadavg()[0] > 2 * (os.cpu_count() or 1) else 1


class Cable:
    """Between one node and PostgreSQL: passes bytes on, or swallows them as a network does that is cut."""

    def __init__(self, to: Path):
        self.to, self.cut = to, threading.Event()
        self.dir = Path(tempfile.mkdtemp(prefix="rw-cable-"))
        self.dir.chmod(0o755)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.dir / ".s.PGSQL.5432"))
        self.listener.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(near,), daemon=True).start()

    def carry(self, near):
        far = socket.socket(socket.AF_UNIX)
        try:
            while self.cut.is_set():
                time.sleep(0.05)
            far.connect(str(self.to))
            while True:
                ready, _, _ = select.select([near, far], [], [], 0.2)
                if self.cut.is_set():
                    continue
                for s in ready:
                    data = s.recv(65536)
                    if not data:
                        return
                    (far if s is near else near).sendall(data)
        except OSError:
            pass
        finally:
            near.close()
            far.close()

    def close(self):
        self.listener.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Node:
    def __init__(self, lab, pg, name, port):
        self.lab, self.pg, self.name, self.port = lab, pg, name, port
        self.cable = Cable(pg.dir / ".s.PGSQL.5432")
        self.process = None

    def start(self, wait=True):
        self.process = Process([self.lab.bin / "ringward-server", "serve", "--dir", self.lab.server_dir, "--node",
                                self.name, "--listen", f"127.0.0.1:{self.port}", "--store",
                                self.pg.url(self.cable.dir)], self.lab.dir / f"{self.name}.log", self.lab.env)
        if wait:
            self.wait_ready()
        return self

    def ready(self):
        return get(self.port, "/readyz")[0] == 200

    def controls(self):
        return get(self.port, "/readyz/controller")[0] == 200

    def wait_ready(self, timeout_s=60):
        wait_for(f"node {self.name} is ready", self.ready, timeout_s)


class Cluster:
    def __init__(self):
        self.pg = Postgres().start()
        self.lab = Lab(BIN, policy=one_ring())
        policy = self.lab.dir / "rings.json"
        policy.write_text(json.dumps(self.lab.policy))
        self.lab.run("ringward-server", "init", "--dir", self.lab.server_dir, "--dev", "--policy", policy, "--listen",
                     f"127.0.0.1:{self.lab.port}", "--store", self.pg.url(), check=True)
        ports = [self.lab.port, free_port(), free_port()]
        self.nodes = [Node(self.lab, self.pg, name, port) for name, port in zip("abc", ports)]

    def controller(self, among=None):
        return next((n for n in among or self.nodes if n.controls()), None)

    def wait_controller(self, among=None):
        """The controller, and how long it took."""
        begun = time.monotonic()
        node = wait_for("there is a controller", lambda: self.controller(among), CONTROLLER_WITHIN_S * SLOWER, 0.1)
        return node, time.monotonic() - begun

    def others(self, node):
        return [n for n in self.nodes if n is not node]

    def close(self):
        for n in self.nodes:
            if n.process is not None:
                n.process.stop()
            n.cable.close()
        self.lab.close()
        self.pg.__exit__()


@pytest.fixture(scope="module")
def cluster():
    c = Cluster()
    try:
        c.nodes[0].start()
        for n in c.nodes[1:]:
            n.start(wait=False)
        for n in c.nodes:
            n.wait_ready()
        _, c.sha256 = rolled_out(c.lab)
        c.law = Law(4, 1)
        c.load = Load(c.lab, [("127.0.0.1", n.port) for n in c.nodes], 1, c.sha256, endpoints=600, law=c.law,
                      seed=SEED).start()
        print(f"seed {SEED}")
        yield c
    finally:
        c.close()


@pytest.fixture(autouse=True)
def logs(cluster, request):
    yield
    if request.session.testsfailed:
        for n in cluster.nodes:
            print(f"--- {n.name}\n{n.process.tail(30)}")


def goes_on(cluster, more=30):
    """Requests are answered again."""
    before = cluster.load.alive
    wait_for("endpoints are answered", lambda: cluster.load.alive > before + more, 60)


def test_exactly_one_node_is_controller_and_the_others_say_who(cluster):
    goes_on(cluster)
    assert [n.controls() for n in cluster.nodes] == [True, False, False]
    status, body = get(cluster.nodes[1].port, "/readyz/controller")
    assert status == 503 and "a (127.0.0.1" in body
    assert all(n.ready() for n in cluster.nodes)


def test_what_cannot_be_is_refused_in_words(cluster):
    lab = cluster.lab

    def refusal(*args):
        r = lab.run("ringward-server", *args)
        assert r.returncode != 0, args
        return r.stderr
    serve = ("serve", "--dir", lab.server_dir, "--listen", "127.0.0.1:0")
    assert "as node a" in refusal(*serve, "--node", "a")  # it would take the lock file of the one that runs
    assert "node name '../x'" in refusal(*serve, "--node", "../x")
    assert "does not begin with postgresql://" in refusal(*serve, "--node", "d", "--store", "mysql://x")
    assert "/nowhere" in refusal(*serve, "--node", "d", "--store", "postgresql:///x?host=/nowhere")
    assert "store of another server" in refusal("init", "--dir", lab.dir / "second", "--dev", "--store", cluster.pg.url())


def test_every_node_answers_the_same_about_the_fleet(cluster):
    cluster.lab.cli("rollout", "pause", "yara/1", "--reason", "to count in peace", check=True)
    cluster.lab.cli("rollout", "resume", "yara/1", "--reason", "go on", check=True)
    envs = {}
    for n in cluster.nodes:
        profile = cluster.lab.server_dir / f"{n.name}.conf"
        text = (cluster.lab.server_dir / "operator.conf").read_text()
        profile.write_text(text.replace(f":{cluster.lab.port}", f":{n.port}"))
        envs[n.name] = cluster.lab.env | {"RINGWARD_PROFILE": str(profile)}

    def seen():
        """What every node says, when all say the same: one without requests is up to a second behind."""
        all_of_them = []
        for n in cluster.nodes:
            status = json.loads(cluster.lab.cli("status", "-o", "json", env=envs[n.name], check=True).stdout)
            assert status["node"]["controller"] == (n is cluster.nodes[0])
            r = status["rollouts"][0]
            all_of_them.append((status["node"]["term"], r["generation"], r["state"]))
        return len(set(all_of_them)) == 1 and all_of_them
    assert wait_for("all nodes say the same", seen, 30)[0][2] == "ramping"
    env = envs[cluster.nodes[2].name]
    refused = cluster.lab.cli("rollout", "start", "yara/1", env=env)
    assert refused.returncode == 1 and "not the controller: a (" in refused.stderr, refused.stderr
    assert "controller: a (" in cluster.lab.cli("status", env=env, check=True).stdout


def test_inv_1_a_halt_typed_at_any_node_stops_permits_at_all_of_them(cluster):
    """Paused at a node that is not controller: no node grants from the very answer on."""
    follower = cluster.others(cluster.controller())[0]
    env = cluster.lab.env | {"RINGWARD_PROFILE": str(cluster.lab.server_dir / f"{follower.name}.conf")}
    cluster.lab.cli("rollout", "pause", "yara/1", "--reason", "hold on", check=True, env=env)
    begun = len(cluster.load.permits)
    goes_on(cluster, 60)
    assert len(cluster.load.permits) <= begun + len(cluster.load.threads)  # answers that were on their way
    cluster.lab.cli("rollout", "resume", "yara/1", "--reason", "go on", check=True, env=env)
    wait_for("permits go on", lambda: len(cluster.load.permits) > begun + len(cluster.load.threads), 60)


def test_a_killed_controller_is_replaced_within_seconds(cluster):
    dead = cluster.controller()
    dead.process.kill()
    heir, took_s = cluster.wait_controller(cluster.others(dead))
    print(f"controller {dead.name} killed, {heir.name} took over after {took_s:.1f} s")
    goes_on(cluster)
    dead.start()
    assert not dead.controls()


def test_a_controller_that_stands_still_is_replaced_and_follows_when_it_wakes(cluster):
    still = cluster.controller()
    still.process.child.send_signal(signal.SIGSTOP)
    try:
        others = cluster.others(still)
        cluster.load.urls[:] = [("127.0.0.1", n.port) for n in others]
        term = metrics(others[0].port)["ringward_controller_term"]
        begun = time.monotonic()
        wait_for("the term has risen", lambda: metrics(others[0].port)["ringward_controller_term"] > term,
                 CONTROLLER_WITHIN_S * SLOWER)
        print(f"controller {still.name} stopped, the next term began after {time.monotonic() - begun:.1f} s")
        goes_on(cluster)
    finally:
        still.process.child.send_signal(signal.SIGCONT)
    cluster.load.urls[:] = [("127.0.0.1", n.port) for n in cluster.nodes]
    still.wait_ready()
    cluster.wait_controller(others)  # the signer is free again
    assert not still.controls()


def test_a_controller_that_is_cut_off_is_not_ready_and_is_replaced(cluster):
    cut = cluster.controller()
    cut.cable.cut.set()
    heir, took_s = cluster.wait_controller(cluster.others(cut))
    print(f"controller {cut.name} cut off, {heir.name} took over after {took_s:.1f} s")
    wait_for("the one that is cut off says so", lambda: not cut.ready(), 30)
    goes_on(cluster)
    cut.cable.cut.clear()
    cut.wait_ready()
    assert not cut.controls()
    assert [n.controls() for n in cluster.nodes].count(True) == 1


def test_postgresql_crashes_and_comes_back(cluster):
    cluster.pg.stop(signal.SIGQUIT)
    wait_for("no node is ready", lambda: not any(n.ready() for n in cluster.nodes), 60)
    assert cluster.controller() is None
    cluster.pg.start()
    for n in cluster.nodes:
        n.wait_ready()
    _, took_s = cluster.wait_controller()
    print(f"controller {took_s:.1f} s after the nodes were ready again")
    goes_on(cluster)


def test_a_rolling_restart_loses_nothing(cluster):
    for n in cluster.nodes:
        assert n.process.stop(60) == 0
        n.start()
        cluster.wait_controller()
        goes_on(cluster)


def test_inv_8_all_nodes_keep_exactly_what_was_answered(cluster):
    cluster.load.stop()
    tip = cluster.pg.rows("SELECT tip FROM cluster")[0]
    for n in cluster.nodes:  # one after the other: those that followed, and one that loads
        wait_for("it has seen the end", lambda n=n: metrics(n.port)['ringward_beacons_total{kind="alive"}']
                 == cluster.load.alive, 30)
    cluster.nodes[0].process.kill()
    cluster.nodes[0].start()
    check_exactly(cluster.load, cluster.lab, cluster.nodes[0].port)
    r = cluster.lab.cli("audit", "verify", check=True)
    print(json.dumps({"journal rows": int(tip), "permits": len(cluster.load.permits),
                      "healthy": len(cluster.load.healthy), "alive": cluster.load.alive,
                      "asked again": cluster.load.unanswered, "repeats known": cluster.load.duplicates}), r.stdout)
    assert len(cluster.load.permits) > 50
