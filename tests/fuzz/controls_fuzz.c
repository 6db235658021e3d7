/* Controls of customers: as they are typed, as they travel, and the book that an endpoint keeps of them. Refused, or
 * within their limits, and written back to the same. */
#include "agent/poll/control_book.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_typed(struct rw_span text)
{
    struct rw_err err;
    struct control c;
    char shown[CONTROL_TEXT_BYTES];
    if (rw_is_ok(control_codec_read_pin(text, &c, &err))) { control_codec_text(&c, shown); }
    if (rw_is_ok(control_codec_read_hold(text, &c, &err))) { control_codec_text(&c, shown); }
}

static void try_list(struct rw_span text)
{
    struct rw_err err;
    static struct control list[CONTROL_MAX];
    size_t count = 0;
    RW_AUTO(json_tree) json_tree tree = NULL;
    if (!rw_is_ok(json_parse(text, &json_limits_small, &tree, &err)) ||
        json_type(tree) != JSON_ARRAY ||
        !rw_is_ok(control_codec_get_list(tree, list, &count, &err))) {
        return;
    }
    RW_ASSERT(count <= CONTROL_MAX);
    for (size_t i = 0; i < count; i++) {
        struct control again;
        char one[CONTROL_TEXT_BYTES];
        char two[CONTROL_TEXT_BYTES];
        RW_AUTO(json_tree) json_tree back = NULL;
        RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(65536);
        struct json_writer w = json_begin(&out);
        control_codec_put(&w, NULL, &list[i]);
        RW_ASSERT(rw_is_ok(json_done(&w, &err)));
        RW_ASSERT(rw_is_ok(json_parse(rw_buf_span(&out), &json_limits_small, &back, &err)));
        RW_ASSERT(rw_is_ok(control_codec_get(back, &again, &err)));
        control_codec_text(&list[i], one);
        control_codec_text(&again, two);
        RW_ASSERT(strcmp(one, two) == 0);
    }
}

static void try_book(struct rw_span text)
{
    static struct control_book book;
    struct rw_err err;
    if (!rw_is_ok(control_book_read(text, &book, &err))) { return; }
    RW_ASSERT(book.family_count <= MANIFEST_FAMILIES_MAX && book.seen_count <= CONTROL_MAX);
    for (size_t i = 0; i < book.family_count; i++) {
        RW_ASSERT(book.families[i].count <= CONTROL_OFFERS_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_span text = rw_span_of(data, size);
    try_typed(text);
    try_list(text);
    try_book(text);
    return 0;
}
