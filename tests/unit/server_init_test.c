/* Goal: a new server directory is complete, private, says that its trust is for development, and an agent accepts
 * its repository from the installer's root on. */
#include "common/base/conf.h"
#include "common/policy/entry_codec.h"
#include "server/report/audit_log.h"
#include "server/server_init.h"
#include "server/store/store_sqlite.h"
#include "tests/dev_dir.h"

#include <dirent.h>
#include <sys/stat.h>

enum { FILE_BYTES_MAX = 1 << 20 };

static struct rw_buf read_file(const struct dev_dir *d, const char *file)
{
    struct rw_err err = {0};
    char path[256];
    struct rw_buf b = rw_buf_make(FILE_BYTES_MAX);
    (void)snprintf(path, sizeof(path), "%s/%s", d->path, file);
    MUST(rw_file_read(path, FILE_BYTES_MAX, &b, &err));
    return b;
}

static mode_t mode_of(const struct dev_dir *d, const char *file)
{
    struct stat st;
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", d->path, file);
    if (lstat(path, &st) != 0) { fail_msg("%s is missing", file); }
    return st.st_mode & 07777;
}

static const struct file_case {
    const char *id;
    mode_t mode;
} file_cases[] = {
    {"server.conf", 0600},
    {"operator.conf", 0600},
    {"root.json", 0644},
    {"secret", 0600},
    {"repo/metadata/1.root.json", 0644},
    {"repo/metadata/1.targets.json", 0644},
    {"repo/metadata/1.content-yara.json", 0644},
    {"repo/metadata/1.ring-canary.json", 0644},
    {"repo/metadata/1.snapshot.json", 0644},
    {"repo/metadata/timestamp.json", 0644},
    {"tls/ca.pem", 0600},
    {"tls/cert.pem", 0600},
    {"tls/key.pem", 0600},
    {"tokens/admin.token", 0600},
    {"tokens/enrol.token", 0600},
    {"signer", 0700},
    {"signer/state", 0700},
    {"signer/ring-canary.key", 0600},
    {"signer/ring-internal.key", 0600},
    {"signer/snapshot.key", 0600},
    {"signer/timestamp.key", 0600},
    {"offline/root-1.key", 0600},
    {"offline/targets-1.key", 0600},
    {"engineers/alice.key", 0600},
    {"engineers/bob.key", 0600},
    {"staging", 0700},
    {"store", 0700},
};

TEST(every_file_is_there_and_private)
{
    RW_AUTO(dev_dir) struct dev_dir d = dev_dir_make(0);
    for (size_t i = 0; i < RW_LEN(file_cases); i++) {
        if (mode_of(&d, file_cases[i].id) != file_cases[i].mode) {
            fail_msg("%s has mode %o, want %o", file_cases[i].id, mode_of(&d, file_cases[i].id),
                     file_cases[i].mode);
        }
    }
    assert_int_equal(mode_of(&d, "."), 0700);
}

TEST(an_agent_accepts_the_repository_and_finds_the_policy_byte_for_byte)
{
    RW_AUTO(dev_dir) struct dev_dir d = dev_dir_make(0);
    struct rw_err err = {0};
    struct tuf_target t;
    char url[512];
    char path[600];
    rw_fd state = -1;
    struct tuf_client *c = dev_dir_agent(&d, &state);
    MUST(tuf_client_find(c, "policy/rings.json", &t, &err));
    MUST(tuf_target_url(&t, url, sizeof(url), &err));
    (void)snprintf(path, sizeof(path), "repo/targets/%s", url);
    RW_AUTO(rw_buf) struct rw_buf policy = read_file(&d, path);
    assert_true(rw_span_is(rw_buf_span(&policy), dev_dir_policy));
    assert_int_equal(t.length, policy.n);
    MUST_FAIL(tuf_client_find(c, "content/yara/1.rwc", &t, &err), RW_E_NOT_FOUND);
    MUST_FAIL(tuf_client_find(c, "rings/canary/yara", &t, &err), RW_E_NOT_FOUND);
    tuf_client_drop(&c);
    rw_fd_drop(&state);
}

