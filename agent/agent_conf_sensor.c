#include "agent/agent_conf_sensor.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int number;
} signals[] = {{"HUP", SIGHUP}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}};

static const char *const reloads[] = {"signal", "command", "message"};

struct settings {
    const struct agent_conf *c;
    const char *name;
    const struct conf_table *table;
    const struct conf_trace *trace;
};

static struct conf_place place_of(const struct settings *s, const char *key)
{
    for (size_t i = 0; i < s->table->count; i++) {
        if (strcmp(s->table->settings[i].key, key) == 0) { return s->trace->places[i]; }
    }
    return (struct conf_place){.line = 0};
}

__attribute__((format(printf, 4, 5))) static RW_RC refuse(const struct settings *s, const char *key,
                                                          struct rw_err *err, const char *fmt, ...)
{
    char text[RW_ERR_TEXT_BYTES];
    struct conf_place at = place_of(s, key);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (at.line == 0) { return rw_fail(err, RW_E_CONFIG, "%.120s: %.300s", s->name, text); }
    return rw_fail(err, RW_E_CONFIG, "%.120s:%d: %s: %.260s", s->trace->files[at.file], at.line,
                   key, text);
}

/* Exactly one of the three. */
static RW_RC check_source(const struct settings *s, struct rw_err *err)
{
    static const char *const keys[] = {"sensor_command", "sensor_pid_file", "sensor_unit"};
    const char *const values[] = {s->c->sensor_command, s->c->sensor_pid_file, s->c->sensor_unit};
    const char *found = NULL;
    for (size_t i = 0; i < RW_LEN(keys); i++) {
        if (values[i][strspn(values[i], " \t")] == '\0') { continue; }
        if (found != NULL) {
            return refuse(s, keys[i], err, "does not go together with %s: one sensor", found);
        }
        found = keys[i];
    }
    if (found == NULL) {
        return refuse(s, "sensor_command", err,
                      "no sensor: want sensor_command, sensor_pid_file or sensor_unit");
    }
    if (strcmp(found, "sensor_pid_file") == 0 && s->c->sensor_pid_file[0] != '/') {
        return refuse(s, found, err, "'%.80s' is not an absolute path", s->c->sensor_pid_file);
    }
    if (strcmp(found, "sensor_unit") == 0 && !observe_rule_is_unit(s->c->sensor_unit)) {
        return refuse(s, found, err, "'%.80s' is not the name of a service, NAME.service",
                      s->c->sensor_unit);
    }
    return RW_OK;
}

static RW_RC check_command(const struct settings *s, const char *key, const char *command,
                           struct rw_err *err)
{
    if (command[0] == '/') { return RW_OK; }
    return refuse(s, key, err, "'%.80s' does not begin with an absolute path", command);
}

static RW_RC check_signal(const struct settings *s, struct rw_err *err)
{
    for (size_t i = 0; i < RW_LEN(signals); i++) {
        if (strcmp(s->c->sensor_reload_signal, signals[i].name) == 0) { return RW_OK; }
    }
    return refuse(s, "sensor_reload_signal", err, "'%.20s' is not one of HUP, USR1, USR2",
                  s->c->sensor_reload_signal);
}

static RW_RC check_reload(const struct settings *s, struct rw_err *err)
{
    const char *way = s->c->sensor_reload;
    bool known = false;
    for (size_t i = 0; i < RW_LEN(reloads); i++) {
        known = known || strcmp(way, reloads[i]) == 0;
    }
    if (!known) {
        return refuse(s, "sensor_reload", err, "'%.20s' is not one of signal, command, message",
                      way);
    }
    RW_TRY(check_signal(s, err));
    if (strcmp(way, "signal") != 0 && strcmp(s->c->sensor_reload_signal, signals[0].name) != 0) {
        return refuse(s, "sensor_reload_signal", err, "no signal is sent with sensor_reload = %s",
                      way);
    }
    bool by_command = strcmp(way, "command") == 0;
    if (by_command && s->c->sensor_reload_command[0] == '\0') {
        return refuse(s, "sensor_reload", err, "command needs a sensor_reload_command");
    }
    if (!by_command && s->c->sensor_reload_command[0] != '\0') {
        return refuse(s, "sensor_reload_command", err, "is not run with sensor_reload = %s", way);
    }
    return by_command ? check_command(s, "sensor_reload_command", s->c->sensor_reload_command, err)
                      : RW_OK;
}

static RW_RC check_health(const struct settings *s, struct rw_err *err)
{
    static const char key[] = "sensor_health_command";
    if (s->c->sensor_health_command[0] == '\0') { return RW_OK; }
    if (s->c->sensor_command[0] != '\0') {
        return refuse(s, key, err, "a sensor that the agent starts says itself that it lives");
    }
    return check_command(s, key, s->c->sensor_health_command, err);
}

RW_RC agent_conf_sensor_check(const struct agent_conf *c, const char *name,
                              const struct conf_table *table, const struct conf_trace *trace,
                              struct rw_err *err)
{
    const struct settings s = {.c = c, .name = name, .table = table, .trace = trace};
    RW_TRY(check_source(&s, err));
    RW_TRY(check_reload(&s, err));
    return check_health(&s, err);
}

static const char *or_none(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

struct sensor_way agent_conf_sensor_way(const struct agent_conf *c)
{
    struct sensor_way way = {
        .observed = {.pid_file = or_none(c->sensor_pid_file), .unit = or_none(c->sensor_unit)},
        .reload_command = or_none(c->sensor_reload_command),
        .health_command = or_none(c->sensor_health_command)};
    for (size_t i = 0; i < RW_LEN(reloads); i++) {
        if (strcmp(c->sensor_reload, reloads[i]) == 0) { way.reload = (enum sensor_reload)i; }
    }
    for (size_t i = 0; i < RW_LEN(signals); i++) {
        if (strcmp(c->sensor_reload_signal, signals[i].name) == 0) {
            way.reload_signal = signals[i].number;
        }
    }
    return way;
}
