"""Goal: `ringward simulate` answers from the shipped policy without any server, and says that it is simulated."""
import json
import subprocess
import xml.dom.minidom

import pytest

from conftest import BIN
from lab import ROOT


def simulate(*args, policy=ROOT / "rings.json"):
    return subprocess.run([BIN / "ringward", "simulate", *args, policy], capture_output=True, text=True, timeout=300)


def test_the_catalogue_as_json(tmp_path):
    svg = tmp_path / "ramp.svg"
    done = simulate("--runs", "3", "--hosts", "200000", "--svg", str(svg), "-o", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["simulated"] is True and answer["endpoints"] == 200000
    faults = {f["fault"]: f for f in answer["faults"]}
    assert faults["brick"]["halted"] == 3
    assert faults["brick"]["harmed_p95"] <= 16  # the window's start
    assert faults["good"]["harmed_p95"] == 0
    assert faults["net-loss"]["came_back_median"] > 0 == faults["brick"]["came_back_median"]
    assert all(f["false_stops"] == f["false_waits"] == 0 for f in faults.values())
    drawing = xml.dom.minidom.parse(str(svg))
    assert len(drawing.getElementsByTagName("polyline")) == len(faults)
    assert "Simulated" in svg.read_text()
    legend = {t.firstChild.data: t.lastChild.firstChild for t in drawing.getElementsByTagName("text")}
    assert legend["brick"].data == f": {faults['brick']['exposed_median']}, after 16m"  # the deadline, and a step
    assert legend["good"] is None


def test_a_ramp_by_time_harms_thousands_where_the_window_harms_a_few(tmp_path):
    one_ring = tmp_path / "rings.json"
    one_ring.write_text(json.dumps({"format": 1, "rings": [{"name": "all", "share": "rest", "bake": "24h"}],
                                    "classes": {"rules": {}}, "window": {"confirm": {"start": 16}}}))
    brick = ("--runs", "3", "--fault", "brick", "-o", "ndjson")
    by_window = json.loads(simulate(*brick, policy=one_ring).stdout)
    by_time = json.loads(simulate(*brick, "--linear", "4h", policy=one_ring).stdout)
    assert by_window["harmed_p95"] <= 16
    # A million in 4 h are 4,167 a minute; darkness is seen 15 minutes behind the permit and stops a minute later.
    assert 60_000 <= by_time["harmed_median"] <= 80_000


def test_the_table_says_what_it_is_and_the_same_seed_says_it_again():
    args = ("--runs", "2", "--fault", "crash-1", "--seed", "7", "--step", "30s")
    first = simulate(*args)
    assert first.stdout.startswith("SIMULATED") and "seed 7, 24 h in steps of 30 s" in first.stdout.splitlines()[0]
    assert simulate(*args).stdout == first.stdout


@pytest.mark.parametrize("args", [("--fault", "none-such"), ("--cohorts", "50,40"), ("--hosts", "0"), ("--runs", "x"),
                                  ("--class", "none"), ("--linear", "soon"), ("--step", "7s"), ("--step", "2m")])
def test_what_is_not_understood_is_refused(args):
    done = simulate(*args)
    assert done.returncode in (2, 7) and done.stdout == "", (done.stdout, done.stderr)
