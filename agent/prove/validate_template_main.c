/* ringward-validate-template: judges template content against the installed sensor's manifest; runs inside
 * ringward-box. Descriptors and exit status as docs/protocol.md 11. */
#include "agent/prove/check_frame.h"
#include "agent/prove/check_template.h"
#include "common/crypto/digest.h"
#include "common/template/template_set.h"

int main(int argc, char **argv)
{
    const struct check_frame_validator validator = {.name = "ringward-validate-template",
                                                    .type = "template",
                                                    .content_max = TEMPLATE_CONTENT_BYTES_MAX,
                                                    .begin = digest_without_files,
                                                    .run = check_template_run};
    return check_frame(&validator, argc, argv);
}
