"""Goal: a sensor that the agent has not started, found by its pid file, must prove each release as one of the agent's own: a good one is
proven after the signal, one that kills it or hangs it is taken back, and its restarts count as crashes. Beside it: the other ways of being
told to load, supervised and observed."""
import contextlib
import copy
import signal

import pytest

from conftest import BIN
from lab import EXAMPLES, POLICY, Lab, wait_for
from test_engines import Manager

HANG = 'rule dull { meta: rehearse = "hang" strings: $a = "no such text in any file 77d0" condition: $a }\n'


def observed(lab, name, **settings):
    """An endpoint whose sensor, the real one, is started by somebody else."""
    pid_file = lab.dir / f"{name}.pid"
    agent = lab.add_agent("internal", sensor_command=None, sensor_pid_file=pid_file, sensor_alive="3s", **settings)
    env = {**lab.env, "RINGWARD_ACTIVE": str(agent.state / "current"), "RINGWARD_SOCKET": str(agent.state / "sensor.sock")}
    return agent, Manager([BIN / "ringward-sensor", "--rehearse", "--alive-every", "1s"], (agent.state / "sensor.sock").exists, env,
                          pid_file)


@pytest.fixture(scope="module")
def endpoint():
    with Lab(BIN, policy=copy.deepcopy(POLICY)) as lab, contextlib.ExitStack() as managers:
        lab.init().start_server()
        agent, lab.manager = observed(lab, "sensor", load_timeout="20s")
        managers.callback(lab.manager.close)
        hup = lab.dir / "hup"
        hup.write_text('#!/bin/sh\nexec kill -HUP "$RINGWARD_PID"\n')
        hup.chmod(0o755)
        by_command = {"sensor_reload": "command", "sensor_reload_command": hup}
        lab.others = [lab.add_agent("internal", sensor_reload="message"), lab.add_agent("internal", **by_command)]
        for name, way in (("message", {"sensor_reload": "message"}), ("command", by_command)):
            other, manager = observed(lab, name, **way)
            managers.callback(manager.close)
            lab.others.append(other)
        for one in (agent, *lab.others):
            wait_for("it has proven the empty set", lambda: one.status().get("sensor", {}).get("proven"), 120)
        yield lab, agent


def log(agent):
    return agent.process.log.read_text()


def proven(agent, release):
    return agent.active_release() == release and agent.status().get("sensor", {}).get("proven")


def roll_out(lab, content, notes):
    release = lab.publish(content, notes)
    lab.cli("rollout", "start", release, check=True)
    return release


def test_an_observed_sensor_proves_the_good_and_leaves_the_bad(endpoint):
    lab, agent = endpoint
    first = lab.manager.child.pid
    before = [one.status()["sensor"] for one in lab.others]
    good = roll_out(lab, EXAMPLES / "good-1.yar", "good")
    wait_for("the good one is committed", lambda: "change_committed" in log(agent), 120)
    status = agent.status()["sensor"]
    assert (status["supervised"], status["pid"], status["proven"]) == (False, first, True)
    assert agent.active_release() == 1 and lab.manager.starts == 1, "told to load by a signal, not started anew"
    for one, was in zip(lab.others, before):
        wait_for("it is committed there too", lambda: "change_committed" in log(one), 120)
        now = one.status()["sensor"]
        assert proven(one, 1) and now["pid"] == was["pid"], "told to load by message or command, not started anew"
    assert [was["supervised"] for was in before] == [True, True, False, False]
    for one in lab.others:
        one.process.stop()
    lab.manager.child.send_signal(signal.SIGSEGV)
    wait_for("its end is a crash of what it had proven", lambda: "kind=crash family=yara release=1" in log(agent), 60)
    wait_for("the next process has proven it", lambda: proven(agent, 1), 120)
    assert lab.manager.starts == 2 and lab.manager.child.pid != first
    lab.cli("rollout", "halt", "--reason", "the next one", good)

    bad = roll_out(lab, EXAMPLES / "crash-on-load.yar", "kills it")
    wait_for("it is taken back", lambda: "kind=failed family=yara release=2" in log(agent), 120)
    assert "process ended during load" in log(agent)
    wait_for("the next process has proven what was there before", lambda: agent.active_release() != 2 and proven(agent, 0), 120)
    assert lab.manager.starts >= 3
    lab.cli("rollout", "halt", "--reason", "the next one", bad)

    hung = lab.manager.child.pid
    content = lab.dir / "hang.yar"
    content.write_text(HANG)
    roll_out(lab, content, "hangs it")
    wait_for("it is taken back", lambda: "kind=failed family=yara release=3" in log(agent), 120)
    assert agent.active_release() == 0 and lab.manager.child.pid == hung and lab.manager.child.poll() is None, "not ours to kill"
    lab.manager.child.kill()
    wait_for("proven again", lambda: proven(agent, 0), 120)

    agent.process.stop()
    assert lab.manager.child.poll() is None, "the agent ends, the sensor goes on"
