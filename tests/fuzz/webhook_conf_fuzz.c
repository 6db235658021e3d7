/* A target of webhooks: refused, or https (http to this machine only), with host and path apart, without a password in
 * the address, with a secret of the right length and a list of events. Behind a NUL byte comes the secret's file. */
#include "server/report/webhook_conf.h"
#include "server/report/webhook_rule.h"
#include "tests/fuzz/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void check(const struct webhook_target *t)
{
    bool https = begins(t->base, "https://");
    RW_ASSERT(https || begins(t->base, "http://127.") || begins(t->base, "http://localhost") ||
              begins(t->base, "http://[::1]"));
    RW_ASSERT(strchr(t->base, '@') == NULL && t->path[0] == '/');
    RW_ASSERT(strncmp(t->url, t->base, strlen(t->base)) == 0);
    RW_ASSERT(strchr(t->base + strlen("https://"), '/') == NULL);
    RW_ASSERT(t->secret_bytes >= WEBHOOK_SECRET_BYTES_MIN &&
              t->secret_bytes <= WEBHOOK_SECRET_BYTES_MAX);
    RW_ASSERT(webhook_rule_list_ok(t->events));
    RW_ASSERT(t->timeout_ms > 0 && t->keep > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct webhook_conf conf;
    struct rw_err err;
    struct rw_span rest = rw_span_of(data, size);
    int dir = fuzz_folder();
    fuzz_folder_put_at(dir, "t.conf", fuzz_folder_piece(&rest));
    fuzz_folder_put_at(dir, "secret", rest);
    if (!rw_is_ok(webhook_conf_load(fuzz_folder_path, &conf, &err))) {
        RW_ASSERT(conf.count == 0);
        return 0;
    }
    RW_ASSERT(conf.count == 1);
    check(&conf.targets[0]);
    webhook_conf_wipe(&conf);
    return 0;
}
