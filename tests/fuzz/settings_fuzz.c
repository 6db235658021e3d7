/* agent.conf, the tables of server.conf and of addresses to listen on: refused by name, or within their limits. */
#include "agent/agent_conf.h"
#include "common/policy/ring_policy.h"
#include "server/api/http_listen.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_listen(struct rw_span text)
{
    struct rw_err err;
    struct http_listen l;
    char name[256];
    size_t n = text.n < sizeof(name) - 1 ? text.n : sizeof(name) - 1;
    rw_copy(name, sizeof(name), text.p, n);
    name[n] = '\0';
    if (!rw_is_ok(http_listen_parse(name, &l, &err))) {
        RW_ASSERT(err.code == RW_E_CONFIG);
        return;
    }
    RW_ASSERT(l.addr_bytes > 0 && (size_t)l.addr_bytes <= sizeof(l.addr));
    RW_ASSERT(l.local == (l.path[0] != '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct agent_conf conf;
    struct rw_err err;
    struct rw_span text = rw_span_of(data, size);
    try_listen(text);
    if (!rw_is_ok(agent_conf_parse("f", text, &conf, &err))) {
        RW_ASSERT(err.text[0] != '\0');
        return 0;
    }
    RW_ASSERT(conf.family_count >= 1 && conf.family_count <= MANIFEST_FAMILIES_MAX);
    for (size_t i = 0; i < conf.family_count; i++) {
        RW_ASSERT(rw_is_ok(ring_policy_check_name(conf.families[i], "family", &err)));
    }
    RW_ASSERT(strncmp(conf.server, "https://", 8) == 0 || strncmp(conf.server, "http://", 7) == 0);
    return 0;
}
