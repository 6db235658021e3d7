/* Files that people carry to a ceremony and back: unsigned documents, detached signatures, public and private keys. The
 * first byte chooses. Nothing in a folder makes a signature count that was not for this document. */
#include "common/crypto/key_public.h"
#include "server/cli/cmd_trust_file.h"
#include "tests/fuzz/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void path_of(const char *name, char dst[static CMD_TRUST_PATH_BYTES])
{
    (void)snprintf(dst, CMD_TRUST_PATH_BYTES, "%s/%s", fuzz_folder_path, name);
}

static void use_document(const char *path)
{
    struct rw_err err;
    struct cmd_trust_file f;
    if (!rw_is_ok(cmd_trust_file_read(path, &f, &err))) { return; }
    RW_ASSERT(f.version >= 1 && strlen(f.sha256) == DIGEST_HEX_BYTES - 1);
    RW_ASSERT(strcmp(f.type, "root") == 0 || strcmp(f.type, "targets") == 0);
    cmd_trust_file_drop(&f);
}

static void use_key(const char *path)
{
    struct rw_err err;
    RW_AUTO(key) struct key public = {.scheme = KEY_UNKNOWN};
    RW_AUTO(key) struct key private = {.scheme = KEY_UNKNOWN};
    if (rw_is_ok(key_public_read(path, &public, &err))) {
        RW_ASSERT(public.pkey != NULL && public.scheme != KEY_UNKNOWN);
    }
    if (rw_is_ok(key_load_private(path, NULL, &private, &err))) { RW_ASSERT(private.pkey != NULL); }
}

/* root.json, one signature beside it, a content role, rings.json: cut at NUL bytes. */
static void use_folder(struct rw_span rest)
{
    struct rw_err err;
    struct trust_bundle b;
    int dir = fuzz_folder();
    fuzz_folder_put_at(dir, "root.json", fuzz_folder_piece(&rest));
    fuzz_folder_put_at(dir, "root.json.0123456789abcdef.sig", fuzz_folder_piece(&rest));
    if (rest.n > 0) { fuzz_folder_put_at(dir, "content-yara.json", fuzz_folder_piece(&rest)); }
    if (rest.n > 0) { fuzz_folder_put_at(dir, "rings.json", fuzz_folder_piece(&rest)); }
    if (rw_is_ok(cmd_trust_file_gather(fuzz_folder_path, &b, &err))) {
        RW_ASSERT(b.root.doc.tree != NULL && json_count(b.root.doc.signatures) == 1);
        RW_ASSERT(!rw_is_ok(trust_bundle_check_first(&b, (struct rw_wall){1}, &err)));
        trust_bundle_drop(&b);
    }
    if (rw_is_ok(trust_bundle_load(fuzz_folder_path, &b, &err))) {
        RW_IGNORE(trust_bundle_check_first(&b, (struct rw_wall){1}, &err), "either way");
        trust_bundle_drop(&b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[CMD_TRUST_PATH_BYTES];
    if (size == 0) { return 0; }
    int dir = fuzz_folder();
    struct rw_span rest = rw_span_of(data + 1, size - 1);
    fuzz_folder_empty();
    if (data[0] % 3 == 0) {
        use_folder(rest);
        return 0;
    }
    fuzz_folder_put_at(dir, "file", rest);
    path_of("file", path);
    if (data[0] % 3 == 1) {
        use_document(path);
    } else {
        use_key(path);
    }
    return 0;
}
