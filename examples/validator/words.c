/* A validator to start from. Content is a list of words, one a line; a sample that holds one of them is a hit.
 *   cc -O2 -static-pie words.c -lcrypto -o ringward-validate-words */
#define _GNU_SOURCE /* memmem */
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static char hash[65], hits[6145]; /* as many samples as there may be */
static int say(const char *verdict, const char *why, long rules)
{
    dprintf(5,
            "{\"format\":\"rwv1\",\"verdict\":\"%s\",\"reason\":\"line %ld: "
            "%s\",\"content_sha256\":\"%s\","
            "\"rules\":%ld,\"hits\":\"%s\"}",
            verdict, rules, why, hash, rules, hits);
    return verdict[0] == 'a' ? 0 : 1; /* the exit status says the same */
}
static const char *map(int fd, size_t *n) /* whole, not byte by byte */
{
    struct stat st;
    *n = fstat(fd, &st) == 0 ? (size_t)st.st_size : 0;
    return *n > 0 ? mmap(NULL, *n, PROT_READ, MAP_PRIVATE, fd, 0) : "";
}
int main(void)
{
    unsigned char raw[32];
    unsigned count = 0, length;
    size_t n, all;
    long rules = 0;
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG,
                        NULL); /* what opens files comes first, or not at all */
    const char *content = map(3, &n), *samples = map(4, &all), *end = content + n, *stop;
    SHA256((const unsigned char *)content, n, raw); /* of the bytes that were really read */
    for (int i = 0; i < 32; i++) {
        snprintf(hash + 2 * i, 3, "%02x", raw[i]);
    }
    if (all >= 8) { memcpy(&count, samples + 4, 4); } /* after "RWV1" */
    memset(hits, '0', count);
    for (const char *word = content; word < end; word = stop + 1) {
        if ((stop = memchr(word, '\n', (size_t)(end - word))) == NULL) { stop = end; }
        rules++;
        if (stop - word < 4) { return say("refused", "a word needs four letters", rules); }
        const char *at = samples + 8;
        for (unsigned i = 0; i < count; i++, at += 4 + length) {
            memcpy(&length, at, 4);
            if (memmem(at + 4, length, word, (size_t)(stop - word)) != NULL) { hits[i] = '1'; }
        }
    }
    return rules > 0 ? say("accepted", "all words are fine", rules)
                     : say("refused", "no word in it", 0);
}
