#include "common/base/utf8.h"

#include "common/base/err.h"

#include <string.h>

size_t rw_utf8_length(const uint8_t *p, size_t n)
{
    static const struct utf8_form {
        size_t n;
        uint32_t min;
        uint8_t mask, lead;
    } forms[] = {
        {1, 0x01, 0x80, 0x00},
        {2, 0x80, 0xE0, 0xC0},
        {3, 0x800, 0xF0, 0xE0},
        {4, 0x10000, 0xF8, 0xF0},
    };
    for (size_t f = 0; f < RW_LEN(forms); f++) {
        if ((p[0] & forms[f].mask) != forms[f].lead) { continue; }
        if (n < forms[f].n) { return 0; }
        uint32_t code = p[0] & (uint8_t)~forms[f].mask;
        for (size_t i = 1; i < forms[f].n; i++) {
            if ((p[i] & 0xC0) != 0x80) { return 0; }
            code = code << 6 | (p[i] & 0x3F);
        }
        bool surrogate = code >= 0xD800 && code <= 0xDFFF;
        return code < forms[f].min || surrogate || code > 0x10FFFF ? 0 : forms[f].n;
    }
    return 0;
}

void rw_utf8_clean(char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n;) {
        size_t step = rw_utf8_length((const uint8_t *)text + i, n - i);
        bool control = step == 1 && ((unsigned char)text[i] < 0x20 || text[i] == 0x7F);
        /* U+0080..U+009F: the same controls in their two-byte form. */
        control = control || (step == 2 && (unsigned char)text[i] == 0xC2 &&
                              (unsigned char)text[i + 1] < 0xA0);
        if (step == 0 || control) {
            text[i] = '?';
            if (step == 2) { text[i + 1] = '?'; }
        }
        i += step == 0 ? 1 : step;
    }
}
