"""The box by hand: content as text, a verdict as a dictionary. Needs no server."""
import hashlib
import json
import os
import subprocess
from pathlib import Path

from lab import ROOT

BIN = Path(os.environ.get("RINGWARD_BIN", ROOT / "build/dev/bin")).resolve()
MANIFEST = BIN / "ringward-sensor.manifest"


class Box:
    def __init__(self, folder: Path):
        self.dir = Path(folder)
        self.made = 0

    def file(self, content, suffix: str = "") -> Path:
        self.made += 1
        path = self.dir / f"{self.made}{suffix}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def run(self, content, *more, kind: str = "yara", clean: int = 0, **limits) -> dict:
        """`content` is text or bytes, or the path of a file."""
        path = content if isinstance(content, Path) else self.file(content)
        argv = [BIN / "ringward-box", "run", "--validator", BIN / f"ringward-validate-{kind}", "--type", kind, "--content", path,
                "--clean-files", clean, "--seed", 4711]
        if kind == "template" and "--manifest" not in more:
            argv += ["--manifest", MANIFEST]
        for name, value in limits.items():
            argv += [f"--{name}", value]
        r = subprocess.run([str(a) for a in [*argv, *more]], capture_output=True, text=True, timeout=300)
        assert r.stdout, f"no verdict: {r.stderr}"
        verdict = json.loads(r.stdout)
        assert r.returncode == (0 if verdict["verdict"] == "accepted" else 9 if verdict["final"] else 1), r
        verdict["check"] = {c["id"]: c for c in verdict["checks"]}
        assert verdict["content_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        return verdict

    def samples(self, must=(), must_not=()) -> Path:
        out = self.dir / f"{self.made}.rws"
        argv = [BIN / "ringward-box", "pack-samples", "--out", out]
        if must:
            argv += ["--must", *[self.file(m) for m in must]]
        if must_not:
            argv += ["--must-not", *[self.file(m) for m in must_not]]
        subprocess.run([str(a) for a in argv], check=True, capture_output=True, timeout=60)
        return out
