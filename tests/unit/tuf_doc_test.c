/* Goal: a metadata file has exactly the shape of its type or is refused before any signature is looked at. */
#include "common/tuf/tuf_doc.h"

#include "common/base/num.h"
#include "common/tuf/tuf_client.h"
#include "tests/harness.h"

#define ROLE "{\"keyids\":[\"k\"],\"threshold\":1}"
#define ROLES                                                                                      \
    "\"roles\":{\"root\":" ROLE ",\"timestamp\":" ROLE ",\"snapshot\":" ROLE ",\"targets\":" ROLE  \
    "}"
#define HEAD(type)                                                                                 \
    "\"_type\":\"" type                                                                            \
    "\",\"spec_version\":\"1.0.31\",\"version\":1,\"expires\":\"2030-01-01T00:00:00Z\""
#define FILE_OF(signed_text) "{\"signatures\":[],\"signed\":{" signed_text "}}"
#define GOOD_ROOT            HEAD("root") ",\"keys\":{}," ROLES
#define TARGETS              HEAD("targets") ",\"targets\":{}"
#define DELEGATED(role)      FILE_OF(TARGETS ",\"delegations\":{\"keys\":{},\"roles\":[" role "]}")
#define EDGE                 "\"name\":\"a\",\"keyids\":[],\"threshold\":1,\"terminating\":true"

