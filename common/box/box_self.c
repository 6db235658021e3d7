#include "common/box/box_self.h"

#include "common/box/box_program.h"

#include <stdio.h>
#include <string.h>

enum { TIMEOUT_MS = 120 * 1000 };

static bool is_grade(const char *text)
{
    static const char *const grades[] = {"full", "good", "weak"};
    for (size_t i = 0; i < RW_LEN(grades); i++) {
        if (strcmp(text, grades[i]) == 0) { return true; }
    }
    return false;
}

static void add_missing(struct box_self *out, const char *text)
{
    size_t n = strlen(out->missing);
    (void)snprintf(out->missing + n, sizeof(out->missing) - n, "%s%s", n > 0 ? "; " : "", text);
}

/* "grade    full", "missing  cgroup: Permission denied", "spin     timed_out          ok" */
static void take_line(struct box_self *out, const char *line)
{
    static const char grade[] = "grade";
    static const char missing[] = "missing";
    const char *value = line + strcspn(line, " ");
    value += strspn(value, " ");
    if (strncmp(line, grade, sizeof(grade) - 1) == 0) {
        (void)snprintf(out->grade, sizeof(out->grade), "%s", value);
    } else if (strncmp(line, missing, sizeof(missing) - 1) == 0) {
        add_missing(out, value);
    } else if (strstr(line, " WRONG") != NULL && out->why[0] == '\0') {
        (void)snprintf(out->why, sizeof(out->why), "self-test: %.180s", line);
    }
}

void box_self_read(const char *text, int exit_status, struct box_self *out)
{
    *out = (struct box_self){.passed = false};
    while (*text != '\0') {
        char line[BOX_SELF_WHY_BYTES];
        size_t n = strcspn(text, "\n");
        (void)snprintf(line, sizeof(line), "%.*s", (int)(n < sizeof(line) ? n : sizeof(line) - 1),
                       text);
        take_line(out, line);
        text += n + (text[n] == '\n' ? 1 : 0);
    }
    out->passed = exit_status == 0 && out->why[0] == '\0' && is_grade(out->grade);
    if (out->passed) { return; }
    (void)snprintf(out->grade, sizeof(out->grade), "none");
    if (out->why[0] == '\0') {
        (void)snprintf(out->why, sizeof(out->why), "self-test ended with exit status %d",
                       exit_status);
    }
}

void box_self_test(const char *box, bool allow_weak, struct box_self *out)
{
    static char name[] = "ringward-box";
    static char verb[] = "self-test";
    static char weak[] = "--allow-weak";
    char *const argv[] = {name, verb, allow_weak ? weak : NULL, NULL};
    struct proc_exit gone = {.signaled = true};
    struct rw_err err = {.code = RW_E_NONE};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(BOX_SELF_TEXT_BYTES_MAX);
    if (rw_is_ok(box_program_run(box, argv, TIMEOUT_MS, &text, &gone, &err))) {
        box_self_read(rw_buf_str(&text), gone.signaled ? -1 : gone.status, out);
        return;
    }
    *out = (struct box_self){.grade = "none"};
    (void)snprintf(out->why, sizeof(out->why), "self-test: %.180s", err.text);
}
