#include "agent/prove/box_secret_rule.h"

#include <string.h>

static bool ends_with(const char *path, const char *end)
{
    size_t n = strlen(path);
    size_t m = strlen(end);
    return n >= m && strcmp(path + n - m, end) == 0;
}

/* Who may read it says who was meant to. Our programs and settings are samples whatever their mode is (INV-10). */
static bool is_closed(const struct box_secret_rule_file *f)
{
    if (!f->own) { return (f->mode & 0004U) == 0; }
    return (f->mode & 0077U) == 0 && (f->mode & 0111U) == 0 && !ends_with(f->path, ".conf");
}

/* "rwj1.", "rwe1.", "rwo1." ... */
static bool is_token(struct rw_span head)
{
    return head.n >= 5 && head.p[0] == 'r' && head.p[1] == 'w' && head.p[2] >= 'a' &&
           head.p[2] <= 'z' && head.p[3] >= '0' && head.p[3] <= '9' && head.p[4] == '.';
}

/* Programs hold the words too, to look for them. */
static bool holds_key(struct rw_span head)
{
    static const char words[] = "PRIVATE KEY-----";
    size_t n = sizeof(words) - 1;
    if (head.n == 0 || memchr(head.p, 0, head.n) != NULL) { return false; }
    for (size_t i = 0; i + n <= head.n; i++) {
        if (memcmp(head.p + i, words, n) == 0) { return true; }
    }
    return false;
}

enum box_secret box_secret_rule(const struct box_secret_rule_file *f)
{
    if (ends_with(f->path, ".token") || ends_with(f->path, ".key")) { return BOX_SECRET_NAME; }
    if (is_closed(f)) { return BOX_SECRET_MODE; }
    if (is_token(f->head)) { return BOX_SECRET_TOKEN; }
    return holds_key(f->head) ? BOX_SECRET_KEY : BOX_SECRET_NONE;
}
