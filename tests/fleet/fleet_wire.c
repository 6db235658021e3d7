#include "tests/fleet/fleet_wire.h"

#include "common/json/json_write.h"

#include <string.h>

enum { POLL_S_MAX = 86400 };

struct fleet_wire fleet_wire_make(const struct fleet_book *book)
{
    return (struct fleet_wire){.book = book, .body = rw_buf_make(BEACON_BODY_BYTES_MAX)};
}

void fleet_wire_drop(struct fleet_wire *w)
{
    rw_buf_drop(&w->body);
}

const char *fleet_wire_name(enum fleet_kind kind)
{
    static const char *const names[FLEET_KINDS] = {"enrol", "poll", "permit", "beacon"};
    return names[kind];
}

static void post(struct fleet_wire *w, const struct fleet_member *m, const char *path,
                 struct fleet_request *out)
{
    fleet_book_token(w->book, m, w->token);
    *out = (struct fleet_request){
        .method = "POST", .path = path, .bearer = w->token, .body = rw_buf_span(&w->body)};
}

RW_RC fleet_wire_enrol(struct fleet_wire *w, const struct fleet_member *m,
                       struct fleet_request *out, struct rw_err *err)
{
    char id[2 * FLEET_BOOK_ID_BYTES + 1];
    rw_hex_encode(id, sizeof(id), m->id, sizeof(m->id));
    rw_buf_clear(&w->body);
    RW_TRY(rw_buf_appendf(&w->body, err, "{\"endpoint\":\"%s\"}", id));
    *out = (struct fleet_request){.method = "POST",
                                  .path = "/v1/enrol",
                                  .bearer = w->book->enrol_token,
                                  .body = rw_buf_span(&w->body)};
    return RW_OK;
}

void fleet_wire_poll(const char *etag, struct fleet_request *out)
{
    *out = (struct fleet_request){.method = "GET",
                                  .path = "/repo/metadata/timestamp.json",
                                  .if_none_match = etag[0] == '\0' ? NULL : etag};
}

RW_RC fleet_wire_permit(struct fleet_wire *w, const struct fleet_member *m,
                        const struct beacon_permit_request *r, struct fleet_request *out,
                        struct rw_err *err)
{
    rw_buf_clear(&w->body);
    RW_TRY(beacon_permit_write_request(r, &w->body, err));
    post(w, m, "/v1/permits", out);
    return RW_OK;
}

/* "run" is drawn by each start of an agent; here one life is one run. */
RW_RC fleet_wire_beacons(struct fleet_wire *w, const struct fleet_member *m,
                         const struct beacon *beacons, size_t count, struct fleet_request *out,
                         struct rw_err *err)
{
    char run[17];
    rw_hex_encode(run, sizeof(run), m->id, 8);
    rw_buf_clear(&w->body);
    struct json_writer j = json_begin(&w->body);
    json_open_object(&j, NULL);
    json_open_array(&j, "beacons");
    for (size_t i = 0; i < count; i++) {
        beacon_write(&j, NULL, &beacons[i]);
    }
    json_close_array(&j);
    json_put_str(&j, "run", run);
    json_close_object(&j);
    RW_TRY(json_done(&j, err));
    post(w, m, "/v1/beacons", out);
    return RW_OK;
}

/* splitmix64: every bit of the input reaches every bit of the output. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* As good as random, since servers may tell beacons apart by a part of their ids. */
void fleet_wire_id(const struct fleet_member *m, uint32_t number,
                   uint8_t id[static BEACON_ID_BYTES])
{
    uint64_t half[2];
    rw_copy(half, sizeof(half), m->id, FLEET_BOOK_ID_BYTES);
    half[0] = mix(half[0] + number);
    half[1] = mix(half[1] ^ half[0]);
    rw_copy(id, BEACON_ID_BYTES, half, sizeof(half));
}

int64_t fleet_wire_poll_s(struct rw_span answer)
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
