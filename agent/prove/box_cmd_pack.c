#include "agent/prove/box_cmd.h"
#include "common/base/file.h"
#include "common/base/opt.h"
#include "common/box/samples_codec.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: ringward-box pack-samples [--must FILE...] [--must-not FILE...] --out FILE\n\n"
    "Writes a samples file (RWS1) for 'ringward-box run --samples' and 'ringward release create'.\n"
    "Content is accepted only if it matches every --must file and no --must-not file.\n\n"
    "Options:\n"
    "  --must FILE...               files that the content must match\n"
    "  --must-not FILE...           files that the content must not match\n"
    "  --out FILE                   where to write\n"
    "  --help                       show this help\n\n"
    "Examples:\n"
    "  ringward-box pack-samples --must eicar.txt --must-not report.pdf notes.txt --out s.rws\n";

enum target { TARGET_NONE, TARGET_MUST, TARGET_MUST_NOT, TARGET_OUT };

static RW_RC usage(struct rw_err *err, const char *what, const char *given)
{
    RW_IGNORE(rw_fail(err, RW_E_USAGE, "%s%.100s", what, given), "hint follows");
    return rw_hint(err, "try 'ringward-box pack-samples --help'");
}

struct pack {
    struct samples_list list;
    struct rw_buf *files; /* owned array; list.at[i].bytes borrows from files[i] */
    const char *out;
};

static void pack_drop(struct pack *p)
{
    for (size_t i = 0; p->files != NULL && i < p->list.count; i++) {
        rw_buf_drop(&p->files[i]);
    }
    rw_mem_free(p->files);
    samples_list_drop(&p->list);
}

static RW_RC add_file(struct pack *p, bool must_match, const char *path, struct rw_err *err)
{
    struct rw_buf *file = &p->files[p->list.count];
    if (p->list.count == SAMPLES_COUNT_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "more than %d samples", SAMPLES_COUNT_MAX);
    }
    *file = rw_buf_make(SAMPLES_BYTES_MAX);
    struct rw_rc rc = rw_file_read(path, SAMPLES_BYTES_MAX, file, err);
    if (!rw_is_ok(rc)) {
        rw_buf_drop(file);
        return rc;
    }
    p->list.at[p->list.count++] =
        (struct samples_one){.must_match = must_match, .bytes = rw_buf_span(file)};
    return RW_OK;
}

static enum target target_of(const char *word)
{
    if (strcmp(word, "--must") == 0) { return TARGET_MUST; }
    if (strcmp(word, "--must-not") == 0) { return TARGET_MUST_NOT; }
    return strcmp(word, "--out") == 0 ? TARGET_OUT : TARGET_NONE;
}

static RW_RC read_words(struct pack *p, int argc, char **argv, struct rw_err *err)
{
    enum target target = TARGET_NONE;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            target = target_of(argv[i]);
            if (target == TARGET_NONE) { return usage(err, "unknown option ", argv[i]); }
            continue;
        }
        switch (target) {
        case TARGET_NONE:
            return usage(err, "a file stands before --must or --must-not: ", argv[i]);
        case TARGET_OUT:
            if (p->out != NULL) { return usage(err, "two files to write to: ", argv[i]); }
            p->out = argv[i];
            break;
        case TARGET_MUST:
        case TARGET_MUST_NOT:
            RW_TRY(add_file(p, target == TARGET_MUST, argv[i], err));
            break;
        }
    }
    return p->out != NULL ? RW_OK : usage(err, "--out is needed", "");
}

RW_RC box_cmd_pack(int argc, char **argv, int *status_out, struct rw_err *err)
{
    RW_AUTO(pack) struct pack p = {.out = NULL};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SAMPLES_BYTES_MAX);
    *status_out = 0;
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        (void)fputs(help, stdout);
        return RW_OK;
    }
    p.files = rw_mem_new_array((size_t)argc, sizeof(*p.files));
    p.list.at = rw_mem_new_array((size_t)argc, sizeof(*p.list.at));
    if (p.files == NULL || p.list.at == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory"); }
    RW_TRY(read_words(&p, argc, argv, err));
    if (p.list.count == 0) { return usage(err, "no sample was named", ""); }
    RW_TRY(samples_write(&p.list, &text, err));
    RW_TRY(rw_file_replace(p.out, 0644, rw_buf_span(&text), err));
    printf("%zu samples, %zu bytes: %s\n", p.list.count, text.n, p.out);
    return RW_OK;
}
