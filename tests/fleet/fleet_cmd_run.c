/* ringward-fleet run: endpoints that live, for rehearsals. */
#include "common/base/file.h"
#include "tests/fleet/fleet_cmd.h"
#include "tests/fleet/fleet_life.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    DURATION_MS_MAX = 20 * 24 * 3600 * 1000, /* times are 32 bits wide */
    POLL_MS = 300 * 1000,
    LOAD_MS = 500,
    REACH_MS = 120 * 1000,
    ENDPOINTS = 1000,
};

struct run_options {
    struct fleet_options shared;
    const char *poll, *load, *reach, *duration, *internal, *faults, *fault, *ready, *resumes;
};

static RW_RC duration(const char *text, const char *name, int64_t otherwise, int64_t *out,
                      struct rw_err *err)
{
    *out = otherwise;
    if (text == NULL) { return RW_OK; }
    return rw_parse_duration_ms(rw_span_str(text), DURATION_MS_MAX, name, out, err);
}

static RW_RC read_run(const struct run_options *o, struct fleet_run_options *out,
                      struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FLEET_FAULT_TEXT_BYTES_MAX);
    *out = (struct fleet_run_options){.ready_file = o->ready, .resumes_file = o->resumes};
    RW_TRY(duration(o->poll, "--poll", POLL_MS, &out->poll_ms, err));
    RW_TRY(duration(o->load, "--load-time", LOAD_MS, &out->load_ms, err));
    RW_TRY(duration(o->reach, "--reach-back", REACH_MS, &out->reach_ms, err));
    RW_TRY(duration(o->duration, "--for", 0, &out->for_ms, err));
    RW_TRY(fleet_options_number(o->internal, "internal", FLEET_BOOK_ENDPOINTS_MAX, 0,
                                &out->internal, err));
    if (o->faults != NULL && o->fault != NULL) {
        return rw_fail(err, RW_E_USAGE, "--fault or --faults, not both");
    }
    if (o->faults != NULL) { RW_TRY(rw_file_read(o->faults, text.max, &text, err)); }
    if (o->fault != NULL) { RW_TRY(rw_buf_append_str(&text, o->fault, err)); }
    return fleet_fault_read(rw_buf_span(&text), &out->faults, err);
}

static void show(const struct fleet_setup *s, const struct fleet_run *f)
{
    double seconds = (double)f->now_ms / 1000.0;
    fleet_stat_print_head();
    fleet_stat_print("enrol", &s->enrol.stat, s->enrol.seconds);
    for (size_t k = FLEET_POLL; k < FLEET_KINDS; k++) {
        fleet_stat_print(fleet_wire_name((enum fleet_kind)k), &f->stats[k], seconds);
    }
    fleet_ledger_print(&f->ledger, fleet_view_policy(f->view));
    printf("\nendpoints %zu, silent for good %" PRId64 ", permits that came too late %" PRId64
           ", beacons dropped %" PRId64 "\n",
           s->book.count, f->bricked, f->too_late, f->spool_dropped);
    printf("connections opened %" PRIu64 ", broken %" PRIu64 ", requests sent again %" PRIu64
           ", waiting at most %zu; CPU of the fleet %.1f s in %.1f s\n",
           f->http_counters.connects, f->http_counters.broken, f->http_counters.resent,
           f->http_counters.waiting_most, fleet_options_cpu_s(), seconds);
}

static RW_RC show_json(const struct fleet_setup *s, const struct fleet_run *f, struct rw_err *err)
{
    double seconds = (double)f->now_ms / 1000.0;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FLEET_CMD_JSON_BYTES_MAX);
    struct json_writer w = json_begin(&text);
    json_open_object(&w, NULL);
    json_put_int(&w, "endpoints", (int64_t)s->book.count);
    json_put_int(&w, "duration_ms", f->now_ms);
    json_put_int(&w, "enrol_ms", (int64_t)(s->enrol.seconds * 1000));
    fleet_stat_write(&w, "enrol", &s->enrol.stat, s->enrol.seconds);
    for (size_t k = FLEET_POLL; k < FLEET_KINDS; k++) {
        fleet_stat_write(&w, fleet_wire_name((enum fleet_kind)k), &f->stats[k], seconds);
    }
    fleet_ledger_write(&w, &f->ledger, fleet_view_policy(f->view));
    json_put_int(&w, "bricked", f->bricked);
    json_put_int(&w, "too_late", f->too_late);
    json_put_int(&w, "beacons_dropped", f->spool_dropped);
    json_put_int(&w, "views_failed", f->views_failed);
    json_put_int(&w, "connections_opened", (int64_t)f->http_counters.connects);
    json_put_int(&w, "connections_broken", (int64_t)f->http_counters.broken);
    json_put_int(&w, "waiting_most", (int64_t)f->http_counters.waiting_most);
    json_put_int(&w, "cpu_ms", (int64_t)(fleet_options_cpu_s() * 1000));
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    printf("%s\n", rw_buf_str(&text));
    return RW_OK;
}

