#include "server/server_certificate.h"

#include "server/api/certificate_rule.h"
#include "server/server_conf.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

struct server_certificate {
    char cert[SERVER_CONF_PATH_BYTES];
    char key[SERVER_CONF_PATH_BYTES];
    struct http_server *http;             /* NULL before it runs */
    struct certificate_rule_stamp tried;  /* what was read last */
    struct certificate_rule_stamp before; /* at the last look */
    pthread_mutex_t lock;                 /* of `state` */
    struct api_certificate state;
};

static void stamp_file(const char *path, int64_t dst[static 5])
{
    struct stat st;
    for (size_t i = 0; i < 5; i++) {
        dst[i] = 0;
    }
    if (stat(path, &st) != 0) { return; }
    const int64_t second_ns = 1000000000;
    dst[0] = (int64_t)st.st_dev;
    dst[1] = (int64_t)st.st_ino;
    dst[2] = st.st_size;
    dst[3] = st.st_mtim.tv_sec * second_ns + st.st_mtim.tv_nsec;
    dst[4] = st.st_ctim.tv_sec * second_ns + st.st_ctim.tv_nsec;
}

static struct certificate_rule_stamp stamp(const struct server_certificate *c)
{
    struct certificate_rule_stamp s = {0};
    stamp_file(c->cert, s.part[0]);
    stamp_file(c->key, s.part[1]);
    return s;
}

RW_RC server_certificate_new(const char *dir, struct server_certificate **out, struct rw_err *err)
{
    struct server_certificate *c = rw_mem_new(sizeof(*c));
    if (c == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the certificate"); }
    (void)pthread_mutex_init(&c->lock, NULL); /* cannot fail on Linux */
    struct rw_rc rc = server_conf_path(dir, "tls/cert.pem", c->cert, err);
    if (rw_is_ok(rc)) { rc = server_conf_path(dir, "tls/key.pem", c->key, err); }
    if (!rw_is_ok(rc)) {
        server_certificate_drop(&c);
        return rc;
    }
    c->tried = stamp(c);
    c->before = c->tried;
    *out = c;
    return RW_OK;
}

void server_certificate_drop(struct server_certificate **c)
{
    if (*c == NULL) { return; }
    (void)pthread_mutex_destroy(&(*c)->lock);
    rw_mem_free(*c);
    *c = NULL;
}

static void note(struct server_certificate *c, const char *refusal)
{
    (void)pthread_mutex_lock(&c->lock);
    struct api_certificate *s = &c->state;
    s->tls = http_server_certificate(c->http, &s->from, &s->until);
    (void)snprintf(s->refusal, sizeof(s->refusal), "%s", refusal);
    (void)pthread_mutex_unlock(&c->lock);
}

static void count(struct server_certificate *c, bool taken)
{
    (void)pthread_mutex_lock(&c->lock);
    c->state.loaded += taken ? 1 : 0;
    c->state.refused += taken ? 0 : 1;
    (void)pthread_mutex_unlock(&c->lock);
}

void server_certificate_serve(struct server_certificate *c, struct http_server *http)
{
    c->http = http;
    note(c, "");
}

/* `now` is what the files were before they are read. A failure over files that change meanwhile says nothing of them:
 * the next look tries again. */
static void take(struct server_certificate *c, struct certificate_rule_stamp now, bool asked)
{
    struct rw_err err;
    struct rw_log_line l;
    if (c->http == NULL || !c->state.tls) { return; }
    struct rw_rc rc = http_server_reload_tls(c->http, c->cert, c->key, &err);
    struct certificate_rule_stamp after = stamp(c);
    bool still = certificate_rule_same(&now, &after);
    c->before = after;
    if (!rw_is_ok(rc) && !still && !asked) { return; }
    c->tried = now;
    count(c, rw_is_ok(rc));
    note(c, rw_is_ok(rc) ? "" : err.text);
    if (rw_is_ok(rc)) {
        rw_log(RW_LOG_INFO, "certificate_loaded", NULL, NULL);
        return;
    }
    rw_log_begin(&l, RW_LOG_ERROR, "certificate_refused");
    rw_log_err(&l, &err);
    rw_log_str(&l, "in_use", "the former one");
    rw_log_end(&l);
}

void server_certificate_reload(struct server_certificate *c)
{
    take(c, stamp(c), true);
}

void server_certificate_look(struct server_certificate *c)
{
    struct certificate_rule_stamp now = stamp(c);
    bool due = certificate_rule_try(&c->tried, &c->before, &now);
    c->before = now;
    if (due) { take(c, now, false); }
}

void server_certificate_state(struct server_certificate *c, struct api_certificate *out)
{
    (void)pthread_mutex_lock(&c->lock);
    *out = c->state;
    (void)pthread_mutex_unlock(&c->lock);
}
