"""Goal: an agent that has nothing to do is small. Times and wake-ups are for `scripts/bench agent`, on a quiet machine."""
import re
from pathlib import Path

import pytest

from conftest import BIN
from lab import EXAMPLES, Lab, wait_for

RSS_MAX_KIB = 8 * 1024  # docs/service.md "What it costs"
POLICY = {
    "format": 1,
    "rings": [{"name": "internal", "select": "local", "bake": "1s", "gate": {"limit": "99%", "min_healthy": 1}},
              {"name": "broad", "share": "rest"}],
    "classes": {"rules": {"min_bake": {"broad": "1s"}}},
    "window": {"confirm": {"start": 4, "per_survivor_thousandths": 1000, "deadline": "300s", "probation": "1s"}, "cohort": {"start": 4}},
    "health": {"false_halts_per_year": 1, "releases_per_year": 7300},
}


def rss_kib(pid: int) -> int:
    return int(re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M).group(1))


@pytest.mark.skipif("asan" in BIN.parts, reason="the sanitizers' own memory is many times the agent's")
def test_an_idle_agent_stays_under_its_memory_aim():
    with Lab(BIN, policy=POLICY) as lab:
        lab.init().start_server()
        agent = lab.add_agent("internal", poll_interval="1h", stable_after="1s", sensor_command=str(lab.bin / "ringward-sensor"))
        release = lab.publish(EXAMPLES / "good-1.yar", "to be idle with")
        lab.cli("rollout", "start", release, check=True)

        def check():
            lab.run("ringward-agent", "check", "--config", agent.conf, check=True)
            return agent.active_release() == 1 and agent.status().get("phase") == "steady"
        wait_for("the release is active", check, 120, 1)
        for _ in range(10):  # whatever a poll leaves behind is there
            lab.run("ringward-agent", "check", "--config", agent.conf, check=True)
        assert rss_kib(agent.process.child.pid) < RSS_MAX_KIB
