#include "agent/agent_conf.h"

#include "agent/agent_conf_sensor.h"
#include "common/base/conf.h"
#include "common/base/file.h"
#include "common/box/box_run.h"
#include "common/net/http_client.h"
#include "common/policy/ring_policy.h"
#include "common/policy/slow_rule.h"
#include "common/policy/storm_rule.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

enum { TRUSTED_FILE_BYTES_MAX = 1 << 20, OS_RELEASE_BYTES_MAX = 16384, RATE_MIN = 4096 };

#define HOUR_MS INT64_C(3600000)

#define FIELD(name) offsetof(struct agent_conf, name), sizeof(((struct agent_conf *)0)->name)

static const struct conf_setting settings[] = {
    {"server", CONF_STR, FIELD(server), 0, 0, NULL, "URL of the server: https://HOST[:PORT]"},
    {"ca_file", CONF_STR, FIELD(ca_file), 0, 0, "", "CA certificates (PEM); empty: the system's"},
    {"root_file", CONF_STR, FIELD(root_file), 0, 0, NULL, "trusted root of the installer"},
    {"state_dir", CONF_STR, FIELD(state_dir), 0, 0, NULL, "directory of the agent alone (0700)"},
    {"enrol_token_file", CONF_STR, FIELD(enrol_token_file), 0, 0, "",
     "enrolment token, used until the endpoint has its own"},
    {"machine_id_file", CONF_STR, FIELD(machine_id_file), 0, 0, "/etc/machine-id",
     "tells this machine from one that its disk was copied to"},
    {"families", CONF_STR, FIELD(family_list), 0, 0, "yara", "content families, comma-separated"},
    {"ring", CONF_STR, FIELD(ring), 0, 0, "", "ring of this endpoint; empty: by its random bucket"},
    {"delay", CONF_DURATION_MS, FIELD(delay_ms), 0, INT64_C(90) * 24 * HOUR_MS, "0s",
     "install what the ring offers so much later; the policy says how much at most"},
    {"hold", CONF_STR, FIELD(hold), 0, 0, "",
     "install nothing new until this time: 2026-12-01T00:00:00Z"},
    {"pin", CONF_STR, FIELD(pin), 0, 0, "",
     "stay behind: n-1, n-2, or FAMILY/NUMBER, comma-separated; lapses at the policy's age"},
    {"pause", CONF_BOOL, FIELD(pause), 0, 0, "no",
     "install nothing new for now; lapses at the policy's age"},
    {"os", CONF_STR, FIELD(os), 0, 0, "", "cohort: operating system; empty: of this host"},
    {"engine", CONF_STR, FIELD(engine), 0, 0, "unknown", "cohort: the sensor's engine"},
    {"engine_version", CONF_INT, FIELD(engine_version), 0, RW_JSON_INT_MAX, "0",
     "number that a release's engine range is compared with"},
    {"poll_interval", CONF_DURATION_MS, FIELD(poll_interval_ms), 1000, 24 * HOUR_MS, "5m",
     "mean time between two polls"},
    {"sensor_command", CONF_STR, FIELD(sensor_command), 0, 0, "",
     "the sensor (a path, or a name in box_dir) and its arguments, split at blanks; or else it is "
     "observed:"},
    {"sensor_pid_file", CONF_STR, FIELD(sensor_pid_file), 0, 0, "",
     "observe the sensor that this file names, in place of starting one"},
    {"sensor_unit", CONF_STR, FIELD(sensor_unit), 0, 0, "",
     "observe the main process of this service of systemd, in place of starting one"},
    {"sensor_reload", CONF_STR, FIELD(sensor_reload), 0, 0, "signal",
     "how the sensor is told to load: signal, command or message"},
    {"sensor_reload_signal", CONF_STR, FIELD(sensor_reload_signal), 0, 0, "HUP",
     "sensor_reload = signal: HUP, USR1 or USR2"},
    {"sensor_reload_command", CONF_STR, FIELD(sensor_reload_command), 0, 0, "",
     "sensor_reload = command: a path and arguments; has load_timeout to prove the load"},
    {"sensor_health_command", CONF_STR, FIELD(sensor_health_command), 0, 0, "",
     "a path and arguments; exit status 0 stands for a sign of life of an observed sensor that "
     "gives none"},
    {"sensor_alive", CONF_DURATION_MS, FIELD(sensor_alive_ms), 1000, HOUR_MS, "30s",
     "a sensor silent for longer is hung"},
    {"stable_after", CONF_DURATION_MS, FIELD(stable_after_ms), 100, HOUR_MS, "5m",
     "a start that lasted so long with a proven set does not count as part of a boot loop"},
    {"load_timeout", CONF_DURATION_MS, FIELD(load_timeout_ms), 100, HOUR_MS, "60s",
     "the sensor must prove a load within this time"},
    {"box_dir", CONF_STR, FIELD(box_dir), 0, 0, "",
     "folder of ringward-box and the validators; empty: beside the agent"},
    {"sensor_loader", CONF_STR, FIELD(sensor_loader), 0, 0, "",
     "the sensor's loader for dry runs in the box: a path, or a name in box_dir; empty: none, and "
     "that is reported"},
    {"clean_files", CONF_INT, FIELD(clean_files), 0, 100000, "500",
     "files of this host that content must not match"},
    {"allow_weak_sandbox", CONF_BOOL, FIELD(allow_weak_sandbox), 0, 0, "no",
     "prove content in a sandbox of grade weak as well"},
    {"drills", CONF_BOOL, FIELD(drills), 0, 0, "yes",
     "take part in drills: load a harmless release, report a failure, go back"},
    {"proxy", CONF_STR, FIELD(proxy), 0, 0, "",
     "URL of the proxy for all requests: http://HOST:PORT; empty: as https_proxy and no_proxy say"},
    {"max_download_rate", CONF_BYTES, FIELD(download_bytes_per_s_max), 0, INT64_C(1) << 40, "0B",
     "greatest mean rate of downloads of content, per second; 0B: no limit, else 4KiB at least"},
    {"store_max", CONF_BYTES, FIELD(store_bytes_max), 1 << 20, INT64_C(1) << 40, "2GiB",
     "what stored content and partial downloads may take on the disk"},
    {"delta", CONF_BOOL, FIELD(delta), 0, 0, "yes",
     "fetch the difference to the active release where the server has one"},
    {"reach_back", CONF_DURATION_MS, FIELD(reach_back_ms), 0, HOUR_MS, "2m",
     "a server reachable before the switch may be out of reach for so long after probation, then "
     "the content goes back; 0s: off"},
    {"trial_rule_budget", CONF_INT, FIELD(trial_rule_budget), 0, STORM_RULE_BUDGET_MAX, "5",
     "detections of one rule that content on trial may act on; more are only watched, a storm"},
    {"trial_budget", CONF_INT, FIELD(trial_budget), 0, STORM_RULE_BUDGET_MAX, "20",
     "the same of all rules on trial together"},
    {"storm_per_hour", CONF_INT, FIELD(storm_per_hour), 0, STORM_RULE_BUDGET_MAX, "100",
     "more detections of proven content within an hour are told as a storm"},
    {"slow_factor", CONF_INT, FIELD(slow_factor), SLOW_RULE_FACTOR_MIN, SLOW_RULE_FACTOR_MAX, "4",
     "so many times the processor time per scan of the release before is told as slow"},
    {"verify_interval", CONF_DURATION_MS, FIELD(verify_interval_ms), 0, INT64_C(7) * 24 * HOUR_MS,
     "6h",
     "mean time between two checks of the active and the previous content on the disk; 0s: at each "
     "start only"},
};

