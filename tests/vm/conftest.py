"""Fixtures of the tests in a virtual machine; scripts/test runs them, `scripts/test --vm` runs only them."""
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "e2e")]
BIN = Path(os.environ.get("RINGWARD_BIN", ROOT / "build/dev/bin")).resolve()
measured = []


def pytest_terminal_summary(terminalreporter):
    for line in measured:
        terminalreporter.write_line(line)


@pytest.fixture
def tell():
    """Figures of a test, shown at the end also when it passes."""
    return measured.append


@pytest.fixture(scope="session", autouse=True)
def possible():
    import machine
    reason = machine.missing()
    if reason:
        pytest.skip(reason)
    measured.append("accelerator: {} ({})".format(*machine.choice()))


@pytest.fixture
def machines(tmp_path):
    """Makes machines and ends them."""
    from machine import Machine
    made = []

    def make(name, *args, **more):
        made.append(Machine(tmp_path / name, BIN, *args, **more))
        return made[-1]
    yield make
    for one in made:
        one.stop()
