"""Goal: nodes on hosts of their own, PostgreSQL over TCP, and a network that loses what it is given: whoever is cut off
says so and grants nothing, the others go on, a controller that is cut off has an heir within seconds, and all come back.
Nothing that was answered 2xx is lost, no permit is beyond the window."""
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import BIN
from lab import Lab, Process, free_port, wait_for
from load import Law, Load, check_exactly, get, metrics
from postgres import Postgres
from test_kill_load import one_ring, rolled_out
from test_nodes import CONTROLLER_WITHIN_S, SLOWER
from wires import NoWires, Wires

PROBE = "import sys; from load import get; print(get(int(sys.argv[2]), '/readyz', sys.argv[1])[0])"
SEED = random.SystemRandom().randrange(10**6)


class Host:
    """One node in its namespace."""

    def __init__(self, net, name):
        self.net, self.name = net, name
        self.address, self.port = net.wires.address(name), net.lab.port
        self.process = None

    def start(self):
        lab, pg = self.net.lab, self.net.pg
        self.process = Process([*self.net.wires.inside(self.name), lab.bin / "ringward-server", "serve", "--dir",
                                lab.server_dir, "--node", self.name, "--listen", f"{self.address}:{self.port}", "--store",
                                f"postgresql://ringward@{pg.address}:{pg.port}/postgres"],
                               lab.dir / f"{self.name}.log", lab.env)

    def asks(self, path):
        return get(self.port, path, self.address, 5)[0]

    def probe(self):
        """/readyz as a probe on that very host sees it: it needs no wire."""
        r = subprocess.run([*self.net.wires.inside(self.name), sys.executable, "-c", PROBE, self.address, str(self.port)],
                           capture_output=True, text=True, timeout=60, cwd=Path(__file__).parent)
        return int(r.stdout)


class Net:
    def __init__(self):
        self.wires = Wires(["a", "b", "c"])
        self.pg = Postgres(self.wires.here("s"), free_port()).start()
        self.lab = Lab(BIN, policy=one_ring())
        policy = self.lab.dir / "rings.json"
        policy.write_text(json.dumps(self.lab.policy))
        self.hosts = [Host(self, name) for name in self.wires.hosts]
        self.lab.run("ringward-server", "init", "--dir", self.lab.server_dir, "--dev", "--policy", policy, "--listen",
                     f"{self.hosts[0].address}:{self.lab.port}", "--store", self.pg.url(), check=True)

    def controllers(self, among=None):
        return [h for h in among or self.hosts if h.asks("/readyz/controller") == 200]

    def others(self, host):
        return [h for h in self.hosts if h is not host]

    def urls(self, hosts):
        return [(h.address, h.port) for h in hosts]

    def close(self):
        for h in self.hosts:
            if h.process is not None:
                h.process.stop()
        self.lab.close()
        self.pg.__exit__()
        self.wires.close()


@pytest.fixture(scope="module")
def net():
    try:
        n = Net()
    except NoWires as why:
        print(f"not tried here: {why}")
        pytest.skip(f"no network of our own: {why}")
    try:
        for h in n.hosts:
            h.start()
            wait_for(f"node {h.name} is ready", lambda h=h: h.asks("/readyz") == 200, 60)
        _, sha256 = rolled_out(n.lab)
        n.load = Load(n.lab, n.urls(n.hosts), 1, sha256, endpoints=400, law=Law(4, 1), seed=SEED).start()
        print(f"seed {SEED}")
        yield n
    finally:
        n.close()


@pytest.fixture(autouse=True)
def logs(net, request):
    yield
    if request.session.testsfailed:
        for h in net.hosts:
            print(f"--- {h.name}\n{h.process.tail(30)}")


def goes_on(net, more=30):
    before = net.load.alive
    wait_for("endpoints are answered", lambda: net.load.alive > before + more, 60)


def comes_back(net, host):
    wait_for(f"{host.name} is ready again", lambda: host.asks("/readyz") == 200, 60)
    assert host not in net.controllers() and len(net.controllers()) == 1
    net.load.urls[:] = net.urls(net.hosts)
    goes_on(net)


def test_inv_1_a_node_without_its_store_answers_nobody_and_the_others_go_on(net):
    """Its clients still reach it: each of their requests is refused, and taken elsewhere."""
    goes_on(net)
    controller = net.controllers()[0]
    cut = net.others(controller)[0]
    net.wires.cut(cut.name, "s")
    wait_for("it says that it is not ready", lambda: cut.asks("/readyz") == 503, 30)
    assert [h.asks("/readyz") for h in net.others(cut)] == [200, 200]
    assert net.controllers(net.others(cut)) == [controller]
    refused = net.load.unanswered
    permits = metrics(cut.port, cut.address)["ringward_journal_commits_total"]
    wait_for("some are refused", lambda: net.load.unanswered > refused, 30)
    goes_on(net)
    assert metrics(cut.port, cut.address)["ringward_journal_commits_total"] == permits
    net.wires.mend(cut.name, "s")
    comes_back(net, cut)


def test_a_controller_that_is_cut_off_from_everybody_has_an_heir_within_seconds(net):
    """It lets go of the signer by itself, with requests under way: the heir signs while the wire is still cut."""
    cut = net.controllers()[0]
    begun = time.monotonic()
    net.wires.cut(cut.name, "sc")
    net.load.urls[:] = net.urls(net.others(cut))  # as a balancer would
    heir = wait_for("there is a controller", lambda: net.controllers(net.others(cut)), CONTROLLER_WITHIN_S * SLOWER, 0.1)[0]
    print(f"controller {cut.name} cut off, {heir.name} took over after {time.monotonic() - begun:.1f} s")
    wait_for("it says that it is not ready", lambda: cut.probe() == 503, 30)
    assert [h.asks("/readyz") for h in net.others(cut)] == [200, 200]
    goes_on(net)
    net.wires.mend(cut.name, "sc")
    comes_back(net, cut)


def test_inv_8_nothing_that_was_answered_is_lost_and_no_permit_is_beyond_the_window(net):
    net.load.stop()
    for h in net.hosts:
        wait_for("it has seen the end", lambda h=h: metrics(h.port, h.address)['ringward_beacons_total{kind="alive"}']
                 == net.load.alive, 30)
        check_exactly(net.load, net.lab, h.port, h.address)
    net.lab.cli("audit", "verify", check=True)
    assert len(net.load.permits) > 20
