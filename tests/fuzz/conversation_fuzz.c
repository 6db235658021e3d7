/* A conversation with the whole server: requests of endpoints and operators of two tenants, whole, broken, in pieces
 * and out of turn, while time passes and rollouts go on. Whatever is said:
 *   every answer is well-formed HTTP, and JSON where it says so; none is a failure of the server
 *   nothing is given to a token that may not have it, and nothing of one tenant to another
 *   INV-1: no more endpoints are exposed than the window law allows by those that may have survived
 *   INV-2, INV-8: what memory holds is what the store gives back; INV-9: the audit chain is whole
 *
 * An input is a row of steps: a byte that chooses, and what the step takes. Bytes from 0x80 on within texts stand for
 * words that nobody would guess: identities, hashes, names of members (see `word`). */
#include "server/api/api_fold.h"
#include "server/api/api_routes.h"
#include "server/health/fleet_permit.h"
#include "server/server_init.h"
#include "tests/fuzz/conversation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_BYTES_MAX = 8192, STEPS_MAX = 64 };

static struct rw_span rest;
static struct rw_buf text; /* what is sent next */
/* By release: endpoints of both tenants that may have survived, as bits. */
static uint32_t survivors[WORLD_RELEASES + 1];

static unsigned take(void)
{
    if (rest.n == 0) { return 0; }
    unsigned b = rest.p[0];
    rest = rw_span_of(rest.p + 1, rest.n - 1);
    return b;
}

static struct rw_span take_bytes(size_t n)
{
    if (n > rest.n) { n = rest.n; }
    struct rw_span s = rw_span_of(rest.p, n);
    rest = rw_span_of(rest.p + n, rest.n - n);
    return s;
}

static void add(const char *s)
{
    struct rw_err err;
    RW_IGNORE(rw_buf_append_str(&text, s, &err), "what does not fit is not sent");
}

/* --- texts --- */

static void hash_of(unsigned release, char dst[static DIGEST_HEX_BYTES])
{
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        (void)snprintf(dst + 2 * i, 3, "%02x", release);
    }
}

/* 0: of "abcd", so that an upload can be what was declared. */
static void add_hash(unsigned release)
{
    char hash[DIGEST_HEX_BYTES];
    hash_of(release, hash);
    if (release > 0) { add(hash); }
    if (release == 0) { add("88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589"); }
}

/* Of the tenant that speaks: a stranger does not know the other one's endpoints. */
static void word(unsigned b, int tenant)
{
    static const char *const words[] = {"\"family\":\"yara\"",
                                        "\"release\":",
                                        "\"sha256\":\"",
                                        "\"ring\":\"canary\"",
                                        "\"ring\":\"broad\"",
                                        "\"endpoint\":",
                                        "\"tenant\":",
                                        "\"reason\":\"because\"",
                                        "\"kind\":\"alive\"",
                                        "\"kind\":\"healthy\"",
                                        "\"beacons\":[{",
                                        "\"cohort\":{\"os\":\"x\",",
                                        "\"arch\":\"y\",\"engine\":\"z\"}",
                                        "\"from\":0",
                                        "\"generation\":",
                                        "\"hold\"",
                                        "\"pin\"",
                                        "\"for_s\":3600",
                                        "\"at\":\"2027-01-15T08:00:00Z\"",
                                        "\"id\":\"",
                                        " HTTP/1.1\r\nHost: x\r\n",
                                        "Content-Length: ",
                                        "Authorization: Bearer ",
                                        "\r\n\r\n",
                                        "GET ",
                                        "POST ",
                                        "HEAD ",
                                        "/v1/"};
    char id[33];
    if (b < RW_LEN(words)) {
        add(words[b]);
    } else if (b < 64) {
        add_hash(b % (WORLD_RELEASES + 1));
    } else if (b < 96) {
        world_id_hex(tenant > 0 ? 1 : 0, b % WORLD_ENDPOINTS, id);
        add(id);
    } else {
        const struct world_token *t = &world.tokens[b % WORLD_TOKENS];
        if (t->tenant == tenant || t->tenant < 0) { add(t->text); }
    }
}

