/* Any bytes as the head of a request: the parser stays inside them, and what it says about them does not
 * depend on the pieces in which they arrive. Seeds: fuzz/corpus/http_parse/. */
#include "server/api/http_cond.h"
#include "server/api/http_parse.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_slices(struct rw_span bytes, const struct http_head *h)
{
    const struct http_slice all[] = {h->path,          h->query,    h->authorization,
                                     h->if_none_match, h->if_range, h->range};
    for (size_t i = 0; i < RW_LEN(all); i++) {
        RW_ASSERT((size_t)all[i].at + all[i].n <= h->bytes);
    }
    RW_ASSERT(http_parse_slice(bytes, h->path).p[0] == '/');
    (void)http_cond_none_match(http_parse_slice(bytes, h->if_none_match), "\"abc\"");
    struct http_range r = http_cond_range(http_parse_slice(bytes, h->range), 1000);
    if (r.kind == HTTP_RANGE_PART) { RW_ASSERT(r.first <= r.last && r.last < 1000); }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_span bytes = rw_span_of(data, size);
    struct http_head whole = http_parse_head(bytes);
    size_t cut = size == 0 ? 0 : (size_t)data[size - 1] * size / 256; /* chosen by the input */
    struct http_head part = http_parse_head(rw_span_of(data, cut));
    if (part.result != HTTP_PARSE_MORE) {
        RW_ASSERT(part.result == whole.result && part.bytes == whole.bytes);
        RW_ASSERT(part.status == whole.status && part.wrong_at == whole.wrong_at);
        RW_ASSERT(part.why == whole.why && part.content_length == whole.content_length);
    }
    if (whole.result == HTTP_PARSE_DONE) {
        RW_ASSERT(whole.bytes <= size && whole.bytes <= HTTP_HEAD_BYTES_MAX);
        check_slices(bytes, &whole);
        /* The head alone is enough, and one byte less is not. */
        struct http_head alone = http_parse_head(rw_span_of(data, whole.bytes));
        struct http_head less = http_parse_head(rw_span_of(data, whole.bytes - 1));
        RW_ASSERT(alone.result == HTTP_PARSE_DONE && less.result == HTTP_PARSE_MORE);
    }
    if (whole.result == HTTP_PARSE_MORE) { RW_ASSERT(size <= HTTP_HEAD_BYTES_MAX); }
    return 0;
}
