/* text.h - what several files ask of a px_text, and of its bytes. Pure.
 */
#ifndef TEXT_H
#define TEXT_H

#include "plexus.h"

#include <px/bytes.h>
#include <string.h>

/* An ASCII letter in lower case; any other byte as it is. */
static inline char text_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline bool text_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of a message as text. */
static inline struct px_text text_of(const uint8_t *data, size_t len)
{
    return len == 0 ? (struct px_text){"", 0} : (struct px_text){(const char *)data, len};
}

/* Are they the same bytes? */
static inline bool text_is(struct px_text text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

/* The same, where the case of ASCII letters does not matter. */
static inline bool text_is_any_case(struct px_text text, const char *word)
{
    size_t i = 0;
    while (i < text.len && word[i] != '\0' && text_lower(text.ptr[i]) == text_lower(word[i])) {
        i++;
    }
    return i == text.len && word[i] == '\0';
}

#endif
