"""Goal: on PostgreSQL, too, old files and records go and the audit log moves into files without a gap in its chain (INV-9);
of several nodes the controller alone does it, and one that was replaced while it stood still does nothing more."""
import json
import signal

import pytest
from conftest import BIN
from lab import Lab, Process, free_port, wait_for
from load import get, metrics
from postgres import Postgres
from test_prune import age, one_ring, payload, rule, withdraw

SETTINGS = "retention_every = 1s\nretention_keep = 1\nretention_audit = 30d\n"


class Pair:
    """Two nodes of one directory on one PostgreSQL."""

    def __init__(self):
        self.pg = Postgres().start()
        self.lab = lab = Lab(BIN, policy=one_ring(), clean_files=4)
        policy = lab.dir / "rings.json"
        policy.write_text(json.dumps(lab.policy))
        lab.run("ringward-server", "init", "--dir", lab.server_dir, "--dev", "--policy", policy, "--listen",
                f"127.0.0.1:{lab.port}", "--store", self.pg.url(), check=True)
        self.conf = lab.server_dir / "server.conf"
        self.before = self.conf.read_text() + "clean_files = 4\n"
        self.ports, self.nodes = {"a": lab.port, "b": free_port()}, {}

    def start(self, settings):
        self.conf.write_text(self.before + settings)
        for name, port in self.ports.items():  # the first one is controller
            self.nodes[name] = Process([BIN / "ringward-server", "serve", "--dir", self.lab.server_dir, "--node", name, "--listen",
                                        f"127.0.0.1:{port}", "--store", self.pg.url()], self.lab.dir / f"{name}.log", self.lab.env)
            wait_for(f"node {name} is ready", lambda p=port: get(p, "/readyz")[0] == 200, 60)
        return self

    def stop(self):
        for node in self.nodes.values():
            node.child.send_signal(signal.SIGCONT)
            assert node.stop(60) == 0

    def controls(self, name):
        return get(self.ports[name], "/readyz/controller")[0] == 200

    def term(self, name):
        return metrics(self.ports[name])["ringward_controller_term"]

    def moved(self, name):
        return metrics(self.ports[name]).get('ringward_retention_removed_total{kind="audit"}', 0)

    def age_audit(self):
        """As if all records but the newest had been written forty days ago; their number in the store."""
        return len(self.pg.rows("UPDATE audit SET at_s = at_s - 40 * 86400 WHERE seq < (SELECT max(seq) FROM audit) RETURNING seq")) - 1

    def segments(self):
        return sorted((self.lab.server_dir / "audit").glob("*.ndjson"))


@pytest.fixture
def pair():
    p = Pair()
    try:
        yield p
    finally:
        for name, node in p.nodes.items():
            print(f"--- {name}\n{node.tail(15)}")
            node.child.send_signal(signal.SIGCONT) if node.running() else None
            node.stop()
        p.lab.close()
        p.pg.__exit__()


def test_the_controller_alone_removes_and_moves_and_one_that_was_replaced_does_not(pair):
    lab = pair.start("retention_every = 0s\n").lab
    now = lab.publish(rule(lab, "first"), "the present one")
    bad = lab.publish(rule(lab, "second"), "withdrawn later")
    withdraw(lab, bad)
    gone = lab.server_dir / payload(lab, bad)
    pair.stop()
    moved = pair.age_audit()
    assert moved > 4
    age(lab)
    pair.start(SETTINGS)
    wait_for("what nobody needs goes", lambda: not gone.exists(), 60)
    wait_for("old records move", lambda: pair.moved("a") == moved, 60)
    assert (lab.server_dir / payload(lab, now)).exists() and pair.moved("b") == 0
    assert not any(v for k, v in metrics(pair.ports["b"]).items() if k.startswith("ringward_retention_"))
    [first] = pair.segments()
    assert lab.json("audit", "verify", first)["records"] == moved
    assert lab.json("audit", "verify")["after"] == moved
    assert pair.pg.rows(f"SELECT count(*) FROM audit WHERE seq <= {moved}") == ["0"]

    # The controller stands still, and wakes up to find that another one has its place and that there is work to do.
    old, term = pair.nodes["a"], pair.term("b")
    old.child.send_signal(signal.SIGSTOP)
    wait_for("another term has begun", lambda: pair.term("b") > term, 120)
    more = pair.age_audit()
    old.child.send_signal(signal.SIGCONT)
    wait_for("the new controller moves them", lambda: pair.moved("b") >= more > 0, 60)
    wait_for("the old one follows", lambda: get(pair.ports["a"], "/readyz")[0] == 200 and not pair.controls("a"), 60)
    assert pair.moved("a") == moved
    files = pair.segments()
    env = lab.env | {"RINGWARD_PROFILE": str(lab.server_dir / "b.conf")}
    (lab.server_dir / "b.conf").write_text((lab.server_dir / "operator.conf").read_text().replace(f":{lab.port}", f":{pair.ports['b']}"))
    total = sum(lab.json("audit", "verify", f)["records"] for f in files)
    assert len(files) >= 2 and total == moved + pair.moved("b")
    export = lab.dir / "export.ndjson"
    export.write_text(lab.cli("audit", "export", env=env, check=True).stdout)
    lab.cli("audit", "verify", *files, export, env=env, check=True)  # one chain over files and store, no gap
    lab.cli("audit", "verify", env=env, check=True)
