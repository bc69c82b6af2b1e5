/* wire_json.h - messages as text and back, by a description that a running system gives
 * (inspect.Description).
 *
 * Bytes that are text are strings, others {"hex": "00ff"}. Numbers above 2^53 are strings, since
 * few readers of JSON can keep them. Input may be JSON or, which contains it, YAML in flow style.
 */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "inspect.pb-c.h"

enum { WIRE_DEPTH_MAX = 16, WIRE_LEN_MAX = 1 << 20, WIRE_WHY_MAX = 256 };

/* Packs `text` as message number `type` (from 1) of a description. False: `ret_why` says where and
 * why. The bytes are to be freed. */
bool wire_of_text(const Inspect__Description *types, uint32_t type, const char *text,
                  uint8_t **ret_bytes, size_t *ret_len, char ret_why[WIRE_WHY_MAX]);

/* Writes a packed message as a JSON object, with every field. False: the bytes make no sense. */
bool wire_print_json(const Inspect__Description *types, uint32_t type, const uint8_t *bytes,
                     size_t len, FILE *out);

/* Bytes of the UTF-8 sequence (RFC 3629) at `at`, of the `left` (1..) that are there; 0: it is
 * none.
 */
size_t json_utf8_len(const uint8_t *at, size_t left);

/* A string as JSON has it. */
void json_print_text(const uint8_t *text, size_t len, FILE *out);

#endif