static const struct conf_table table = {settings, RW_LEN(settings)};

void agent_conf_print_sample(void)
{
    conf_print_sample(&table);
}

static RW_RC add_family(struct agent_conf *c, struct rw_span name, struct rw_err *err)
{
    if (c->family_count == MANIFEST_FAMILIES_MAX) {
        return rw_fail(err, RW_E_CONFIG, "families: more than %d", MANIFEST_FAMILIES_MAX);
    }
    char *dst = c->families[c->family_count];
    RW_TRY(rw_span_to_str(dst, INSTALL_NAME_BYTES, name, "families", err));
    RW_TRY(ring_policy_check_name(dst, "families", err));
    for (size_t i = 0; i < c->family_count; i++) {
        if (strcmp(c->families[i], dst) == 0) {
            return rw_fail(err, RW_E_CONFIG, "families: '%s' is there twice", dst);
        }
    }
    c->family_count++;
    return RW_OK;
}

static RW_RC add_control(struct agent_conf *c, const struct control *one, struct rw_err *err)
{
    for (size_t i = 0; i < c->control_count; i++) {
        const struct control *had = &c->controls[i];
        bool pins =
            had->kind == one->kind || (had->kind >= CONTROL_BACK && one->kind >= CONTROL_BACK);
        bool same = strcmp(had->family, one->family) == 0 || had->family[0] == '\0' ||
                    one->family[0] == '\0';
        if (pins && same) { return rw_fail(err, RW_E_CONFIG, "pin: two pins for one family"); }
    }
    if (c->control_count == CONTROL_MAX) {
        return rw_fail(err, RW_E_CONFIG, "pin: more than %d controls", CONTROL_MAX);
    }
    c->controls[c->control_count++] = *one;
    return RW_OK;
}

