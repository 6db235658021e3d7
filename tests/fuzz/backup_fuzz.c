/* The two files that say what a backup holds, as restore and check read them. A list of hashes leads nowhere but below
 * its folder and is written back to the same; backup.json is refused or says what it must. The first byte chooses. */
#include "server/backup_file.c"
#include "server/backup_rule.c"
#include "server/server_backup.c"
#include "server/store/store.h"
#include "tests/fuzz/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static RW_RC write_again(void *ctx, const char *path, const uint8_t sha256[static DIGEST_BYTES],
                         struct rw_err *err)
{
    RW_ASSERT(path[0] != '/' && strstr(path, "//") == NULL && strstr(path, "/../") == NULL);
    RW_ASSERT(strncmp(path, "../", 3) != 0 && strcmp(path, "..") != 0);
    size_t n = strlen(path);
    RW_ASSERT(n > 0 && (n < 3 || strcmp(path + n - 3, "/..") != 0));
    return backup_file_list_add(ctx, sha256, path, err);
}

static void try_list(struct rw_span text)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf again = rw_buf_make(BACKUP_FILE_LIST_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf lower = rw_buf_make(BACKUP_FILE_LIST_BYTES_MAX);
    if (!rw_is_ok(backup_file_list_each(text, write_again, &again, &err))) { return; }
    RW_ASSERT(again.n == text.n);
    RW_ASSERT(rw_is_ok(backup_file_list_each(rw_buf_span(&again), write_again, &lower, &err)));
    RW_ASSERT(rw_span_eq(rw_buf_span(&again), rw_buf_span(&lower)));
}

static void try_about(struct rw_span text)
{
    struct rw_err err;
    struct server_backup_about about = {.files = 0};
    char hex[DIGEST_HEX_BYTES];
    fuzz_folder_put_at(fuzz_folder(), about_name, text);
    if (!rw_is_ok(read_about(fuzz_folder(), &about, hex, &err))) { return; }
    RW_ASSERT(about.store_schema >= 1 && about.at.s >= 0);
    RW_ASSERT(memchr(hex, '\0', sizeof(hex)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) { return 0; }
    struct rw_span rest = rw_span_of(data + 1, size - 1);
    if (data[0] % 2 == 0) {
        try_list(rest);
    } else {
        try_about(rest);
    }
    return 0;
}
