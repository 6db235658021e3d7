"""The last line of scripts/test: what counts as passed, what is asked again, what can never be talked away."""
import subprocess

import pytest

from lab import ROOT

REPORT = ROOT / "scripts" / "test_report.py"


def suite(path, *cases):
    """Cases are (file, test, outcome)."""
    inner = {"failed": "<failure/>", "error": "<error/>", "skipped": '<skipped message="why"/>', "passed": ""}
    path.write_text("<testsuites><testsuite>" + "".join(
        f'<testcase classname="{of}" name="{name}">{inner[outcome]}</testcase>' for of, name, outcome in cases)
        + "</testsuite></testsuites>")


def ask(*argv):
    r = subprocess.run([REPORT, *map(str, argv)], capture_output=True, text=True, timeout=30)
    return r.returncode, r.stdout.splitlines()


A, B, C = "tests.e2e.test_a", "tests.e2e.test_b", "tests.e2e.test_c"


@pytest.mark.parametrize("cases, files", [
    ([(A, "x", "passed"), (A, "y", "skipped")], []),
    ([(A, "x", "failed"), (A, "y", "error"), (B, "z", "passed")], ["tests/e2e/test_a.py"]),
    ([(A, "x", "failed"), (B, "y", "failed")], ["tests/e2e/test_a.py", "tests/e2e/test_b.py"]),
    ([(A, "x", "failed"), (B, "y", "failed"), (C, "z", "failed")], []),  # many: a fault, not a slow moment
    ([("", "tests.e2e.test_a", "error")], []),  # the file itself cannot be read
])
def test_few_files_are_asked_again(tmp_path, cases, files):
    suite(tmp_path / "e2e.xml", *cases)
    _, lines = ask("again", tmp_path / "e2e.xml")
    assert [line for line in lines if line] == files


@pytest.mark.parametrize("first, second, last, status", [
    ([(A, "x", "passed"), (A, "y", "skipped")], None, "6 passed, 0 failed", 0),
    ([(A, "x", "failed"), (A, "y", "passed")], None, "6 passed, 1 failed", 1),
    ([(A, "x", "failed"), (A, "y", "passed")], [(A, "x", "failed"), (A, "y", "passed")], "6 passed, 1 failed", 1),
    ([(A, "x", "failed"), (A, "y", "passed")], [(A, "x", "passed"), (A, "y", "failed")], "6 passed, 1 failed", 1),
    ([(A, "x", "failed"), (A, "y", "passed")], [(A, "x", "skipped"), (A, "y", "passed")], "6 passed, 1 failed", 1),
    ([(A, "x", "failed"), (A, "y", "passed")], [(A, "x", "passed"), (A, "y", "passed")], "7 passed, 0 failed", 0),
    ([(A, "x", "failed"), (B, "y", "error")], [(A, "x", "passed")], "6 passed, 1 failed", 1),
    ([], None, "5 passed, 1 failed", 1),
])
def test_only_what_passed_counts_as_passed(tmp_path, first, second, last, status):
    suite(tmp_path / "e2e.xml", *first)
    if second is not None:
        suite(tmp_path / "e2e-again.xml", *second)
    code, lines = ask("summary", tmp_path, 5, 0, "e2e")
    assert (lines[-1], code) == (last, status)
    assert any("passed alone" in line for line in lines) == any((of, name, "passed") in (second or []) for of, name, o in first
                                                                if o in ("failed", "error"))


def test_a_step_that_failed_and_a_report_that_is_missing_count(tmp_path):
    suite(tmp_path / "unit.xml", (A, "x", "passed"))
    assert ask("summary", tmp_path, 3, 1, "unit") == (1, ["4 passed, 1 failed"])
    assert ask("summary", tmp_path, 3, 0, "unit", "e2e") == (1, ["e2e: no report was written", "4 passed, 1 failed"])
