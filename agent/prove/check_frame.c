#include "agent/prove/check_frame.h"

#include "common/base/file.h"

#include <stdio.h>
#include <string.h>

enum {
    CONTENT_FD = 3,
    SAMPLES_FD = 4,
    VERDICT_FD = 5,
    EXIT_ACCEPTED = 0,
    EXIT_REFUSED = 1,
    EXIT_FAULT = 2,
    EXIT_NOMEM = 12,
};

static RW_RC validate(const struct check_frame_validator *v, bool *accepted_out, struct rw_err *err)
{
    RW_AUTO(check_input) struct check_input in = check_input_make(v->content_max);
    RW_AUTO(check_said) struct check_said said = check_said_make();
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(CHECK_SAID_BYTES_MAX);
    if (v->begin != NULL) { RW_TRY(v->begin(err)); }
    RW_TRY(check_input_read(&in, CONTENT_FD, SAMPLES_FD, err));
    RW_TRY(v->run(&in, &said, err));
    RW_TRY(check_said_write(&said, &text, err));
    RW_TRY(rw_fd_write_all(VERDICT_FD, rw_buf_span(&text), err));
    *accepted_out = said.accepted;
    return RW_OK;
}

int check_frame(const struct check_frame_validator *v, int argc, char **argv)
{
    struct rw_err err = {.code = RW_E_NONE};
    bool accepted = false;
    if (argc < 3 || strcmp(argv[1], "validate") != 0 || strcmp(argv[2], v->type) != 0) {
        (void)fprintf(stderr,
                      "%s is started by ringward-box, as in:\n"
                      "  ringward-box run --validator %s --type %s --content FILE\n",
                      v->name, v->name, v->type);
        return EXIT_FAULT;
    }
    struct rw_rc rc = validate(v, &accepted, &err);
    if (rw_is_ok(rc)) { return accepted ? EXIT_ACCEPTED : EXIT_REFUSED; }
    (void)fprintf(stderr, "%s\n", err.text);
    return rc.code == RW_E_NOMEM ? EXIT_NOMEM : EXIT_FAULT;
}
