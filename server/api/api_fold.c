#include "server/api/api_fold.h"

#include "common/base/log.h"
#include "server/api/api_core.h"
#include "server/health/fleet_permit.h"

enum {
    /* A piece keeps requests waiting; between two of them the core is theirs for this many times as long. */
    PAUSE_TIMES = 3,
    PAUSE_AT_LEAST_MS = 2,
    LAST_MS = 10000, /* what a stop may take for it: what is left is replayed at the next start */
};

static void log_failure(const char *event, const struct rw_err *err)
{
    struct rw_log_line l;
    rw_log_begin(&l, RW_LOG_ERROR, event);
    rw_log_err(&l, err);
    rw_log_end(&l);
}

/* The fold needs an empty batch; a start that was refused may have left a record in it. */
static RW_RC flush_pending(struct api_core *c, struct rw_err *err)
{
    if (fleet_state_pending_bytes(c->fleet) == 0) { return RW_OK; }
    RW_TRY(store_begin(c->store, err));
    struct rw_rc rc = fleet_state_flush(c->fleet, err);
    if (rw_is_ok(rc)) { rc = store_commit(c->store, err); }
    if (!rw_is_ok(rc)) {
        store_rollback(c->store);
        c->fleet_stale = true;
    }
    return rc;
}

static RW_RC write_piece(struct api_core *c, struct rw_err *err)
{
    bool more = false;
    RW_TRY(flush_pending(c, err));
    RW_TRY(store_begin(c->store, err));
    struct rw_rc rc = fleet_state_fold(c->fleet, &more, err);
    if (rw_is_ok(rc)) { rc = api_node_extend(c, err); }
    if (rw_is_ok(rc)) { rc = store_commit(c->store, err); }
    if (!rw_is_ok(rc)) {
        store_rollback(c->store);
        fleet_state_fold_lost(c->fleet); /* memory is not ahead: nothing is loaded anew */
        return rc;
    }
    c->folding = more;
    if (!more) { c->stats.folds++; }
    return RW_OK;
}

static RW_RC piece(struct api_core *c, struct rw_err *err)
{
    int64_t begun_ms = rw_clock_mono(&c->clock).ms;
    c->folding = false;
    RW_TRY(write_piece(c, err));
    int64_t now_ms = rw_clock_mono(&c->clock).ms;
    int64_t pause_ms = PAUSE_TIMES * (now_ms - begun_ms);
    c->fold_next.ms = now_ms + (pause_ms < PAUSE_AT_LEAST_MS ? PAUSE_AT_LEAST_MS : pause_ms);
    return RW_OK;
}

RW_RC api_fold_turn(struct api_core *c, struct rw_err *err)
{
    return c->folding || !fleet_state_fold_due(c->fleet) ? RW_OK : piece(c, err);
}

int64_t api_fold_wait_ms(const struct api_core *c)
{
    if (!c->folding) { return -1; }
    int64_t wait_ms = c->fold_next.ms - rw_clock_mono(&c->clock).ms;
    return wait_ms < 0 ? 0 : wait_ms;
}

void api_fold_go_on(struct api_core *c)
{
    struct rw_err err;
    if (api_fold_wait_ms(c) != 0) { return; }
    if (c->fleet_stale || !api_node_controls(c)) {
        c->folding = false;
        return;
    }
    if (!rw_is_ok(piece(c, &err))) { log_failure("fold", &err); }
}

void api_fold_last(struct api_core *c)
{
    struct rw_err err;
    int64_t end_ms = rw_clock_mono(&c->clock).ms + LAST_MS;
    struct rw_rc rc = api_core_heal(c, &err);
    bool ours = rw_is_ok(rc) && api_node_controls(c);
    while (ours && rw_is_ok(rc) && rw_clock_mono(&c->clock).ms < end_ms) {
        rc = piece(c, &err);
        ours = c->folding;
    }
    if (!rw_is_ok(rc)) { log_failure("last_fold", &err); }
    api_node_stop(c);
}
