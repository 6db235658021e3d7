#!/usr/bin/python3
"""Fast gates over the text of the sources: banned calls, file and function length, line width, exported names,
header contracts, left-overs. Rules: docs/style.md.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
COMMENT_COLUMNS_MAX = 120  # code: 100, which clang-format sees to

BANNED = {name: "use rw_mem_*, rw_copy, snprintf, rw_buf (common/base/buf.h)" for name in
          ("malloc", "calloc", "realloc", "reallocarray", "free", "strdup", "strndup", "memcpy", "memmove", "strcpy",
           "strncpy", "strcat", "strncat", "sprintf", "vsprintf", "gets", "alloca", "stpcpy")}
BANNED |= {name: "use rw_parse_* (common/base/num.h)" for name in
           ("atoi", "atol", "atoll", "strtol", "strtoul", "strtoll", "strtoull", "strtod", "sscanf", "scanf")}
BANNED |= {"strtok": "not re-entrant", "system": "use proc.h", "popen": "use proc.h", "tmpnam": "race",
           "mktemp": "race", "rand": "use digest_random", "srand": "use digest_random", "gmtime": "use clock.h",
           "localtime": "use clock.h", "signal": "use sigaction"}
BASE_MAY = {"malloc", "calloc", "realloc", "reallocarray", "free", "memcpy", "signal"}
# The sandboxed validators and the box's child side live without the base allocator where said.
CALL = re.compile(r"(?<![\w.>])(" + "|".join(sorted(BANNED)) + r")\s*\(")
GOTO = re.compile(r"\bgoto\b")
EXPORT = re.compile(r"^(?!static|typedef|#|struct \w+ \{|enum|extern|\s)(?:[\w\s\*]+?[\s\*])(\w+)\(", re.M)
LEFT = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
WORKPLACE = re.compile(r"/(w)ork/|\.(l)ibrary")


# In one pass, so that a "//" inside a string hides nothing and a quote inside a comment opens nothing.
NO_CODE = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.S)


def strip_comments(text: str) -> str:
    return NO_CODE.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def function_lengths(lines: list[str]):
    """House format: a function's body opens with '{' in column 0 and closes with '}' in column 0."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            head = number - 1
            while head > 1 and lines[head - 2].strip() and not lines[head - 2].endswith((";", "}", "*/")) \
                    and not lines[head - 2].startswith("#"):
                head -= 1
            start = head
        elif line == "}" and start is not None:
            yield start, number - start + 1
            start = None


def check(path: Path) -> list[str]:
    rel = path.relative_to(ROOT).as_posix()
    text = path.read_text()
    code = strip_comments(text)
    lines = text.splitlines()
    problems = []
    if len(lines) > FILE_LINES_MAX:
        problems.append(f"{rel}: {len(lines)} lines, at most {FILE_LINES_MAX}: split it")
    for number, line in enumerate(lines, 1):
        if len(line) > COMMENT_COLUMNS_MAX:
            problems.append(f"{rel}:{number}: {len(line)} columns, at most {COMMENT_COLUMNS_MAX}")
        if LEFT.search(line):
            problems.append(f"{rel}:{number}: left for later: {line.strip()[:60]}")
    in_base = rel.startswith("common/base/")
    in_tests = rel.startswith("tests/")
    for number, line in enumerate(code.splitlines(), 1):
        for name in CALL.findall(line):
            if (in_base or in_tests) and name in BASE_MAY | {"memmove"}:
                continue
            problems.append(f"{rel}:{number}: {name}() is banned: {BANNED[name]}")
        if GOTO.search(line):
            problems.append(f"{rel}:{number}: goto: RW_TRY and RW_AUTO do what it would")
    if not in_tests:
        for start, length in function_lengths(code.splitlines()):
            if length > FUNCTION_LINES_MAX:
                problems.append(f"{rel}:{start}: function of {length} lines, at most {FUNCTION_LINES_MAX}")
    if path.suffix == ".h" and not in_tests:
        problems += check_header(rel, text, code)
    return problems


def check_header(rel: str, text: str, code: str) -> list[str]:
    problems = []
    stem = Path(rel).stem
    if not text.startswith(f"/* {Path(rel).name}: "):
        problems.append(f"{rel}: the top comment must begin '/* {Path(rel).name}: purpose'")
    guard = "RINGWARD_" + stem.upper() + "_H"
    if f"#ifndef {guard}\n#define {guard}\n" not in text:
        problems.append(f"{rel}: the include guard must be {guard}")
    if stem not in ("version", "limits"):
        for word in ("memory", "threads"):
            if not re.search(rf"^ \* {word}\b", text, re.M):
                problems.append(f"{rel}: the contract lacks '{word}'")
    for name in EXPORT.findall(code):
        if name.startswith(("rw_", "RW_")) and rel.startswith("common/base/"):
            continue
        if name in ("__attribute__", "if", "while", "for", "switch", "return"):
            continue
        module = stem.split("_")[0] + "_"
        if not name.startswith(module) and name != stem:
            problems.append(f"{rel}: exports {name}(), which does not begin with '{module}'")
    return problems


def main() -> int:
    problems = []
    for top in ("common", "agent", "server", "tests"):
        for path in sorted((ROOT / top).rglob("*.[ch]")):
            problems += check(path)
    for path in ROOT.rglob("*"):
        if path.is_file() and path.suffix in {".c", ".h", ".md", ".py", ".sh", ".json", ".txt", ".yml", ""} \
                and not any(p in path.parts for p in (".git", "build", "__pycache__", ".cache")) \
                and path.name != "check_source.py" and path.stat().st_size < 1 << 20:
            try:
                if WORKPLACE.search(path.read_text()):
                    problems.append(f"{path.relative_to(ROOT)}: names a path of the machine it was written on")
            except UnicodeDecodeError:
                continue
    print("\n".join(problems) if problems else "source: lengths, names, banned calls and contracts are in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
