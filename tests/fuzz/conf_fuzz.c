/* Settings files: refused with a line, or values within the table's limits. */
#include "common/base/conf.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct settings {
    char name[16];
    int64_t count;
    bool on;
    int64_t wait_ms;
    int64_t size_bytes;
};

static const struct conf_setting rows[] = {
    {"name", CONF_STR, offsetof(struct settings, name), sizeof(((struct settings *)0)->name), 0, 0,
     "x", "text"},
    {"count", CONF_INT, offsetof(struct settings, count), 0, 2, 10, "4", "number"},
    {"on", CONF_BOOL, offsetof(struct settings, on), 0, 0, 0, "no", "switch"},
    {"wait", CONF_DURATION_MS, offsetof(struct settings, wait_ms), 0, 1000, 60000, "5s", "time"},
    {"size", CONF_BYTES, offsetof(struct settings, size_bytes), 0, 1024, 1048576, "64KiB", "size"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct conf_table table = {rows, RW_LEN(rows)};
    struct settings s;
    struct rw_err err = {0};
    memset(&s, 0, sizeof(s));
    if (!rw_is_ok(conf_parse(&table, "f", rw_span_of(data, size), &s, &err))) {
        RW_ASSERT(err.code == RW_E_CONFIG && strncmp(err.text, "f:", 2) == 0);
        return 0;
    }
    RW_ASSERT(memchr(s.name, '\0', sizeof(s.name)) != NULL);
    RW_ASSERT(s.count >= 2 && s.count <= 10);
    RW_ASSERT(s.wait_ms >= 1000 && s.wait_ms <= 60000);
    RW_ASSERT(s.size_bytes >= 1024 && s.size_bytes <= 1048576);
    return 0;
}
