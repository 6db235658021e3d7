"""Goal: a quiet poll and its beacon cost one connection and leave no process behind; the system's store of certificates is
trusted as its folder or its bundle has it, and beyond that nobody."""
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from conftest import BIN
from lab import Lab, wait_for
from load import metrics

POLLS = 4
POLICY = {
    "format": 1,
    "rings": [{"name": "internal", "select": "local", "bake": "1s"}, {"name": "broad", "share": "rest"}],
    "classes": {"rules": {"min_bake": {"broad": "1s"}}},
    "window": {"confirm": {"start": 2, "per_survivor_thousandths": 1000, "deadline": "60s", "probation": "1s"}, "cohort": {"start": 2}},
    "health": {"false_halts_per_year": 1, "releases_per_year": 7300},
}


@pytest.fixture(scope="module")
def lab():
    with Lab(BIN, POLICY) as lab:
        lab.init().start_server()
        yield lab


def children(pid: int) -> set[str]:
    names = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        names |= {Path(f"/proc/{p}/comm").read_text().strip() for p in (task / "children").read_text().split()}
    return names


def test_a_quiet_poll_and_its_beacon_are_one_connection_and_nothing_stays(lab):
    agent = lab.add_agent("internal", poll_interval="1h")
    told = 'ringward_beacons_total{kind="alive"}'

    def quiet():
        try:
            return agent.status().get("poll", {}).get("ok") and children(agent.process.child.pid) == {"ringward-sensor"}
        except FileNotFoundError:  # it ended while we looked
            return False

    wait_for("the agent answers", agent.status, 60)
    lab.run("ringward-agent", "check", "--config", agent.conf, check=True)
    wait_for("a poll that went well, and its beacon", lambda: quiet() and metrics(lab.port)[told] > 0, 60)
    before = metrics(lab.port)
    for _ in range(POLLS):
        lab.run("ringward-agent", "check", "--config", agent.conf, check=True)
        wait_for("the agent is quiet", quiet, 60)
    time.sleep(1.1)  # samples of the fleet are made once a second at most
    after = metrics(lab.port)
    assert after[told] - before[told] == POLLS
    own = 1  # the second question for metrics
    assert after["ringward_http_connections_total"] - before["ringward_http_connections_total"] == POLLS + own
    agent.process.stop()


@pytest.mark.parametrize(("store", "trusted"), [("folder", True), ("bundle", True), ("neither", False), ("others", False)])
def test_the_systems_store_is_trusted_in_both_its_forms_and_nothing_beside_it(lab, tmp_path, store, trusted):
    ca = lab.server_dir / "tls" / "ca.pem"
    folder = tmp_path / "certs"
    folder.mkdir()
    if store == "bundle":
        shutil.copy(ca, folder / "ca-certificates.crt")
    if store == "folder":
        shutil.copy(ca, folder / "lab.pem")
    if store == "others":
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=other",
                        "-keyout", tmp_path / "key", "-out", folder / "other.pem"], check=True, capture_output=True)
        shutil.copy(folder / "other.pem", folder / "ca-certificates.crt")
    if store in ("folder", "others"):
        subprocess.run(["openssl", "rehash", folder], check=True, capture_output=True)
    profile = lab.server_dir / f"{store}.conf"
    lines = (lab.server_dir / "operator.conf").read_text().splitlines()
    profile.write_text("\n".join(line for line in lines if not line.startswith("ca_file")) + "\n")
    r = subprocess.run(["bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--ro-bind", folder, "/etc/ssl/certs",
                        BIN / "ringward", "status"], env=lab.env | {"RINGWARD_PROFILE": str(profile)},
                       capture_output=True, text=True, timeout=60)
    assert (r.returncode == 0) == trusted, r.stderr
    if not trusted:
        assert "certificate" in r.stderr
