/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * escape.h - names and paths, which may hold any bytes, as text that JSON can hold
 *
 * Text that is valid UTF-8 and has no backslash stands for itself. In any other text, each byte
 * of an invalid sequence and each backslash is written \xNN; where such a text is in JSON, a key
 * "..._encoding": "escaped" beside it says so. Also which characters no terminal may get. Owns no
 * data; calls libc only, since pmem2ctl is built with it, too.
 */
#ifndef PMEM2FS_BASE_ESCAPE_H
#define PMEM2FS_BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether `bytes` (terminated) can only be written with escapes. */
bool escape_needed(const char *bytes);

/* `bytes` with escapes; the caller frees it. NULL when memory runs out. */
char *escape_encode(const char *bytes);

/*
 * The bytes that `text` stands for, terminated; the caller frees them. NULL with errno EINVAL (a
 * backslash that begins no \xNN, or \x00) or ENOMEM.
 */
char *escape_decode(const char *text);

/* The length of the UTF-8 sequence at `bytes` (terminated): 1 to 4 bytes, or 0: it is not valid. */
size_t escape_utf8_length(const char *bytes);

/* The character of the sequence at `bytes`, which must be valid. */
uint32_t escape_utf8_character(const char *bytes);

/*
 * Whether a terminal acts on a character of Unicode and shows nothing, so that it could forge what
 * is shown: control characters (C0, DEL, C1) and marks that change the direction of text.
 */
bool escape_is_active(uint32_t character);

/*
 * Copies `text`, cut to `size` bytes with the end, for a terminal or a log: with \xNN for each byte
 * of an active character and of what is not valid UTF-8. Backslashes stay: it is not for
 * escape_decode.
 */
void escape_for_terminal(char *shown, size_t size, const char *text);

#endif
