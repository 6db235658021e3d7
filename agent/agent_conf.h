/* agent_conf.h: the agent's settings file, checked as a whole.
 *
 * memory   plain values of fixed size
 * threads  read-only after loading
 * source   docs/protocol.md 9
 */
#ifndef RINGWARD_AGENT_CONF_H
#define RINGWARD_AGENT_CONF_H

#include "agent/activate/manifest_codec.h"
#include "common/base/conf_dir.h"
#include "common/policy/control_codec.h"
#include "common/wire/beacon_codec.h"

enum { AGENT_CONF_PATH_BYTES = 512, AGENT_CONF_COMMAND_BYTES = 2048, AGENT_CONF_LIST_BYTES = 300 };

struct agent_conf {
    char server[AGENT_CONF_PATH_BYTES]; /* without a slash at its end */
    char ca_file[AGENT_CONF_PATH_BYTES];
    char root_file[AGENT_CONF_PATH_BYTES];
    char state_dir[AGENT_CONF_PATH_BYTES];
    char enrol_token_file[AGENT_CONF_PATH_BYTES];
    char machine_id_file[AGENT_CONF_PATH_BYTES];
    char family_list[AGENT_CONF_LIST_BYTES]; /* as written */
    char ring[INSTALL_NAME_BYTES];           /* "": computed from the bucket */
    int64_t delay_ms;
    char hold[RW_TIME_TEXT_BYTES];   /* as written */
    char pin[AGENT_CONF_LIST_BYTES]; /* as written */
    bool pause;
    char os[BEACON_COHORT_BYTES];
    char engine[BEACON_COHORT_BYTES];
    int64_t engine_version;
    int64_t poll_interval_ms;
    char sensor_command[AGENT_CONF_COMMAND_BYTES]; /* "": it is observed */
    char sensor_pid_file[AGENT_CONF_PATH_BYTES];
    char sensor_unit[AGENT_CONF_LIST_BYTES];
    char sensor_reload[INSTALL_NAME_BYTES];
    char sensor_reload_signal[INSTALL_NAME_BYTES];
    char sensor_reload_command[AGENT_CONF_COMMAND_BYTES];
    char sensor_health_command[AGENT_CONF_COMMAND_BYTES];
    int64_t sensor_alive_ms;
    int64_t stable_after_ms;
    int64_t load_timeout_ms;
    char box_dir[AGENT_CONF_PATH_BYTES];
    char sensor_loader[AGENT_CONF_PATH_BYTES]; /* "": none; else a path */
    int64_t clean_files;
    bool allow_weak_sandbox;
    bool drills;
    char proxy[AGENT_CONF_PATH_BYTES]; /* "": as the environment says */
    int64_t download_bytes_per_s_max;  /* 0: no limit */
    int64_t store_bytes_max;
    bool delta;
    int64_t reach_back_ms; /* 0: off */
    int64_t trial_rule_budget;
    int64_t trial_budget;
    int64_t storm_per_hour;
    int64_t slow_factor;
    int64_t verify_interval_ms; /* 0: at each start only */
    /* derived */
    char path[AGENT_CONF_PATH_BYTES]; /* of the settings file */
    char families[MANIFEST_FAMILIES_MAX][INSTALL_NAME_BYTES];
    size_t family_count;
    struct control controls[CONTROL_MAX];
    size_t control_count;
    char http_program[AGENT_CONF_PATH_BYTES]; /* ringward-http, beside this program */
    char arch[BEACON_COHORT_BYTES];
    char platform[INSTALL_NAME_BYTES]; /* "linux-x86_64" */
};

/* The file and the folder conf.d beside it (conf_dir.h), checked as a whole; `trace` (NULL: not wanted) tells where
 * each setting comes from. Fails with RW_E_CONFIG (file and line, or the setting's name), RW_E_NOT_FOUND, RW_E_IO. */
RW_RC agent_conf_load(const char *path, struct agent_conf *out, struct conf_trace *trace,
                      struct rw_err *err);
/* What the settings name and this process trusts: root_file, ca_file and a state_dir that is there may be written by
 * root and this user alone. Fails with RW_E_CONFIG and a hint, RW_E_NOT_FOUND, RW_E_IO. */
RW_RC agent_conf_check_files(const struct agent_conf *c, struct rw_err *err);
/* Do both say the same, setting by setting? */
bool agent_conf_is_same(const struct agent_conf *a, const struct agent_conf *b);
/* The settings in force, with file and line, on stdout; secrets in a proxy's URL are left out. */
void agent_conf_print(const struct agent_conf *c, const struct conf_trace *trace);
/* The same from memory; `name` stands for the file. */
RW_RC agent_conf_parse(const char *name, struct rw_span text, struct agent_conf *out,
                       struct rw_err *err);
/* A documented sample file on stdout. */
void agent_conf_print_sample(void);

#endif
