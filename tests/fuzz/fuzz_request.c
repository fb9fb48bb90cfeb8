// SPDX-License-Identifier: BSD-3-Clause
/*
 * fuzz_request.c - for any input, the scan and the parser must not crash and must keep their
 * guarantees
 */
#include "base/escape.h"
#include "fuzz.h"
#include "protocol/request.h"
#include <string.h>

static bool is_utf8(const char *text)
{
	while (*text != '\0' && escape_utf8_length(text) > 0)
		text += escape_utf8_length(text);
	return *text == '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct request_scan whole = {0}, pieces = {0};
	struct request request;
	char why[REQUEST_WHY_LENGTH];
	int answer = 0;

	for (size_t i = 0; i < size && answer >= 0; i++)
		answer = request_scan(&pieces, text + i, 1, why);
	REQUIRE(request_scan(&whole, text, size, why) == answer);

	why[0] = '\0';
	if (request_parse(text, size, &request, why) == 0) {
		/* Each valid request must have been accepted by the scan. */
		REQUIRE(answer == 1 || size > REQUEST_MAX_BYTES ||
			whole.depth == REQUEST_MAX_DEPTH);
		REQUIRE(request.anonymous ? request.path == NULL && request.length > 0
					  : request.path[0] == '/');
		request_clear(&request);
	} else {
		REQUIRE(why[0] != '\0' && is_utf8(why));
	}
	return 0;
}
