#include "agent/prove/check_yara.h"

#include "common/yara/yara_engine.h"
#include "common/yara/yara_limits.h"

#include <stdio.h>
#include <string.h>

enum { SCAN_TIMEOUT_S = 2 };

struct hit {
    enum check_said_hit kind;
    char rule[CHECK_SAID_NAME_BYTES]; /* the first of the gravest kind */
};

static void on_hit(void *ctx, const char *rule, const char *action)
{
    struct hit *h = ctx;
    bool alerts = action != NULL && strcmp(action, "alert") == 0;
    if (h->kind == CHECK_SAID_BLOCKING || (h->kind == CHECK_SAID_ALERTING && alerts)) { return; }
    h->kind = alerts ? CHECK_SAID_ALERTING : CHECK_SAID_BLOCKING;
    (void)snprintf(h->rule, sizeof(h->rule), "%s", rule);
}

static RW_RC scan_all(struct check_input *in, struct yara_rules *rules, struct check_said *said,
                      struct rw_err *err)
{
    for (;;) {
        struct rw_span sample;
        bool more = false;
        struct hit h = {.kind = CHECK_SAID_NOTHING};
        RW_TRY(check_input_next(in, &sample, &more, err));
        if (!more) { return RW_OK; }
        int64_t begun_us = check_said_cpu_us();
        struct rw_rc rc = yara_scan(rules, sample, SCAN_TIMEOUT_S, on_hit, &h, err);
        int64_t used_us = check_said_cpu_us() - begun_us;
        if (used_us > said->slowest_us) { said->slowest_us = used_us; }
        if (rc.code == RW_E_TIMEOUT || rc.code == RW_E_SYNTAX) {
            check_said_refuse(said, "sample of %zu bytes: %.150s", sample.n, err->text);
            return RW_OK;
        }
        RW_TRY(rc);
        RW_TRY(check_said_note(said, h.kind, h.rule, err));
    }
}

/* A second reader of our own must find as many rules as libyara: what one of them skips, the other sees. */
static bool counts_agree(const struct yara_limits *limits, int64_t rules, struct check_said *said)
{
    bool agree = limits->rules == rules;
    check_said_add(said, "limits", rules, agree ? 0 : 1);
    if (!agree) {
        check_said_refuse(said, "libyara finds %lld rules, a second reader %lld", (long long)rules,
                          (long long)limits->rules);
    }
    return agree;
}

RW_RC check_yara_run(struct check_input *in, struct check_said *said, struct rw_err *err)
{
    RW_AUTO(yara_set) yara_set rules = NULL;
    struct yara_limits limits;
    rw_copy(said->sha256, sizeof(said->sha256), in->sha256, sizeof(in->sha256));
    struct rw_rc rc = yara_limits_check(rw_buf_span(&in->content), &limits, err);
    if (!rw_is_ok(rc)) {
        check_said_add(said, "limits", 0, 1);
        check_said_refuse(said, "%.200s", err->text);
        return RW_OK;
    }
    rc = yara_compile(&in->content, &rules, err);
    if (rc.code == RW_E_SYNTAX || rc.code == RW_E_TIMEOUT) {
        check_said_refuse(said, "%.200s", err->text);
        return RW_OK;
    }
    RW_TRY(rc);
    said->rules = yara_count(rules);
    if (!counts_agree(&limits, said->rules, said)) { return RW_OK; }
    said->accepted = true;
    RW_TRY(scan_all(in, rules, said, err));
    if (!said->accepted) { return RW_OK; }
    (void)snprintf(said->reason, sizeof(said->reason), "%lld rules, %zu samples",
                   (long long)said->rules, said->hits.n);
    return RW_OK;
}
