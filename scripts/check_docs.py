#!/usr/bin/python3
"""Pages say what is there.

* Pages that are cited exist, with the heading that is cited: docs/trust.md "Keys" must be a heading or a bold lead of it.
  Looks at sources, headers, tests, scripts and pages. A citation broken over two lines of a comment is found too.
* docs/metrics.md names each metric of the server with its type, and no other; no page names one that is not there.
* docs/openapi.yaml has each route of the server's tables with its methods, and no other; and names each member that
  the writers of answers write.
* A manual page that another one refers to is there.
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CITED = re.compile(r'(docs/[a-z_-]+\.md)(?: "([^"]+)")?')
LITERALS = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
METRIC = re.compile(r"\bringward_[a-z_]+")
NOT_METRICS = {"ringward_api", "ringward_address", "ringward_repo"}  # zones of nginx
NO_METRICS = {"ringward_schema"}  # a table of the store on PostgreSQL
STATIC_ROUTES = {"/repo/{path}": {"get"}}  # answered without a table
MACRO_BODIES = {"/v1/rollouts/{family}/{number}/"}
MEMBER = re.compile(r'\b(?:json_(?:put|open)_\w+|rollout_view_\w+|put_\w+)\(&?\w+(?:->w|\.w)?,\s*"(\w+)"')
WRITERS = ("server/api/*.c", "server/health/fleet_view.c", "server/rollout/*_view.c", "server/rollout/rollout_explain.c",
           "server/rollout/rollout_cause.c", "server/rollout/rollout_stopped.c")
STORED = {"token_doc.c"}  # documents of the store, which no answer holds
PAGE_PARTS = {"/status.css", "/status.js"}  # of the page at /


def literals(path: Path) -> str:
    """The string literals of a source, those that stand side by side joined."""
    return re.sub(r'"\s*"', "", path.read_text())


def metrics_in_sources() -> dict[str, str]:
    """name: type, "" where the source does not tell."""
    found: dict[str, str] = {}
    for path in (ROOT / "server").rglob("*.c"):
        for text in LITERALS.findall(literals(path)):
            for name in METRIC.findall(text):
                found.setdefault(name, "")
            found |= dict(re.findall(r"# TYPE (ringward_[a-z_]+) (\w+)", text))
        found |= dict(re.findall(r'\{"(ringward_[a-z_]+)",\s*"(gauge|counter)"', path.read_text()))
    return {name: kind for name, kind in found.items() if name not in NO_METRICS}


def check_metrics() -> list[str]:
    page = (ROOT / "docs/metrics.md").read_text()
    told = dict(re.findall(r"^\| `(ringward_[a-z_]+)` \| (\w+) \|", page, re.M))
    there = metrics_in_sources()
    problems = [f"docs/metrics.md: lacks the {kind} {name}" for name, kind in sorted(there.items()) if name not in told]
    problems += [f"docs/metrics.md: {name} is a {there[name]}, not a {kind}" for name, kind in sorted(told.items())
                 if there.get(name) and there[name] != kind]
    for path in [*(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*")]:
        if path.is_file():
            named = {n for n in METRIC.findall(path.read_text(errors="replace")) if n not in there and not n.endswith("_")}
            problems += [f"{path.relative_to(ROOT)}: names {n}, which is no metric" for n in sorted(named - NOT_METRICS)]
    return problems


def routes_in_sources() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in (ROOT / "server/api").glob("*.c"):
        text = path.read_text()
        text = re.sub(r'STEER\("(\w+)"', r'.method = "POST", .pattern = ROLLOUT "/\1"', text)
        text = re.sub(r'PROBE\("([^"]+)"', r'.method = "GET", .pattern = "\1"', text)
        macros = dict(re.findall(r'^#define (\w+) "(/[^"]*)"', text, re.M))
        for method, name, suffix, whole in re.findall(
                r'\.method = "(\w+)",\s*\.pattern = (?:(\w+)(?: "([^"]*)")?|"([^"]*)")', text):
            pattern = whole or macros[name] + suffix
            found.setdefault(pattern, set()).add(method.lower())
    return found


def check_routes() -> list[str]:
    told: dict[str, set[str]] = {}
    path = ""
    for line in (ROOT / "docs/openapi.yaml").read_text().splitlines():
        if m := re.fullmatch(r"  (/\S*):", line):
            path = m.group(1)
            told[path] = set()
        elif (m := re.fullmatch(r"    (get|post|head|put|delete|patch):", line)) and path:
            told[path].add(m.group(1))
        elif line and not line.startswith(" "):
            path = ""
    there = {p: m for p, m in routes_in_sources().items() if p not in PAGE_PARTS | MACRO_BODIES} | STATIC_ROUTES
    if len(there) < 40:
        return [f"server/api: {len(there)} routes were found, which cannot be all: mend check_docs.py"]
    return [f"docs/openapi.yaml: {p}: has {sorted(told.get(p, set()))}, the server {sorted(there.get(p, set()))}"
            for p in sorted(told.keys() | there.keys()) if told.get(p, set()) != there.get(p, set())]


def check_members() -> list[str]:
    told = set(re.findall(r"(?:^ *|[{,] *)(\w+):(?: |$)", (ROOT / "docs/openapi.yaml").read_text(), re.M))
    paths = [path for pattern in WRITERS for path in sorted(ROOT.glob(pattern)) if path.name not in STORED]
    there = {(path, name) for path in paths for name in MEMBER.findall(path.read_text())}
    if len(there) < 150:
        return [f"server: {len(there)} members of answers were found, which cannot be all: mend check_docs.py"]
    return [f"docs/openapi.yaml: lacks {name}, which {path.relative_to(ROOT)} writes" for path, name in sorted(there) if name not in told]


def check_manual() -> list[str]:
    pages = {p.name for p in (ROOT / "docs/man").iterdir()}
    return [f"docs/man/{name}: refers to {page}({part}), which is not there" for name in sorted(pages)
            for page, part in re.findall(r"^\.Xr (ringward\S*) (\d)", (ROOT / "docs/man" / name).read_text(), re.M)
            if f"{page}.{part}" not in pages]


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
    problems += check_metrics() + check_routes() + check_members() + check_manual()
    print("\n".join(problems) if problems else "docs: pages, headings, metrics, routes, members of answers and manual pages are there")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
