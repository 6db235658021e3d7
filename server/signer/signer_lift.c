#include "server/signer/signer_lift.h"

enum { LIFT_MAX = 1 << 30, LIFT_TEXT_BYTES_MAX = 32 };

static const char lift_name[] = "lift";

RW_RC signer_lift_load(struct signer *s, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(LIFT_TEXT_BYTES_MAX);
    s->lift = 0;
    struct rw_rc rc = rw_file_read_at(s->state, lift_name, LIFT_TEXT_BYTES_MAX, &text, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    struct rw_span number = rw_buf_span(&text);
    if (number.n > 0 && number.p[number.n - 1] == '\n') { number.n--; }
    return rw_parse_i64(number, 1, LIFT_MAX, "state/lift", &s->lift, err);
}

void signer_lift_raise(struct signer *s, const char *role, const char *keyid, int64_t published)
{
    if (s->lift == 0) { return; }
    int64_t floor = signer_state_floor(s, role, keyid);
    int64_t last = floor > published ? floor : published;
    /* next_version adds one and refuses at 2^31: a version up there needs another key, with or without a lift. */
    signer_state_raise(s, role, keyid, last > INT32_MAX - 1 - s->lift ? last : last + s->lift);
}

RW_RC signer_lift_done(struct signer *s, struct rw_err *err)
{
    if (s->lift == 0) { return RW_OK; }
    s->lift = 0;
    return rw_file_remove_at(s->state, lift_name, err);
}