static RW_RC add_pin(struct agent_conf *c, struct rw_span text, struct rw_err *err)
{
    struct control pin;
    RW_TRY(control_codec_read_pin(text, &pin, err));
    return add_control(c, &pin, err);
}

/* Calls `add` with each element of a comma-separated list, blanks around it cut off. */
static RW_RC split_list(struct agent_conf *c, const char *list,
                        struct rw_rc (*add)(struct agent_conf *c, struct rw_span one,
                                            struct rw_err *err),
                        struct rw_err *err)
{
    struct rw_span rest = rw_span_str(list);
    for (;;) {
        size_t n = 0;
        while (n < rest.n && rest.p[n] != ',') {
            n++;
        }
        struct rw_span one = rw_span_of(rest.p, n);
        while (one.n > 0 && one.p[0] == ' ') {
            one = rw_span_of(one.p + 1, one.n - 1);
        }
        while (one.n > 0 && one.p[one.n - 1] == ' ') {
            one.n--;
        }
        RW_TRY(add(c, one, err));
        if (n == rest.n) { return RW_OK; }
        rest = rw_span_of(rest.p + n + 1, rest.n - n - 1);
    }
}

static RW_RC take_controls(struct agent_conf *c, struct rw_err *err)
{
    struct control one = {.kind = CONTROL_PAUSE};
    if (c->pause) { RW_TRY(add_control(c, &one, err)); }
    if (c->delay_ms > 0) {
        one = (struct control){.kind = CONTROL_DELAY, .amount = (c->delay_ms + 999) / 1000};
        RW_TRY(add_control(c, &one, err));
    }
    if (c->hold[0] != '\0') {
        RW_TRY(control_codec_read_hold(rw_span_str(c->hold), &one, err));
        RW_TRY(add_control(c, &one, err));
    }
    return c->pin[0] == '\0' ? RW_OK : split_list(c, c->pin, add_pin, err);
}

/* The value of NAME="value" in os-release; "" when it is not there. */
static void os_release_value(struct rw_span text, const char *name, char *dst, size_t cap)
{
    size_t name_n = strlen(name);
    dst[0] = '\0';
    while (text.n > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end == NULL ? text.n : (size_t)(end - text.p);
        if (n > name_n && rw_span_starts(text, name) && text.p[name_n] == '=') {
            size_t used = 0;
            for (size_t i = name_n + 1; i < n && used + 1 < cap; i++) {
                if (text.p[i] != '"' && text.p[i] > ' ' && text.p[i] <= '~') {
                    dst[used++] = (char)text.p[i];
                }
            }
            dst[used] = '\0';
            return;
        }
        size_t step = end == NULL ? n : n + 1;
        text = rw_span_of(text.p + step, text.n - step);
    }
}

static void find_os(struct agent_conf *c)
{
    char id[16];
    char version[14];
    struct rw_err unused;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(OS_RELEASE_BYTES_MAX);
    if (c->os[0] != '\0') { return; }
    RW_IGNORE(rw_file_read("/etc/os-release", OS_RELEASE_BYTES_MAX, &text, &unused),
              "a host without it is 'linux'");
    os_release_value(rw_buf_span(&text), "ID", id, sizeof(id));
    os_release_value(rw_buf_span(&text), "VERSION_ID", version, sizeof(version));
    (void)snprintf(c->os, sizeof(c->os), "%s%s%s", id[0] != '\0' ? id : "linux",
                   version[0] != '\0' ? "-" : "", version);
}

static RW_RC find_machine(struct agent_conf *c, struct rw_err *err)
{
    struct utsname host;
    if (uname(&host) != 0) { return rw_fail(err, RW_E_IO, "cannot learn this machine's type"); }
    (void)snprintf(c->arch, sizeof(c->arch), "%.24s", host.machine);
    (void)snprintf(c->platform, sizeof(c->platform), "linux-%.24s", host.machine);
    return RW_OK;
}