static void add_words(struct rw_span s, int tenant)
{
    for (size_t i = 0; i < s.n; i++) {
        char one[2] = {(char)s.p[i], '\0'};
        if (s.p[i] >= 0x80) {
            word(s.p[i] - 0x80U, tenant);
        } else if (s.p[i] != 0) {
            add(one);
        }
    }
}

/* --- answers --- */

struct answer {
    int status;
    struct rw_span head;
    struct rw_span body;
};

static struct rw_span header(struct rw_span head, const char *name)
{
    const char *at = memmem(head.p, head.n, name, strlen(name));
    if (at == NULL) { return rw_span_of(NULL, 0); }
    const uint8_t *value = (const uint8_t *)at + strlen(name);
    const uint8_t *end = memchr(value, '\r', head.n - (size_t)(value - head.p));
    RW_ASSERT(end != NULL);
    return rw_span_of(value, (size_t)(end - value));
}

/* Cuts the next answer off. Everything was read, so it is there as a whole. */
static struct answer next_answer(struct rw_span *bytes, bool bodyless)
{
    struct rw_err err;
    int64_t status = 0;
    int64_t length = 0;
    const uint8_t *end = memmem(bytes->p, bytes->n, "\r\n\r\n", 4);
    RW_ASSERT(bytes->n > 12 && memcmp(bytes->p, "HTTP/1.1 ", 9) == 0 && end != NULL);
    struct answer a = {.head = rw_span_of(bytes->p, (size_t)(end - bytes->p) + 2)};
    RW_ASSERT(
        rw_is_ok(rw_parse_i64(rw_span_of(bytes->p + 9, 3), 100, 599, "status", &status, &err)));
    for (size_t i = 0; i < a.head.n; i++) {
        RW_ASSERT(a.head.p[i] >= ' ' || a.head.p[i] == '\r' || a.head.p[i] == '\n');
        RW_ASSERT(a.head.p[i] != '\r' || a.head.p[i + 1] == '\n');
    }
    a.status = (int)status;
    size_t used = a.head.n + 2;
    bool none = bodyless || status == 304 || status < 200;
    struct rw_span value = header(a.head, "\r\nContent-Length: ");
    if (!none) {
        RW_ASSERT(value.n > 0);
        RW_ASSERT(rw_is_ok(rw_parse_i64(value, 0, WORLD_REPLY_BYTES_MAX, "length", &length, &err)));
        RW_ASSERT((size_t)length <= bytes->n - used);
    }
    a.body = rw_span_of(bytes->p + used, (size_t)length);
    *bytes = rw_span_of(bytes->p + used + (size_t)length, bytes->n - used - (size_t)length);
    return a;
}

static bool mentions(const struct rw_buf *b, const char *what)
{
    return b->n > 0 && memmem(b->p, b->n, what, strlen(what)) != NULL;
}

/* By hand: a fuzzer learns from memmem what it looks for, and would then speak of endpoints that a stranger cannot
 * know. */
static bool holds(struct rw_span s, const char *id, size_t n)
{
    for (size_t i = 0; i + n <= s.n; i++) {
        size_t k = 0;
        while (k < n && s.p[i + k] == (uint8_t)id[k]) {
            k++;
        }
        if (k == n) { return true; }
    }
    return false;
}

/* Nothing of the other tenant's endpoints in what is given to this one's tokens. */
static void check_tenant(const struct answer *a, int tenant)
{
    char id[33];
    if (tenant < 0 || a->status >= 300) { return; }
    for (size_t e = 0; e < WORLD_ENDPOINTS; e++) {
        world_id_hex(tenant == 0 ? 1 : 0, e, id);
        RW_ASSERT(!holds(a->body, id, 32));
    }
}

