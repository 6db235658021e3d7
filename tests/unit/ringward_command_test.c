/* Goal: the real program `ringward` treats slips of the hand and missing pieces as documented: exit status, a line
 * that says what is wrong, a hint; and every verb explains itself with an example. */
#include "common/base/file.h"
#include "common/base/proc.h"
#include "server/cli/cli_view.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORDS_MAX = 12, OUT_BYTES_MAX = 65536, WAIT_MS = 20000 };

struct outcome {
    int status;
    struct rw_buf out;
    struct rw_buf complaint; /* standard error */
};

static void outcome_drop(struct outcome *o)
{
    rw_buf_drop(&o->out);
    rw_buf_drop(&o->complaint);
}

static int temp_file(char path[static 32])
{
    (void)snprintf(path, 32, "/tmp/ringward-cmd-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    return fd;
}

/* Runs "ringward WORDS" with a home where nothing is. */
static struct outcome run(const char *words)
{
    struct rw_err err = {0};
    char out_path[32];
    char err_path[32];
    char line[256];
    char *argv[WORDS_MAX + 2] = {"ringward"};
    char *const envp[] = {"HOME=/nonexistent", "PATH=/usr/bin:/bin", NULL};
    struct outcome o = {.out = rw_buf_make(OUT_BYTES_MAX), .complaint = rw_buf_make(OUT_BYTES_MAX)};
    int out = temp_file(out_path);
    int complaint = temp_file(err_path);
    size_t n = 1;
    (void)snprintf(line, sizeof(line), "%s", words);
    char *rest = line;
    for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
        assert_true(n <= WORDS_MAX);
        if (word[0] != '\0') { argv[n++] = word; }
    }
    const struct proc_fd fds[] = {{out, STDOUT_FILENO}, {complaint, STDERR_FILENO}};
    const struct proc_spec spec = {.path = RW_BIN_DIR "/ringward",
                                   .argv = argv,
                                   .envp = envp,
                                   .fds = fds,
                                   .fd_count = RW_LEN(fds),
                                   .die_with_parent = true};
    struct proc child = {.pid = 0, .pidfd = -1};
    struct proc_exit gone;
    MUST(proc_start(&spec, &child, &err));
    MUST(proc_wait(&child, WAIT_MS, &gone, &err));
    assert_false(gone.signaled);
    o.status = gone.status;
    MUST(rw_file_read(out_path, OUT_BYTES_MAX, &o.out, &err));
    MUST(rw_file_read(err_path, OUT_BYTES_MAX, &o.complaint, &err));
    (void)close(out);
    (void)close(complaint);
    (void)unlink(out_path);
    (void)unlink(err_path);
    return o;
}

static void must_say(const struct rw_buf *text, const char *what)
{
    if (strstr(rw_buf_str(text), what) == NULL) {
        fail_msg("'%s' lacks '%s'", rw_buf_str(text), what);
    }
}

