#!/usr/bin/python3
"""Pure rules stay pure: every undefined symbol of a *_rule.o must be on the short list below.

Usage: check_rules.py BUILD_DIR. Decision code may compute, compare and format text into the caller's buffer;
it may not allocate, look at a clock, do I/O or draw random numbers (docs/architecture.md, "Decisions are pure").
"""
import re
import subprocess
import sys
from pathlib import Path

ALLOWED = re.compile(r"""^(
    rw_fail|rw_wrap|rw_hint|rw_assert_failed|rw_code_.*
  | rw_(add|mul)_(i64|size)|rw_parse_.*|rw_format_duration_s|rw_hex_(en|de)code
  | rw_span_.*|rw_copy|rw_wall_format|rw_wall_parse
  | sm_.*
  | [a-z_]+_rule_.*|(window|gate|health|install|ring|rollout|trial|boot|poll|approval|release|signer|box|release_state)_[a-z0-9_]+
  | mem(cpy|set|cmp|move)|strcmp|strncmp|strlen|strnlen|strchr
  | snprintf|vsnprintf|__(v)?snprintf_chk|__memcpy_chk|__stack_chk_fail
  | log|log1p|exp|expm1|pow|sqrt|floor|ceil|fabs|fmin|fmax|lgamma_r|isfinite|__isfinite|__finite|isnan|__isnan|fmod|ldexp|llround|lround|round
  | _GLOBAL_OFFSET_TABLE_|__(asan|ubsan|tsan|sanitizer)_.*
)$""", re.X)


def main() -> int:
    build = Path(sys.argv[1] if len(sys.argv) > 1 else "build/dev")
    objects = sorted(build.rglob("*_rule.c.o"))
    problems = []
    for obj in objects:
        out = subprocess.run(["nm", "-u", str(obj)], capture_output=True, text=True, check=True).stdout
        for symbol in (line.split()[-1] for line in out.splitlines() if line.strip()):
            if not ALLOWED.match(symbol):
                problems.append(f"{obj.name[:-2]}: uses {symbol}, which is not on the list of pure helpers")
    if not objects:
        problems.append(f"no *_rule.c.o below {build}: build first")
    print("\n".join(problems) if problems else f"rules: {len(objects)} rule objects are pure")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