static const struct doc_row {
    const char *id;
    const char *type;
    enum rw_code want;
    const char *text;
} docs[] = {
    {"root", "root", RW_E_NONE, FILE_OF(GOOD_ROOT)},
    {"timestamp", "timestamp", RW_E_NONE,
     FILE_OF(HEAD("timestamp") ",\"meta\":{\"snapshot.json\":{\"version\":1}}")},
    {"snapshot", "snapshot", RW_E_NONE, FILE_OF(HEAD("snapshot") ",\"meta\":{}")},
    {"targets", "targets", RW_E_NONE, FILE_OF(TARGETS)},
    {"delegating_targets", "targets", RW_E_NONE, DELEGATED("{" EDGE ",\"paths\":[]}")},
    {"unknown_members_are_kept", "targets", RW_E_NONE, FILE_OF(TARGETS ",\"x-any\":[1]")},
    {"no_object", "root", RW_E_SCHEMA, "[]"},
    {"no_signed", "root", RW_E_SCHEMA, "{\"signatures\":[]}"},
    {"no_signatures", "root", RW_E_SCHEMA, "{\"signed\":{" GOOD_ROOT "}}"},
    {"signatures_no_list", "root", RW_E_SCHEMA, "{\"signatures\":{},\"signed\":{" GOOD_ROOT "}}"},
    {"signature_no_object", "root", RW_E_SCHEMA, "{\"signatures\":[1],\"signed\":{" GOOD_ROOT "}}"},
    {"signature_without_keyid", "root", RW_E_SCHEMA,
     "{\"signatures\":[{\"sig\":\"\"}],\"signed\":{" GOOD_ROOT "}}"},
    {"signature_without_sig", "root", RW_E_SCHEMA,
     "{\"signatures\":[{\"keyid\":\"k\"}],\"signed\":{" GOOD_ROOT "}}"},
    {"one_key_id_twice", "root", RW_E_SCHEMA,
     "{\"signatures\":[{\"keyid\":\"k\",\"sig\":\"1\"},{\"keyid\":\"l\",\"sig\":\"1\"},{\"keyid\":"
     "\"k\",\"sig\":\"2\"}],"
     "\"signed\":{" GOOD_ROOT "}}"},
    {"duplicate_member_in_the_envelope", "root", RW_E_SYNTAX,
     "{\"signatures\":[],\"signatures\":[],\"signed\":{" GOOD_ROOT "}}"},
    {"another_type", "timestamp", RW_E_TUF_ROLE, FILE_OF(GOOD_ROOT)},
    {"type_of_other_case", "root", RW_E_TUF_ROLE, FILE_OF(HEAD("Root") ",\"keys\":{}," ROLES)},
    {"no_type", "root", RW_E_SCHEMA, FILE_OF("\"version\":1")},
    {"major_2", "snapshot", RW_E_SCHEMA,
     FILE_OF("\"_type\":\"snapshot\",\"spec_version\":\"2.0.0\",\"version\":1,\"expires\":\"2030-"
             "01-01T00:00:00Z\",\"meta\":{}")},
    {"major_10", "snapshot", RW_E_SCHEMA,
     FILE_OF("\"_type\":\"snapshot\",\"spec_version\":\"10.0\",\"version\":1,\"expires\":\"2030-01-"
             "01T00:00:00Z\",\"meta\":{}")},
    {"version_0", "snapshot", RW_E_RANGE,
     FILE_OF("\"_type\":\"snapshot\",\"spec_version\":\"1.0\",\"version\":0,\"expires\":\"2030-01-"
             "01T00:00:00Z\",\"meta\":{}")},
    {"version_negative", "snapshot", RW_E_RANGE,
     FILE_OF("\"_type\":\"snapshot\",\"spec_version\":\"1.0\",\"version\":-1,\"expires\":\"2030-01-"
             "01T00:00:00Z\",\"meta\":{}")},
    {"version_as_text", "snapshot", RW_E_SCHEMA,
     FILE_OF("\"_type\":\"snapshot\",\"spec_version\":\"1.0\",\"version\":\"1\",\"expires\":\"2030-"
             "01-01T00:00:00Z\",\"meta\":{}")},
    {"expires_without_zone", "snapshot", RW_E_SYNTAX,
     FILE_OF("\"_type\":\"snapshot\",\"spec_version\":\"1.0\",\"version\":1,\"expires\":\"2030-01-"
             "01T00:00:00\",\"meta\":{}")},
    {"no_meta", "snapshot", RW_E_SCHEMA, FILE_OF(HEAD("snapshot"))},
    {"meta_version_0", "snapshot", RW_E_RANGE,
     FILE_OF(HEAD("snapshot") ",\"meta\":{\"a.json\":{\"version\":0}}")},
    {"meta_without_version", "snapshot", RW_E_SCHEMA,
     FILE_OF(HEAD("snapshot") ",\"meta\":{\"a.json\":{}}")},
    {"meta_no_object", "snapshot", RW_E_SCHEMA,
     FILE_OF(HEAD("snapshot") ",\"meta\":{\"a.json\":1}")},
    {"meta_length_negative", "snapshot", RW_E_RANGE,
     FILE_OF(HEAD("snapshot") ",\"meta\":{\"a.json\":{\"version\":1,\"length\":-1}}")},
    {"meta_with_unknown_hashes_only", "snapshot", RW_E_SCHEMA,
     FILE_OF(HEAD("snapshot") ",\"meta\":{\"a.json\":{\"version\":1,\"hashes\":{\"md5\":\"x\"}}}")},
    {"root_without_a_role", "root", RW_E_SCHEMA,
     FILE_OF(HEAD("root") ",\"keys\":{},\"roles\":{\"root\":" ROLE ",\"timestamp\":" ROLE
                          ",\"snapshot\":" ROLE "}")},
    {"root_without_keys", "root", RW_E_SCHEMA, FILE_OF(HEAD("root") "," ROLES)},
    {"threshold_0_would_switch_verification_off", "root", RW_E_RANGE,
     FILE_OF(HEAD("root") ",\"keys\":{},\"roles\":{\"root\":{\"keyids\":[],\"threshold\":0},"
                          "\"timestamp\":" ROLE ",\"snapshot\":" ROLE ",\"targets\":" ROLE "}")},
    {"threshold_negative", "root", RW_E_RANGE,
     FILE_OF(HEAD("root") ",\"keys\":{},\"roles\":{\"root\":{\"keyids\":[],\"threshold\":-1},"
                          "\"timestamp\":" ROLE ",\"snapshot\":" ROLE ",\"targets\":" ROLE "}")},
    {"key_id_that_is_no_string", "root", RW_E_SCHEMA,
     FILE_OF(HEAD("root") ",\"keys\":{},\"roles\":{\"root\":{\"keyids\":[1],\"threshold\":1},"
                          "\"timestamp\":" ROLE ",\"snapshot\":" ROLE ",\"targets\":" ROLE "}")},
    {"targets_without_targets", "targets", RW_E_SCHEMA, FILE_OF(HEAD("targets"))},
    {"target_without_length", "targets", RW_E_SCHEMA,
     FILE_OF(HEAD("targets") ",\"targets\":{\"a\":{\"hashes\":{\"sha256\":\"\"}}}")},
    {"target_without_hashes", "targets", RW_E_SCHEMA,
     FILE_OF(HEAD("targets") ",\"targets\":{\"a\":{\"length\":1}}")},
    {"target_length_negative", "targets", RW_E_RANGE,
     FILE_OF(HEAD("targets") ",\"targets\":{\"a\":{\"length\":-1,\"hashes\":{}}}")},
    {"delegated_threshold_0", "targets", RW_E_RANGE,
     DELEGATED("{\"name\":\"a\",\"keyids\":[],\"threshold\":0,\"terminating\":true,\"paths\":[]}")},
    {"delegation_without_name", "targets", RW_E_SCHEMA,
     DELEGATED("{\"keyids\":[],\"threshold\":1,\"terminating\":true,\"paths\":[]}")},
    {"delegation_without_terminating", "targets", RW_E_SCHEMA,
     DELEGATED("{\"name\":\"a\",\"keyids\":[],\"threshold\":1,\"paths\":[]}")},
    {"delegation_without_paths", "targets", RW_E_SCHEMA, DELEGATED("{" EDGE "}")},
    {"delegation_with_both_kinds_of_paths", "targets", RW_E_SCHEMA,
     DELEGATED("{" EDGE ",\"paths\":[],\"path_hash_prefixes\":[]}")},
    {"delegation_to_root", "targets", RW_E_SCHEMA,
     DELEGATED(
         "{\"name\":\"root\",\"keyids\":[],\"threshold\":1,\"terminating\":true,\"paths\":[]}")},
    {"delegation_to_targets", "targets", RW_E_SCHEMA,
     DELEGATED(
         "{\"name\":\"targets\",\"keyids\":[],\"threshold\":1,\"terminating\":true,\"paths\":[]}")},
    {"one_role_delegated_twice", "targets", RW_E_SCHEMA,
     DELEGATED("{" EDGE ",\"paths\":[]},{\"name\":\"b\",\"keyids\":[],\"threshold\":1,"
               "\"terminating\":true,\"paths\":[]},"
               "{" EDGE ",\"paths\":[\"x\"]}")},
    {"succinct_roles_are_refused_loudly", "targets", RW_E_SCHEMA,
     FILE_OF(TARGETS ",\"delegations\":{\"keys\":{},\"succinct_roles\":{}}")},
    {"delegations_no_object", "targets", RW_E_SCHEMA, FILE_OF(TARGETS ",\"delegations\":[]")},
};

