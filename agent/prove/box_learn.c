#include "agent/prove/box_learn.h"

#include "agent/prove/box_calls.h"

#include <stdio.h>
#include <string.h>

void box_learn_note(struct box_learn *learn, const struct seccomp_data *call, const char *phase)
{
    for (size_t i = 0; i < learn->count; i++) {
        if (learn->at[i].nr == call->nr && strcmp(learn->at[i].phase, phase) == 0) {
            learn->at[i].count++;
            return;
        }
    }
    if (learn->count == BOX_LEARN_MAX) {
        learn->lost++;
        return;
    }
    learn->at[learn->count].nr = call->nr;
    learn->at[learn->count].phase = phase;
    learn->at[learn->count].count = 1;
    for (size_t i = 0; i < RW_LEN(learn->at[0].args); i++) {
        learn->at[learn->count].args[i] = call->args[i];
    }
    learn->count++;
}

void box_learn_keep(struct box_learn *learn, struct rw_span output)
{
    size_t n = output.n < sizeof(learn->output) - 1 ? output.n : sizeof(learn->output) - 1;
    if (learn->output[0] != '\0') { return; }
    for (size_t i = 0; i < n; i++) {
        bool shown = (output.p[i] >= 0x20 && output.p[i] < 0x7f) || output.p[i] == '\n';
        learn->output[i] = (char)(shown ? output.p[i] : '?');
    }
    learn->output[n] = '\0';
}

void box_learn_print(const struct box_learn *learn)
{
    for (size_t i = 0; i < learn->count; i++) {
        char name[40];
        box_calls_name(learn->at[i].nr, name, sizeof(name));
        printf("%-20s %-8s %6lld x  first (0x%llx, 0x%llx, 0x%llx)\n", name, learn->at[i].phase,
               (long long)learn->at[i].count, (unsigned long long)learn->at[i].args[0],
               (unsigned long long)learn->at[i].args[1], (unsigned long long)learn->at[i].args[2]);
    }
    if (learn->lost > 0) { printf("and %lld more\n", (long long)learn->lost); }
    if (learn->count == 0) { printf("no call beyond the list\n"); }
    if (learn->output[0] != '\0') { printf("--- output ---\n%s\n", learn->output); }
}
