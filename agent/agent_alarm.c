#include "agent/agent_alarm.h"

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/proc.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BODY_FD = 3, POST_MS = 15 * 1000, TOKEN_BYTES_MAX = 512, ANSWER_BYTES_MAX = 4096 };

static char program[] = "/proc/self/exe";

RW_RC agent_alarm_hand_over(struct agent *a, struct rw_err *err)
{
    char verb[] = "report";
    char option[] = "--config";
    char *const argv[] = {program, verb, option, a->conf.path, NULL};
    size_t count = 0;
    struct proc child = {.pidfd = -1};
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BEACON_BODY_BYTES_MAX);
    RW_TRY(beacon_spool_newest(&a->spool, &body, &count, err));
    if (count == 0) { return RW_OK; }
    RW_AUTO(rw_fd) rw_fd fd = memfd_create("beacons", MFD_CLOEXEC);
    if (fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "memory file"); }
    RW_TRY(rw_fd_write_all(fd, rw_buf_span(&body), err));
    if (lseek(fd, 0, SEEK_SET) != 0) { return rw_fail_errno(err, RW_E_IO, errno, "memory file"); }
    const struct proc_fd fds[] = {{fd, BODY_FD}};
    const struct proc_spec spec = {.path = program, .argv = argv, .fds = fds, .fd_count = 1};
    RW_TRY(proc_start(&spec, &child, err));
    rw_fd_drop(&child.pidfd); /* it outlives us; init reaps it */
    return RW_OK;
}

static RW_RC read_body(struct rw_buf *body, struct rw_err *err)
{
    for (;;) {
        uint8_t *to = NULL;
        RW_TRY(rw_buf_reserve(body, 4096, &to, err));
        ssize_t got = read(BODY_FD, to, 4096);
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { return rw_fail_errno(err, RW_E_IO, errno, "descriptor %d", BODY_FD); }
        if (got == 0) { return RW_OK; }
        rw_buf_commit(body, (size_t)got);
    }
}

static RW_RC read_token(const struct agent_conf *conf, char dst[static TOKEN_BYTES_MAX],
                        struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd dir = -1;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TOKEN_BYTES_MAX);
    RW_TRY(rw_dir_open(conf->state_dir, &dir, err));
    RW_TRY(rw_file_read_at(dir, "token", TOKEN_BYTES_MAX, &text, err));
    return rw_span_to_str(dst, TOKEN_BYTES_MAX, rw_buf_span(&text), "token", err);
}

RW_RC agent_alarm_post(const struct agent_conf *conf, struct rw_err *err)
{
    char token[TOKEN_BYTES_MAX];
    struct http_client_answer answer = {.status = 0};
    struct http_client *http = NULL;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BEACON_BODY_BYTES_MAX + 4096);
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(ANSWER_BYTES_MAX);
    RW_TRY(read_body(&body, err));
    RW_TRY(read_token(conf, token, err));
    const struct http_client_options o = {.base_url = conf->server,
                                          .ca_file =
                                              conf->ca_file[0] != '\0' ? conf->ca_file : NULL,
                                          .proxy = conf->proxy[0] != '\0' ? conf->proxy : NULL,
                                          .token = token,
                                          .program = conf->http_program,
                                          .total_ms = POST_MS};
    RW_TRY(http_client_open(&o, &http, err));
    struct rw_rc rc = http_client_post(http, "/v1/beacons", "application/json", rw_buf_span(&body),
                                       ANSWER_BYTES_MAX, &text, &answer, err);
    http_client_drop(&http);
    rw_wipe(token, sizeof(token));
    RW_TRY(rc);
    if (answer.status != 200) {
        return rw_fail(err, RW_E_HTTP, "/v1/beacons: status %d", answer.status);
    }
    rw_log(RW_LOG_INFO, "guard_reported", NULL, NULL);
    return RW_OK;
}
