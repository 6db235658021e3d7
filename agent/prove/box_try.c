#include "agent/prove/box_try.h"

#include "agent/prove/box_launch.h"
#include "agent/prove/box_lines.h"
#include "common/crypto/digest.h"

#include <string.h>
#include <sys/wait.h>

RW_RC box_try_new_run(struct box_judge_run **out, struct rw_err *err)
{
    *out = rw_mem_new(sizeof(**out));
    if (*out == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a run"); }
    (*out)->watch = box_launch_prepare();
    return RW_OK;
}

void box_try_drop_run(struct box_judge_run *run)
{
    if (run != NULL) { box_watch_drop(&run->watch); }
    rw_mem_free(run);
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Of a program that does not speak the protocol. The launcher itself put the content in front of it: there is no hash
 * to echo. */
static RW_RC read_lines(const struct box_settings *s, const struct box_memory *content,
                        struct box_judge_run *run, struct rw_err *err)
{
    const struct box_watch *w = &run->watch;
    run->spoke_lines = true;
    run->exit_as = WIFEXITED(w->wait_status) ? WEXITSTATUS(w->wait_status) : -1;
    if (s->by_exit) {
        run->exit_as = box_lines_read_exit(rw_buf_span(&w->diagnostics), run->exit_as, &run->said);
        return digest_sha256_hex(box_memory_bytes(content), run->said.hash, err);
    }
    /* Lines that were lost could have been hits. */
    if (run->exit_as < 0 || w->diagnostics_total != w->diagnostics.n) { return RW_OK; }
    run->exit_as = box_lines_read(rw_buf_span(&w->diagnostics), s->hit_word, run->count,
                                  run->exit_as, &run->said);
    return digest_sha256_hex(box_memory_bytes(content), run->said.hash, err);
}

static bool speaks_lines(const struct box_settings *s)
{
    return s->lines || s->by_exit;
}

RW_RC box_try_run(const struct box_try *t, const struct box_memory *content,
                  struct box_judge_run *run, struct rw_err *err)
{
    RW_AUTO(box_memory) struct box_memory bundle = {.fd = -1};
    int64_t left_ms = t->end_ms - rw_clock_mono(&t->clock).ms;
    RW_TRY(box_samples_bundle(t->samples, run->order, run->count, &bundle, err));
    char words[BOX_SETTINGS_WORDS_BYTES];
    char *argv[BOX_SETTINGS_WORDS_MAX + 2];
    const char *program =
        t->settings->program[0] != '\0' ? t->settings->program : t->req->validator;
    const struct box_launch_request launch = {.content = content,
                                              .samples = &bundle,
                                              .validator = t->validator,
                                              .argv = argv,
                                              .profile = t->settings->profile,
                                              .extension = t->settings->extension,
                                              .samples_as_files = t->settings->lines,
                                              .content_is_sets = t->content_is_sets,
                                              .soft = t->settings->soft,
                                              .soft_count = t->settings->soft_count,
                                              .wall_ms = left_ms > 0 ? left_ms : 0,
                                              .cpu_s = t->req->cpu_s,
                                              .memory_bytes = t->req->memory_bytes,
                                              .without = t->req->without,
                                              .allow_weak = t->req->allow_weak,
                                              .learn = t->req->learn};
    box_settings_arguments(t->settings, name_of(program), t->req->type, words, argv);
    if (speaks_lines(t->settings)) { run->watch.diagnostics.max = BOX_DIAGNOSTICS_BYTES_MAX; }
    RW_TRY(box_launch(&launch, &run->watch, err));
    if (t->req->learn != NULL) {
        box_learn_keep(t->req->learn, rw_buf_span(&run->watch.diagnostics));
    }
    if (speaks_lines(t->settings)) { return read_lines(t->settings, content, run, err); }
    if (!run->watch.output_too_long) { box_said_read(rw_buf_span(&run->watch.said), &run->said); }
    return RW_OK;
}
