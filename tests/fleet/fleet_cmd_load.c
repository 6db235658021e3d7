/* ringward-fleet load: for benchmarks. */
#include "tests/fleet/fleet_cmd.h"
#include "tests/fleet/fleet_load.h"

#include <inttypes.h>
#include <stdio.h>

enum { RATE_MAX = 1000000, SECONDS_MAX = 86400, ENDPOINTS_MIN = 1000, ENDPOINTS_MAX = 1000000 };

struct load_options {
    struct fleet_options shared;
    const char *permits, *beacons, *seconds, *batch, *ring;
};

static RW_RC read_load(const struct load_options *o, struct fleet_load_options *out,
                       int64_t *endpoints_out, struct rw_err *err)
{
    *out = (struct fleet_load_options){.cohort = {"debian-12", "x86_64", "fleet"}};
    RW_TRY(fleet_options_number(o->permits, "permits-per-second", RATE_MAX, 0, &out->permits_per_s,
                                err));
    RW_TRY(fleet_options_number(o->beacons, "beacons-per-second", RATE_MAX, 0, &out->beacons_per_s,
                                err));
    RW_TRY(fleet_options_number(o->seconds, "seconds", SECONDS_MAX, 10, &out->seconds, err));
    RW_TRY(fleet_options_number(o->batch, "batch", BEACON_BATCH_MAX, 1, &out->batch, err));
    if (out->permits_per_s + out->beacons_per_s == 0 || out->seconds == 0 || out->batch == 0) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE,
                          "--permits-per-second or --beacons-per-second is required; --seconds and "
                          "--batch are 1 at least"),
                  "hint");
        return rw_hint(err, "try 'ringward-fleet load --help'");
    }
    (void)snprintf(out->ring, sizeof(out->ring), "%.32s", o->ring == NULL ? "canary" : o->ring);
    (void)snprintf(out->family, sizeof(out->family), "%.32s",
                   o->shared.family == NULL ? "yara" : o->shared.family);
    int64_t wanted = out->permits_per_s * out->seconds;
    wanted = wanted < ENDPOINTS_MIN ? ENDPOINTS_MIN : wanted;
    return fleet_options_number(o->shared.endpoints, "endpoints", FLEET_BOOK_ENDPOINTS_MAX,
                                wanted > ENDPOINTS_MAX ? ENDPOINTS_MAX : wanted, endpoints_out,
                                err);
}

static void show(const struct fleet_setup *s, const struct fleet_load_result *r)
{
    fleet_stat_print_head();
    fleet_stat_print("enrol", &s->enrol.stat, s->enrol.seconds);
    if (r->permits.sent > 0) { fleet_stat_print("permit", &r->permits, r->seconds); }
    if (r->beacons.sent > 0) { fleet_stat_print("beacon", &r->beacons, r->seconds); }
    printf("\npermits for release %" PRId64 ": granted %" PRIu64 ", wait %" PRIu64
           ", refused %" PRIu64 "\n",
           r->release, r->granted, r->waited, r->refused);
    printf("connections opened %" PRIu64 ", broken %" PRIu64 ", requests sent again %" PRIu64
           ", waiting at most %zu\n",
           r->http.connects, r->http.broken, r->http.resent, r->http.waiting_most);
    printf("CPU of the fleet %.1f s in %.1f s\n", fleet_options_cpu_s(), r->seconds);
}