static const struct wrong {
    const char *id; /* the words */
    int status;
    const char *says;
    const char *hint;
} wrong[] = {
    {"rolout status yara/1", 2, "no command 'rolout'", "did you mean 'ringward rollout'"},
    {"bananas", 2, "no command 'bananas'", "ringward --help"},
    {"rollout strat yara/1", 2, "'strat' is not a verb", "did you mean 'ringward rollout start'"},
    {"rollout bananas", 2, "not a verb", "ringward rollout --help"},
    {"rollout status --bogus yara/1", 2, "--bogus", "ringward rollout status --help"},
    {"rollout status -x yara/1", 2, "-x", "ringward rollout status --help"},
    {"rollout status", 2, "operand is missing", "ringward rollout status --help"},
    {"rollout status yara/1 yara/2", 2, "too many", "--help"},
    {"rollout status yara", 2, "'yara'", "FAMILY/NUMBER"},
    {"rollout status yara/x", 2, "'yara/x'", "FAMILY/NUMBER"},
    {"rollout status -o yaml yara/1", 2, "yaml", ""},
    {"rollout status yara/1", 7, "no operator profile", "--profile FILE"},
    {"rollout status --profile /nonexistent yara/1", 7, "/nonexistent", "--profile FILE"},
    {"rollout halt yara/1", 2, "reason is required", "--reason"},
    {"rollout watch --timeout 5 yara/1", 2, "--timeout", ""},
    {"explain", 2, "operand is missing", "ringward explain --help"},
    {"release create --family yara", 2, "--class NAME is required", "--help"},
    {"release create --family YARA --class rules --content x --notes n", 2, "family 'YARA'",
     "yara-linux"},
    {"release create --family yara --class rules --content /nonexistent --notes n", 7,
     "/nonexistent", ""},
    {"release sign yara/1", 2, "--key KEY is required", "--help"},
    {"release sign --withdraw --expedite --key k yara/1", 2, "exclude each other", ""},
    {"release sign --floor 2 --key k yara/1", 2, "--floor goes with --renew", ""},
    {"release sign --renew --key k yara/1", 2, "family 'yara/1'", ""},
    {"release withdraw yara/1", 2, "a reason is required", "--reason"},
    {"release abandon yara/1", 2, "a reason is required", "--reason"},
    {"release abandon --reason x yara", 2, "yara", ""},
    {"release renew --floor 2 yara", 2, "a reason is required", "--reason"},
    {"release expedite --until 1h --reason x yara/1", 2, "--ring RING,... is required", "--help"},
    {"release expedite --ring a1 --reason x yara/1", 2, "--until DURATION is required", "--help"},
    {"drill start yara/1", 2, "--ring NAME is required", "ringward drill start --help"},
    {"drill create", 2, "--family NAME is required", "ringward drill create --help"},
    {"control set --hold 3d", 2, "either --tenant or --endpoint", "--tenant NAME"},
    {"hold", 2, "operand is missing: TIME", "ringward hold --help"},
    {"hold --reason x 3d", 2, "either --tenant or --endpoint", "--tenant NAME"},
    {"hold --tenant a --reason x soon", 2, "hold: 'soon'", "one unit"},
    {"pin --tenant a n-1", 2, "a reason is required", "--reason"},
    {"--profile x status", 2, "stands before the command", "ringward status --profile FILE"},
    {"fleet why 12", 2, "no endpoint id", "32 hex digits"},
    {"fleet dark --older 2", 2, "--older: '2'", "one unit"},
    {"fleet dark --release yara", 2, "'yara'", "FAMILY/NUMBER"},
    {"fleet dark --family a1 --release yara/2", 2, "do not go together", ""},
    {"fleet dark --ring A", 2, "ring 'A'", "yara-linux"},
    {"fleet cohorts --family A", 2, "family 'A'", "yara-linux"},
    {"control set --tenant a --hold 300d --reason x", 2, "300d is more than the limit of 90d", ""},
    {"second refuse promote yara/1", 2, "a reason is required", "--reason"},
    {"token create --role viewer", 2, "--name NAME is required", "ringward token create --help"},
    {"token create --name a --role enrol --valid 1d", 2, "--valid goes with --once", ""},
    {"token create --name a --role enrol --once --valid 91d", 2, "91d is more than", ""},
    {"token revoke A.b", 2, "token name 'A.b'", ""},
    {"rings check /nonexistent", 7, "/nonexistent", ""},
    {"rings check --hosts 0 " RW_TEST_DATA "/../../rings.json", 2, "--hosts", ""},
    {"fleet show 12", 2, "no endpoint id", "32 hex digits"},
    {"fleet list --limit 0", 2, "--limit", ""},
    {"audit verify /nonexistent", 7, "/nonexistent", ""},
    {"key generate", 2, "--out FILE is required", "--help"},
    {"key show /nonexistent", 7, "/nonexistent", ""},
    {"key generate --type rsa --out /nonexistent/x", 2, "rsa", ""},
    {"key show pkcs11:token=a;object=b", 2, "wants a PIN", "--pin-file"},
    {"trust init --spec x", 2, "--out DIR are required", "ringward trust init --help"},
    {"trust init --spec /nonexistent --out x", 7, "/nonexistent", ""},
    {"trust sign /nonexistent", 2, "--key KEY is required", "--help"},
    {"trust sign --key x /nonexistent", 7, "/nonexistent", ""},
    {"trust assemble /nonexistent", 2, "--out DIR is required", "--help"},
    {"trust assemble --out x /nonexistent", 7, "/nonexistent", ""},
    {"trust publish /nonexistent", 7, "/nonexistent", ""},
    {"trust rotate --out x", 2, "--role ROLE or --policy FILE", "ringward trust rotate --help"},
    {"trust rotate --role root,targets --threshold 1 --out x", 2, "exactly one role", ""},
    {"trust show /nonexistent", 7, "/nonexistent", ""},
};

