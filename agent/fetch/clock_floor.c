#include "agent/fetch/clock_floor.h"

#include "common/base/alt.h"

enum { FLOOR_BYTES_MAX = 64, SAVE_STEP_S = 600 };

static const char floor_name[] = "clock";

struct clock_floor clock_floor_open(int state_dir, struct rw_wall built)
{
    struct clock_floor f = {.state_dir = state_dir, .at = built};
    struct rw_err unused;
    uint64_t serial = 0;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FLOOR_BYTES_MAX);
    if (!rw_is_ok(rw_alt_load(state_dir, floor_name, &text, &serial, &unused)) ||
        !rw_is_ok(rw_wall_parse(rw_buf_span(&text), floor_name, &f.saved, &unused))) {
        f.saved = (struct rw_wall){0};
    }
    if (f.saved.s > f.at.s) { f.at = f.saved; }
    return f;
}

RW_RC clock_floor_raise(struct clock_floor *f, struct rw_wall to, struct rw_err *err)
{
    char text[RW_TIME_TEXT_BYTES];
    if (to.s <= f->at.s) { return RW_OK; }
    f->at = to;
    if (to.s - f->saved.s < SAVE_STEP_S) { return RW_OK; }
    rw_wall_format(text, to);
    RW_TRY(rw_alt_save(f->state_dir, floor_name, rw_span_str(text), err));
    f->saved = to;
    return RW_OK;
}
