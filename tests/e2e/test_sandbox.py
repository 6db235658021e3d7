"""Goal: an agent whose box does not tell good from bad activates nothing new and says so, and recovers by itself."""
import shutil
import stat

from lab import ROOT, wait_for

GOOD = ROOT / "examples/yara/good-1.yar"


def boxes(lab):
    """A folder with the box and its validators that a test may damage."""
    folder = lab.dir / "boxes"
    folder.mkdir()
    for path in lab.bin.iterdir():
        if path.name.startswith(("ringward-box", "ringward-validate", "ringward-sensor.manifest")):
            shutil.copy(path, folder / path.name)
    return folder


def publish(lab):
    lab.cli("rollout", "start", lab.publish(GOOD, "first"), check=True)


def mend(folder, good):
    new = folder / "new"
    new.write_bytes(good)
    new.chmod(new.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    new.rename(folder / "ringward-box-selftest")


def test_the_box_is_asked_again_and_its_grade_told_before_anything_was_proven(lab):
    """No content waits: the agent asks by itself, and is told nothing but what the box says (INV-12)."""
    folder = boxes(lab)
    good = (folder / "ringward-box-selftest").read_bytes()
    shutil.copy("/bin/true", folder / "ringward-box-selftest")
    agent = lab.add_agent("internal", box_dir=folder)
    wait_for("a second failure", lambda: "event=box_self_test_again failures=2" in agent.process.log.read_text(), timeout_s=90)
    assert agent.status()["grade"] == "none"
    mend(folder, good)
    wait_for("grade in status", lambda: agent.status().get("grade") in ("full", "good"), timeout_s=90)


def test_a_box_that_fails_its_self_test_proves_nothing_until_it_is_mended(lab):
    folder = boxes(lab)
    good = (folder / "ringward-box-selftest").read_bytes()
    # Something else answers in the place of the five behaviours: every verdict but one is another one.
    shutil.copy("/bin/true", folder / "ringward-box-selftest")
    agent = lab.add_agent("internal", box_dir=folder)
    wait_for("grade none", lambda: agent.status().get("grade") == "none")
    publish(lab)
    wait_for("the content was looked at",
             lambda: any("self-test" in (c.get("note") or "") for c in agent.status().get("families", [])), timeout_s=60)
    assert agent.active_release() == 0
    assert "self-test" in agent.process.log.read_text() or "self_test" in agent.process.log.read_text()
    assert all(e["grade"] in ("none", "") for e in lab.fleet())
    mend(folder, good)
    wait_for("activation after the box was mended", lambda: agent.active_release() == 1, timeout_s=90)
    wait_for("grade full again", lambda: agent.status().get("grade") in ("full", "good"))