/* The token in plain text must not leave this host by way of a proxy either. */
static RW_RC check_proxy(const struct agent_conf *c, struct rw_err *err)
{
    struct rw_span proxy = rw_span_str(c->proxy);
    bool plain = rw_span_starts(rw_span_str(c->server), "http://");
    if (proxy.n == 0) { return RW_OK; }
    if (!rw_span_starts(proxy, "http://") && !rw_span_starts(proxy, "https://")) {
        return rw_fail(err, RW_E_CONFIG, "proxy: '%.80s' is not an http or https URL", c->proxy);
    }
    if (plain && !http_client_keeps_secret(proxy)) {
        return rw_fail(err, RW_E_CONFIG,
                       "proxy: without TLS to the server it must be on this host");
    }
    return RW_OK;
}

static RW_RC check_rate(const struct agent_conf *c, struct rw_err *err)
{
    if (c->download_bytes_per_s_max == 0 || c->download_bytes_per_s_max >= RATE_MIN) {
        return RW_OK;
    }
    return rw_fail(err, RW_E_CONFIG, "max_download_rate: less than %d bytes per second", RATE_MIN);
}

static RW_RC check_paths(struct agent_conf *c, struct rw_err *err)
{
    size_t n = strlen(c->server);
    while (n > 0 && c->server[n - 1] == '/') {
        c->server[--n] = '\0';
    }
    if (!http_client_keeps_secret(rw_span_str(c->server))) {
        return rw_fail(err, RW_E_CONFIG,
                       "server: '%.80s' is not an https URL (http: loopback only)", c->server);
    }
    RW_TRY(check_proxy(c, err));
    RW_TRY(check_rate(c, err));
    if (c->state_dir[0] != '/') {
        return rw_fail(err, RW_E_CONFIG, "state_dir: '%.80s' is not an absolute path",
                       c->state_dir);
    }
    for (n = strlen(c->state_dir); n > 1 && c->state_dir[n - 1] == '/'; n--) {
        c->state_dir[n - 1] = '\0';
    }
    if (c->ring[0] != '\0') { RW_TRY(ring_policy_check_name(c->ring, "ring", err)); }
    if (c->box_dir[0] == '\0') {
        RW_TRY(box_beside_self(".", c->box_dir, sizeof(c->box_dir), err));
    }
    RW_TRY(box_beside_self("ringward-http", c->http_program, sizeof(c->http_program), err));
    return RW_OK;
}

static RW_RC find_loader(struct agent_conf *c, struct rw_err *err)
{
    char path[AGENT_CONF_PATH_BYTES];
    if (c->sensor_loader[0] == '\0' || c->sensor_loader[0] == '/') { return RW_OK; }
    if (strchr(c->sensor_loader, '/') != NULL) {
        return rw_fail(err, RW_E_CONFIG,
                       "sensor_loader: '%.80s' is neither an absolute path nor a name in box_dir",
                       c->sensor_loader);
    }
    int n = snprintf(path, sizeof(path), "%s/%s", c->box_dir, c->sensor_loader);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return rw_fail(err, RW_E_CONFIG, "sensor_loader: its path is too long");
    }
    rw_copy(c->sensor_loader, sizeof(c->sensor_loader), path, (size_t)n + 1);
    return RW_OK;
}

/* The first word may be a name in box_dir, as everything else of Ringward is found. */
static RW_RC find_sensor(struct agent_conf *c, struct rw_err *err)
{
    char command[AGENT_CONF_COMMAND_BYTES];
    const char *begin = c->sensor_command + strspn(c->sensor_command, " \t");
    size_t word = strcspn(begin, " \t");
    if (word == 0 || begin[0] == '/') { return RW_OK; } /* none: agent_conf_sensor.c */
    if (memchr(begin, '/', word) != NULL) {
        RW_IGNORE(
            rw_fail(err, RW_E_CONFIG,
                    "sensor_command: '%.*s' is neither an absolute path nor a name in box_dir",
                    (int)(word < 80 ? word : 80), begin),
            "hint");
        return rw_hint(err, "write the whole path, such as /usr/bin/ringward-sensor");
    }
    int n = snprintf(command, sizeof(command), "%s/%s", c->box_dir, begin);
    if (n < 0 || (size_t)n >= sizeof(command)) {
        return rw_fail(err, RW_E_CONFIG, "sensor_command is too long with the path of box_dir");
    }
    rw_copy(c->sensor_command, sizeof(c->sensor_command), command, (size_t)n + 1);
    return RW_OK;
}

