/* Goal: "21 declared, 20 supplied" is refused for its count and for nothing else, wildcard or literal; and a plain dry
 * run would have let both through. What the validator says of samples is true. */
#include "agent/prove/check_guard.h"
#include "agent/prove/check_template.h"
#include "common/box/samples_codec.h"
#include "tests/template_text.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { SUPPLIED = 20, DECLARED = 21 };

static struct rw_err err;

/* --- a toy engine without bounds, as the one that failed: what its dry runs would have said --- */
static bool toy_fits(const struct template_rule_criterion *c, const struct template_rule_value *v)
{
    return c->op == TEMPLATE_ANY || (v->present && v->text.n == c->literals[0].text.n &&
                                     memcmp(v->text.p, c->literals[0].text.p, v->text.n) == 0);
}

/* Plain: wildcards are not looked at, the first that does not fit ends it; the input lies among other memory. */
static void toy_plain(const struct template_instance *one)
{
    struct template_rule_value values[64] = {{.present = true, .type = TEMPLATE_STRING}};
    for (size_t i = 0; i < one->criterion_count; i++) {
        if (!toy_fits(&one->criteria[i], &values[i])) { return; }
    }
}

/* Every criterion forced, every value read, the input flush against a page that nobody may touch. */
static void toy_guarded(const struct template_instance *one)
{
    struct check_guard g;
    struct template_rule_value values[SUPPLIED] = {{.present = true, .type = TEMPLATE_STRING}};
    volatile size_t sum = 0; /* keeps the reads */
    MUST(check_guard_open(&g, sizeof(values), &err));
    const struct template_rule_value *at = check_guard_put(&g, values, sizeof(values));
    for (size_t i = 0; i < one->criterion_count; i++) {
        sum += at[i].text.n;
        sum += toy_fits(&one->criteria[i], &at[i]) ? 1 : 0;
    }
    (void)sum;
    check_guard_drop(&g);
}

/* The signal that ends it; 0: it comes to its end, which is all that a dry run sees. */
static int fate_of(void (*engine)(const struct template_instance *),
                   const struct template_instance *one)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        struct sigaction fallback = {.sa_handler =
                                         SIG_DFL}; /* the sanitizer's handler would tell of it */
        (void)sigaction(SIGSEGV, &fallback, NULL);
        engine(one);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static int memory_of(struct rw_span bytes)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.p, bytes.n), (ssize_t)bytes.n);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* Runs the validator in this process on content, events and the manifest (NULL: none). */
static void run(struct rw_span content, const char *const *samples, size_t count,
                const struct template_manifest *m, struct check_said *said)
{
    RW_AUTO(check_input) struct check_input in = check_input_make(TEMPLATE_CONTENT_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf blind = rw_buf_make(1 << 20);
    RW_AUTO(rw_buf) struct rw_buf manifest = rw_buf_make(TEMPLATE_MANIFEST_BYTES_MAX);
    uint8_t head[8];
    samples_blind_head((uint32_t)count, head);
    MUST(rw_buf_append(&blind, rw_span_of(head, 8), &err));
    for (size_t i = 0; i < count; i++) {
        samples_blind_one((uint32_t)strlen(samples[i]), head);
        MUST(rw_buf_append(&blind, rw_span_of(head, 4), &err));
        MUST(rw_buf_append_str(&blind, samples[i], &err));
    }
    if (m != NULL) {
        MUST(template_manifest_write(m, &manifest, &err));
        samples_blind_manifest((uint32_t)manifest.n, head);
        MUST(rw_buf_append(&blind, rw_span_of(head, 8), &err));
        MUST(rw_buf_append(&blind, rw_buf_span(&manifest), &err));
    }
    int content_fd = memory_of(content);
    int samples_fd = memory_of(rw_buf_span(&blind));
    MUST(check_input_read(&in, content_fd, samples_fd, &err));
    MUST(check_template_run(&in, said, &err));
    (void)close(content_fd);
    (void)close(samples_fd);
}

static const struct {
    const char *id;
    size_t declared;
    const char *last; /* criterion of the last field */
    int plain;        /* signal that ends the plain dry run of the toy */
    int guarded;
    const char *refused; /* what the real validator says; NULL: accepted */
} table[] = {
    {"20 fields", SUPPLIED, "{\"is\":\"x\"}", 0, 0, NULL},
    {"21 fields, wildcard in the 21st", DECLARED, "\"*\"", 0, SIGSEGV,
     "declares 21 fields, the sensor supplies 20"},
    {"21 fields, literal in the 21st", DECLARED, "{\"is\":\"x\"}", 0, SIGSEGV,
     "declares 21 fields, the sensor supplies 20"},
};

TEST_EACH(a_type_with_one_field_too_many_is_refused_by_comparison_only, table)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 16);
    RW_AUTO(template_set) struct template_set set = {.tree = NULL};
    RW_AUTO(check_said) struct check_said said = check_said_make();
    tt_wide(&text, it->declared, it->last);
    MUST(template_set_read(rw_buf_span(&text), &set, &err));
    assert_int_equal(fate_of(toy_plain, &set.instances[0]), it->plain);
    assert_int_equal(fate_of(toy_guarded, &set.instances[0]), it->guarded);
    run(rw_buf_span(&text), NULL, 0, tt_wide_manifest(SUPPLIED), &said);
    assert_int_equal(said.accepted, it->refused == NULL);
    if (it->refused != NULL && strstr(said.reason, it->refused) == NULL) {
        fail_msg("%s", said.reason);
    }
    assert_string_equal(said.facts[0].id, "schema");
    assert_int_equal(said.facts[0].ok, it->refused == NULL);
}