static RW_RC show_json(const struct fleet_setup *s, const struct fleet_load_result *r,
                       struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FLEET_CMD_JSON_BYTES_MAX);
    struct json_writer w = json_begin(&text);
    json_open_object(&w, NULL);
    json_put_int(&w, "endpoints", (int64_t)s->book.count);
    fleet_stat_write(&w, "enrol", &s->enrol.stat, s->enrol.seconds);
    fleet_stat_write(&w, "permit", &r->permits, r->seconds);
    fleet_stat_write(&w, "beacon", &r->beacons, r->seconds);
    json_put_int(&w, "release", r->release);
    json_put_int(&w, "granted", (int64_t)r->granted);
    json_put_int(&w, "wait", (int64_t)r->waited);
    json_put_int(&w, "refused", (int64_t)r->refused);
    json_put_int(&w, "beacons_accepted", (int64_t)r->accepted);
    json_put_int(&w, "duration_ms", (int64_t)(r->seconds * 1000));
    json_put_int(&w, "connections_opened", (int64_t)r->http.connects);
    json_put_int(&w, "connections_broken", (int64_t)r->http.broken);
    json_put_int(&w, "waiting_most", (int64_t)r->http.waiting_most);
    json_put_int(&w, "cpu_ms", (int64_t)(fleet_options_cpu_s() * 1000));
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    printf("%s\n", rw_buf_str(&text));
    return RW_OK;
}

static RW_RC run(const struct load_options *o, struct rw_err *err)
{
    struct fleet_load_options load;
    struct fleet_setup setup;
    int64_t endpoints = 0;
    RW_TRY(read_load(o, &load, &endpoints, err));
    if (o->shared.own) { return rw_fail(err, RW_E_USAGE, "load shares its connections"); }
    struct fleet_load_result *result = rw_mem_new(sizeof(*result));
    if (result == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the result"); }
    struct rw_rc rc = fleet_setup_open(&o->shared, endpoints, &setup, err);
    if (rw_is_ok(rc)) {
        const struct fleet_load_sides sides = {
            .base = setup.base, .http = &setup.http, .book = &setup.book, .view = setup.view};
        rc = fleet_load_run(&sides, &load, result, err);
        if (rw_is_ok(rc) && setup.json) { rc = show_json(&setup, result, err); }
        if (rw_is_ok(rc) && !setup.json) { show(&setup, result); }
        fleet_setup_drop(&setup);
    }
    rw_mem_free(result);
    return rc;
}

RW_RC fleet_cmd_load(int argc, char **argv, struct rw_err *err)
{
    struct load_options o = {.permits = NULL};
    struct opt opts[FLEET_OPTIONS_SHARED + 5] = {
        [FLEET_OPTIONS_SHARED] = {"permits-per-second", "N", "permits asked for (default: 0)",
                                  &o.permits, NULL},
        {"beacons-per-second", "N", "requests with beacons (default: 0)", &o.beacons, NULL},
        {"seconds", "N", "how long (default: 10)", &o.seconds, NULL},
        {"batch", "N", "beacons in one request, 1 to 32 (default: 1)", &o.batch, NULL},
        {"ring", "NAME", "ring of all endpoints (default: canary)", &o.ring, NULL},
    };
    fleet_options_fill(&o.shared, opts);
    const struct opt_command command = {
        .program = "ringward-fleet load",
        .usage = "",
        .about =
            "Enrols endpoints, then sends permits and beacons at fixed rates, whether answers "
            "come\n"
            "or not. Latencies count from the moment at which a request was due. Permits are for\n"
            "the release that the ring points at, from one endpoint after the other; with fewer\n"
            "endpoints than permits (default: as many, at most 1000000) some ask twice. An "
            "endpoint\n"
            "with a permit confirms it in its next beacon; all other beacons are 'alive'. What "
            "the\n"
            "window of the policy does not grant is answered 'wait', and counted as that.\n"
            "A server takes 1024 connections of one address unless its server.conf says more.",
        .examples =
            "  ringward-fleet load --server https://127.0.0.1:8443 --dir try \\\n"
            "    --permits-per-second 2000 --beacons-per-second 2000 --seconds 30 -o json\n"
            "  ringward-fleet load --server http://127.0.0.1:8080 --dir try --endpoints 50000 \\\n"
            "    --beacons-per-second 5000 --batch 8 --connections 64\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    int count = 0;
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    return run(&o, err);
}