static RW_RC complete(struct agent_conf *c, struct rw_err *err)
{
    find_os(c);
    RW_TRY(find_machine(c, err));
    RW_TRY(check_paths(c, err));
    RW_TRY(find_loader(c, err));
    RW_TRY(find_sensor(c, err));
    RW_TRY(take_controls(c, err));
    return split_list(c, c->family_list, add_family, err);
}

/* `name` stands before what is wrong with the settings together. */
static RW_RC finish(struct agent_conf *c, const char *name, struct agent_conf *out,
                    struct rw_err *err)
{
    if (!rw_is_ok(complete(c, err))) {
        char kept[RW_ERR_TEXT_BYTES];
        char hint[RW_ERR_TEXT_BYTES];
        rw_copy(kept, sizeof(kept), err->text, sizeof(err->text));
        (void)snprintf(hint, sizeof(hint), "%s", err->hint);
        struct rw_rc rc = rw_fail(err, RW_E_CONFIG, "%.80s: %.380s", name, kept);
        if (hint[0] != '\0') { RW_IGNORE(rw_hint(err, "%.200s", hint), "is rc"); }
        return rc;
    }
    *out = *c;
    return RW_OK;
}

RW_RC agent_conf_parse(const char *name, struct rw_span text, struct agent_conf *out,
                       struct rw_err *err)
{
    struct conf_trace trace;
    struct agent_conf c = {.family_count = 0};
    RW_TRY(conf_begin(&table, &c, &trace, err));
    RW_TRY(conf_add(&table, name, text, &c, &trace, err));
    RW_TRY(conf_end(&table, name, &trace, err));
    RW_TRY(agent_conf_sensor_check(&c, name, &table, &trace, err));
    return finish(&c, name, out, err);
}

RW_RC agent_conf_load(const char *path, struct agent_conf *out, struct conf_trace *trace,
                      struct rw_err *err)
{
    struct conf_trace own = {.file_count = 0};
    struct conf_trace *t = trace != NULL ? trace : &own;
    struct agent_conf c = {.family_count = 0};
    RW_TRY(conf_dir_load(&table, path, &c, t, err));
    RW_TRY(agent_conf_sensor_check(&c, path, &table, t, err));
    RW_TRY(finish(&c, path, out, err));
    return rw_span_to_str(out->path, sizeof(out->path), rw_span_str(path), "settings file", err);
}

static RW_RC check_own_file(const char *path, const char *what, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TRUSTED_FILE_BYTES_MAX + 8192);
    if (!rw_is_ok(conf_dir_read_own(path, TRUSTED_FILE_BYTES_MAX, &text, err))) {
        return rw_wrap(err, "%s", what);
    }
    return RW_OK;
}

RW_RC agent_conf_check_files(const struct agent_conf *c, struct rw_err *err)
{
    RW_TRY(check_own_file(c->root_file, "root_file", err));
    if (c->ca_file[0] != '\0') { RW_TRY(check_own_file(c->ca_file, "ca_file", err)); }
    struct rw_rc rc = conf_dir_check(c->state_dir, err);
    return rc.code == RW_E_NOT_FOUND ? RW_OK : rc;
}

bool agent_conf_is_same(const struct agent_conf *a, const struct agent_conf *b)
{
    for (size_t i = 0; i < table.count; i++) {
        const struct conf_setting *s = &table.settings[i];
        const char *in_a = (const char *)a + s->offset;
        const char *in_b = (const char *)b + s->offset;
        size_t bytes = s->type == CONF_BOOL ? sizeof(bool) : sizeof(int64_t);
        bool same = s->type == CONF_STR ? strcmp(in_a, in_b) == 0 : memcmp(in_a, in_b, bytes) == 0;
        if (!same) { return false; }
    }
    return true;
}

void agent_conf_print(const struct agent_conf *c, const struct conf_trace *trace)
{
    struct agent_conf shown = *c;
    const char *at = strrchr(c->proxy, '@');
    const char *slashes = strstr(c->proxy, "://");
    if (at != NULL && slashes != NULL && at > slashes) {
        (void)snprintf(shown.proxy, sizeof(shown.proxy), "%.*s***%s", (int)(slashes + 3 - c->proxy),
                       c->proxy, at);
    }
    conf_print(&table, &shown, trace);
}
