"""Goal: templates go the whole way: made, signed, rolled out, loaded by real sensors, detecting real events; what declares more
fields than the sensor supplies is refused where it is made and, should it come so far, on the endpoint."""
import copy
import json

import pytest

from conftest import BIN
from lab import POLICY, ROOT, Lab, wait_for

TEMPLATES = ROOT / "examples" / "template"


class TemplateLab(Lab):
    def init(self):
        policy = self.dir / "rings.json"
        policy.write_text(json.dumps(self.policy, indent=2))
        self.run("ringward-server", "init", "--dir", self.server_dir, "--dev", "--policy", policy, "--family", "yara,template",
                 "--listen", f"127.0.0.1:{self.port}", check=True)
        return self

    def create(self, content, notes, *more, check=True, family="template"):
        r = self.cli("release", "create", "--family", family, "--class", "rules", "--content", content, "--notes", notes,
                     "-o", "json", *more, check=check)
        if r.returncode != 0:
            return None, r
        release = json.loads(r.stdout.strip().splitlines()[-1])
        return f"{release['family']}/{release['release']}", r

    def samples(self):
        out = self.dir / "templates.rws"
        self.run("ringward-box", "pack-samples", "--must", *sorted(TEMPLATES.glob("must-*.jsonl")),
                 "--must-not", TEMPLATES / "clean.jsonl", "--out", out, check=True)
        return out


@pytest.fixture(scope="module")
def lab():
    policy = copy.deepcopy(POLICY)
    policy["rings"] = [{"name": "internal", "select": "local", "bake": "2s", "gate": {"limit": "80%", "min_healthy": 2}},
                       {"name": "broad", "share": "rest", "gate": {"limit": "80%", "min_healthy": 2}}]
    with TemplateLab(BIN, policy=policy) as lab:
        yield lab.init().start_server()


def check_of(lab, release: str, name: str) -> dict:
    verdict = lab.json("release", "show", release)["check"]
    return next((c for c in verdict["checks"] if c["id"] == name), {})


@pytest.mark.parametrize("example", ["fields-21-wildcard", "fields-21-literal"])
def test_21_declared_20_supplied_never_becomes_a_release(lab, example):
    release, r = lab.create(TEMPLATES / f"{example}.json", "one field more", "--samples", lab.samples(), check=False)
    assert release is None and r.returncode == 9, r.stderr
    assert "declares 21 fields, the sensor supplies 20" in r.stderr
    assert lab.json("release", "list")["releases"] == []


def test_without_samples_the_fields_are_not_covered(lab):
    release, r = lab.create(TEMPLATES / "good-1.json", "no samples", check=False)
    assert release is None and r.returncode == 9 and "judged by no must-match vector" in r.stderr, r.stderr


def test_a_release_of_templates_detects_on_endpoints(lab):
    events = lab.dir / "events.jsonl"
    events.write_text("")
    detections = lab.dir / "detections.jsonl"
    release = lab.publish(TEMPLATES / "good-1.json", "first templates", "--samples", lab.samples())
    assert release == "template/1" and check_of(lab, release, "coverage")["n"] == 34
    for ring in ("internal", "internal", "broad", "broad"):
        lab.add_agent(ring, families="yara,template", engine="ringward-1",
                      sensor_command=f"{BIN / 'ringward-sensor'} --follow {events} --detections {detections}")
    lab.cli("rollout", "start", release, check=True)
    wait_for("sensors have proven the templates",
             lambda: all(a.active_release("template") == 1 for a in lab.agents), 120)
    lab.wait_rollout(release, {"complete"}, 120)
    with open(events, "a") as out:
        out.write((TEMPLATES / "events.jsonl").read_text())
    want = 5 * len(lab.agents)
    wait_for("every sensor detects every event", lambda: detections.read_text().count("\n") >= want, 60)
    found = [json.loads(line) for line in detections.read_text().splitlines()]
    assert len(found) == want
    assert {f["rule"] for f in found} == {"shell-from-office", "dropper-as-user", "remote-shell", "beacon-port", "cron-drop"}
    assert {f["action"] for f in found} == {"alert", "block", "quarantine"}
    assert found[0]["file"] == f"{events}:1" and found[0]["family"] == "template"


def test_a_second_release_is_measured_against_the_first(lab):
    good = json.loads((TEMPLATES / "good-1.json").read_text())
    good["instances"][0]["criteria"][0] = {"one_of": ["/bin/sh", "/usr/bin/bash"]}
    content = lab.dir / "second.json"
    content.write_text(json.dumps(good))
    release, r = lab.create(content, "one shell less", "--samples", lab.samples())
    assert "the release before" in r.stderr, r.stderr  # measured here
    count = check_of(lab, release, "count")
    assert count["ok"] and count["n"] == 5 and count["before"] == 5, count  # and on the server
    assert check_of(lab, release, "memory")["before"] > 0


def test_what_no_box_checked_is_refused_by_the_endpoints_own_box(lab):
    before = [a.active_release("template") for a in lab.agents]
    release = lab.publish(TEMPLATES / "fields-21-literal.json", "past all boxes", "--unchecked", "rehearsal")
    number = int(release.split("/")[1])
    lab.cli("rollout", "start", release, check=True)
    wait_for("endpoints refuse it", lambda: any("declares 21 fields" in (a.dir / "agent.log").read_text() for a in lab.agents), 120)
    assert [a.active_release("template") for a in lab.agents] == before
    # It was given the active content to compare with; there was nothing to measure once the validator had refused.
    assert any('before="not run"' in (a.dir / "agent.log").read_text() for a in lab.agents)
    assert not any(a.active_release("template") == number for a in lab.agents)
