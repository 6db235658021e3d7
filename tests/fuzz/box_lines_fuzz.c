/* What a foreign scanner printed, its exit status, and the settings file of an installed validator. */
#include "agent/prove/box_cgroup.h"
#include "agent/prove/box_lines.h"
#include "agent/prove/box_settings.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void texts(const uint8_t *data, size_t size)
{
    struct box_cgroup_base base;
    char *text = malloc(size + 1);
    if (text == NULL) { return; }
    memmove(text, data, size);
    text[size] = '\0';
    box_cgroup_find(text, text, &base);
    box_cgroup_find("4:memory:/a\n0::/b\n", text, &base);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct box_said said;
    struct box_settings settings;
    struct rw_err err;
    char words[BOX_SETTINGS_WORDS_BYTES];
    char *argv[BOX_SETTINGS_WORDS_MAX + 2];
    if (size < 2) { return 0; }
    struct rw_span rest = rw_span_of(data + 2, size - 2);
    size_t samples = (size_t)data[0] * 20;
    int as = box_lines_read(rest, "FOUND", samples, data[1], &said);
    if (as == 0 && said.valid && said.hit_count != samples) { abort(); }
    if (as == 0 && said.valid && !said.accepted) { abort(); }
    texts(data, size);
    if (!rw_is_ok(box_settings_parse("fuzz", rest, "type", &settings, &err))) { return 0; }
    box_settings_arguments(&settings, "name", "type", words, argv);
    return 0;
}
