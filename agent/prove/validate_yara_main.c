/* ringward-validate-yara: compiles YARA content and scans samples; runs inside ringward-box.
 *
 * Descriptors (docs/protocol.md 11): 3 content, 4 samples, 5 verdict. Exit: 0 accepted, 1 refused, 2 own fault,
 * 12 out of memory. Everything that needs files or configuration is done before the content is touched. */
#include "agent/prove/check_yara.h"
#include "common/base/file.h"
#include "common/yara/yara_engine.h"

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
    SAID_BYTES_MAX = 65536,
};

static RW_RC validate(bool *accepted_out, struct rw_err *err)
{
    RW_AUTO(check_yara) struct check_yara c = check_yara_make();
    RW_AUTO(rw_buf) struct rw_buf said = rw_buf_make(SAID_BYTES_MAX);
    RW_TRY(yara_begin(err));
    RW_TRY(check_yara_run(&c, CONTENT_FD, SAMPLES_FD, err));
    RW_TRY(check_yara_write(&c, &said, err));
    RW_TRY(rw_fd_write_all(VERDICT_FD, rw_buf_span(&said), err));
    *accepted_out = c.accepted;
    return RW_OK;
}

int main(int argc, char **argv)
{
    struct rw_err err = {.code = RW_E_NONE};
    bool accepted = false;
    if (argc != 3 || strcmp(argv[1], "validate") != 0 || strcmp(argv[2], "yara") != 0) {
        (void)fprintf(stderr, "ringward-validate-yara is started by ringward-box, as in:\n"
                              "  ringward-box run --validator ringward-validate-yara --type yara "
                              "--content FILE\n");
        return EXIT_FAULT;
    }
    struct rw_rc rc = validate(&accepted, &err);
    if (rw_is_ok(rc)) { return accepted ? EXIT_ACCEPTED : EXIT_REFUSED; }
    (void)fprintf(stderr, "%s\n", err.text);
    return rc.code == RW_E_NOMEM ? EXIT_NOMEM : EXIT_FAULT;
}
