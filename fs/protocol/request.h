/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * request.h - the JSON document that asks for a mapping
 *
 * Knows nothing of FUSE or sockets: bytes in, a struct request or an error out. Nothing here
 * touches a file.
 */
#ifndef PMEM2FS_PROTOCOL_REQUEST_H
#define PMEM2FS_PROTOCOL_REQUEST_H

#include "libpmem2fs.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_MAX_BYTES  (64 * 1024) /* of text, white space included */
#define REQUEST_MAX_DEPTH  16          /* of nesting */
#define REQUEST_WHY_LENGTH 256         /* of the text that says what is wrong */

/* Finds the end of the object in a text that arrives in pieces; each byte is read once. Zero at the
 * beginning. */
struct request_scan {
	size_t seen; /* bytes so far */
	unsigned depth;
	bool begun, in_string, escaped, complete;
};

/*
 * Reads the next `length` bytes. Returns 1 when the object is complete, 0 when more is to
 * come, or a negative errno with the reason in `why` (REQUEST_WHY_LENGTH bytes): -EFBIG (more than
 * REQUEST_MAX_BYTES), -EINVAL (not an object, nested too deeply, bytes other than white space
 * after the object, NUL). White space is accepted after the object. The answer does not depend on
 * how the text is cut into pieces. After an error the scan must not be used again.
 */
int request_scan(struct request_scan *scan, const char *text, size_t length, char *why);

struct request {
	bool anonymous;
	char *path;      /* absolute, the bytes to open; NULL: anonymous, or a descriptor came */
	uint64_t offset; /* bytes */
	uint64_t length; /* bytes, 0: to the end of the source; anonymous: its size */
	enum pmem2_granularity granularity;
	enum pmem2_sharing_type sharing;
	unsigned protection; /* PMEM2_PROT_ */
	bool allocate;       /* the blocks before mapping; only if shared and writable */
};

/*
 * request_parse parses the text of a complete document, request_from_json a document that was
 * parsed as JSON. `have_descriptor`: the source came as a descriptor, so the document must not name
 * a path and needs no "source". Return 0, or -EINVAL, -ENAMETOOLONG, -ENOMEM or -ENOENT with the
 * reason in `why`, which names the key. -ENOENT: the document says that its source was deleted:
 * another file may be at its path.
 */
int request_parse(const char *text, size_t length, struct request *request, char *why);
int request_from_json(const json_t *root, bool have_descriptor, struct request *request, char *why);
/* Frees what a request that was parsed holds. */
void request_clear(struct request *request);

#endif
