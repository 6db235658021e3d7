#include "server/cli/cmd_release.h"

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/num.h"
#include "common/box/samples_codec.h"
#include "common/crypto/digest.h"
#include "common/json/json_write.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_release_before.h"
#include "server/cli/cmd_release_check.h"
#include "server/cli/cmd_release_view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BODY_BYTES_MAX = 32 * 1024, ENGINE_MAX = 999999, POLL_MS = 200, PLATFORM_BYTES = 64 };
enum { SIGN_WITHIN_S_MAX = 86400 };
enum { CHECK_TIMEOUT_MS = 180000, LONGEST_TIMEOUT_MS = 3600 * 1000 };

struct create_job {
    struct cli_view_args args;
    const char *family;
    const char *class_name;
    const char *content;
    const char *samples;
    const char *notes;
    const char *engine_min_text;
    const char *engine_max_text;
    const char *platforms; /* comma-separated */
    const char *validator;
    const char *manifest;
    const char *against;
    const char *timeout_text;
    const char *unchecked; /* the reason; NULL: checked */
    bool drill;
    const char *sign_within_text;
    int64_t sign_within_s; /* 0: as the server does by itself */
    int64_t engine_min;
    int64_t engine_max;
    int64_t timeout_ms;
    struct rw_buf payload_bytes;
    struct rw_buf sample_bytes;
    char path[CLI_PATH_BYTES]; /* "/v1/releases/F/N" once the server gave the number */
};

#define PROGRAM "ringward release create"

static RW_RC check_arguments(struct create_job *job, struct rw_err *err)
{
    RW_TRY(cli_view_need(job->family, "--family NAME", PROGRAM, err));
    RW_TRY(cli_view_need(job->class_name, "--class NAME", PROGRAM, err));
    RW_TRY(cli_view_need(job->content, "--content FILE", PROGRAM, err));
    RW_TRY(cli_view_need(job->notes, "--notes TEXT", PROGRAM, err));
    RW_TRY(cli_view_name(job->family, "family", err));
    RW_TRY(cli_view_name(job->class_name, "class", err));
    if (job->unchecked != NULL) {
        RW_TRY(cli_view_need(job->unchecked, "--unchecked REASON", PROGRAM, err));
    }
    RW_TRY(rw_parse_i64(rw_span_str(job->engine_min_text), 0, ENGINE_MAX, "--engine-min",
                        &job->engine_min, err));
    RW_TRY(rw_parse_i64(rw_span_str(job->engine_max_text), job->engine_min, ENGINE_MAX,
                        "--engine-max", &job->engine_max, err));
    if (job->sign_within_text != NULL) {
        RW_TRY(rw_parse_duration_s(rw_span_str(job->sign_within_text), SIGN_WITHIN_S_MAX,
                                   "--sign-within", &job->sign_within_s, err));
    }
    job->timeout_ms = CHECK_TIMEOUT_MS;
    if (job->timeout_text == NULL) { return RW_OK; }
    return rw_parse_duration_ms(rw_span_str(job->timeout_text), LONGEST_TIMEOUT_MS, "--timeout",
                                &job->timeout_ms, err);
}

static RW_RC read_files(struct create_job *job, struct rw_err *err)
{
    RW_TRY(rw_file_read(job->content, CLI_PAYLOAD_BYTES_MAX, &job->payload_bytes, err));
    if (job->payload_bytes.n == 0) {
        return rw_fail(err, RW_E_USAGE, "'%s' is empty", job->content);
    }
    if (job->samples == NULL) { return RW_OK; }
    struct samples_list list = {0};
    RW_TRY(rw_file_read(job->samples, SAMPLES_BYTES_MAX, &job->sample_bytes, err));
    struct rw_rc rc = samples_read(rw_buf_span(&job->sample_bytes), &list, err);
    samples_list_drop(&list);
    if (rw_is_ok(rc)) { return RW_OK; }
    RW_IGNORE(rw_wrap(err, "%s", job->samples), "hint");
    return rw_hint(err, "'ringward-box pack-samples' makes such a file");
}

static RW_RC put_part(struct json_writer *w, const char *name, const struct rw_buf *bytes,
                      struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    RW_TRY(digest_sha256_hex(rw_buf_span(bytes), hex, err));
    json_open_object(w, name);
    json_put_str(w, "sha256", hex);
    json_put_int(w, "bytes", (int64_t)bytes->n);
    json_close_object(w);
    return RW_OK;
}

static RW_RC put_platforms(struct json_writer *w, const char *list, struct rw_err *err)
{
    json_open_array(w, "platforms");
    while (*list != '\0') {
        size_t n = strcspn(list, ",");
        if (n == 0 || n >= PLATFORM_BYTES) {
            return rw_fail(err, RW_E_USAGE, "--platform '%.60s' is no list of platforms", list);
        }
        json_put_span(w, NULL, rw_span_of(list, n));
        list += n + (list[n] == ',' ? 1 : 0);
    }
    json_close_array(w);
    return RW_OK;
}

