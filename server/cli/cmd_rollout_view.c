#include "server/cli/cmd_rollout_view.h"

#include "common/base/num.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"

#include <stdio.h>
#include <string.h>

enum { WORD_BYTES = 48, TEXT_BYTES = 400 };

static RW_RC add_ring(struct cli_table *t, const struct json *ring, struct rw_err *err)
{
    static const char *const counts[] = {"exposed", "pending", "healthy", "failed",
                                         "dark",    "refused", "reverted"};
    char word[WORD_BYTES];
    char text[TEXT_BYTES];
    RW_TRY(cli_table_add(t, cli_view_str(ring, "ring", word, sizeof(word)), err));
    RW_TRY(cli_table_add(t, cli_view_str(ring, "state", word, sizeof(word)), err));
    RW_TRY(cli_table_addf(t, err, "%lld", (long long)cli_view_int(ring, "members", 0)));
    for (size_t i = 0; i < RW_LEN(counts); i++) {
        RW_TRY(cli_table_addf(t, err, "%lld", (long long)cli_view_int(ring, counts[i], 0)));
    }
    const struct json *window = json_find(ring, "window");
    RW_TRY(cli_table_addf(t, err, "%lld",
                          (long long)(window != NULL ? cli_view_int(window, "allowed", 0) : 0)));
    int64_t bake_left_s = cli_view_int(ring, "bake_left_s", 0);
    char bake[32] = "-";
    if (bake_left_s > 0) { rw_format_duration_s(bake, sizeof(bake), bake_left_s); }
    RW_TRY(cli_table_add(t, bake, err));
    RW_TRY(cli_table_add(t, cli_view_str(ring, "gate", word, sizeof(word)), err));
    return cli_table_add(t, cli_view_str(ring, "reason", text, sizeof(text)), err);
}

static size_t print_halt(const struct json *rollout)
{
    const struct json *halt = json_find(rollout, "halt");
    if (halt == NULL || json_type(halt) != JSON_OBJECT) { return 0; }
    char text[TEXT_BYTES];
    char at[WORD_BYTES];
    printf("halted at %s: %s\n", cli_view_str(halt, "at", at, sizeof(at)),
           cli_view_str(halt, "reason", text, sizeof(text)));
    return 1;
}

RW_RC cmd_rollout_view_print(const struct json *rollout, size_t *lines_out, struct rw_err *err)
{
    static const char *const header[] = {"RING",    "STATE",  "HOSTS", "EXPOSED", "PENDING",
                                         "HEALTHY", "FAILED", "DARK",  "REFUSED", "BACK",
                                         "WINDOW",  "BAKE",   "GATE",  "WHY"};
    char family[WORD_BYTES];
    char state[WORD_BYTES];
    char reason[TEXT_BYTES];
    char started[WORD_BYTES];
    printf("%s/%lld  %s%s%s  started %s  previous %lld%s%s\n",
           cli_view_str(rollout, "family", family, sizeof(family)),
           (long long)cli_view_int(rollout, "release", 0),
           cli_table_colour(cli_view_str(rollout, "state", state, sizeof(state))), state,
           cli_table_plain(), cli_view_str(rollout, "started", started, sizeof(started)),
           (long long)cli_view_int(rollout, "previous", 0),
           cli_view_str(rollout, "reason", reason, sizeof(reason))[0] != '\0' ? "  " : "", reason);
    size_t lines = 1;
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    const struct json *rings = NULL;
    RW_TRY(json_get(rollout, "rings", JSON_ARRAY, &rings, err));
    for (const struct json *ring = json_first(rings); ring != NULL; ring = json_next(ring)) {
        RW_TRY(add_ring(&t, ring, err));
    }
    lines += cli_table_print(&t);
    lines += print_halt(rollout);
    *lines_out = lines;
    return RW_OK;
}

void cmd_rollout_view_line(const struct json *rollout, char *dst, size_t cap)
{
    char state[WORD_BYTES];
    int used = snprintf(dst, cap, "%s", cli_view_str(rollout, "state", state, sizeof(state)));
    const struct json *rings = json_find(rollout, "rings");
    if (rings == NULL || used < 0) { return; }
    for (const struct json *r = json_first(rings); r != NULL && (size_t)used < cap;
         r = json_next(r)) {
        char ring[WORD_BYTES];
        int more = snprintf(
            dst + used, cap - (size_t)used,
            "  %s=%s exposed=%lld healthy=%lld failed=%lld dark=%lld",
            cli_view_str(r, "ring", ring, sizeof(ring)),
            cli_view_str(r, "state", state, sizeof(state)),
            (long long)cli_view_int(r, "exposed", 0), (long long)cli_view_int(r, "healthy", 0),
            (long long)cli_view_int(r, "failed", 0), (long long)cli_view_int(r, "dark", 0));
        if (more < 0) { return; }
        used += more;
    }
}

static bool state_is(const struct json *rollout, const char *state)
{
    char word[WORD_BYTES];
    return strcmp(cli_view_str(rollout, "state", word, sizeof(word)), state) == 0;
}

bool cmd_rollout_view_ended(const struct json *rollout)
{
    return state_is(rollout, "complete") || state_is(rollout, "rolled_back");
}

RW_RC cmd_rollout_view_outcome(const struct json *rollout, struct rw_err *err)
{
    char reason[TEXT_BYTES];
    const struct json *halt = json_find(rollout, "halt");
    if (halt != NULL && json_type(halt) == JSON_OBJECT) {
        (void)cli_view_str(halt, "reason", reason, sizeof(reason));
    } else {
        (void)cli_view_str(rollout, "reason", reason, sizeof(reason));
    }
    if (state_is(rollout, "rolled_back")) {
        return rw_fail(err, RW_E_ROLLED_BACK, "rolled back: %s", reason);
    }
    if (state_is(rollout, "halted") || state_is(rollout, "rolling_back")) {
        return rw_fail(err, RW_E_HALTED, "halted: %s", reason);
    }
    if (state_is(rollout, "held") || state_is(rollout, "paused")) {
        return rw_fail(err, RW_E_PAUSED, "held: %s", reason);
    }
    return RW_OK;
}
