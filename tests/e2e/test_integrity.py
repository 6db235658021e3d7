"""Goal: content that is tampered with on the disk of a running agent is found, repaired and told, and never loaded;
`verify` says what is wrong (INV-5, INV-6, INV-12)."""
import json
import os
import stat

import pytest

from conftest import BIN
from lab import EXAMPLES, Lab, wait_for


@pytest.fixture(scope="module")
def lab():
    with Lab(BIN) as lab:
        lab.init().start_server()
        lab.add_agent("internal", verify_interval="1s")
        lab.cli("rollout", "start", lab.publish(EXAMPLES / "good-1.yar", "first"), check=True)
        wait_for("the release is active and proven",
                 lambda: lab.agents[0].active_release() == 1 and lab.agents[0].status().get("phase") == "steady", 60)
        yield lab


def content(agent):
    return agent.state / "current" / "yara.rwc"


def writable(path):
    path.chmod(0o600)
    return open(path, "r+b")


def flip_a_byte(path):
    with writable(path) as f:
        first = f.read(1)
        f.seek(0)
        f.write(bytes([first[0] ^ 1]))
    path.chmod(0o400)


def truncate(path):
    with writable(path) as f:
        f.truncate(10)
    path.chmod(0o400)


def delete(path):
    path.unlink()


def put_a_link(path):
    path.unlink()
    path.symlink_to("/etc/passwd")


def open_to_all(path):
    path.chmod(0o666)


def verify(lab, agent):
    r = lab.run("ringward-agent", "verify", "--config", agent.conf, "--json")
    return r.returncode, json.loads(r.stdout)


def bad(report):
    return {f["where"] for f in report["findings"] if f["level"] == "bad"}


def is_whole(agent, number):
    s = agent.status()
    path = content(agent)
    return (s.get("phase") == "steady" and s["integrity"]["ok"] and s["sensor"]["proven"] and s["loaded"][0]["release"] == number
            and path.is_file() and not path.is_symlink() and stat.S_IMODE(os.lstat(path).st_mode) == 0o400 and s)


def test_verify_finds_a_running_agent_intact(lab):
    status, report = verify(lab, lab.agents[0])
    assert (status, bad(report)) == (0, set()), json.dumps(report, indent=1)
    assert any("is signed by role 'content-yara'" in f["text"] for f in report["findings"])
    text = lab.run("ringward-agent", "verify", "--config", lab.agents[0].conf).stdout
    assert "intact: 0 bad" in text


@pytest.mark.parametrize("harm", [flip_a_byte, truncate, delete, put_a_link, open_to_all])
def test_damage_under_a_running_agent_is_repaired_and_told(lab, harm):
    agent = lab.agents[0]
    before = wait_for("the agent is at rest", lambda: is_whole(agent, 1))
    harm(content(agent))
    wait_for("it was found and repaired",
             lambda: (s := is_whole(agent, 1)) and s["integrity"]["repaired"] == before["integrity"]["repaired"] + 1, 60)
    after = agent.status()
    assert after["set"] > before["set"]
    assert after["sensor"]["generation"] > before["sensor"]["generation"]
    assert after["sensor"]["pid"] == before["sensor"]["pid"]  # it was told to reload, and never was without content
    assert after["abandoned"] == []
    wait_for("the server was told", lambda: "event=endpoint_integrity" in lab.server.tail(200), 30)
    assert verify(lab, agent)[0] == 0


def test_without_the_server_the_set_is_left_and_comes_back(lab):
    agent = lab.agents[0]
    wait_for("the agent is at rest", lambda: is_whole(agent, 1))
    lab.server.stop()
    flip_a_byte(content(agent))
    wait_for("it goes back to the set before", lambda: agent.active_release() == 0 and agent.status().get("phase") == "steady", 90)
    assert agent.status()["abandoned"] == []
    lab.start_server()
    wait_for("the release is back", lambda: is_whole(agent, 1), 90)


def test_verify_names_what_is_wrong_and_a_restart_repairs_it(lab):
    agent = lab.agents[0]
    wait_for("the agent is at rest", lambda: is_whole(agent, 1))
    assert agent.process.stop() == 0
    os.replace(agent.state / "token", agent.state / "token.kept")
    (agent.state / "token").write_text((agent.state / "token.kept").read_text())
    (agent.state / "token").chmod(0o644)
    (agent.state / "token.kept").unlink()
    delete(content(agent))
    status, report = verify(lab, agent)
    assert (status, bad(report)) == (6, {"active set", "identity"}), json.dumps(report, indent=1)
    assert all(f["hint"] for f in report["findings"] if f["level"] == "bad")
    (agent.state / "token").chmod(0o600)
    agent.start()
    wait_for("repaired", lambda: is_whole(agent, 1), 60)
    assert verify(lab, agent)[0] == 0


def test_verify_without_a_state_directory_says_so(lab):
    conf = lab.dir / "other.conf"
    conf.write_text("".join(f"{line}\n" for line in lab.agents[0].conf.read_text().splitlines()
                            if not line.startswith("state_dir")) + f"state_dir = {lab.dir}/nowhere\n")
    r = lab.run("ringward-agent", "verify", "--config", conf)
    assert r.returncode == 7
    assert "nowhere" in r.stderr
