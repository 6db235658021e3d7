#!/usr/bin/env python3
"""What the runners of scripts/test reported, as JUnit's XML: which tests to ask again, and the last line of a run.

  test_report.py again XML               the files of the tests that failed, a line each; none when they are more than two
  test_report.py summary FOLDER PASSED FAILED NAME...
                                         counts FOLDER/NAME.xml on top of steps that passed and failed; status 0: none failed

A test that failed beside others and passed when its file was asked again alone counts as passed, and the summary names it.
A runner that wrote no report, or ran no test, counts as a failure.
"""
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

MOST_FILES = 2  # a machine that is slow for a moment fails one test; a fault in the code may well fail many


def cases(path: Path) -> dict[tuple[str, str], xml.Element]:
    return {(c.get("classname", ""), c.get("name", "")): c for c in xml.parse(path).getroot().iter("testcase")}


def is_bad(case: xml.Element) -> bool:
    return case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail"


def again(path: Path) -> list[str]:
    if not path.exists():
        return []
    files = set()
    for (of, _), case in cases(path).items():
        if is_bad(case):
            if not of.split(".")[-1].startswith("test_"):
                return []  # a file that cannot even be read will not be read the second time
            files.add(of.replace(".", "/") + ".py")
    return sorted(files) if len(files) <= MOST_FILES else []


def count(folder: Path, name: str) -> tuple[int, int]:
    """How many passed and failed; tells what was skipped, what was missing, what had to be asked again."""
    path, second = folder / f"{name}.xml", folder / f"{name}-again.xml"
    if not path.exists():
        print(f"{name}: no report was written")
        return 0, 1
    first = cases(path)
    if not first:
        print(f"{name}: no test was run")
        return 0, 1
    asked = cases(second) if second.exists() else {}
    for (_, test), case in first.items():
        if case.find("skipped") is not None:
            print(f"{name}: skipped {test}: {case.find('skipped').get('message')}")
    bad = {key for key, case in first.items() if is_bad(case)}
    healed = {key for key in bad if key in asked and not is_bad(asked[key]) and asked[key].find("skipped") is None}
    for _, test in sorted(healed):
        print(f"{name}: {test} failed beside others and passed alone; its first failure is above and wants a look")
    failed = len((bad - healed) | {key for key, case in asked.items() if is_bad(case)})
    skipped = sum(case.find("skipped") is not None for case in first.values())
    return len(first) - skipped - failed, failed


def main(argv: list[str]) -> int:
    if len(argv) == 2 and argv[0] == "again":
        print("\n".join(again(Path(argv[1]))))
        return 0
    if len(argv) >= 5 and argv[0] == "summary":
        folder, passed, failed = Path(argv[1]), int(argv[2]), int(argv[3])
        for name in argv[4:]:
            more_passed, more_failed = count(folder, name)
            passed, failed = passed + more_passed, failed + more_failed
        print(f"{passed} passed, {failed} failed")
        return 1 if failed else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