TEST(the_engine_itself_refuses_a_surplus_field_without_reading_it)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 16);
    RW_AUTO(template_set) struct template_set set = {.tree = NULL};
    RW_AUTO(check_guard) struct check_guard g = {.map = NULL};
    struct template_rule_value values[SUPPLIED] = {{.type = TEMPLATE_STRING}};
    tt_wide(&text, DECLARED, "{\"is\":\"x\"}");
    MUST(template_set_read(rw_buf_span(&text), &set, &err));
    MUST(check_guard_open(&g, sizeof(values), &err));
    const struct template_rule_value *at = check_guard_put(&g, values, sizeof(values));
    const struct template_instance *one = &set.instances[0];
    assert_int_equal(template_rule_match(one->criteria, one->criterion_count, at, SUPPLIED),
                     TEMPLATE_FAULT);
    assert_int_equal(template_rule_force(one->criteria, one->criterion_count, at, SUPPLIED).result,
                     TEMPLATE_FAULT);
}

static const char content[] =
    TT_CONTENT(TT_TYPES, "{\"id\":\"alerts\",\"type\":\"t\",\"action\":\"alert\",\"criteria\":[{"
                         "\"prefix\":\"a\"},\"*\",\"*\"]},"
                         "{\"id\":\"blocks\",\"type\":\"t\",\"action\":\"block\",\"criteria\":[{"
                         "\"prefix\":\"ab\"},{\"is\":1},\"*\"]}");

TEST(each_sample_is_answered_and_fields_are_covered_by_what_judged_them)
{
    RW_AUTO(check_said) struct check_said said = check_said_make();
    const char *const samples[] = {
        "{\"type\":\"t\",\"s\":\"abc\",\"n\":1}",
        "{\"type\":\"t\",\"s\":\"a\"}",
        "\177ELF no event",
        "{\"type\":\"t\",\"s\":\"b\"}\nnoise\n  {\"type\":\"t\",\"s\":\"ab\",\"n\":1}\n",
        "",
    };
    run(rw_span_str(content), samples, RW_LEN(samples), tt_manifest(), &said);
    if (!said.accepted) { fail_msg("%s", said.reason); }
    assert_string_equal(rw_buf_str(&said.hits), "12010");
    assert_int_equal(said.rules, 2);
    assert_string_equal(rw_buf_str(&said.named), "blocks"); /* the gravest, not the first */
    assert_int_equal(said.covered_count, 3);
    const char *covered = rw_buf_str(&said.covered);
    assert_string_equal(covered, "t/s:0,1,3");
    covered += strlen(covered) + 1;
    assert_string_equal(covered, "t/n:0,3");
    covered += strlen(covered) + 1;
    assert_string_equal(covered, "t/a:"); /* nothing but wildcards */
}

