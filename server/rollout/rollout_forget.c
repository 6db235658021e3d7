/* Records of rollouts that ended long ago: without an end of them each start would read more and memory would fill. */
#include "server/report/audit_log.h"
#include "server/report/forget_rule.h"
#include "server/rollout/rollout_evidence.h"
#include "server/rollout/rollout_live.h"
#include "server/rollout/rollout_stopped.h"

#include <stdio.h>
#include <string.h>

enum {
    FAMILIES_MAX = 64, /* of more, those that come last keep everything */
    TURN_MAX = 64,     /* rollouts that go in one transaction */
    DETAILS_BYTES_MAX = 8 * 1024,
};

/* Complete rollouts of one family, counted from the newest one. */
struct seen {
    const char *family;
    int64_t count;
    int64_t floor; /* release of the last one that had to be counted; 0: not there yet */
};

struct sweep {
    struct forget_limits limits;
    struct seen seen[FAMILIES_MAX];
    size_t seen_count;
    size_t going[TURN_MAX]; /* places in `all`, the highest first */
    size_t going_count;
};

/* NULL: there are too many families. */
static struct seen *seen_of(struct sweep *s, const char *family)
{
    for (size_t i = 0; i < s->seen_count; i++) {
        if (strcmp(s->seen[i].family, family) == 0) { return &s->seen[i]; }
    }
    if (s->seen_count == FAMILIES_MAX) { return NULL; }
    s->seen[s->seen_count] = (struct seen){.family = family};
    return &s->seen[s->seen_count++];
}

static bool may_go(const struct sweep *s, const struct seen *seen, const struct rollout *ro)
{
    enum rollout_rule_state state = rollout_doc_overall(ro);
    bool below = seen->floor > 0 && ro->release < seen->floor;
    const struct forget_rollout f = {.over =
                                         state == ROLLOUT_COMPLETE || state == ROLLOUT_ROLLED_BACK,
                                     .ended_s = ro->ended.s,
                                     .newer = below ? seen->count : 0};
    return forget_rule_rollout(&s->limits, &f);
}

/* What makes no history does not count as a newer one. */
static void count_in(struct seen *seen, const struct rollout *ro)
{
    if (ro->drill.on || !ro->closed || rollout_doc_overall(ro) != ROLLOUT_COMPLETE) { return; }
    seen->count++;
    if (seen->count == FORGET_NEWER_ROLLOUTS) { seen->floor = ro->release; }
}

static void choose(const struct rollout_run *r, struct sweep *s)
{
    size_t oldest[TURN_MAX];
    size_t total = 0;
    for (size_t i = r->count; i > 0; i--) {
        const struct rollout *ro = r->all[i - 1];
        struct seen *seen = seen_of(s, ro->family);
        if (seen == NULL) { continue; }
        if (may_go(s, seen, ro)) { oldest[total++ % TURN_MAX] = i - 1; }
        count_in(seen, ro);
    }
    /* The oldest ones, which were met last. */
    s->going_count = total < TURN_MAX ? total : TURN_MAX;
    for (size_t i = 0; i < s->going_count; i++) {
        s->going[i] = oldest[(total - s->going_count + i) % TURN_MAX];
    }
}

static RW_RC write_details(const struct rollout_run *r, const struct sweep *s, struct rw_buf *into,
                           struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_open_array(&w, "rollouts");
    for (size_t i = s->going_count; i > 0; i--) {
        const struct rollout *ro = r->all[s->going[i - 1]];
        char text[STORE_ID_BYTES];
        (void)snprintf(text, sizeof(text), "%s/%lld", ro->family, (long long)ro->release);
        json_put_str(&w, NULL, text);
    }
    json_close_array(&w);
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC remove_chosen(struct rollout_run *r, const struct sweep *s, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf details = rw_buf_make(DETAILS_BYTES_MAX);
    RW_TRY(write_details(r, s, &details, err));
    for (size_t i = 0; i < s->going_count; i++) {
        const struct rollout *ro = r->all[s->going[i]];
        RW_TRY(rollout_doc_remove(r->store, ro, err));
        RW_TRY(rollout_evidence_remove(r->store, ro, err));
        RW_TRY(rollout_stopped_remove(r->store, ro, err));
    }
    const struct audit_log_entry entry = {.actor = "server",
                                          .action = "server.forget",
                                          .object = "rollouts",
                                          .reason = "ended long ago, followed by many",
                                          .details = rw_buf_span(&details)};
    return audit_log_append(r->store, &entry, r->now, err);
}

static void drop_chosen(struct rollout_run *r, const struct sweep *s)
{
    rollout_live_forget_busy(r);
    for (size_t i = 0; i < s->going_count; i++) {
        rollout_evidence_drop(&r->all[s->going[i]]->evidence);
        rw_mem_free(r->all[s->going[i]]);
        r->all[s->going[i]] = NULL;
    }
    size_t left = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (r->all[i] != NULL) { r->all[left++] = r->all[i]; }
    }
    r->count = left;
}

RW_RC rollout_run_forget(struct rollout_run *r, int64_t age_s, size_t *count_out,
                         struct rw_err *err)
{
    const struct forget_limits limits = {.now_s = r->now.s, .age_s = age_s};
    struct sweep s = {.limits = limits};
    RW_TRY(rollout_live_refresh(r, err));
    choose(r, &s);
    *count_out = 0;
    if (s.going_count == 0) { return RW_OK; }
    RW_TRY(store_begin(r->store, err));
    s = (struct sweep){.limits = limits}; /* the beginning may have brought other nodes' rollouts */
    choose(r, &s);
    struct rw_rc rc = remove_chosen(r, &s, err);
    if (!rw_is_ok(rc)) {
        store_rollback(r->store);
        return rc;
    }
    rc = store_commit(r->store, err);
    if (!rw_is_ok(rc)) {
        r->unsure = true;
        return rc;
    }
    drop_chosen(r, &s);
    *count_out = s.going_count;
    return RW_OK;
}