static RW_RC write_request(const struct create_job *job, struct rw_buf *body, struct rw_err *err)
{
    struct json_writer w = json_begin(body);
    json_open_object(&w, NULL);
    json_put_str(&w, "family", job->family);
    json_put_str(&w, "class", job->class_name);
    json_put_str(&w, "notes", job->notes);
    json_open_object(&w, "engine");
    json_put_int(&w, "min", job->engine_min);
    json_put_int(&w, "max", job->engine_max);
    json_close_object(&w);
    RW_TRY(put_platforms(&w, job->platforms, err));
    RW_TRY(put_part(&w, "payload", &job->payload_bytes, err));
    if (job->samples != NULL) { RW_TRY(put_part(&w, "samples", &job->sample_bytes, err)); }
    if (job->sign_within_s > 0) { json_put_int(&w, "sign_within_s", job->sign_within_s); }
    if (job->drill) { json_put_bool(&w, "drill", true); }
    if (job->unchecked != NULL) {
        json_put_bool(&w, "unchecked", true);
        json_put_str(&w, "reason", job->unchecked);
    }
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC upload(struct cli_api *api, const struct create_job *job, const char *part,
                    const struct rw_buf *bytes, struct rw_err *err)
{
    char path[CLI_PATH_BYTES + 16];
    RW_AUTO(json_tree) json_tree answer = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s", job->path, part);
    return cli_api_upload(api, path, rw_buf_span(bytes), &answer, err);
}

static RW_RC send_all(struct cli_api *api, struct create_job *job, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BODY_BYTES_MAX);
    RW_AUTO(json_tree) json_tree created = NULL;
    int64_t number = 0;
    RW_TRY(write_request(job, &body, err));
    RW_TRY(cli_api_post(api, "/v1/releases", rw_buf_span(&body), &created, err));
    RW_TRY(json_get_int(created, "release", 1, RW_JSON_INT_MAX, &number, err));
    (void)snprintf(job->path, sizeof(job->path), "/v1/releases/%s/%lld", job->family,
                   (long long)number);
    /* Samples first: with the payload everything is there and the server's check begins. */
    if (job->samples != NULL) { RW_TRY(upload(api, job, "samples", &job->sample_bytes, err)); }
    return upload(api, job, "payload", &job->payload_bytes, err);
}

/* Gives the release when the server's box has spoken. A check that reached no verdict is asked for once more. */
static RW_RC look(struct cli_api *api, const struct create_job *job, bool *asked_again,
                  struct json **release_out, struct rw_err *err)
{
    char state[32];
    RW_AUTO(json_tree) json_tree release = NULL;
    RW_TRY(cli_api_get(api, job->path, &release, err));
    (void)cli_view_str(release, "state", state, sizeof(state));
    if (strcmp(state, "checking") == 0) { return RW_OK; }
    if (strcmp(state, "draft") != 0) {
        *release_out = RW_STEAL(release);
        return RW_OK;
    }
    if (*asked_again) {
        return rw_fail(err, RW_E_BUSY, "the server's box reached no verdict twice");
    }
    RW_TRY(upload(api, job, "payload", &job->payload_bytes, err));
    *asked_again = true;
    return RW_OK;
}

/* How long the server has put the last request off; -1: it has not, rc is the end. */
static int64_t put_off_ms(const struct cli_api *api, struct rw_rc rc)
{
    int64_t s = cli_api_retry_after_s(api);
    if (s < 0 || (rc.code != RW_E_LIMITED && rc.code != RW_E_BUSY)) { return -1; }
    return s < LONGEST_TIMEOUT_MS / 1000 ? s * 1000 : LONGEST_TIMEOUT_MS;
}

static void sleep_ms(int64_t ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    (void)nanosleep(&pause, NULL);
}

/* Waits until the server's own box has spoken, or the time-out. A server that puts requests off (429, 503) is asked
 * again when it says: the check goes on meanwhile. */
static RW_RC wait_for_check(struct cli_api *api, const struct create_job *job,
                            struct json **release_out, struct rw_err *err)
{
    struct rw_clock clock = rw_clock_system();
    int64_t end_ms = rw_clock_mono(&clock).ms + job->timeout_ms;
    bool asked_again = false;
    *release_out = NULL;
    for (;;) {
        struct rw_rc rc = look(api, job, &asked_again, release_out, err);
        int64_t pause_ms = rw_is_ok(rc) ? POLL_MS : put_off_ms(api, rc);
        if (pause_ms < 0 || *release_out != NULL) { return rc; }
        int64_t left_ms = end_ms - rw_clock_mono(&clock).ms;
        if (left_ms <= 0) {
            RW_IGNORE(rw_fail(err, RW_E_TIMEOUT, "the server's check still runs at the time-out"),
                      "hint");
            return rw_hint(err, "'ringward release show %.80s' tells how it ended",
                           job->path + strlen("/v1/releases/"));
        }
        sleep_ms(pause_ms < left_ms ? pause_ms : left_ms);
    }
}

