/* ringward-validate-yara: compiles YARA content and scans samples; runs inside ringward-box.
 *
 * Descriptors (docs/protocol.md 11): 3 content, 4 samples, 5 verdict. Exit: 0 accepted, 1 refused, 2 own fault,
 * 12 out of memory. Everything that needs files or configuration is done before the content is touched. */
#include "agent/prove/check_frame.h"
#include "agent/prove/check_yara.h"
#include "common/yara/yara_engine.h"

int main(int argc, char **argv)
{
    const struct check_frame_validator validator = {.name = "ringward-validate-yara",
                                                    .type = "yara",
                                                    .content_max = YARA_SOURCE_BYTES_MAX,
                                                    .begin = yara_begin,
                                                    .run = check_yara_run};
    return check_frame(&validator, argc, argv);
}