TEST(root_says_that_trust_is_for_development)
{
    RW_AUTO(dev_dir) struct dev_dir d = dev_dir_make(0);
    struct rw_err err = {0};
    struct rw_span trust;
    rw_fd state = -1;
    struct tuf_client *c = dev_dir_agent(&d, &state);
    const struct json *member = tuf_client_root_member(c, "ringward");
    assert_non_null(member);
    MUST(json_get_span(member, "trust", &trust, &err));
    assert_true(rw_span_is(trust, "development"));
    tuf_client_drop(&c);
    rw_fd_drop(&state);
}

/* INV-9: the tokens came with an audit record; the store holds hashes, never tokens. */
struct seen {
    struct dev_dir *d;
    size_t tokens;
};

static RW_RC check_token(void *arg, const struct store_doc *doc, struct rw_err *err)
{
    struct seen *s = arg;
    struct json *tree = NULL;
    char role[16];
    char stored[DIGEST_HEX_BYTES];
    char hex[DIGEST_HEX_BYTES];
    RW_TRY(json_parse(doc->body, &json_limits_small, &tree, err));
    RW_TRY(json_get_str(tree, "role", role, sizeof(role), err));
    RW_TRY(json_get_str(tree, "sha256", stored, sizeof(stored), err));
    bool admin = strcmp(role, "admin") == 0;
    assert_true(admin || strcmp(role, "enrol") == 0);
    struct rw_buf token = read_file(s->d, admin ? "tokens/admin.token" : "tokens/enrol.token");
    assert_true(rw_span_starts(rw_buf_span(&token), admin ? "rwo1.admin." : "rwj1.default."));
    assert_int_equal(token.p[token.n - 1], '\n');
    RW_TRY(digest_sha256_hex(rw_span_of(token.p, token.n - 1), hex, err));
    assert_string_equal(hex, stored);
    assert_memory_equal(doc->id, hex, 32);
    assert_int_equal(strlen(doc->id), 32);
    s->tokens++;
    rw_buf_drop(&token);
    json_tree_drop(&tree);
    return RW_OK;
}

TEST(tokens_are_stored_as_hashes_with_an_audit_record)
{
    RW_AUTO(dev_dir) struct dev_dir d = dev_dir_make(0);
    struct rw_err err = {0};
    struct store store = {.backend = NULL};
    struct seen s = {.d = &d};
    char path[128];
    int64_t records = 0;
    (void)snprintf(path, sizeof(path), "%s/store/ringward.db", d.path);
    MUST(store_sqlite_open(path, &store, &err));
    MUST(store_doc_each(&store, "token", check_token, &s, &err));
    assert_int_equal(s.tokens, 2);
    MUST(audit_log_verify(&store, &records, &err));
    assert_int_equal(records, 1);
    store_close(&store);
}

TEST(a_directory_with_anything_in_it_is_refused)
{
    RW_AUTO(dev_dir) struct dev_dir d = dev_dir_make(0);
    struct rw_err err = {0};
    const struct server_init_settings again = {.dir = d.path, .now = dev_dir_now()};
    RW_AUTO(rw_buf) struct rw_buf before = read_file(&d, "offline/root-1.key");
    MUST_FAIL(server_init(&again, &err), RW_E_EXISTS);
    RW_AUTO(rw_buf) struct rw_buf after = read_file(&d, "offline/root-1.key");
    assert_true(rw_span_eq(rw_buf_span(&before), rw_buf_span(&after)));
}

static const char *const bad_family[] = {"YARA"};
static const char *const bad_host[] = {"a,b"};

static const struct refused_case {
    const char *id;
    const char *policy;
    const char *const *families;
    const char *const *hosts;
    const char *listen;
    enum rw_code want;
} refused_cases[] = {
    {"a_broken_policy", "{", NULL, NULL, NULL, RW_E_SYNTAX},
    {"a_family_in_capitals", NULL, bad_family, NULL, NULL, RW_E_SCHEMA},
    {"a_host_with_a_comma", NULL, NULL, bad_host, NULL, RW_E_SCHEMA},
    {"an_address_without_port", NULL, NULL, NULL, "localhost", RW_E_SCHEMA},
    {"a_port_above_65535", NULL, NULL, NULL, "localhost:70000", RW_E_RANGE},
};

