#!/usr/bin/python3
"""Pages that are cited exist, with the heading that is cited: docs/trust.md "Keys" must be a heading or a bold lead of it.

Looks at sources, headers, tests, scripts and pages. A citation broken over two lines of a comment is found too.
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CITED = re.compile(r'(docs/[a-z_-]+\.md)(?: "([^"]+)")?')


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.c", "*.h", "*.py", "*.md", "scripts/*"],
                            cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    problems = []
    for name in listed:
        path = ROOT / name
        if not path.is_file() or path.name == "check_docs.py":
            continue
        text = re.sub(r"\n \*\s+", " ", path.read_text(errors="replace"))
        for page, heading in sorted(set(CITED.findall(text))):
            target = ROOT / page
            if not target.is_file():
                problems.append(f"{name}: cites {page}, which does not exist")
            elif heading and not re.search(rf"^#+ .*{re.escape(heading)}|\*\*{re.escape(heading)}", target.read_text(), re.M):
                problems.append(f"{name}: cites {page} \"{heading}\", and the page has no such heading")
    print("\n".join(problems) if problems else "docs: every page and heading that is cited exists")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
