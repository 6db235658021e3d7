#!/usr/bin/python3
"""Turns the published health vectors (JSON with reals) into a C table for tests/spec/health_vectors_test.c.

Usage: make_health_vectors.py VECTORS.json > health_vectors.inc
The project's own JSON reader refuses reals, as signed documents must; test tables are C instead.
"""
import json
import sys

v = json.load(open(sys.argv[1]))
out = ["/* Made by make_health_vectors.py. Reference values: |x - ref| <= 1e-9 * max(1, |ref|). */"]
out.append("static const struct grid_vector { double p0; double theta[8]; double gain[8]; double cost[8]; } grid_vectors[] = {")
for g in v["abs"]["grids"]:
    if g["K"] != 8 or g["odds_lo"] != 2.0 or g["p_hi"] != 0.95:
        continue
    row = ["{" + ", ".join(repr(x) for x in g[k]) + "}" for k in ("theta", "a", "b")]
    out.append(f"    {{{g['p0']!r}, {', '.join(row)}}},")
out.append("};")
out.append("static const struct log_e_vector { double p0; int64_t k, n; double log_e; } log_e_vectors[] = {")
for r in v["abs"]["loge"]:
    if r.get("K", 8) == 8:
        out.append(f"    {{{r['p0']!r}, {r['k']}, {r['n']}, {r['loge']!r}}},")
out.append("};")
out.append("static const struct n_max_vector { double p0; double log_threshold; int64_t n_max[40]; } n_max_vectors[] = {")
for r in v["abs"]["nmax"]:
    cells = ", ".join(str(x) for x in r["nmax_for_k_1_to_40"])
    out.append(f"    {{{r['p0']!r}, {r['log_thr']!r}, {{{cells}}}}},")
out.append("};")
out.append("static const struct combine_vector { size_t n; double weight[6]; double term[6]; double log_e; } combine_vectors[] = {")
for r in v["combine"]:
    if len(r["terms"]) > 6:
        continue
    w = ", ".join(repr(float(t[0])) for t in r["terms"])
    e = ", ".join(repr(float(t[1])) for t in r["terms"])
    out.append(f"    {{{len(r['terms'])}, {{{w}}}, {{{e}}}, {r['loge']!r}}},")
out.append("};")
out.append("static const struct upper_vector { double alpha; int64_t k, n; double upper; } upper_vectors[] = {")
for r in v["gate"]["upper"]:
    if (r["w0"], r["a"], r["b"]) == (0.5, 0.5, 20.0):
        out.append(f"    {{{r['alpha']!r}, {r['k']}, {r['n']}, {r['upper']!r}}},")
out.append("};")
out.append("static const struct clean_vector { double alpha, limit; int64_t clean; } clean_vectors[] = {")
for r in v["gate"]["clean"]:
    out.append(f"    {{{r['alpha']!r}, {r['limit']!r}, {r['clean']}}},")
out.append("};")
out.append("static const struct ramp_vector { int64_t start, per_survivor_m, survived, exposed, room; } ramp_vectors[] = {")
for r in v["ramp"]["allowed"]:
    whole = all(float(x).is_integer() for x in r["S"] + r["U"])
    if len(r["U"]) == 1 and whole:
        out.append(f"    {{{int(r['U'][0])}, {round(r['k'][0] * 1000)}, {int(r['S'][0])}, {r['A']}, {r['new_installs']}}},")
out.append("};")
out.append("static const struct alive_vector { int64_t start[2], per_survivor_m[2], survived[2], exposed, room; } alive_vectors[] = {")
for r in v["ramp"]["allowed"]:
    if len(r["U"]) == 2:
        pairs = ["{" + ", ".join(str(round(x * f)) for x in r[k]) + "}" for k, f in (("U", 1), ("k", 1000), ("S", 1))]
        out.append(f"    {{{', '.join(pairs)}, {r['A']}, {r['new_installs']}}},")
out.append("};")
out.append("static const struct pass_vector { int64_t k, n; double limit, alpha; bool passes; } pass_vectors[] = {")
for r in v["gate"]["passes"]:
    out.append(f"    {{{r['k']}, {r['n']}, {r['limit']!r}, {r['alpha']!r}, {str(r['passes']).lower()}}},")
out.append("};")


def numbers(values):
    """Rows of at most 116 columns."""
    rows, row = [], ""
    for text in (repr(x) for x in values):
        if len(row) + len(text) > 110:
            rows.append(row)
            row = ""
        row += text + ", "
    return "\n    " + "\n    ".join(rows + [row]) + "\n"


def events(name, list_of):
    """One step each: what happens, and its numbers."""
    rows, row = [], ""
    for e in list_of:
        text = "{'%s', {%s}}, " % (KINDS[e[0]], ", ".join(repr(float(x)) for x in e[1:]) or "0")
        if len(row) + len(text) > 110:
            rows.append(row)
            row = ""
        row += text
    out.append(f"static const struct step {name}_steps[] = {{\n    " + "\n    ".join(rows + [row]) + "\n};")


KINDS = {"apply": "a", "healthy": "h", "refuse": "r", "crash": "c", "crash_late": "l", "ctl_crash": "x", "ctl": "n",
         "bucket": "b", "tick": "t", "drip": "d", "T": "T", "C": "C"}
TERMS = ["A_refuse", "A_crash", "A_dark", "H_crash", "R_crash", "R_dark"]
out.append("struct step { char what; double with[4]; };")
mixes = [("rel", c) for c in v["rel"]["cases"]] + [("haz", c) for c in v["haz"]["cases"]]
for i, (kind, c) in enumerate(mixes):
    events(f"mix_{i}", c["events"])
    out.append(f"static const double mix_{i}_log_e[] = {{{numbers(c['loge'])}}};")
out.append("static const struct mix_vector { const char *id; double rho; double stake; size_t n; const struct step *steps; "
           "const double *log_e; } mix_vectors[] = {")
for i, (kind, c) in enumerate(mixes):
    out.append(f"    {{\"{c['name']}\", {c.get('rho0', 0.0)!r}, {c['stake0']!r}, {len(c['events'])}, mix_{i}_steps, mix_{i}_log_e}},")
out.append("};")
for i, c in enumerate(v["detector"]["cases"]):
    events(f"detector_{i}", c["events"])
    out.append(f"static const double detector_{i}_log_e[] = {{{numbers(c['loge'])}}};")
out.append("static const struct detector_vector { const char *id; double p0_crash; double control; int decision; int culprit; size_t n; "
           "const struct step *steps; const double *log_e; } detector_vectors[] = {")
for i, c in enumerate(v["detector"]["cases"]):
    decision = -1 if c["decision_index"] is None else c["decision_index"]
    culprit = -1 if c["culprit"] is None else TERMS.index(c["culprit"])
    p0 = c["cfg"].get("p0_crash", v["defaults"]["p0_crash"])
    out.append(f"    {{\"{c['name']}\", {p0!r}, {float(c['control'])!r}, {decision}, {culprit}, {len(c['events'])}, "
               f"detector_{i}_steps, detector_{i}_log_e}},")
out.append("};")
print("\n".join(out))