static RW_RC report(const struct create_job *job, const struct json *release, struct rw_err *err)
{
    char text[400] = "no reason given";
    char verdict[32] = "refused";
    if (job->args.format == CLI_TABLE) {
        RW_TRY(cmd_release_view_one(release, err));
    } else {
        RW_TRY(cli_view_print_json(release, err));
    }
    if (strcmp(cli_view_str(release, "state", verdict, sizeof(verdict)), "refused") != 0) {
        return RW_OK;
    }
    const struct json *check = json_find(release, "check");
    if (check != NULL && json_type(check) == JSON_OBJECT) {
        (void)cli_view_str(check, "verdict", verdict, sizeof(verdict));
        (void)cli_view_str(check, "reason", text, sizeof(text));
    }
    return rw_fail(err, RW_E_BOX_REFUSED, "the box on the server says %s: %s", verdict, text);
}

/* The same box as on the server and on every endpoint, before anything is sent. */
static RW_RC check_here(struct cli_api *api, const struct create_job *job, struct rw_err *err)
{
    RW_AUTO(cmd_release_before) struct cmd_release_before before = {.steps = 1};
    if (job->against == NULL) { RW_TRY(cmd_release_before_fetch(api, job->family, &before, err)); }
    const struct cmd_release_check check = {
        .family = job->family,
        .content = job->content,
        .samples = job->samples,
        .validator = job->validator,
        .manifest = job->manifest,
        .against = job->against != NULL || before.path[0] == '\0' ? job->against : before.path,
        .against_steps = before.steps};
    return cmd_release_check(&check, err);
}

static RW_RC run(struct create_job *job, struct rw_err *err)
{
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree release = NULL;
    RW_TRY(check_arguments(job, err));
    RW_TRY(read_files(job, err));
    RW_TRY(cli_api_open(job->args.profile, &api, err));
    if (job->unchecked == NULL) {
        RW_TRY(check_here(api, job, err));
    } else {
        (void)fprintf(stderr,
                      "WARNING: --unchecked: NO BOX CHECKS THIS CONTENT, here or on the server.\n"
                      "WARNING: the release is marked and the reason recorded: %s\n",
                      job->unchecked);
    }
    RW_TRY(send_all(api, job, err));
    RW_TRY(wait_for_check(api, job, &release, err));
    return report(job, release, err);
}

RW_RC cmd_release_create(int argc, char **argv, struct rw_err *err)
{
    struct create_job job = {
        .engine_min_text = "0",
        .engine_max_text = "999999",
        .platforms = "linux-x86_64",
        .payload_bytes = rw_buf_make(CLI_PAYLOAD_BYTES_MAX),
        .sample_bytes = rw_buf_make(SAMPLES_BYTES_MAX),
    };
    const struct opt opts[] = {
        CLI_OPT_PROFILE(job.args.profile),
        CLI_OPT_OUTPUT(job.args.output),
        {"family", "NAME", "content family, for instance yara (required)", &job.family, NULL},
        {"class", "NAME", "class of the policy: data, rules, engine (required)", &job.class_name,
         NULL},
        {"content", "FILE", "the content itself, at most 64 MiB (required)", &job.content, NULL},
        {"notes", "TEXT", "what is new, for those who sign and watch (required)", &job.notes, NULL},
        {"samples", "FILE", "samples that must match or must not (ringward-box pack-samples)",
         &job.samples, NULL},
        {"engine-min", "N", "lowest engine version that may load it (default 0)",
         &job.engine_min_text, NULL},
        {"engine-max", "N", "highest engine version that may load it", &job.engine_max_text, NULL},
        {"platform", "LIST", "platforms, comma-separated (default linux-x86_64)", &job.platforms,
         NULL},
        {"validator", "FILE", "validator of the local box (default: by family)", &job.validator,
         NULL},
        {"manifest", "FILE", "of the sensor that the fleet runs (default: the one beside ringward)",
         &job.manifest, NULL},
        {"against", "FILE", "release before, to measure against (default: the present one)",
         &job.against, NULL},
        {"timeout", "TIME", "wait that long for the server's check (default 3m)", &job.timeout_text,
         NULL},
        {"sign-within", "TIME",
         "time for all signatures (default 10m, at most 24h): the bake begins that much later",
         &job.sign_within_text, NULL},
        {"unchecked", "REASON", "for tests of the endpoints' own box only: skip every check",
         &job.unchecked, NULL},
        {"drill", NULL, "a rehearsal ('ringward drill create' is the easier way)", NULL,
         &job.drill},
    };
    const struct opt_command command = {
        .program = PROGRAM,
        .usage = "",
        .about =
            "Makes a release: checks the content in the box on this machine, sends it, waits for\n"
            "the same check on the server. The first line of the output is the release's name.\n"
            "Exit status 9: a box did not accept it.",
        .examples = "  ringward release create --family yara --class rules --content rules.yar \\\n"
                    "      --samples rules.rws --notes \"adds the loader of last week\"\n"
                    "  id=$(ringward release create ... | head -1)\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &job.args, err));
    if (job.args.help_shown) { return RW_OK; }
    struct rw_rc rc = run(&job, err);
    rw_buf_drop(&job.payload_bytes);
    rw_buf_drop(&job.sample_bytes);
    return rc;
}
