// SPDX-License-Identifier: BSD-3-Clause
/*
 * size.c - amounts of bytes as people write and read them: powers of 1024
 *
 * Calls nothing of pmem2ctl.
 */

#include "ctl/size.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char units[] = "KMGTPE";

int size_parse(const char *text, int64_t *size)
{
	char *end;
	int64_t value;
	bool overflow;

	if (!isdigit((unsigned char)*text)) /* strtoll would take a sign or white space */
		return -EINVAL;
	errno = 0;
	value = strtoll(text, &end, 10);
	overflow = errno == ERANGE;
	if (*end) {
		const char *unit = strchr(units, toupper((unsigned char)*end));
		if (!unit || (end[1] && strcmp(end + 1, "iB")))
			return -EINVAL;
		for (const char *step = units; step <= unit; step++)
			overflow |= __builtin_mul_overflow(value, 1024, &value);
	}
	if (overflow)
		return -ERANGE;
	*size = value;
	return 0;
}

void size_print(char text[SIZE_TEXT_LENGTH], uint64_t size, bool human)
{
	const char *unit = units;
	uint64_t whole = size;

	if (!human || size < 1024) {
		snprintf(text, SIZE_TEXT_LENGTH, "%" PRIu64, size);
		return;
	}
	/* What is less than a twentieth below the next unit would be printed as 1024.0. */
	while (whole >= 1024 * 1024 - 1024 / 20) {
		whole /= 1024;
		unit++;
	}
	if (size % (UINT64_C(1) << 10 * (unit - units + 1)) == 0)
		snprintf(text, SIZE_TEXT_LENGTH, "%" PRIu64 "%c", whole / 1024, *unit);
	else
		snprintf(text, SIZE_TEXT_LENGTH, "%.1f%c", (double)whole / 1024, *unit);
}