TEST_EACH(a_wrong_command_line_is_refused_with_status_and_hint, wrong)
{
    RW_AUTO(outcome) struct outcome o = run(it->id);
    if (o.status != it->status) {
        fail_msg("exit status %d, want %d: %s", o.status, it->status, rw_buf_str(&o.complaint));
    }
    must_say(&o.complaint, "ringward: ");
    must_say(&o.complaint, it->says);
    must_say(&o.complaint, it->hint);
    assert_int_equal(o.out.n, 0);
}

static const struct verb {
    const char *id;
} verbs[] = {
    {"release create"},
    {"release sign"},
    {"release publish"},
    {"release list"},
    {"release withdraw"},
    {"release renew"},
    {"release expedite"},
    {"release orders"},
    {"release show"},
    {"rollout start"},
    {"rollout status"},
    {"rollout watch"},
    {"rollout history"},
    {"rollout pause"},
    {"rollout resume"},
    {"rollout promote"},
    {"rollout halt"},
    {"rollout rollback"},
    {"explain"},
    {"status"},
    {"fleet list"},
    {"fleet show"},
    {"rings check"},
    {"rings show"},
    {"audit show"},
    {"audit verify"},
    {"audit export"},
    {"key generate"},
    {"key show"},
    {"trust init"},
    {"trust show"},
    {"trust sign"},
    {"trust assemble"},
    {"trust publish"},
    {"trust rotate"},
    {"doctor"},
    {"rings diff"},
    {"rings publish"},
    {"second list"},
    {"second confirm"},
    {"second refuse"},
    {"drill create"},
    {"drill start"},
    {"drill list"},
    {"drill show"},
    {"webhook status"},
    {"webhook test"},
    {"control set"},
    {"control clear"},
    {"control list"},
    {"simulate"},
    {"token create"},
    {"token list"},
    {"token revoke"},
    {"release abandon"},
    {"fleet why"},
    {"fleet cohorts"},
    {"fleet dark"},
    {"hold"},
    {"pin"},
};

TEST_EACH(every_verb_explains_itself_with_an_example, verbs)
{
    char words[64];
    char example[64];
    (void)snprintf(words, sizeof(words), "%s --help", it->id);
    (void)snprintf(example, sizeof(example), "\n  ringward %s", it->id);
    RW_AUTO(outcome) struct outcome o = run(words);
    assert_int_equal(o.status, 0);
    assert_int_equal(o.complaint.n, 0);
    must_say(&o.out, "Usage: ringward ");
    must_say(&o.out, "\nOptions:\n");
    must_say(&o.out, "\nExamples:\n");
    must_say(&o.out, example);
}

