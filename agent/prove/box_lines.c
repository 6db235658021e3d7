#include "agent/prove/box_lines.h"

#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

enum {
    EXIT_NOTHING = 0,
    EXIT_MATCHED = 1,
    EXIT_REFUSED = 2,
    EXIT_NO_MEMORY = 12,
    EXIT_SETUP = 125
};
enum { REASON_MAX = 160 };

static const char folder[] = "/samples/";

static struct rw_span next_line(struct rw_span *rest)
{
    const uint8_t *end = memchr(rest->p, '\n', rest->n);
    size_t n = end == NULL ? rest->n : (size_t)(end - rest->p);
    struct rw_span line = rw_span_of(rest->p, n);
    size_t step = end == NULL ? n : n + 1;
    *rest = rw_span_of(rest->p + step, rest->n - step);
    return line;
}

/* A hit is written down; false when the line speaks of a sample that there is not. */
static bool take_line(struct rw_span line, const char *hit_word, size_t samples,
                      struct box_said *out)
{
    struct rw_err err;
    int64_t index = 0;
    const uint8_t *at = memmem(line.p, line.n, folder, sizeof(folder) - 1);
    if (at == NULL || memmem(line.p, line.n, hit_word, strlen(hit_word)) == NULL) { return true; }
    at += sizeof(folder) - 1;
    size_t room = line.n - (size_t)(at - line.p);
    size_t n = 0;
    while (n < room && at[n] >= '0' && at[n] <= '9') {
        n++;
    }
    if (samples == 0 || !rw_is_ok(rw_parse_i64(rw_span_of(at, n), 0, (int64_t)samples - 1, "sample",
                                               &index, &err))) {
        return false;
    }
    out->hits[index] = '1';
    return true;
}

/* The first line that speaks of an error, else the last one that says anything. */
static void find_reason(struct rw_span output, char dst[static REASON_MAX])
{
    struct rw_span chosen = rw_span_str("the program refused the content");
    while (output.n > 0) {
        struct rw_span line = next_line(&output);
        if (line.n == 0) { continue; }
        chosen = line;
        if (memmem(line.p, line.n, "rror", 4) != NULL) { break; }
    }
    size_t n = chosen.n < REASON_MAX - 1 ? chosen.n : REASON_MAX - 1;
    for (size_t i = 0; i < n; i++) {
        dst[i] = (char)(chosen.p[i] >= 0x20 && chosen.p[i] < 0x7f ? chosen.p[i] : '?');
    }
    dst[n] = '\0';
}

static void read_hits(struct rw_span output, const char *hit_word, size_t samples, int exit_status,
                      struct box_said *out)
{
    out->valid = true;
    out->accepted = true;
    for (size_t i = 0; i < samples; i++) {
        out->hits[i] = '0';
    }
    out->hit_count = samples;
    while (output.n > 0 && out->valid) {
        out->valid = take_line(next_line(&output), hit_word, samples, out);
    }
    bool any = memchr(out->hits, '1', samples) != NULL;
    out->valid = out->valid && any == (exit_status == EXIT_MATCHED);
    (void)snprintf(out->reason, sizeof(out->reason), "%zu samples", samples);
}

int box_lines_read(struct rw_span output, const char *hit_word, size_t samples, int exit_status,
                   struct box_said *out)
{
    *out = (struct box_said){.valid = false};
    RW_ASSERT(samples < sizeof(out->hits));
    if (exit_status == EXIT_REFUSED) {
        out->valid = true;
        find_reason(output, out->reason);
        return 1;
    }
    if (exit_status != EXIT_NOTHING && exit_status != EXIT_MATCHED) { return exit_status; }
    read_hits(output, hit_word, samples, exit_status, out);
    return 0;
}

int box_lines_read_exit(struct rw_span output, int exit_status, struct box_said *out)
{
    *out = (struct box_said){.valid = false};
    if (exit_status < 0 || exit_status == EXIT_NO_MEMORY || exit_status >= EXIT_SETUP) {
        return exit_status;
    }
    out->valid = true;
    out->accepted = exit_status == 0;
    if (out->accepted) {
        (void)snprintf(out->reason, sizeof(out->reason), "the whole set loads");
        return 0;
    }
    find_reason(output, out->reason);
    return 1;
}
