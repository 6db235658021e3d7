/* Metadata of any type, through shape, key objects and signature counting: no document without a signature of a key
 * that it does not bring itself may satisfy a foreign authority. */
#include "common/tuf/tuf_doc.h"
#include "common/tuf/tuf_path.h"
#include "common/tuf/tuf_sigset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const types[] = {"root", "timestamp", "snapshot", "targets"};

static void use_root(const struct tuf_doc *doc)
{
    struct rw_err err = {0};
    for (size_t i = 0; i < RW_LEN(types); i++) {
        RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
        unsigned votes = 0;
        if (!rw_is_ok(tuf_sigset_of_root(doc, types[i], &a, &err))) { continue; }
        RW_ASSERT(a.threshold >= 1 && a.count <= TUF_KEYS_MAX);
        struct rw_rc rc = tuf_sigset_check(doc, &a, &votes, &err);
        RW_ASSERT(!rw_is_ok(rc) || votes >= a.threshold);
    }
}

static void use_targets(const struct tuf_doc *doc)
{
    struct rw_err err = {0};
    const struct json *delegations = json_find(doc->signed_part, "delegations");
    const struct json *roles = delegations == NULL ? NULL : json_find(delegations, "roles");
    for (const struct json *r = roles == NULL ? NULL : json_first(roles); r != NULL;
         r = json_next(r)) {
        char name[64];
        char file[256];
        bool covered = false;
        RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
        RW_IGNORE(tuf_path_covered(r, "content/yara/2.rwc", &covered, &err), "either way");
        if (!rw_is_ok(json_get_str(r, "name", name, sizeof(name), &err))) { continue; }
        RW_ASSERT(rw_is_ok(tuf_path_metadata_name(name, 1, file, sizeof(file), &err)));
        RW_IGNORE(tuf_sigset_of_delegation(doc, name, &a, &err), "either way");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < RW_LEN(types); i++) {
        struct rw_err err = {0};
        struct tuf_meta meta;
        RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
        if (!rw_is_ok(tuf_doc_parse(rw_span_of(data, size), types[i], &doc, &err))) { continue; }
        RW_ASSERT(doc.version >= 1 && doc.canon.n > 0);
        if (i == 0) { use_root(&doc); }
        if (i == 1 && rw_is_ok(tuf_doc_meta(&doc, "snapshot.json", &meta, &err))) {
            RW_IGNORE(tuf_doc_check_bytes(&meta, "snapshot.json", rw_span_of(data, size), &err),
                      "either way");
        }
        if (i == 3) { use_targets(&doc); }
    }
    return 0;
}