TEST_EACH(bad_settings_are_refused_and_leave_no_server_conf, refused_cases)
{
    struct rw_err err = {0};
    char dir[] = "/tmp/ringward-test-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(dir));
    const struct server_init_settings s = {.dir = dir,
                                           .policy = it->policy == NULL ? rw_span_of(NULL, 0)
                                                                        : rw_span_str(it->policy),
                                           .families = it->families,
                                           .family_count = it->families == NULL ? 0 : 1,
                                           .hosts = it->hosts,
                                           .host_count = it->hosts == NULL ? 0 : 1,
                                           .listen = it->listen,
                                           .now = dev_dir_now()};
    MUST_FAIL(server_init(&s, &err), it->want);
    (void)snprintf(path, sizeof(path), "%s/server.conf", dir);
    assert_int_not_equal(access(path, F_OK), 0);
    dev_dir_remove(dir);
}

static const struct address_case {
    const char *id;
    const char *listen;
    const char *host; /* NULL: the default names */
    const char *url;
} address_cases[] = {
    {"the_default", NULL, NULL, "https://127.0.0.1:8443"},
    {"an_address_of_version_6", "[::1]:9000", NULL, "https://[::1]:9000"},
    {"every_address_of_a_named_host", "0.0.0.0:443", "rw.example.org",
     "https://rw.example.org:443"},
    {"every_address_without_a_name", "[::]:443", NULL, "https://localhost:443"},
};

TEST_EACH(the_profile_names_an_address_that_the_certificate_covers, address_cases)
{
    struct rw_err err = {0};
    struct dev_dir d = {.path = "/tmp/ringward-test-XXXXXX", .repo = -1, .staging = -1};
    assert_non_null(mkdtemp(d.path));
    char want[128];
    const struct server_init_settings s = {.dir = d.path,
                                           .hosts = &it->host,
                                           .host_count = it->host == NULL ? 0 : 1,
                                           .listen = it->listen,
                                           .now = dev_dir_now()};
    MUST(server_init(&s, &err));
    struct rw_buf conf = read_file(&d, "operator.conf");
    (void)snprintf(want, sizeof(want), "server = %s\n", it->url);
    assert_non_null(strstr(rw_buf_str(&conf), want));
    rw_buf_drop(&conf);
    dev_dir_drop(&d);
}

TEST(the_built_in_policy_is_the_one_at_the_top_of_the_project)
{
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf file = rw_buf_make(FILE_BYTES_MAX);
    MUST(rw_file_read(RW_TEST_DATA "/../../rings.json", FILE_BYTES_MAX, &file, &err));
    assert_true(rw_span_eq(rw_buf_span(&file), server_init_policy()));
}

TEST(every_family_gets_its_role)
{
    static const char *const families[] = {"yara", "template"};
    struct rw_err err = {0};
    struct dev_dir d = {.path = "/tmp/ringward-test-XXXXXX", .repo = -1, .staging = -1};
    char name[128];
    struct tuf_target t;
    rw_fd state = -1;
    assert_non_null(mkdtemp(d.path));
    const struct server_init_settings s = {
        .dir = d.path, .families = families, .family_count = 2, .now = dev_dir_now()};
    MUST(server_init(&s, &err));
    (void)snprintf(name, sizeof(name), "%s/repo", d.path);
    MUST(rw_dir_open(name, &d.repo, &err));
    struct tuf_client *c = dev_dir_agent(&d, &state);
    MUST_FAIL(tuf_client_find(c, "content/template/1.rwc", &t, &err), RW_E_NOT_FOUND);
    struct tuf_role_status roles[8];
    size_t n = tuf_client_status(c, roles, RW_LEN(roles));
    assert_string_equal(roles[n - 1].role, "content-template"); /* it was looked into */
    tuf_client_drop(&c);
    rw_fd_drop(&state);
    dev_dir_drop(&d);
}

RUN_TESTS(cmocka_unit_test(every_file_is_there_and_private),
          cmocka_unit_test(an_agent_accepts_the_repository_and_finds_the_policy_byte_for_byte),
          cmocka_unit_test(root_says_that_trust_is_for_development),
          cmocka_unit_test(tokens_are_stored_as_hashes_with_an_audit_record),
          cmocka_unit_test(a_directory_with_anything_in_it_is_refused),
          cmocka_unit_test(bad_settings_are_refused_and_leave_no_server_conf),
          cmocka_unit_test(the_profile_names_an_address_that_the_certificate_covers),
          cmocka_unit_test(the_built_in_policy_is_the_one_at_the_top_of_the_project),
          cmocka_unit_test(every_family_gets_its_role))
