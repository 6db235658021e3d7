#include "agent/poll/poll_state.h"

#include "common/base/file.h"
#include "common/base/log.h"

#include <stdio.h>
#include <string.h>

enum { TOKEN_FILE_BYTES_MAX = 1024, ANSWER_BYTES_MAX = 4096, WHY_BYTES = 240 };

static const char token_name[] = "token";

/* One line; blanks and line ends around it do not count. */
static RW_RC token_of(struct rw_span text, char *dst, size_t cap, struct rw_err *err)
{
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r' ||
                          text.p[text.n - 1] == ' ')) {
        text.n--;
    }
    if (text.n == 0) { return rw_fail(err, RW_E_SYNTAX, "the token file is empty"); }
    return rw_span_to_str(dst, cap, text, "token", err);
}

static RW_RC read_stored(struct poll *p, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TOKEN_FILE_BYTES_MAX);
    RW_TRY(rw_file_read_at(p->o.state_dir, token_name, TOKEN_FILE_BYTES_MAX, &text, err));
    return token_of(rw_buf_span(&text), p->token, sizeof(p->token), err);
}

void poll_enrol_recall(struct poll *p)
{
    struct rw_err unused;
    if (!rw_is_ok(read_stored(p, &unused)) ||
        !rw_is_ok(http_client_set_token(p->api, p->token, &unused))) {
        p->token[0] = '\0'; /* the first poll will tell */
    }
}

/* The server's own words; rw_fail takes out of them what does not belong on a terminal. */
static const char *said_of(struct rw_span body, char dst[static WHY_BYTES])
{
    struct rw_err unused;
    RW_AUTO(json_tree) json_tree tree = NULL;
    (void)snprintf(dst, WHY_BYTES, "it does not say why");
    if (!rw_is_ok(json_parse(body, &json_limits_small, &tree, &unused))) { return dst; }
    const struct json *e = json_find(tree, "error");
    if (e == NULL || json_type(e) != JSON_OBJECT ||
        !rw_is_ok(json_get_str(e, "text", dst, WHY_BYTES, &unused))) {
        (void)snprintf(dst, WHY_BYTES, "it does not say why");
    }
    return dst;
}

static RW_RC ask(struct poll *p, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(256);
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(ANSWER_BYTES_MAX);
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct http_client_answer answer = {.status = 0};
    struct json_writer w = json_begin(&body);
    json_open_object(&w, NULL);
    json_put_str(&w, "endpoint", p->o.endpoint);
    if (p->o.cloned_from != NULL && p->o.cloned_from[0] != '\0') {
        json_put_str(&w, "was", p->o.cloned_from);
    }
    if (p->o.enrol_proof[0] != '\0') { json_put_str(&w, "proof", p->o.enrol_proof); }
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    RW_TRY(http_client_post(p->api, "/v1/enrol", "application/json", rw_buf_span(&body),
                            ANSWER_BYTES_MAX, &text, &answer, err));
    if (answer.status == 401 || answer.status == 403) {
        char why[WHY_BYTES];
        RW_IGNORE(rw_fail(err, RW_E_AUTH, "the server refused the enrolment token: %s",
                          said_of(rw_buf_span(&text), why)),
                  "hint");
        return rw_hint(err, "put a valid token into enrol_token_file");
    }
    if (answer.status != 200) {
        p->enrol_retry_after_s = answer.retry_after_s;
        return rw_fail(err, RW_E_HTTP, "/v1/enrol: status %d", answer.status);
    }
    RW_TRY(json_parse(rw_buf_span(&text), &json_limits_small, &tree, err));
    return json_get_str(tree, "token", p->token, sizeof(p->token), err);
}

static RW_RC enrol_anew(struct poll *p, struct rw_err *err)
{
    char enrol[512];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TOKEN_FILE_BYTES_MAX);
    if (p->o.enrol_token_file[0] == '\0') {
        RW_IGNORE(rw_fail(err, RW_E_AUTH, "this endpoint is not enrolled"), "hint follows");
        return rw_hint(err, "set enrol_token_file in the agent's configuration");
    }
    RW_TRY(rw_file_read(p->o.enrol_token_file, TOKEN_FILE_BYTES_MAX, &text, err));
    RW_TRY(token_of(rw_buf_span(&text), enrol, sizeof(enrol), err));
    RW_TRY(http_client_set_token(p->api, enrol, err));
    struct rw_rc rc = ask(p, err);
    rw_wipe(enrol, sizeof(enrol));
    struct rw_err unused;
    if (!rw_is_ok(rc)) {
        p->token[0] = '\0';
        RW_IGNORE(http_client_set_token(p->api, NULL, &unused), "NULL cannot fail");
        return rw_wrap(err, "enrolment");
    }
    RW_TRY(rw_file_replace_at(p->o.state_dir, token_name, 0600, rw_span_str(p->token), err));
    p->token_refused = false;
    rw_log(RW_LOG_INFO, "enrolled", "endpoint", p->o.endpoint);
    return RW_OK;
}

RW_RC poll_enrol(struct poll *p, struct rw_err *err)
{
    p->enrol_retry_after_s = -1;
    if (p->token[0] != '\0') { return RW_OK; }
    if (p->token_refused || !rw_is_ok(read_stored(p, err))) { RW_TRY(enrol_anew(p, err)); }
    return http_client_set_token(p->api, p->token, err);
}

void poll_enrol_forget(struct poll *p)
{
    if (p->o.enrol_token_file[0] == '\0' || p->token[0] == '\0') { return; }
    rw_log(RW_LOG_WARN, "token_refused", "endpoint", p->o.endpoint);
    p->token[0] = '\0'; /* the stored one stays until the next takes its place */
    p->token_refused = true;
}

static RW_RC ask_next(struct poll *p, char next[static POLL_TOKEN_BYTES], struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(ANSWER_BYTES_MAX);
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct http_client_answer answer = {.status = 0};
    RW_TRY(http_client_post(p->api, "/v1/token", "application/json", rw_span_str("{}"),
                            ANSWER_BYTES_MAX, &text, &answer, err));
    if (answer.status != 200) {
        return rw_fail(err, RW_E_HTTP, "/v1/token: status %d", answer.status);
    }
    RW_TRY(json_parse(rw_buf_span(&text), &json_limits_small, &tree, err));
    RW_TRY(json_get_str(tree, "token", next, POLL_TOKEN_BYTES, err));
    return next[0] != '\0' ? RW_OK : rw_fail(err, RW_E_PROTOCOL, "/v1/token: the token is empty");
}

static RW_RC renew(struct poll *p, char next[static POLL_TOKEN_BYTES], struct rw_err *err)
{
    RW_TRY(ask_next(p, next, err));
    RW_TRY(rw_file_replace_at(p->o.state_dir, token_name, 0600, rw_span_str(next), err));
    rw_copy(p->token, sizeof(p->token), next, POLL_TOKEN_BYTES);
    return http_client_set_token(p->api, p->token, err);
}

void poll_enrol_renew(struct poll *p)
{
    char next[POLL_TOKEN_BYTES] = "";
    struct rw_err err;
    if (rw_is_ok(renew(p, next, &err))) {
        rw_log(RW_LOG_INFO, "token_renewed", "endpoint", p->o.endpoint);
    } else {
        rw_log(RW_LOG_WARN, "token_not_renewed", "text", err.text);
    }
    rw_wipe(next, sizeof(next));
}