TEST_EACH(a_file_has_the_shape_of_its_type, docs)
{
    struct rw_err err = {0};
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    MUST_FAIL(tuf_doc_parse(rw_span_str(it->text), it->type, &doc, &err), it->want);
    assert_int_equal(doc.tree == NULL, it->want != RW_E_NONE);
    if (it->want == RW_E_NONE) {
        assert_int_equal(doc.version, 1);
        assert_int_equal(doc.expires.s, 1893456000);
        assert_true(doc.canon.n > 0);
    }
}

static void repeat(struct rw_buf *b, const char *form, int count)
{
    struct rw_err err = {0};
    for (int i = 0; i < count; i++) {
        if (i > 0) { MUST(rw_buf_append_str(b, ",", &err)); }
        for (const char *p = form; *p != '\0'; p++) {
            if (*p == '#') {
                MUST(rw_buf_appendf(b, &err, "%d", i));
            } else {
                MUST(rw_buf_append(b, rw_span_of(p, 1), &err));
            }
        }
    }
}

TEST(numbers_of_signatures_keys_and_delegations_are_limited)
{
    for (int more = 0; more <= 1; more++) {
        struct rw_err err = {0};
        enum rw_code want = more == 0 ? RW_E_NONE : RW_E_TOO_BIG;
        RW_AUTO(rw_buf) struct rw_buf sigs = rw_buf_make(100000);
        RW_AUTO(rw_buf) struct rw_buf roles = rw_buf_make(100000);
        RW_AUTO(rw_buf) struct rw_buf keys = rw_buf_make(100000);
        RW_AUTO(tuf_doc) struct tuf_doc a = {0};
        RW_AUTO(tuf_doc) struct tuf_doc b = {0};
        RW_AUTO(tuf_doc) struct tuf_doc c = {0};
        MUST(rw_buf_append_str(&sigs, "{\"signatures\":[", &err));
        repeat(&sigs, "{\"keyid\":\"#\",\"sig\":\"\"}", TUF_SIGNATURES_MAX + more);
        MUST(rw_buf_append_str(&sigs, "],\"signed\":{" GOOD_ROOT "}}", &err));
        MUST_FAIL(tuf_doc_parse(rw_buf_span(&sigs), "root", &a, &err), want);
        MUST(rw_buf_append_str(&roles,
                               "{\"signatures\":[],\"signed\":{" TARGETS
                               ",\"delegations\":{\"keys\":{},\"roles\":[",
                               &err));
        repeat(&roles,
               "{\"name\":\"r#\",\"keyids\":[],\"threshold\":1,\"terminating\":true,\"paths\":[]}",
               TUF_DELEGATIONS_MAX + more);
        MUST(rw_buf_append_str(&roles, "]}}}", &err));
        MUST_FAIL(tuf_doc_parse(rw_buf_span(&roles), "targets", &b, &err), want);
        MUST(rw_buf_append_str(
            &keys,
            "{\"signatures\":[],\"signed\":{" TARGETS
            ",\"delegations\":{\"keys\":{},\"roles\":[{\"name\":\"a\",\"keyids\":[",
            &err));
        repeat(&keys, "\"#\"", TUF_KEYS_MAX + more);
        MUST(rw_buf_append_str(&keys, "],\"threshold\":1,\"terminating\":true,\"paths\":[]}]}}}",
                               &err));
        MUST_FAIL(tuf_doc_parse(rw_buf_span(&keys), "targets", &c, &err), want);
    }
}