static RW_RC live(struct fleet_setup *s, struct fleet_run *f, struct rw_err *err)
{
    f->base = s->base;
    f->book = &s->book;
    f->view = s->view;
    f->random = 1;
    RW_TRY(fleet_run(f, &s->http, err));
    if (s->json) { RW_TRY(show_json(s, f, err)); }
    if (!s->json) { show(s, f); }
    int64_t broken = fleet_ledger_broken(&f->ledger);
    if (broken == 0) { return RW_OK; }
    return rw_fail(err, RW_E_PROTOCOL, "%lld permits were beyond the window's laws (INV-1)",
                   (long long)broken);
}

static RW_RC run(const struct run_options *o, struct rw_err *err)
{
    struct fleet_run_options options;
    struct fleet_setup setup;
    int64_t endpoints = 0;
    RW_TRY(read_run(o, &options, err));
    RW_TRY(fleet_options_number(o->shared.endpoints, "endpoints", FLEET_BOOK_ENDPOINTS_MAX,
                                ENDPOINTS, &endpoints, err));
    struct fleet_run *f = rw_mem_new(sizeof(*f));
    if (f == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the run"); }
    f->o = &options;
    f->family = o->shared.family == NULL ? "yara" : o->shared.family;
    struct rw_rc rc = fleet_setup_open(&o->shared, endpoints, &setup, err);
    if (rw_is_ok(rc)) {
        rc = live(&setup, f, err);
        fleet_run_drop(f);
        fleet_setup_drop(&setup);
    }
    rw_mem_free(f);
    return rc;
}

static const char about[] =
    "Enrols endpoints and lets them live until SIGTERM, SIGINT or --for: each polls, decides by "
    "the\n"
    "agent's rules, asks for permits, tries what it was granted, and reports. Content does what "
    "the\n"
    "faults say. At the end a ledger tells who was exposed, harmed and back, and when; permits\n"
    "beyond the window's laws, counted by the endpoints alone, end it with status 1 (INV-1).\n"
    "Who resumes a held rollout notes its number in the file of --resumes before, or the permits\n"
    "that a resume gives back count as beyond the laws.\n"
    "\n"
    "A fault is 'release=N effect=crash|brick|storm|slow|refuse', and where wanted 'share=P%',\n"
    "'after=DURATION' behind the load, 'os=', 'arch=', 'engine='. The first that fits decides.\n"
    "Cohorts: half of the endpoints is debian-12 x86_64 yara-4.2, a tenth debian-12 aarch64\n"
    "yara-4.2, three tenths windows-11 x86_64 yara-4.2, a tenth windows-11 x86_64 yara-4.1.";

RW_RC fleet_cmd_run(int argc, char **argv, struct rw_err *err)
{
    struct run_options o = {.poll = NULL};
    struct opt opts[FLEET_OPTIONS_SHARED + 9] = {
        [FLEET_OPTIONS_SHARED] = {"poll", "DURATION", "configured poll interval (default: 5m)",
                                  &o.poll, NULL},
        {"load-time", "DURATION", "from the permit to the proof of load (default: 500ms)", &o.load,
         NULL},
        {"reach-back", "DURATION", "reach_back of agent.conf (default: 2m)", &o.reach, NULL},
        {"for", "DURATION", "how long (default: until SIGTERM)", &o.duration, NULL},
        {"internal", "N", "so many join the first ring that is joined by hand (default: 0)",
         &o.internal, NULL},
        {"fault", "TEXT", "faults, separated by semicolons", &o.fault, NULL},
        {"faults", "FILE", "faults, one per line; '#' begins a comment line", &o.faults, NULL},
        {"ready", "FILE", "is written when all endpoints are enrolled and live", &o.ready, NULL},
        {"resumes", "FILE", "what a person resumes: a release per line, noted before", &o.resumes,
         NULL},
    };
    fleet_options_fill(&o.shared, opts);
    const struct opt_command command = {
        .program = "ringward-fleet run",
        .usage = "",
        .about = about,
        .examples =
            "  ringward-fleet run --server https://127.0.0.1:8443 --dir try --endpoints 10000\n"
            "  ringward-fleet run --server https://127.0.0.1:8443 --dir try --endpoints 2000 \\\n"
            "    --internal 20 --poll 2s --fault 'release=2 effect=crash' --for 60s -o json\n"
            "  ringward-fleet run --server https://127.0.0.1:8443 --dir try --fault \\\n"
            "    'release=2 effect=brick share=5%; release=3 effect=crash after=2s "
            "engine=yara-4.1'\n",
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
