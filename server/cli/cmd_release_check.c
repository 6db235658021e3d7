#include "server/cli/cmd_release_check.h"

#include "common/box/box_run.h"
#include "common/box/content_type.h"
#include "server/cli/cmd_release_view.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PROGRAM_BYTES = 4096, TEXT_BYTES_MAX = 2 * VERDICT_TEXT_BYTES_MAX };

static RW_RC find_program(const char *name, char path[static PROGRAM_BYTES], struct rw_err *err)
{
    RW_TRY(box_beside_self(name, path, PROGRAM_BYTES, err));
    if (access(path, X_OK) == 0) { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_BOX_REFUSED, "not checked: there is no program %s", path), "hint");
    return rw_hint(err, "ringward-box and the validators must be installed beside ringward");
}

/* A validator may be no more than settings that name a program elsewhere. */
static RW_RC find_validator(const char *type, char path[static PROGRAM_BYTES], struct rw_err *err)
{
    char name[80];
    (void)snprintf(name, sizeof(name), "ringward-validate-%.40s.conf", type);
    RW_TRY(box_beside_self(name, path, PROGRAM_BYTES, err));
    bool settings = access(path, R_OK) == 0;
    name[strlen(name) - strlen(".conf")] = '\0';
    if (settings) { return box_beside_self(name, path, PROGRAM_BYTES, err); }
    return find_program(name, path, err);
}

RW_RC cmd_release_check(const struct cmd_release_check *check, struct rw_err *err)
{
    char box[PROGRAM_BYTES];
    char validator[PROGRAM_BYTES];
    char manifest[PROGRAM_BYTES];
    const char *type = content_type_of(check->family);
    struct verdict verdict;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TEXT_BYTES_MAX);
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(find_program("ringward-box", box, err));
    if (check->validator == NULL) { RW_TRY(find_validator(type, validator, err)); }
    RW_TRY(box_beside_self(BOX_MANIFEST_NAME, manifest, sizeof(manifest), err));
    const struct box_request req = {
        .box = box,
        .validator = check->validator == NULL ? validator : check->validator,
        .type = type,
        .content = check->content,
        .samples = check->samples,
        .manifest = check->manifest == NULL ? manifest : check->manifest,
        .against = check->against,
        .against_steps = check->against_steps,
        .for_release = true,
        .clean_files = -1,
    };
    RW_TRY(box_check_text(&req, &verdict, &text, err));
    RW_TRY(json_parse(rw_buf_span(&text), &json_limits_small, &tree, err));
    cmd_release_view_verdict(stderr, tree, "this machine");
    if (verdict.kind == VERDICT_ACCEPTED) { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_BOX_REFUSED, "the box on this machine says %s: %s",
                      verdict_kind_name(verdict.kind), verdict.reason),
              "hint");
    return rw_hint(err, "nothing was sent to the server; mend %s and run the command again",
                   verdict.kind == VERDICT_SANDBOX_ERROR ? "the sandbox" : "the content");
}
