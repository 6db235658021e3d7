/* What a validator in the box says of itself (it may have been taken over), and what a box prints in its self-test. */
#include "agent/prove/box_said.h"
#include "common/box/box_self.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printable(const char *text, size_t cap)
{
    size_t n = strnlen(text, cap);
    RW_ASSERT(n < cap);
    for (size_t i = 0; i < n; i++) {
        RW_ASSERT(text[i] >= 0x20 && text[i] < 0x7f);
    }
}

static void check_said(const struct box_said *s)
{
    RW_ASSERT(s->hit_count <= SAMPLES_BLIND_COUNT_MAX && strlen(s->hits) == s->hit_count);
    RW_ASSERT(s->named_count <= BOX_SAID_NAMED_MAX && s->fact_count <= BOX_SAID_FACTS_MAX);
    RW_ASSERT(s->covered_count <= BOX_SAID_COVERED_MAX);
    check_printable(s->reason, sizeof(s->reason));
    for (size_t i = 0; i < s->named_count; i++) {
        check_printable(s->named[i], sizeof(s->named[i]));
    }
    for (size_t i = 0; i < s->covered_count; i++) {
        check_printable(s->covered[i].name, sizeof(s->covered[i].name));
        RW_ASSERT(s->covered[i].by_count <= BOX_SAID_COVERED_BY_MAX);
        for (size_t k = 0; k < s->covered[i].by_count; k++) {
            RW_ASSERT(s->covered[i].by[k] >= 0 && s->covered[i].by[k] <= SAMPLES_BLIND_COUNT_MAX);
        }
    }
}

static void self_test(const uint8_t *data, size_t size)
{
    struct box_self self;
    char *text = rw_mem_new(size + 1); /* ASan sees the byte behind it */
    if (text == NULL) { return; }
    rw_copy(text, size + 1, data, size);
    text[size] = '\0';
    for (int status = 0; status < 2; status++) {
        box_self_read(text, status, &self);
        RW_ASSERT(status == 0 || !self.passed);
        RW_ASSERT(self.passed || strcmp(self.grade, "none") == 0);
        RW_ASSERT(strnlen(self.why, sizeof(self.why)) < sizeof(self.why));
        RW_ASSERT(strnlen(self.missing, sizeof(self.missing)) < sizeof(self.missing));
    }
    rw_mem_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct box_said said;
    box_said_read(rw_span_of(data, size), &said);
    if (said.valid) { check_said(&said); }
    self_test(data, size);
    return 0;
}
