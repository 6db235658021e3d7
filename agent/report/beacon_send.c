#include "agent/report/beacon_send.h"

#include "common/base/num.h"

enum { ANSWER_BYTES_MAX = 8192, POLL_S_MAX = 86400 };

RW_RC beacon_send_fill(struct beacon_send *b, struct beacon_spool *s, struct rw_err *err)
{
    beacon_send_drop(b);
    *b = (struct beacon_send){.body = rw_buf_make(BEACON_BODY_BYTES_MAX), .retry_after_s = -1};
    return beacon_spool_batch(s, &b->body, b->seqs, &b->count, err);
}

/* The wish in an answer is a wish: one that cannot be read is no reason to send the beacons again. */
static int64_t read_poll_s(struct rw_span answer)
{
    struct rw_err unused;
    int64_t poll_s = 0;
    RW_AUTO(json_tree) json_tree tree = NULL;
    if (!rw_is_ok(json_parse(answer, &json_limits_small, &tree, &unused)) ||
        !rw_is_ok(json_get_int(tree, "poll_s", 0, POLL_S_MAX, &poll_s, &unused))) {
        return 0;
    }
    return poll_s;
}

/* A list that cannot be read changes nothing: what was set before stays in force. */
static void read_controls(struct beacon_send *b, struct rw_span answer)
{
    struct rw_err unused;
    bool renew = false;
    const struct json *list = NULL;
    RW_AUTO(json_tree) json_tree tree = NULL;
    b->has_controls =
        rw_is_ok(json_parse(answer, &json_limits_small, &tree, &unused)) &&
        rw_is_ok(json_get(tree, "controls", JSON_ARRAY, &list, &unused)) &&
        rw_is_ok(control_codec_get_list(list, b->controls, &b->control_count, &unused));
    b->renew = tree != NULL && json_find(tree, "renew") != NULL &&
               rw_is_ok(json_get_bool(tree, "renew", &renew, &unused)) && renew;
}

void beacon_send_post(struct beacon_send *b, struct http_client *http)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(ANSWER_BYTES_MAX);
    struct http_client_answer answer = {.retry_after_s = -1};
    b->status = 0;
    struct rw_rc rc =
        http_client_post(http, "/v1/beacons", "application/json", rw_buf_span(&b->body),
                         ANSWER_BYTES_MAX, &text, &answer, &b->err);
    if (!rw_is_ok(rc)) { return; }
    b->status = answer.status;
    b->retry_after_s = answer.retry_after_s;
    if (answer.status / 100 != 2) { return; }
    b->poll_s = read_poll_s(rw_buf_span(&text));
    read_controls(b, rw_buf_span(&text));
}

/* 401 and 403 may be cured by an operator, 429 by time; other 4xx say that these very bytes are wrong. */
static enum beacon_send_outcome outcome_of(int status)
{
    if (status / 100 == 2) { return BEACON_SEND_DONE; }
    if (status / 100 == 4 && status != 401 && status != 403 && status != 429) {
        return BEACON_SEND_DROPPED;
    }
    return BEACON_SEND_RETRY;
}

RW_RC beacon_send_settle(struct beacon_send *b, struct beacon_spool *s,
                         enum beacon_send_outcome *out, struct rw_err *err)
{
    enum beacon_send_outcome outcome = outcome_of(b->status);
    if (outcome != BEACON_SEND_RETRY) { RW_TRY(beacon_spool_remove(s, b->seqs, b->count, err)); }
    *out = outcome;
    return RW_OK;
}

void beacon_send_drop(struct beacon_send *b)
{
    if (b->body.max > 0) { rw_buf_drop(&b->body); }
    b->count = 0;
}
