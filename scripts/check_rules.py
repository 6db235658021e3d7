#!/usr/bin/python3
"""Pure rules stay pure: every *_rule.c is compiled, and each symbol that it does not define itself must be on the
list of pure helpers below, or be defined in another rule.

Decision code may compute, compare and format text into the caller's buffer; it may not allocate, look at a clock,
do I/O or draw random numbers (docs/architecture.md, "Decisions are pure"). Exit status 1 names each trespass.
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PURE = re.compile(r"""^(
    rw_fail|rw_wrap|rw_hint|rw_assert_failed|rw_code_.*
  | rw_(add|mul)_(i64|size)|rw_parse_.*|rw_format_duration_s|rw_say_duration_s|rw_plural|rw_hex_(en|de)code
  | rw_span_(of|str|eq|is|starts|to_str)|rw_copy|rw_wall_(format|parse)
  | sm_(may|move|find|name)
  | ring_policy_(find|find_class|of_bucket|min_bake_s|check_name)
  | mem(cpy|set|cmp|move|chr)|str(cmp|ncmp|len|nlen|chr|rchr)
  | snprintf|vsnprintf|__(v)?snprintf_chk|__mem(cpy|set|move)_chk|__stack_chk_fail
  | log|log1p|exp|expm1|pow|sqrt|floor|ceil|fabs|fmin|fmax|lgamma_r|isfinite|__isfinite|__finite|isnan|__isnan|fmod
  | ldexp|llround|lround|round
  | _GLOBAL_OFFSET_TABLE_
)$""", re.X)


def symbols(obj: Path, option: str) -> set[str]:
    out = subprocess.run(["nm", option, str(obj)], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1] for line in out.splitlines() if line.strip()}


def main() -> int:
    sources = sorted(p for top in ("common", "agent", "server") for p in (ROOT / top).rglob("*_rule.c"))
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        objects = {}
        for source in sources:
            obj = Path(folder) / (source.relative_to(ROOT).as_posix().replace("/", "_") + ".o")
            # Uninstrumented and without fortified variants, so that the names are those of the source.
            run = subprocess.run([os.environ.get("CC", "gcc"), "-std=gnu17", "-O1", "-D_GNU_SOURCE", f"-I{ROOT}", "-c",
                                  "-o", str(obj), str(source)], capture_output=True, text=True, check=False)
            if run.returncode != 0:
                problems.append(f"{source.relative_to(ROOT)}: does not compile\n{run.stderr}")
            else:
                objects[source] = obj
        rules = set().union(*(symbols(o, "--defined-only") for o in objects.values()))
        for source, obj in objects.items():
            for symbol in sorted(symbols(obj, "-u") - rules):
                if not PURE.match(symbol):
                    problems.append(f"{source.relative_to(ROOT)}: uses {symbol}(), which is no pure helper")
    if not sources:
        problems.append("no *_rule.c found")
    print("\n".join(problems) if problems else f"rules: {len(sources)} rules are pure")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
