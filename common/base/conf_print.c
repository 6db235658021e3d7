/* The effective settings, with the place that each comes from; and the documented sample. */
#include "common/base/conf.h"

#include "common/base/num.h"

#include <stdio.h>

static void print_duration(int64_t ms)
{
    char text[32];
    if (ms % 1000 != 0) {
        printf("%lldms", (long long)ms);
        return;
    }
    rw_format_duration_s(text, sizeof(text), ms / 1000);
    printf("%s", text);
}

static void print_bytes(int64_t n)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    size_t unit = 0;
    while (n != 0 && n % 1024 == 0 && unit + 1 < RW_LEN(units)) {
        n /= 1024;
        unit++;
    }
    printf("%lld%s", (long long)n, units[unit]);
}

static void print_value(const struct conf_setting *s, const void *target)
{
    const uint8_t *field = (const uint8_t *)target + s->offset;
    switch (s->type) {
    case CONF_STR:
        printf("%s", (const char *)field);
        return;
    case CONF_BOOL:
        printf("%s", *(const bool *)(const void *)field ? "yes" : "no");
        return;
    case CONF_INT:
        printf("%lld", (long long)*(const int64_t *)(const void *)field);
        return;
    case CONF_DURATION_MS:
        print_duration(*(const int64_t *)(const void *)field);
        return;
    case CONF_BYTES:
        print_bytes(*(const int64_t *)(const void *)field);
        return;
    }
}

void conf_print(const struct conf_table *table, const void *target, const struct conf_trace *trace)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_place *p = &trace->places[i];
        /* The place stands above the setting: the output is a settings file of its own. */
        if (p->line == 0) {
            printf("# default\n");
        } else {
            printf("# %s:%d\n", trace->files[p->file], p->line);
        }
        printf("%s = ", table->settings[i].key);
        print_value(&table->settings[i], target);
        printf("\n");
    }
    for (size_t i = 0; i < trace->ignored_count; i++) {
        printf("# not read: conf.d/%s (names are NN-NAME.conf)\n", trace->ignored[i]);
    }
}

void conf_print_sample(const struct conf_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_setting *s = &table->settings[i];
        printf("# %s%s\n%s%s = %s\n\n", s->help, s->fallback == NULL ? " (required)" : "",
               s->fallback == NULL ? "" : "#", s->key, s->fallback == NULL ? "..." : s->fallback);
    }
}
