// SPDX-License-Identifier: BSD-3-Clause
/*
 * fuzz_request.c - whatever a request holds, the scan and the parser keep their guarantees, and the
 * document of the mapping is a request for the same
 */
#include "base/escape.h"
#include "fuzz.h"
#include "protocol/document.h"
#include "protocol/request.h"
#include <string.h>

static bool is_utf8(const char *text)
{
	while (*text != '\0' && escape_utf8_length(text) > 0)
		text += escape_utf8_length(text);
	return *text == '\0';
}

/* As in a record. */
static uint8_t protection_of(const struct request *request)
{
	return (uint8_t)((request->protection & PMEM2_PROT_READ ? 1 : 0) |
			 (request->protection & PMEM2_PROT_WRITE ? 2 : 0) |
			 (request->protection & PMEM2_PROT_EXEC ? 4 : 0));
}

/* The document of the mapping that the request asks for, as a request. */
static void ask_again(const struct request *request)
{
	const struct pmem2fs_record record = {
		.length = request->length ? request->length : 4096,
		.offset = request->offset,
		.alignment = 4096,
		.source_type = request->anonymous ? PMEM2FS_SOURCE_ANONYMOUS : PMEM2FS_SOURCE_FILE,
		.required = (uint8_t)request->granularity,
		.sharing = (uint8_t)request->sharing,
		.protection = protection_of(request),
	};
	const struct document_process owner = {.pid = 1};
	const struct document document = {
		.name = "again",
		.state = "active",
		.record = &record,
		.owner = &owner,
		.path = request->path,
	};
	char why[REQUEST_WHY_LENGTH];
	struct request again;
	size_t length;
	char *text = document_render(&document, &length);

	REQUIRE(text);
	REQUIRE(request_parse(text, length, &again, why) == 0);
	REQUIRE(again.anonymous == request->anonymous && again.length == record.length);
	REQUIRE(again.offset == request->offset && again.granularity == request->granularity);
	REQUIRE(again.sharing == request->sharing && again.protection == request->protection);
	REQUIRE(request->anonymous || !strcmp(again.path, request->path));
	request_clear(&again);
	free(text);
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
		ask_again(&request);
		request_clear(&request);
	} else {
		REQUIRE(why[0] != '\0' && is_utf8(why));
	}
	return 0;
}
