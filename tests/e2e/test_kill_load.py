"""Goal: INV-8 with the real server and real sockets: killed at random moments under load, again and again, it keeps
every request that it answered 2xx, once."""
import copy
import json
import random
import time

from conftest import BIN
from lab import EXAMPLES, POLICY, Lab, wait_for
from load import Law, Load, check_exactly

KILLS = 15 if "asan" in str(BIN) else 50  # under the sanitizers a start takes longer
SEED = random.SystemRandom().randrange(10**6)


def one_ring(start=4):
    """The first ring never passes its gate: all that happens, happens in it."""
    policy = copy.deepcopy(POLICY)
    gate = {"limit": "10%", "min_healthy": 100000}
    policy["rings"] = [{"name": "canary", "share": "10%", "bake": "2s", "gate": gate},
                       {"name": "broad", "share": "rest", "gate": gate}]
    policy["window"]["confirm"].update(start=start, deadline="1h")
    policy["window"]["cohort"]["start"] = start
    return policy


def rolled_out(lab):
    """A release whose first ring is open; its SHA-256."""
    release = lab.publish(EXAMPLES / "good-1.yar", "good")
    lab.cli("rollout", "start", release, check=True)
    lab.wait_rollout(release, {"ramping", "baking"}, 60)
    return release, lab.json("release", "show", release)["payload"]["sha256"]


def test_inv_8_whatever_was_answered_survives_kill_9_under_load():
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    with Lab(BIN, policy=one_ring()) as lab:
        lab.init().start_server()
        release, sha256 = rolled_out(lab)
        law = Law(4, 1)
        load = Load(lab, [("127.0.0.1", lab.port)], 1, sha256, endpoints=400, law=law, seed=SEED).start()
        wait_for("the load runs", lambda: load.alive > 20, 60)
        for _ in range(KILLS):
            lab.server.kill()
            lab.start_server()
            before = load.alive + len(load.healthy)
            wait_for("somebody is answered", lambda: load.alive + len(load.healthy) > before, 60, 0.01)
            time.sleep(rng.random() * 0.15)
        load.stop()
        lab.server.kill()
        lab.start_server()
        check_exactly(load, lab, lab.port)
        print(json.dumps({"kills": KILLS + 1, "permits": len(load.permits), "healthy": len(load.healthy),
                          "alive": load.alive, "asked again": load.unanswered, "repeats known": load.duplicates}))
        assert len(load.permits) > 50