static void check_answer(const struct answer *a, bool bodyless)
{
    struct rw_err err;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_ASSERT(a->status != 500);
    if (bodyless || a->body.n == 0) { return; }
    if (!rw_span_starts(header(a->head, "\r\nContent-Type: "), "application/json")) { return; }
    RW_ASSERT(rw_is_ok(json_parse(a->body, &json_limits_metadata, &tree, &err)));
}

/* INV-1, in words of its own: each granted place needs the start or somebody who may have survived. */
static void check_law(void)
{
    for (int64_t release = 1; release <= WORLD_RELEASES; release++) {
        int64_t alive = __builtin_popcount(survivors[release]);
        for (size_t r = 0; r < WORLD_RINGS; r++) {
            struct fleet_counts n =
                fleet_state_counts(world.fleet, "yara", release, world_rings[r], NULL);
            RW_ASSERT(n.exposed <= WORLD_START + 2 * alive);
        }
    }
}

/* Answers to what was sent; gives the status of the last one, 0: none. */
static int read_answers(int tenant, bool bodyless, bool one_of_many)
{
    int status = 0;
    world_pump();
    struct rw_span bytes = rw_buf_span(&world.replies);
    while (bytes.n > 0) {
        struct answer a = next_answer(&bytes, bodyless);
        check_answer(&a, bodyless);
        check_tenant(&a, tenant);
        if (a.status >= 200) { status = a.status; }
        if (header(a.head, "\r\nConnection: ").n > 0) { world.closing = true; }
        if (one_of_many) { break; } /* the next may be one to a HEAD: nobody knows where it ends */
    }
    rw_buf_clear(&world.replies);
    check_law();
    return status;
}

/* --- steps --- */

static void note_survivors(unsigned release, int tenant, int endpoint)
{
    uint32_t all = (1U << WORLD_ENDPOINTS) - 1U;
    uint32_t who = endpoint >= 0 ? 1U << endpoint : all;
    for (unsigned r = 1; r <= WORLD_RELEASES; r++) {
        if (release == 0 || release == r) { survivors[r] |= who << (tenant > 0 ? 16 : 0); }
    }
}

static void add_head(const char *method, const char *path, const struct world_token *t, size_t body)
{
    char line[API_TARGET_BYTES_MAX + HTTP_TOKEN_BYTES + 128];
    (void)snprintf(line, sizeof(line), "%s %s HTTP/1.1\r\nHost: x\r\n", method, path);
    add(line);
    if (t->text[0] != '\0') {
        (void)snprintf(line, sizeof(line), "Authorization: Bearer %s\r\n", t->text);
        add(line);
    }
    if (strcmp(method, "POST") == 0) {
        (void)snprintf(line, sizeof(line), "Content-Length: %zu\r\n", body);
        add(line);
    }
    add("\r\n");
}

/* Sends `text`, in two pieces when `cut` lies within. */
static void send_text(size_t cut)
{
    struct rw_span all = rw_buf_span(&text);
    size_t first = cut < all.n ? cut : all.n;
    world_send(rw_span_of(all.p, first));
    if (first < all.n) {
        world_pump();
        world_send(rw_span_of(all.p + first, all.n - first));
    }
}

/* A pattern with its places filled. */
static void fill(const char *pattern, unsigned choice, char *dst, size_t cap)
{
    static const char *const numbers[] = {"1", "2", "3", "4", "0", "x"};
    char id[33];
    size_t n = 0;
    world_id_hex(choice >> 7, choice % WORLD_ENDPOINTS, id);
    for (const char *p = pattern; *p != '\0' && n + 40 < cap; p++) {
        if (*p != '{') {
            dst[n++] = *p;
            continue;
        }
        const char *value = strncmp(p, "{family}", 8) == 0      ? "yara"
                            : strncmp(p, "{endpoint}", 10) == 0 ? id
                                                                : numbers[choice % RW_LEN(numbers)];
        n += (size_t)snprintf(dst + n, cap - n, "%s", value);
        p = strchr(p, '}');
    }
    dst[n] = '\0';
}