TEST(without_a_manifest_nothing_is_accepted)
{
    RW_AUTO(check_said) struct check_said said = check_said_make();
    run(rw_span_str(content), NULL, 0, NULL, &said);
    assert_false(said.accepted);
    assert_non_null(strstr(said.reason, "no manifest"));
}

TEST(what_does_not_read_is_refused_with_its_line)
{
    RW_AUTO(check_said) struct check_said said = check_said_make();
    run(rw_span_str("{\n\"format\":1}"), NULL, 0, tt_manifest(), &said);
    assert_false(said.accepted);
    assert_non_null(strstr(said.reason, "line 2"));
}

static void long_name(char dst[static TEMPLATE_NAME_BYTES], const char *what, size_t number)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%s%02zu_%.*s", what, number,
                   TEMPLATE_NAME_BYTES - 4 - (int)strlen(what),
                   "as_long_as_they_are_allowed_to_be");
    assert_int_equal(strlen(name), TEMPLATE_NAME_BYTES - 1);
    memmove(dst, name, strlen(name) + 1);
}

TEST(the_object_of_the_verdict_pipe_fits_the_largest_content)
{
    RW_AUTO(check_said) struct check_said said = check_said_make();
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 20);
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(CHECK_SAID_BYTES_MAX);
    struct template_manifest *m = tt_wide_manifest(TEMPLATE_FIELDS_MAX);
    MUST(rw_buf_append_str(
        &text, "{\"format\":\"ringward-template-1\",\"sensor_min\":1,\"types\":[", &err));
    for (int t = 0; t < TEMPLATE_FIELDS_TOTAL_MAX / TEMPLATE_FIELDS_MAX; t++) {
        m->types[t] = m->types[0];
        long_name(m->types[t].name, "type", (size_t)t);
        MUST(rw_buf_appendf(&text, &err, "%s{\"name\":\"%s\",\"fields\":[", t > 0 ? "," : "",
                            m->types[t].name));
        for (size_t f = 0; f < TEMPLATE_FIELDS_MAX; f++) {
            long_name(m->types[t].fields[f].name, "field", f);
            MUST(rw_buf_appendf(&text, &err, "%s{\"name\":\"%s\",\"type\":\"string\"}",
                                f > 0 ? "," : "", m->types[t].fields[f].name));
        }
        MUST(rw_buf_append_str(&text, "]}", &err));
    }
    m->type_count = TEMPLATE_FIELDS_TOTAL_MAX / TEMPLATE_FIELDS_MAX;
    MUST(rw_buf_appendf(&text, &err,
                        "],\"instances\":[{\"id\":\"x\",\"type\":\"%s\",\"action\":\"block\","
                        "\"criteria\":[\"*\"",
                        m->types[0].name));
    for (int f = 1; f < TEMPLATE_FIELDS_MAX; f++) {
        MUST(rw_buf_append_str(&text, ",\"*\"", &err));
    }
    MUST(rw_buf_append_str(&text, "]}]}", &err));
    run(rw_buf_span(&text), NULL, 0, m, &said);
    if (!said.accepted) { fail_msg("%s", said.reason); }
    assert_int_equal(said.covered_count, TEMPLATE_FIELDS_TOTAL_MAX);
    MUST(check_said_write(&said, &out, &err));
    /* What was not needed here: all digits, all names, three samples for each field. */
    size_t rest = SAMPLES_BLIND_COUNT_MAX + CHECK_SAID_NAMED_MAX * (CHECK_SAID_NAME_BYTES + 3) +
                  (size_t)TEMPLATE_FIELDS_TOTAL_MAX * 3 * sizeof("6143");
    assert_true(out.n + rest < CHECK_SAID_BYTES_MAX);
}

RUN_TESTS(cmocka_unit_test(a_type_with_one_field_too_many_is_refused_by_comparison_only),
          cmocka_unit_test(the_engine_itself_refuses_a_surplus_field_without_reading_it),
          cmocka_unit_test(each_sample_is_answered_and_fields_are_covered_by_what_judged_them),
          cmocka_unit_test(without_a_manifest_nothing_is_accepted),
          cmocka_unit_test(what_does_not_read_is_refused_with_its_line),
          cmocka_unit_test(the_object_of_the_verdict_pipe_fits_the_largest_content))
