#include "server/cli/cli_verb.h"

#include "common/base/buf.h"

#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 24, NEAR_ENOUGH = 2 };

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein distance; words longer than WORD_MAX are far from everything. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a);
    size_t m = strlen(b);
    size_t row[WORD_MAX + 1];
    if (n > WORD_MAX || m > WORD_MAX) { return WORD_MAX; }
    for (size_t j = 0; j <= m; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t above = row[j];
            row[j] = least(row[j - 1] + 1, above + 1, diagonal + (a[i - 1] == b[j - 1] ? 0u : 1u));
            diagonal = above;
        }
    }
    return row[m];
}

const struct cli_verb *cli_verb_nearest(const struct cli_verb *verbs, size_t count,
                                        const char *word)
{
    const struct cli_verb *best = NULL;
    size_t best_distance = NEAR_ENOUGH + 1;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(word, verbs[i].name);
        if (d < best_distance && d < strlen(verbs[i].name)) {
            best = &verbs[i];
            best_distance = d;
        }
    }
    return best;
}

static RW_RC list(const char *program, const struct cli_verb *verbs, size_t count)
{
    printf("Usage: %s VERB [options]\n\nVerbs:\n", program);
    for (size_t i = 0; i < count; i++) {
        printf("  %-10s %s\n", verbs[i].name, verbs[i].about);
    }
    printf("\n'%s VERB --help' shows a verb's options and examples.\n", program);
    return RW_OK;
}

RW_RC cli_verb_run(const char *program, const struct cli_verb *verbs, size_t count, int argc,
                   char **argv, struct rw_err *err)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, verbs[i].name) == 0) { return verbs[i].run(argc - 1, argv + 1, err); }
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        return list(program, verbs, count);
    }
    const struct cli_verb *meant = cli_verb_nearest(verbs, count, name);
    RW_IGNORE(rw_fail(err, RW_E_USAGE, "'%.40s' is not a verb of '%s'", name, program), "hint");
    if (meant != NULL) { return rw_hint(err, "did you mean '%s %s'?", program, meant->name); }
    return rw_hint(err, "'%s --help' lists the verbs", program);
}
