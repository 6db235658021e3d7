"""Fixtures of the end-to-end tests: a laboratory per test or per module, from the binaries in RINGWARD_BIN."""
import os
from pathlib import Path

import pytest

from lab import ROOT, Lab

BIN = Path(os.environ.get("RINGWARD_BIN", ROOT / "build/dev/bin")).resolve()


def pytest_report_header():
    return f"binaries: {BIN}"


@pytest.fixture
def lab():
    """A server that runs, without endpoints."""
    with Lab(BIN) as lab:
        yield lab.init().start_server()


@pytest.fixture(scope="module")
def shared_lab():
    """The same for a whole module of tests that only ask."""
    with Lab(BIN) as lab:
        yield lab.init().start_server()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failed test shows the ends of the logs of its laboratory."""
    outcome = yield
    report = outcome.get_result()
    lab = item.funcargs.get("lab") or item.funcargs.get("shared_lab")
    if report.failed and lab is not None:
        if lab.server is not None:
            report.sections.append(("server log", lab.server.tail(40)))
        for agent in lab.agents[:6]:
            if agent.process is not None:
                report.sections.append((f"agent log {agent.name}", agent.process.tail(15)))
