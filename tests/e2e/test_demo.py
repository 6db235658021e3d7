"""Goal: what the README promises first: the demo comes true, and leaves nothing behind."""
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from conftest import BIN
from lab import ROOT


@pytest.mark.skipif("asan" in BIN.parts, reason="40 agents with sanitizers need more memory than a small machine has; test_rollout.py "
                                               "runs the same way with 16")
def test_the_demo_comes_true_and_leaves_nothing_behind():
    # Not pytest's own folder: paths of local sockets end at 107 bytes.
    with tempfile.TemporaryDirectory(prefix="rwdemo-") as folder:
        run_demo(Path(folder))


def run_demo(tmp_path: Path):
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    r = subprocess.run(["/usr/bin/python3", ROOT / "scripts" / "demo_run.py", "--bin", BIN], capture_output=True, text=True, env=env,
                       timeout=900)
    assert r.returncode == 0, r.stdout[-6000:] + r.stderr[-2000:]
    assert "NOT TRUE" not in r.stdout
    assert list(tmp_path.iterdir()) == []
    left = [p for p in Path("/proc").iterdir() if p.name.isdigit() and str(tmp_path) in cmdline(p)]
    assert left == []


def cmdline(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def test_a_content_file_that_does_not_exist_is_refused():
    with tempfile.TemporaryDirectory() as empty:
        r = subprocess.run(["/usr/bin/python3", ROOT / "scripts" / "demo_run.py", "--bin", BIN, "--content", "no-such.yar"],
                           capture_output=True, text=True, cwd=empty, timeout=30)
    assert r.returncode == 2 and "no-such.yar" in r.stderr