static const struct meta_row {
    const char *id;
    const char *entry; /* of a.json; NULL: none */
    enum rw_code listed, bytes;
} metas[] = {
    {"version_only_accepts_any_bytes", "{\"version\":3}", RW_E_NONE, RW_E_NONE},
    {"length_fits", "{\"version\":3,\"length\":3}", RW_E_NONE, RW_E_NONE},
    {"length_too_small", "{\"version\":3,\"length\":2}", RW_E_NONE, RW_E_TUF_HASH},
    {"length_too_great", "{\"version\":3,\"length\":4}", RW_E_NONE, RW_E_TUF_HASH},
    {"hash_fits",
     "{\"version\":3,\"hashes\":{\"sha256\":"
     "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}}",
     RW_E_NONE, RW_E_NONE},
    {"hash_in_capitals",
     "{\"version\":3,\"hashes\":{\"sha256\":"
     "\"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD\"}}",
     RW_E_NONE, RW_E_TUF_HASH},
    {"another_hash", "{\"version\":3,\"length\":3,\"hashes\":{\"sha256\":\"00\"}}", RW_E_NONE,
     RW_E_TUF_HASH},
    {"empty_hash_is_not_no_hash", "{\"version\":3,\"hashes\":{\"sha256\":\"\"}}", RW_E_NONE,
     RW_E_TUF_HASH},
    {"not_listed", NULL, RW_E_TUF_ROLE, RW_E_NONE},
};

TEST_EACH(length_and_hash_are_checked_when_given, metas)
{
    struct rw_err err = {0};
    struct tuf_meta meta;
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(2000);
    MUST(rw_buf_appendf(
        &text, &err, "{\"signatures\":[],\"signed\":{" HEAD("snapshot") ",\"meta\":{%s%s}}}",
        it->entry == NULL ? "" : "\"a.json\":", it->entry == NULL ? "" : it->entry));
    MUST(tuf_doc_parse(rw_buf_span(&text), "snapshot", &doc, &err));
    MUST_FAIL(tuf_doc_meta(&doc, "a.json", &meta, &err), it->listed);
    if (it->listed != RW_E_NONE) { return; }
    assert_int_equal(meta.version, 3);
    MUST_FAIL(tuf_doc_check_bytes(&meta, "a.json", rw_span_str("abc"), &err), it->bytes);
}

static const struct made_row {
    const char *id;
    const char *member;
    int64_t made_s;
} mades[] = {
    {"not_said", "", 0},
    {"said", ",\"x-ringward-made\":\"2029-12-31T23:59:59Z\"", 1893455999},
    {"at_its_end", ",\"x-ringward-made\":\"2030-01-01T00:00:00Z\"", 0},
    {"after_its_end", ",\"x-ringward-made\":\"2031-01-01T00:00:00Z\"", 0},
    {"a_number", ",\"x-ringward-made\":1893455999", 0},
    {"no_time", ",\"x-ringward-made\":\"yesterday\"", 0},
};

/* Only a hint: what cannot be read, or means something else to whoever wrote it, refuses nothing. */
TEST_EACH(when_a_document_was_made_is_read_and_never_refused, mades)
{
    struct rw_err err = {0};
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(2000);
    MUST(rw_buf_appendf(&text, &err, "{\"signatures\":[],\"signed\":{" TARGETS "%s}}", it->member));
    MUST(tuf_doc_parse(rw_buf_span(&text), "targets", &doc, &err));
    assert_int_equal(doc.made.s, it->made_s);
}

RUN_TESTS(cmocka_unit_test(a_file_has_the_shape_of_its_type),
          cmocka_unit_test(when_a_document_was_made_is_read_and_never_refused),
          cmocka_unit_test(numbers_of_signatures_keys_and_delegations_are_limited),
          cmocka_unit_test(length_and_hash_are_checked_when_given))