/* May a token of this level have a 2xx from this route? Operators include the lower ones, nobody else does. */
static bool may(enum api_auth level, enum api_auth need)
{
    if (need == API_AUTH_NONE) { return true; }
    return level == need || (need >= API_AUTH_VIEWER && level >= need);
}

static void step_request(void)
{
    size_t count = 0;
    const struct api_route *routes = api_routes(&count);
    unsigned which = take();
    const struct api_route *route = &routes[which % count];
    const struct world_token *t = &world.tokens[take() % WORLD_TOKENS];
    unsigned choice = take();
    unsigned length = take() * 4U;
    char path[API_TARGET_BYTES_MAX];
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(TEXT_BYTES_MAX);
    struct rw_err err;
    bool head = strcmp(route->method, "GET") == 0 && which >= 0xf0;
    add_words(take_bytes(length), t->tenant);
    RW_ASSERT(rw_is_ok(rw_buf_append(&body, rw_buf_span(&text), &err)));
    rw_buf_clear(&text);
    fill(route->pattern, choice, path, sizeof(path));
    bool post = strcmp(route->method, "POST") == 0;
    add_head(head ? "HEAD" : route->method, path, t, body.n);
    if (post) { RW_IGNORE(rw_buf_append(&text, rw_buf_span(&body), &err), "as with all texts"); }
    if (t->level == API_AUTH_ENDPOINT && mentions(&body, "healthy")) {
        note_survivors(0, t->tenant, t->endpoint);
    }
    send_text(choice % 2 == 0 ? text.n : choice);
    int status = read_answers(t->tenant, head, false);
    RW_ASSERT(status >= 400 || status == 0 || may(t->level, route->auth));
}

static void step_raw(void)
{
    unsigned first = take();
    int tenant = (int)(first % 2);
    add_words(take_bytes(first), tenant);
    note_survivors(0, tenant, -1); /* it may have said so */
    send_text(first);
    bool head = mentions(&text, "HEAD");
    (void)read_answers(tenant, head, head);
}

static void step_permit(void)
{
    char body[512];
    const struct world_token *t =
        &world.tokens[TOKEN_ENDPOINTS + take() % (WORLD_TOKENS - TOKEN_ENDPOINTS)];
    unsigned what = take();
    unsigned release = 1 + what % WORLD_RELEASES;
    char hash[DIGEST_HEX_BYTES];
    hash_of(release, hash);
    int n =
        snprintf(body, sizeof(body),
                 "{\"family\":\"yara\",\"release\":%u,\"sha256\":\"%s\",\"ring\":\"%s\",\"from\":0,"
                 "\"cohort\":{\"os\":\"%c\",\"arch\":\"y\",\"engine\":\"z\"}}",
                 release, hash, world_rings[what >> 7], "pq"[(what >> 6) % 2]);
    add_head("POST", "/v1/permits", t, (size_t)n);
    add(body);
    send_text(text.n);
    int status = read_answers(t->tenant, false, false);
    RW_ASSERT(status == 200 || status == 401 || status == 403 || status == 503);
}

