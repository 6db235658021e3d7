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
print("\n".join(out))
