/* What the verbs have in common: limits, layers that are taken away, the verdict that is printed. */
#include "agent/prove/box_cmd.h"
#include "common/base/file.h"
#include "common/base/num.h"

#include <unistd.h>

enum {
    EXIT_NO_VERDICT = 1,
    EXIT_NOT_ACCEPTED = 9,
    WALL_MS_MAX = 600 * 1000,
    CPU_S_MAX = 300,
};

#define MEMORY_BYTES_MAX (INT64_C(4) << 30)
#define MEMORY_BYTES_MIN (INT64_C(16) << 20)

/* A limit that was not given is as the validator's settings ask. */
RW_RC box_cmd_read_limits(const char *wall, const char *cpu, const char *memory,
                          struct box_check_request *req, struct rw_err *err)
{
    if (wall != NULL) {
        RW_TRY(rw_parse_duration_ms(rw_span_str(wall), WALL_MS_MAX, "--wall", &req->wall_ms, err));
    }
    if (cpu != NULL) {
        RW_TRY(rw_parse_duration_s(rw_span_str(cpu), CPU_S_MAX, "--cpu", &req->cpu_s, err));
    }
    if (memory != NULL) {
        RW_TRY(rw_parse_bytes(rw_span_str(memory), MEMORY_BYTES_MAX, "--memory", &req->memory_bytes,
                              err));
        if (req->memory_bytes < MEMORY_BYTES_MIN) {
            return rw_fail(err, RW_E_RANGE, "--memory %s is below the least of 16MiB", memory);
        }
    }
    if ((cpu != NULL && req->cpu_s < 1) || (wall != NULL && req->wall_ms < 1)) {
        return rw_fail(err, RW_E_RANGE, "--cpu and --wall must be above zero");
    }
    return RW_OK;
}

RW_RC box_cmd_read_without(const char *text, uint32_t *bits_out, struct rw_err *err)
{
#if defined(RW_BOX_TEST_SWITCHES)
    return box_layer_parse(text, bits_out, err);
#else
    (void)bits_out;
    return rw_fail(err, RW_E_USAGE, "--without %.40s: this build always has all layers", text);
#endif
}

RW_RC box_cmd_print(const struct verdict *v, int *status_out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(VERDICT_TEXT_BYTES_MAX);
    RW_TRY(verdict_write(v, &text, err));
    RW_TRY(rw_buf_append_str(&text, "\n", err));
    RW_TRY(rw_fd_write_all(STDOUT_FILENO, rw_buf_span(&text), err));
    *status_out = v->final ? EXIT_NOT_ACCEPTED : EXIT_NO_VERDICT;
    if (v->kind == VERDICT_ACCEPTED) { *status_out = 0; }
    return RW_OK;
}