static void step_beacon(void)
{
    static const char *const kinds[] = {"alive", "healthy",  "refused", "failed",
                                        "crash", "reverted", "storm",   "slow"};
    static uint32_t number;
    char body[640];
    const struct world_token *t =
        &world.tokens[TOKEN_ENDPOINTS + take() % (WORLD_TOKENS - TOKEN_ENDPOINTS)];
    unsigned what = take();
    unsigned release = 1 + (what >> 3) % WORLD_RELEASES;
    char hash[DIGEST_HEX_BYTES];
    hash_of(release, hash);
    int n = snprintf(body, sizeof(body),
                     "{\"beacons\":[{\"id\":\"%032x\",\"at\":\"2027-01-15T08:00:00Z\",\"kind\":\"%"
                     "s\",\"ring\":\"%s\","
                     "\"cohort\":{\"os\":\"%c\",\"arch\":\"y\",\"engine\":\"z\"},\"grade\":"
                     "\"full\",\"trust\":\"ok\","
                     "\"family\":\"yara\",\"release\":%u,\"sha256\":\"%s\",\"generation\":2}]}",
                     ++number, kinds[what % 8], world_rings[what >> 7], "pq"[(what >> 6) % 2],
                     release, hash);
    if (what % 8 == 1) { note_survivors(release, t->tenant, t->endpoint); }
    add_head("POST", "/v1/beacons", t, (size_t)n);
    add(body);
    send_text(text.n);
    (void)read_answers(t->tenant, false, false);
}

static void step_command(void)
{
    static const char *const verbs[] = {NULL, "halt",    "resume",  "pause",
                                        NULL, "promote", "rollback"};
    char path[64] = "/v1/rollouts";
    char body[80] = "{\"reason\":\"so it is\"}";
    unsigned what = take();
    unsigned release = 1 + what % WORLD_RELEASES;
    const char *verb = verbs[(what >> 3) % RW_LEN(verbs)];
    if (verb == NULL) {
        (void)snprintf(body, sizeof(body), "{\"family\":\"yara\",\"release\":%u}", release);
    } else {
        (void)snprintf(path, sizeof(path), "/v1/rollouts/yara/%u/%s", release, verb);
    }
    add_head("POST", path, &world.tokens[TOKEN_ADMIN], strlen(body));
    add(body);
    send_text(text.n);
    (void)read_answers(-1, false, false);
    api_core_tick(&world.core);
}

static void step_time(void)
{
    world.now.s += 60 * (int64_t)(1 + take());
    api_core_tick(&world.core);
    check_law();
}

/* INV-8, INV-9: everything that was answered stands in the store, in one order. */
static void check_kept(void)
{
    struct rw_err err;
    int64_t records = 0;
    RW_AUTO(rw_buf) struct rw_buf before = rw_buf_make(WORLD_REPLY_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf after = rw_buf_make(WORLD_REPLY_BYTES_MAX);
    RW_ASSERT(!world.core.fleet_stale && !world.core.rollouts_stale);
    RW_ASSERT(rw_is_ok(audit_log_verify(&world.store, &records, &err)));
    api_fold_last(&world.core);
    struct json_writer w = json_begin(&before);
    RW_ASSERT(rw_is_ok(fleet_state_write_page(world.fleet, "", 0, 1000, &w, &err)));
    RW_ASSERT(rw_is_ok(fleet_state_metrics(world.fleet, &before, &err)));
    RW_ASSERT(rw_is_ok(fleet_state_reload(world.fleet, &err)));
    w = json_begin(&after);
    RW_ASSERT(rw_is_ok(fleet_state_write_page(world.fleet, "", 0, 1000, &w, &err)));
    RW_ASSERT(rw_is_ok(fleet_state_metrics(world.fleet, &after, &err)));
    RW_ASSERT(rw_span_eq(rw_buf_span(&before), rw_buf_span(&after)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const steps[])(void) = {step_request, step_permit,  step_beacon, step_time,
                                          step_command, step_request, step_raw,    world_connect};
    world_make();
    world_begin();
    rest = rw_span_of(data, size);
    text = rw_buf_make(TEXT_BYTES_MAX + TEXT_BYTES_MAX);
    for (unsigned r = 0; r <= WORLD_RELEASES; r++) {
        survivors[r] = 0;
    }
    for (int i = 0; i < STEPS_MAX && rest.n > 0; i++) {
        rw_buf_clear(&text);
        steps[take() % RW_LEN(steps)]();
    }
    check_kept();
    rw_buf_drop(&text);
    world_end();
    return 0;
}
