#include "agent/activate/sensor_child.h"

#include <stdio.h>
#include <string.h>

RW_RC sensor_child_open(struct sensor_child *c, const char *setting, const char *command,
                        struct rw_err *err)
{
    size_t n = 0;
    char *rest = NULL;
    *c = (struct sensor_child){.setting = setting, .proc = {.pid = 0, .pidfd = -1}};
    if (command == NULL || command[0] == '\0') { return RW_OK; }
    c->text = rw_str_dup(command);
    if (c->text == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %s", setting); }
    for (char *word = strtok_r(c->text, " \t", &rest); word != NULL;
         word = strtok_r(NULL, " \t", &rest)) {
        if (n == SENSOR_ARGS_MAX) {
            return rw_fail(err, RW_E_CONFIG, "%s has more than %d words", setting, SENSOR_ARGS_MAX);
        }
        c->argv[n++] = word;
    }
    if (n == 0 || strchr(c->argv[0], '/') == NULL) {
        return rw_fail(err, RW_E_CONFIG, "%s must begin with a path", setting);
    }
    return RW_OK;
}

void sensor_child_drop(struct sensor_child *c)
{
    if (c->text == NULL) { return; }
    sensor_child_kill(c);
    rw_cstr_drop(&c->text);
}

RW_RC sensor_child_start(struct sensor_child *c, char *const *envp, struct rw_mono now,
                         int64_t limit_ms, struct rw_err *err)
{
    RW_ASSERT(c->text != NULL);
    RW_ASSERT(c->proc.pid == 0);
    const struct proc_spec spec = {.path = c->argv[0],
                                   .argv = c->argv,
                                   .envp = envp,
                                   .own_group = true,
                                   .die_with_parent = true};
    c->begun = now;
    c->end.ms = now.ms + limit_ms;
    if (!rw_is_ok(proc_start(&spec, &c->proc, err))) { return rw_wrap(err, "%s", c->setting); }
    return RW_OK;
}

bool sensor_child_running(const struct sensor_child *c)
{
    return c->text != NULL && c->proc.pid > 0;
}

void sensor_child_kill(struct sensor_child *c)
{
    if (!sensor_child_running(c)) { return; }
    proc_kill_group(&c->proc);
    proc_kill(&c->proc);
}

enum sensor_child_state sensor_child_look(struct sensor_child *c, struct rw_mono now,
                                          char detail[static SENSOR_CHILD_DETAIL_BYTES])
{
    struct proc_exit gone;
    struct rw_err unused;
    if (!sensor_child_running(c)) { return SENSOR_CHILD_NONE; }
    if (!proc_has_ended(&c->proc)) {
        if (now.ms < c->end.ms) { return SENSOR_CHILD_RUNS; }
        (void)snprintf(detail, SENSOR_CHILD_DETAIL_BYTES, "%s did not end within %lld ms",
                       c->setting, (long long)(c->end.ms - c->begun.ms));
        sensor_child_kill(c);
        return SENSOR_CHILD_FAILED;
    }
    proc_kill_group(&c->proc); /* what it left behind; its number is ours until it is reaped */
    if (!rw_is_ok(proc_wait(&c->proc, -1, &gone, &unused))) {
        (void)snprintf(detail, SENSOR_CHILD_DETAIL_BYTES, "%s: its end is not known", c->setting);
        return SENSOR_CHILD_FAILED;
    }
    if (!gone.signaled && gone.status == 0) { return SENSOR_CHILD_GOOD; }
    (void)snprintf(detail, SENSOR_CHILD_DETAIL_BYTES, "%s %s %d", c->setting,
                   gone.signaled ? "died by signal" : "exited with status", gone.status);
    return SENSOR_CHILD_FAILED;
}
