#include "server/cli/cmd_release.h"

#include "common/base/file.h"
#include "common/box/samples_codec.h"
#include "server/cli/cli_view.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SAMPLE_BYTES_MAX = 16 * 1024 * 1024 };

/* Everything that goes into the file; the list borrows from the blocks. */
struct pack {
    struct samples_list list;
    struct rw_buf blocks[SAMPLES_COUNT_MAX];
    size_t total_bytes;
};

typedef struct pack *pack;

static void pack_drop(pack *p)
{
    if (*p == NULL) { return; }
    for (size_t i = 0; i < (*p)->list.count; i++) {
        rw_buf_drop(&(*p)->blocks[i]);
    }
    samples_list_drop(&(*p)->list);
    rw_mem_free(*p);
    *p = NULL;
}

static RW_RC add_file(struct pack *p, int dir, const char *name, bool must_match,
                      struct rw_err *err)
{
    size_t i = p->list.count;
    if (i == SAMPLES_COUNT_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "more than %d samples", SAMPLES_COUNT_MAX);
    }
    p->blocks[i] = rw_buf_make(SAMPLE_BYTES_MAX);
    struct rw_rc rc = rw_file_read_at(dir, name, SAMPLE_BYTES_MAX, &p->blocks[i], err);
    if (!rw_is_ok(rc)) {
        rw_buf_drop(&p->blocks[i]);
        return rc;
    }
    p->list.at[i] = (struct samples_one){must_match, rw_buf_span(&p->blocks[i])};
    p->list.count++;
    p->total_bytes += p->blocks[i].n;
    if (p->total_bytes > SAMPLES_BYTES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "the samples hold more than %d MiB",
                       SAMPLES_BYTES_MAX / (1024 * 1024));
    }
    return RW_OK;
}

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static void entries_drop(struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++) {
        rw_mem_free(entries[i]);
    }
    rw_mem_free(entries);
}

/* The plain files of a folder in order of name, so that the same folder gives the same file. */
static RW_RC add_folder(struct pack *p, const char *path, bool must_match, struct rw_err *err)
{
    struct dirent **entries = NULL;
    RW_AUTO(rw_fd) rw_fd dir = -1;
    if (path == NULL) { return RW_OK; }
    RW_TRY(rw_dir_open(path, &dir, err));
    int count = scandirat(dir, ".", &entries, visible, alphasort);
    if (count < 0) { return rw_fail_errno(err, RW_E_IO, errno, "folder '%s'", path); }
    struct rw_rc rc = RW_OK;
    for (int i = 0; i < count && rw_is_ok(rc); i++) {
        struct stat st;
        if (fstatat(dir, entries[i]->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(st.st_mode)) {
            continue;
        }
        rc = add_file(p, dir, entries[i]->d_name, must_match, err);
        if (!rw_is_ok(rc)) { RW_IGNORE(rw_wrap(err, "%s", path), "told below"); }
    }
    entries_drop(entries, count);
    return rc;
}

static RW_RC run(const char *match, const char *leave, const char *out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SAMPLES_BYTES_MAX);
    RW_AUTO(pack) pack p = rw_mem_new(sizeof(*p));
    if (p == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for samples"); }
    p->list.at = rw_mem_new_array(SAMPLES_COUNT_MAX, sizeof(*p->list.at));
    if (p->list.at == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for samples"); }
    RW_TRY(add_folder(p, match, true, err));
    size_t matching = p->list.count;
    RW_TRY(add_folder(p, leave, false, err));
    if (p->list.count == 0) { return rw_fail(err, RW_E_USAGE, "the folders hold no plain file"); }
    RW_TRY(samples_write(&p->list, &text, err));
    RW_TRY(rw_file_replace(out, 0644, rw_buf_span(&text), err));
    printf("%s: %zu samples that must match, %zu that must not, %zu bytes\n", out, matching,
           p->list.count - matching, text.n);
    return cli_view_flush(err);
}

RW_RC cmd_release_samples(int argc, char **argv, struct rw_err *err)
{
    const char *match = NULL;
    const char *leave = NULL;
    const char *out = NULL;
    const struct opt opts[] = {
        {"must-match", "DIR", "folder of files that the content must detect", &match, NULL},
        {"must-not-match", "DIR", "folder of files that it must leave alone", &leave, NULL},
        {"out", "FILE", "file to write (required)", &out, NULL},
    };
    const struct opt_command command = {
        .program = "ringward release samples",
        .usage = "",
        .about = "Packs files into one file of samples for 'release create --samples'. The box "
                 "tries them\n"
                 "all: a missed or a wrong match refuses the release.",
        .examples = "  ringward release samples --must-match bad/ --must-not-match clean/ "
                    "--out rules.rws\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    struct cli_view_args args = {0};
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    if (out == NULL || (match == NULL && leave == NULL)) {
        return rw_fail(err, RW_E_USAGE,
                       "--out and one of --must-match, --must-not-match are needed");
    }
    return run(match, leave, out, err);
}
