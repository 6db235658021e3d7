/* Hostile rule text for the second reader: it comes to an end and stays inside. */
#include "common/yara/yara_limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_err err;
    struct yara_limits found;
    struct rw_rc rc = yara_limits_check(rw_span_of(data, size), &found, &err);
    RW_ASSERT(rw_is_ok(rc) || rc.code == RW_E_RANGE);
    RW_ASSERT(!rw_is_ok(rc) ||
              (found.rules <= YARA_RULES_MAX && found.strings_most <= YARA_STRINGS_MAX));
    return 0;
}
