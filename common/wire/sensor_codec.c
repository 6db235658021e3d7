#include "common/wire/sensor_codec.h"

#include "common/base/num.h"

static const char *const type_names[] = {"loaded", "alive", "stats", "selftest", "error"};

static void write_loaded(struct json_writer *w, const struct sensor_message *m)
{
    char hex[65] = "";
    if (m->release > 0) { rw_hex_encode(hex, sizeof(hex), m->sha256, sizeof(m->sha256)); }
    json_put_str(w, "family", m->family);
    json_put_int(w, "release", m->release);
    json_put_str(w, "sha256", hex);
    json_put_int(w, "generation", m->generation);
}

/* What a sensor need not be able to tell. */
static void write_more(struct json_writer *w, const struct sensor_message *m)
{
    if (m->generation > 0) { json_put_int(w, "generation", m->generation); }
    if (m->scan_us > 0) { json_put_int(w, "scan_us", m->scan_us); }
    if (m->rule[0] == '\0') { return; }
    json_put_str(w, "family", m->family);
    json_put_str(w, "rule", m->rule);
    json_put_int(w, "rule_detections", m->rule_detections);
    json_put_int(w, "observed", m->observed);
}

RW_RC sensor_write(const struct sensor_message *m, struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_str(&w, "type", type_names[m->type]);
    switch (m->type) {
    case SENSOR_LOADED:
        write_loaded(&w, m);
        break;
    case SENSOR_ALIVE:
        json_put_int(&w, "generation", m->generation);
        break;
    case SENSOR_STATS:
        json_put_int(&w, "detections", m->detections);
        json_put_int(&w, "scanned", m->scanned);
        json_put_int(&w, "cpu_ms", m->cpu_ms);
        json_put_int(&w, "rss_kib", m->rss_kib);
        write_more(&w, m);
        break;
    case SENSOR_SELFTEST:
        json_put_bool(&w, "ok", m->ok);
        break;
    case SENSOR_ERROR:
        json_put_str(&w, "detail", m->detail);
        break;
    }
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC read_loaded(const struct json *o, struct sensor_message *m, struct rw_err *err)
{
    struct rw_span hex;
    RW_TRY(json_get_str(o, "family", m->family, sizeof(m->family), err));
    RW_TRY(json_get_int(o, "release", 0, RW_JSON_INT_MAX, &m->release, err));
    RW_TRY(json_get_int(o, "generation", 1, RW_JSON_INT_MAX, &m->generation, err));
    RW_TRY(json_get_span(o, "sha256", &hex, err));
    if (m->release == 0) { return RW_OK; }
    return rw_hex_decode(m->sha256, sizeof(m->sha256), hex, "sha256", err);
}

static RW_RC read_count(const struct json *o, const char *name, int64_t *out, struct rw_err *err)
{
    if (json_find(o, name) == NULL) { return RW_OK; }
    return json_get_int(o, name, 0, RW_JSON_INT_MAX, out, err);
}

static RW_RC read_more(const struct json *o, struct sensor_message *m, struct rw_err *err)
{
    RW_TRY(read_count(o, "generation", &m->generation, err));
    RW_TRY(read_count(o, "scan_us", &m->scan_us, err));
    if (json_find(o, "rule") == NULL) { return RW_OK; }
    RW_TRY(json_get_str(o, "family", m->family, sizeof(m->family), err));
    RW_TRY(json_get_str(o, "rule", m->rule, sizeof(m->rule), err));
    RW_TRY(read_count(o, "rule_detections", &m->rule_detections, err));
    return read_count(o, "observed", &m->observed, err);
}

static RW_RC read_stats(const struct json *o, struct sensor_message *m, struct rw_err *err)
{
    RW_TRY(json_get_int(o, "detections", 0, RW_JSON_INT_MAX, &m->detections, err));
    RW_TRY(json_get_int(o, "scanned", 0, RW_JSON_INT_MAX, &m->scanned, err));
    RW_TRY(json_get_int(o, "cpu_ms", 0, RW_JSON_INT_MAX, &m->cpu_ms, err));
    RW_TRY(json_get_int(o, "rss_kib", 0, RW_JSON_INT_MAX, &m->rss_kib, err));
    return read_more(o, m, err);
}

RW_RC sensor_read(struct rw_span datagram, struct sensor_message *out, struct rw_err *err)
{
    static const struct json_limits limits = {
        .bytes_max = SENSOR_MESSAGE_BYTES_MAX, .nodes_max = 32, .depth_max = 2};
    struct sensor_message m = {.type = SENSOR_ALIVE};
    struct rw_span type;
    size_t index = 0;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(datagram, &limits, &tree, err));
    RW_TRY(json_get_span(tree, "type", &type, err));
    while (index < RW_LEN(type_names) && !rw_span_is(type, type_names[index])) {
        index++;
    }
    if (index == RW_LEN(type_names)) {
        return rw_fail(err, RW_E_SCHEMA, "unknown type of sensor message");
    }
    m.type = (enum sensor_type)index;
    switch (m.type) {
    case SENSOR_LOADED:
        RW_TRY(read_loaded(tree, &m, err));
        break;
    case SENSOR_ALIVE:
        RW_TRY(json_get_int(tree, "generation", 0, RW_JSON_INT_MAX, &m.generation, err));
        break;
    case SENSOR_STATS:
        RW_TRY(read_stats(tree, &m, err));
        break;
    case SENSOR_SELFTEST:
        RW_TRY(json_get_bool(tree, "ok", &m.ok, err));
        break;
    case SENSOR_ERROR:
        RW_TRY(json_get_str(tree, "detail", m.detail, sizeof(m.detail), err));
        break;
    }
    *out = m;
    return RW_OK;
}

RW_RC sensor_write_load(struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_str(&w, "type", "load");
    json_close_object(&w);
    return json_done(&w, err);
}

bool sensor_is_load(struct rw_span datagram)
{
    static const char *const known[] = {"type"};
    static const struct json_limits limits = {
        .bytes_max = SENSOR_MESSAGE_BYTES_MAX, .nodes_max = 4, .depth_max = 2};
    struct rw_span type;
    struct rw_err unused;
    RW_AUTO(json_tree) json_tree tree = NULL;
    return rw_is_ok(json_parse(datagram, &limits, &tree, &unused)) &&
           rw_is_ok(json_only(tree, known, RW_LEN(known), &unused)) &&
           rw_is_ok(json_get_span(tree, "type", &type, &unused)) && rw_span_is(type, "load");
}