/* docs/man/ringward.1 and docs/cli.md are written by hand; this keeps them true. */
TEST_EACH(every_verb_and_option_stands_in_the_manual, verbs)
{
    struct rw_err err = {0};
    char words[64];
    RW_AUTO(rw_buf) struct rw_buf manual = rw_buf_make(OUT_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf page = rw_buf_make(OUT_BYTES_MAX);
    MUST(rw_file_read(RW_TEST_DATA "/../../docs/man/ringward.1", OUT_BYTES_MAX, &manual, &err));
    MUST(rw_file_read(RW_TEST_DATA "/../../docs/cli.md", OUT_BYTES_MAX, &page, &err));
    (void)snprintf(words, sizeof(words), "ringward %s", it->id);
    must_say(&page, words);
    (void)snprintf(words, sizeof(words), "%s --help", it->id);
    RW_AUTO(outcome) struct outcome o = run(words);
    for (const char *p = strstr(rw_buf_str(&o.out), "\n  --"); p != NULL;
         p = strstr(p + 1, "\n  --")) {
        char option[64];
        int n = (int)strcspn(p + 5, " \n");
        (void)snprintf(option, sizeof(option), "Fl -%.*s", n, p + 5);
        must_say(&manual, option);
    }
}

static const struct group {
    const char *id;
} groups[] = {{"release"}, {"rollout"}, {"rings"}, {"fleet"},   {"audit"},   {"key"},
              {"trust"},   {"second"},  {"drill"}, {"control"}, {"webhook"}, {"token"}};

/* A verb that the program lists and this file does not know would go untested. */
TEST_EACH(the_list_of_a_group_holds_exactly_its_verbs, groups)
{
    size_t listed = 0;
    size_t known = 0;
    RW_AUTO(outcome) struct outcome o = run(it->id);
    assert_int_equal(o.status, 0);
    for (const char *p = strstr(rw_buf_str(&o.out), "\n  "); p != NULL; p = strstr(p + 1, "\n  ")) {
        listed++;
    }
    for (size_t i = 0; i < RW_LEN(verbs); i++) {
        size_t n = strlen(it->id);
        if (strncmp(verbs[i].id, it->id, n) != 0 || verbs[i].id[n] != ' ') { continue; }
        char line[64];
        (void)snprintf(line, sizeof(line), "\n  %s ", verbs[i].id + n + 1);
        must_say(&o.out, line);
        known++;
    }
    assert_int_equal(listed, known);
}

TEST(the_overview_lists_every_command)
{
    static const char *const names[] = {
        "\n  release ", "\n  rollout ", "\n  explain ",  "\n  status ", "\n  fleet ",  "\n  rings ",
        "\n  audit ",   "\n  key ",     "\n  trust ",    "\n  doctor ", "\n  second ", "\n  drill ",
        "\n  control ", "\n  webhook ", "\n  simulate ", "\n  token "};
    RW_AUTO(outcome) struct outcome o = run("--help");
    assert_int_equal(o.status, 0);
    for (size_t i = 0; i < RW_LEN(names); i++) {
        must_say(&o.out, names[i]);
    }
    must_say(&o.out, "Exit status");
    RW_AUTO(outcome) struct outcome bare = run("");
    assert_string_equal(rw_buf_str(&bare.out), rw_buf_str(&o.out));
}

TEST(the_version_is_told)
{
    RW_AUTO(outcome) struct outcome o = run("--version");
    assert_int_equal(o.status, 0);
    must_say(&o.out, "ringward ");
}

TEST(the_shipped_policy_is_explained_without_a_server)
{
    RW_AUTO(outcome)
    struct outcome o = run("rings check --hosts 5000 " RW_TEST_DATA "/../../rings.json");
    assert_int_equal(o.status, 0);
    must_say(&o.out, "canary    1.00%    0-99");
    must_say(&o.out, "warning: ring canary would hold about 50 endpoints; its gate needs 169");
    RW_AUTO(outcome)
    struct outcome large = run("rings check --hosts 500000 " RW_TEST_DATA "/../../rings.json");
    must_say(&large.out, "0 warnings");
}

TEST(a_key_file_is_never_overwritten)
{
    char dir[] = "/tmp/ringward-key-XXXXXX";
    char words[128];
    char path[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/a.key", dir);
    (void)snprintf(words, sizeof(words), "key generate -o json --out %s", path);
    RW_AUTO(outcome) struct outcome first = run(words);
    assert_int_equal(first.status, 0);
    RW_AUTO(outcome) struct outcome second = run(words);
    assert_int_equal(second.status, 9);
    must_say(&second.complaint, "never overwritten");
    (void)snprintf(words, sizeof(words), "key show -o json %s", path);
    RW_AUTO(outcome) struct outcome shown = run(words);
    assert_int_equal(shown.status, 0);
    assert_string_equal(rw_buf_str(&shown.out), rw_buf_str(&first.out));
    (void)unlink(path);
    (void)rmdir(dir);
}

RUN_TESTS(cmocka_unit_test(a_wrong_command_line_is_refused_with_status_and_hint),
          cmocka_unit_test(every_verb_explains_itself_with_an_example),
          cmocka_unit_test(every_verb_and_option_stands_in_the_manual),
          cmocka_unit_test(the_list_of_a_group_holds_exactly_its_verbs),
          cmocka_unit_test(the_overview_lists_every_command), cmocka_unit_test(the_version_is_told),
          cmocka_unit_test(the_shipped_policy_is_explained_without_a_server),
          cmocka_unit_test(a_key_file_is_never_overwritten))
