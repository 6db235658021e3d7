#include "server/api/api_verdict.h"

#include "common/base/log.h"
#include "common/box/verdict_codec.h"
#include "server/api/api_release.h"

#include <stdio.h>

static void log_verdict(const struct release_id *id, struct rw_span verdict)
{
    struct rw_log_line l;
    struct rw_err unused;
    struct verdict v;
    bool reached = verdict.n > 0 && rw_is_ok(verdict_read(verdict, &v, &unused));
    char text[RELEASE_KEY_BYTES];
    (void)snprintf(text, sizeof(text), "%s/%lld", id->family, (long long)id->number);
    rw_log_begin(&l, RW_LOG_INFO, "check_recorded");
    rw_log_str(&l, "release", text);
    rw_log_str(&l, "verdict", reached ? verdict_kind_name(v.kind) : "none");
    if (reached) { rw_log_str(&l, "reason", v.reason); }
    rw_log_end(&l);
}

static void log_refused(const struct rw_err *err)
{
    struct rw_log_line l;
    rw_log_begin(&l, RW_LOG_ERROR, "verdict_refused");
    rw_log_err(&l, err);
    rw_log_end(&l);
}

/* False: the store takes nothing now. */
static bool record(struct api_verdict *v, struct api_core *c)
{
    struct rw_err err;
    struct rw_rc rc = api_release_take_verdict(c, &v->id, rw_buf_span(&v->text), &err);
    v->kept = !rw_is_ok(rc) && rw_code_retry(rc.code);
    if (v->kept) { return false; }
    if (rw_is_ok(rc)) {
        log_verdict(&v->id, rw_buf_span(&v->text));
        return true;
    }
    log_refused(&err);
    v->kept = v->text.n > 0; /* as none, then: the bytes are sent again */
    rw_buf_clear(&v->text);
    return true;
}

void api_verdict_take(struct api_verdict *v, struct api_core *c,
                      bool (*next)(void *ctx, struct release_id *id_out, struct rw_buf *text),
                      void *ctx)
{
    while (v->kept || next(ctx, &v->id, &v->text)) {
        if (!api_node_controls(c)) { /* the controller of now runs the check again */
            v->kept = false;
            continue;
        }
        if (!record(v, c)) { return; }
    }
}
