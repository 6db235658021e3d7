"""Goal: what scripts/bench measures with still runs: every rig once, as small as it goes. What it says of speed is not
looked at: other work runs beside it, and sanitizers."""
import json
import re
import subprocess
import sys
import time

import pytest

from conftest import BIN
from lab import ROOT

sys.path[:0] = [str(ROOT / "tests" / "bench")]
from nodes_bench import Cluster  # noqa: E402
from postgres import Postgres  # noqa: E402
from server_rig import Rig  # noqa: E402

TESTS = BIN.parent / "tests"


def run(program, *args) -> str:
    r = subprocess.run([TESTS / program, *map(str, args)], capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL)
    assert r.returncode == 0, f"{program}: exit status {r.returncode}\n{r.stdout}{r.stderr}"
    return r.stdout


def test_every_part_builds_what_there_is_to_build():
    script = (ROOT / "scripts" / "bench").read_text().replace("\\\n", " ")
    targets = {t for line in re.findall(r"^ +build ([a-z_ -]+)$", script, re.M) for t in line.split()}
    assert len(targets) > 15, targets
    asked = {t: subprocess.run(["ninja", "-C", BIN.parent, "-t", "query", t], capture_output=True, text=True, timeout=60) for t in targets}
    assert not [f"{t}: {r.stderr}" for t, r in asked.items() if r.returncode != 0]


@pytest.mark.parametrize("kind", ["durable", "null"])
def test_store_bench_has_beacons_answered(tmp_path, kind):
    seen = json.loads(run("store_bench", kind, tmp_path / "store.db", 4, 1))
    assert seen["per_s"] > 0 and seen["core_us"] > 0 and seen["batch_bytes"] > 0


def test_store_bench_tells_what_the_storage_itself_does(tmp_path):
    assert json.loads(run("store_bench", "raw", tmp_path / "store.db", 4096, 1))["transactions_s"] > 0


def test_fold_bench_folds_and_loads(tmp_path):
    steps = run("fold_bench", tmp_path / "store.db", 1000).splitlines()
    assert "permits and proofs" in steps[0] and steps[-1].startswith("load")


def test_health_bench_runs():
    assert run("health_bench", 3)


def test_time_that_runs_fast_keeps_clocks_and_waits_together():
    """An hour in a moment: what scripts/bench month lives in."""
    assert (TESTS / "fast_clock.so").exists()
    code = ("import select, time; m, r = time.monotonic(), time.time(); select.poll().poll(3600000); "
            "print(time.monotonic() - m, time.time() - r)")
    began = time.monotonic()
    env = {"LD_PRELOAD": str(TESTS / "fast_clock.so"), "RINGWARD_FAST_CLOCK": f"{time.monotonic_ns()} {time.time_ns()} 100000"}
    r = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, env=env)
    waited = [float(x) for x in r.stdout.split()]
    ours_s = time.monotonic() - began
    assert len(waited) == 2 and all(3600 <= x <= 3600 + ours_s * 100000 for x in waited), (r.stdout, r.stderr)
    assert ours_s < 3600
    env["RINGWARD_FAST_CLOCK"] = "1 2"
    r = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, env=env)
    assert r.returncode == 2 and "is not 'NS NS FACTOR'" in r.stderr


def test_clients_and_the_server_without_a_journal_run():
    with Rig(BIN, TESTS, big_mib=1, released=False) as rig:
        server = rig.start_ringward("null", TESTS / "ringward-server-null")
        assert rig.hands(server, resumed=True)["per_s"] > 0
        assert rig.post(server, "beacons", 4)["per_s"] > 0


def test_two_nodes_on_postgresql_are_asked_and_their_costs_counted():
    """Without a release nobody gets a permit: beacons go the same way."""
    with Postgres() as pg:
        pg.start()
        with Rig(BIN, TESTS, big_mib=1, released=False) as rig:
            seen = Cluster(rig, pg, "ab").run("beacons", 50, 1, 4)
            assert seen["per_s"] > 0 and seen["turns_s"] > 0 and seen["postgres_us"] > 0 and seen["node_us"] > 0
