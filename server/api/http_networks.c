#include "server/api/http_networks.h"

#include "common/base/buf.h"
#include "common/base/num.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum { V4_BITS = 32, V6_BITS = 128, V4_BEGINS = V6_BITS - V4_BITS };

static void map_v4(const struct in_addr *v4, uint8_t dst[static 16])
{
    for (size_t i = 0; i < 10; i++) {
        dst[i] = 0;
    }
    dst[10] = dst[11] = 0xff;
    rw_copy(dst + 12, 4, v4, 4);
}

static bool bit_of(const uint8_t *address, unsigned at)
{
    return (address[at / 8] >> (7 - at % 8) & 1) != 0;
}

static RW_RC bad(const char *word, const char *why, struct rw_err *err)
{
    RW_IGNORE(rw_fail(err, RW_E_CONFIG, "'%s' %s", word, why), "hint next");
    return rw_hint(err, "write addresses and networks with blanks between: 127.0.0.0/8 ::1");
}

/* `word` is cut at its slash. */
static RW_RC parse_one(char *word, struct http_network *out, struct rw_err *err)
{
    struct in_addr v4;
    struct in6_addr v6;
    int64_t bits = 0;
    char *slash = strchr(word, '/');
    if (slash != NULL) { *slash = '\0'; }
    bool is_v4 = inet_pton(AF_INET, word, &v4) == 1;
    if (!is_v4 && inet_pton(AF_INET6, word, &v6) != 1) {
        return bad(word, "is neither an IPv4 nor an IPv6 address", err);
    }
    int64_t most = is_v4 ? V4_BITS : V6_BITS;
    if (slash == NULL) {
        bits = most;
    } else if (!rw_is_ok(rw_parse_i64(rw_span_str(slash + 1), 0, most, "length of the prefix",
                                      &bits, err))) {
        return bad(word, "has no prefix of such a length", err);
    }
    if (is_v4) { map_v4(&v4, out->address); }
    if (!is_v4) { rw_copy(out->address, sizeof(out->address), &v6, sizeof(v6)); }
    out->bits = (unsigned)bits + (is_v4 ? V4_BEGINS : 0U);
    for (unsigned i = out->bits; i < V6_BITS; i++) {
        if (bit_of(out->address, i)) { return bad(word, "has bits behind its prefix", err); }
    }
    return RW_OK;
}

RW_RC http_networks_parse(const char *text, struct http_networks *out, struct rw_err *err)
{
    char copy[HTTP_NETWORKS_TEXT_BYTES];
    struct http_networks n = {.count = 0};
    RW_TRY(rw_span_to_str(copy, sizeof(copy), rw_span_str(text), "list of networks", err));
    char *at = copy;
    while (*(at += strspn(at, " ")) != '\0') {
        char *end = at + strcspn(at, " ");
        bool last = *end == '\0';
        *end = '\0';
        if (n.count == HTTP_NETWORKS_MAX) {
            return rw_fail(err, RW_E_CONFIG, "more than %d networks", HTTP_NETWORKS_MAX);
        }
        RW_TRY(parse_one(at, &n.at[n.count++], err));
        at = last ? end : end + 1;
    }
    *out = n;
    return RW_OK;
}

static bool has(const struct http_network *n, const uint8_t address[static 16])
{
    unsigned whole = n->bits / 8;
    unsigned rest = n->bits % 8;
    if (memcmp(n->address, address, whole) != 0) { return false; }
    return rest == 0 || (n->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool http_networks_have(const struct http_networks *n, const struct sockaddr *addr)
{
    uint8_t address[16];
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (addr->sa_family == AF_INET) {
        rw_copy(&v4, sizeof(v4), addr, sizeof(v4));
        map_v4(&v4.sin_addr, address);
    } else if (addr->sa_family == AF_INET6) {
        rw_copy(&v6, sizeof(v6), addr, sizeof(v6));
        rw_copy(address, sizeof(address), &v6.sin6_addr, sizeof(v6.sin6_addr));
    } else {
        return false;
    }
    for (size_t i = 0; i < n->count; i++) {
        if (has(&n->at[i], address)) { return true; }
    }
    return false;
}
