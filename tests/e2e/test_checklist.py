"""Goal: docs/tuf-checklist.md names tests that exist, in the file that it says."""
import re

from lab import ROOT

FILE = re.compile(r"`((?:test_)?[a-z0-9_]+(?:_test\.c|\.py))`")
NAME = re.compile(r"`([a-z][a-z0-9_]{12,})`")


def named():
    """(file, test) of every row."""
    for line in (ROOT / "docs" / "tuf-checklist.md").read_text().splitlines():
        if not line.startswith("| ") or "`" not in line:
            continue
        cell = line.rstrip(" |").rsplit(" | ", 1)[-1]
        for part in cell.split("; "):
            file = FILE.match(part)
            assert file, f"no file begins this list: {part}"
            for name in NAME.findall(part[file.end():]):
                yield file.group(1), name


def test_every_test_of_the_check_list_exists():
    files = {p.name: p.read_text() for folder in ("unit", "spec", "crash", "e2e", "sim") for p in (ROOT / "tests" / folder).glob("*")
             if p.suffix in (".c", ".py")}
    rows = list(named())
    assert len(rows) > 60
    for file, name in rows:
        assert file in files, f"there is no tests/*/{file}"
        pattern = rf"def {name}\(" if file.endswith(".py") else rf"TEST(_EACH)?\(\s*{name}\b"
        assert re.search(pattern, files[file]), f"{file} has no test {name}"
