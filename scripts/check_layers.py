#!/usr/bin/python3
"""Who may include whom: the layering table of docs/architecture.md, checked on every .c and .h.

Each folder has a layer; a file may include only headers of the folders listed for it, plus the third-party
headers listed for that very file or folder. Pure rules (*_rule.c, *_rule.h) have the tightest list.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)

BASE = ["common/base"]
TWO = BASE + ["common/json", "common/crypto"]
SHARED = TWO + ["common/tuf", "common/wire", "common/net", "common/policy", "common/box"]

# folder -> project folders it may include from (itself is always allowed)
MAY = {
    "common/base": [],
    "common/json": BASE,
    "common/crypto": BASE + ["common/json"],
    "common/net": BASE,
    "common/tuf": TWO,
    "common/wire": TWO,
    "common/policy": TWO + ["common/tuf"],
    "common/box": TWO + ["common/wire"],
    "common/yara": BASE + ["common/crypto"],
    "common/template": TWO,
    "agent/report": SHARED,
    "agent/fetch": SHARED + ["agent/report"],
    "agent/prove": SHARED + ["agent/report", "agent/fetch", "common/yara", "common/template"],
    "agent/activate": SHARED + ["agent/report", "agent/fetch", "agent/prove"],
    "agent/poll": SHARED + ["agent/report", "agent/fetch", "agent/prove", "agent/activate"],
    "agent/sensor": SHARED + ["common/yara", "common/template"],
    "agent": SHARED + ["agent/report", "agent/fetch", "agent/prove", "agent/activate", "agent/poll"],
    "server/store": SHARED,
    "server/report": SHARED + ["server/store"],
    "server/release": SHARED + ["server/store", "server/report"],
    "server/health": SHARED + ["server/store", "server/report", "server/release"],
    "server/rollout": SHARED + ["server/store", "server/report", "server/release", "server/health"],
    "server/api": SHARED + ["server/store", "server/report", "server/release", "server/health", "server/rollout"],
    "server/signer": SHARED,
    "server/simulate": SHARED + ["server/health", "server/rollout"],
    "server/cli": SHARED + ["server/simulate"],
    "server": SHARED + ["server/store", "server/report", "server/release", "server/health", "server/rollout",
                        "server/api"],
}

# third-party header prefix -> files (folder prefix or exact path) that may include it
THIRD = {
    "openssl/": ["common/crypto/", "server/api/tls.", "server/api/http_"],
    "curl/": ["common/net/http_direct.c", "common/net/http_cert.c"],
    "event2/": ["server/api/http_", "server/api/tls."],
    "sqlite3.h": ["server/store/store_sqlite"],
    "libpq-fe.h": ["server/store/store_pg"],
    "yara.h": ["common/yara/"],
    "yara/": ["common/yara/"],
    "zstd.h": ["agent/fetch/", "server/release/"],
    "cmocka.h": [],
    "malloc.h": ["common/base/buf.c"],
}

# Layers that may see only the pure rules of the folders below server/ that they include from.
RULES_ONLY = {"server/simulate"}

# Headers of the C library and the kernel. Whatever is in neither list belongs to a library that no file owns yet.
LIBC = set("""arpa/inet.h assert.h ctype.h dirent.h dlfcn.h endian.h errno.h execinfo.h fcntl.h float.h fnmatch.h ftw.h
getopt.h glob.h grp.h ifaddrs.h inttypes.h libgen.h limits.h locale.h math.h mntent.h net/if.h netdb.h netinet/in.h
netinet/tcp.h poll.h pthread.h pty.h pwd.h sched.h setjmp.h signal.h spawn.h stdalign.h stdarg.h stdatomic.h stdbool.h
stddef.h stdint.h stdio.h stdlib.h string.h strings.h syslog.h termios.h threads.h time.h unistd.h utmp.h wchar.h""".split())
LIBC_FOLDERS = ("sys/", "linux/", "asm/", "bits/")

RULE_MAY = re.compile(r"^common/base/(err|num|sm|buf|clock)\.h$|^common/limits\.h$|_rule\.h$")
RULE_LIBC = {"stdarg.h", "math.h", "string.h", "stdio.h", "stdint.h", "stddef.h", "stdbool.h", "limits.h", "float.h", "inttypes.h"}


def third_party_ok(header: str, path: str) -> bool:
    for prefix, files in THIRD.items():
        if header.startswith(prefix):
            return any(path.startswith(f) for f in files)
    return header in LIBC or header.startswith(LIBC_FOLDERS)


def check(path: Path) -> list[str]:
    rel = path.relative_to(ROOT).as_posix()
    folder = path.parent.relative_to(ROOT).as_posix()
    problems = []
    if folder not in MAY:
        return [f"{rel}: folder '{folder}' has no layer in scripts/check_layers.py"]
    rule = rel.endswith(("_rule.c", "_rule.h"))
    for kind, header in INCLUDE.findall(path.read_text()):
        if kind == "<":
            if not third_party_ok(header, rel):
                problems.append(f"{rel}: <{header}> belongs to another file, or to a library without an owner "
                                "(THIRD in scripts/check_layers.py)")
            if rule and header not in RULE_LIBC:
                problems.append(f"{rel}: a pure rule may not include <{header}>")
            continue
        if header.endswith(".def") or header.endswith(".inc"):
            continue
        target = Path(header).parent.as_posix()
        if header == "common/limits.h":
            continue
        if rule and not RULE_MAY.search(header):
            problems.append(f"{rel}: a pure rule may not include \"{header}\"")
        if not (ROOT / header).exists():
            problems.append(f"{rel}: \"{header}\" is not named from the project's root")
        elif folder in RULES_ONLY and target != folder and target.startswith("server/") and not header.endswith("_rule.h"):
            problems.append(f"{rel}: layer '{folder}' may include pure rules only, not \"{header}\"")
        elif target != folder and target not in MAY[folder]:
            problems.append(f"{rel}: layer '{folder}' may not include \"{header}\"")
    return problems


def main() -> int:
    problems = []
    for top in ("common", "agent", "server"):
        for path in sorted((ROOT / top).rglob("*.[ch]")):
            problems += check(path)
    print("\n".join(problems) if problems else "layers: every include keeps to the table")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
