/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * request.c - the JSON document that asks for a mapping
 *
 * Decides what a request may say, and makes the messages that report what is wrong with one. Calls
 * only jansson and escape.h; touches no file.
 */
#include "protocol/request.h"
#include "base/escape.h"
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Keys that are understood, and keys of the metadata document that only describe. All others are
 * errors, so that a typo cannot silently change what gets mapped.
 */
static const char *const root_keys[] = {
	"source",
	"length",
	"required_granularity",
	"sharing",
	"protection",
	"version",
	"name",
	"name_encoding",
	"state",
	"origin",
	"address",
	"granularity",
	"map_sync",
	"created",
	"claimed",
	"owner",
	"device",
	"extents",
	"pending",
	NULL,
};
static const char *const source_keys[] = {
	"type", "path",  "path_encoding", "offset",   "size", "align",
	"dev",  "inode", "deleted",       "allocate", NULL,
};

static const char *const source_types[] = {"fsdax", "devdax", "file", "anonymous", NULL};
static const char *const granularities[] = {
	[PMEM2_GRANULARITY_BYTE] = "byte",
	[PMEM2_GRANULARITY_CACHE_LINE] = "cache_line",
	[PMEM2_GRANULARITY_PAGE] = "page",
	NULL,
};
static const char *const sharings[] = {
	[PMEM2_SHARED] = "shared",
	[PMEM2_PRIVATE] = "private",
	NULL,
};

/*
 * Copies text of which a user may have written a part: control characters and bytes that are not
 * UTF-8 become \xNN, and what does not fit ends in "...", never in half a character.
 */
static void copy_printable(char *why, const char *text)
{
	static const char dots[] = "...";
	size_t used = 0, fits = 0;

	while (*text != '\0') {
		size_t step = escape_utf8_length(text);
		bool c1 = step == 2 && memcmp(text, "\xc2\x80", 2) >= 0 &&
			  memcmp(text, "\xc2\x9f", 2) <= 0;
		char piece[5];

		if (step == 0 || c1 || (unsigned char)*text < ' ' || *text == 0x7f) {
			snprintf(piece, sizeof(piece), "\\x%02x", (unsigned char)*text++);
			step = 4;
		} else {
			memcpy(piece, text, step);
			text += step;
		}
		if (used + step >= REQUEST_WHY_LENGTH) {
			memcpy(why + fits, dots, sizeof(dots));
			return;
		}
		memcpy(why + used, piece, step);
		used += step;
		if (used + sizeof(dots) <= REQUEST_WHY_LENGTH)
			fits = used;
	}
	why[used] = '\0';
}

__attribute__((format(printf, 3, 4))) static int fail(char *why, int error, const char *format, ...)
{
	char text[4 * REQUEST_WHY_LENGTH];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	copy_printable(why, text);
	return error;
}

static int fail_memory(char *why)
{
	return fail(why, -ENOMEM, "out of memory");
}

static int fail_nul(char *why)
{
	return fail(why, -EINVAL, "a request must not contain NUL bytes");
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Only finds where the object ends; the parser checks whether it is JSON. */
static int scan_byte(struct request_scan *scan, char c, char *why)
{
	if (c == '\0')
		return fail_nul(why);
	if (scan->in_string) {
		if (scan->escaped)
			scan->escaped = false;
		else if (c == '\\')
			scan->escaped = true;
		else if (c == '"')
			scan->in_string = false;
		return 0;
	}
	if (is_space(c))
		return 0;
	if (scan->complete)
		return fail(why, -EINVAL, "unexpected bytes after the object");
	if (!scan->begun && c != '{')
		return fail(why, -EINVAL, "a request must be a JSON object, beginning with \"{\"");
	scan->begun = true;
	switch (c) {
	case '"':
		scan->in_string = true;
		break;
	case '{':
	case '[':
		if (scan->depth == REQUEST_MAX_DEPTH)
			return fail(why, -EINVAL, "nested more than %d deep", REQUEST_MAX_DEPTH);
		scan->depth++;
		break;
	case '}':
	case ']':
		scan->complete = --scan->depth == 0;
		break;
	}
	return 0;
}

int request_scan(struct request_scan *scan, const char *text, size_t length, char *why)
{
	for (size_t i = 0; i < length; i++) {
		int error;

		if (scan->seen == REQUEST_MAX_BYTES)
			return fail(why, -EFBIG, "a request must not be longer than %d bytes",
				    REQUEST_MAX_BYTES);
		scan->seen++;
		error = scan_byte(scan, text[i], why);
		if (error)
			return error;
	}
	return scan->complete;
}

static int index_of(const char *const *list, const char *string)
{
	for (int i = 0; list[i] != NULL; i++)
		if (!strcmp(list[i], string))
			return i;
	return -1;
}

/* An object of the request, and how messages call its members: `prefix` + key. */
struct members {
	const json_t *object;
	const char *prefix;
	char *why;
};

static int check_keys(const struct members *in, const char *const *known)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)in->object, key, value)
		if (index_of(known, key) < 0)
			return fail(in->why, -EINVAL, "unknown key \"%s%s\"", in->prefix, key);
	return 0;
}

/* The getters leave the result alone where the key is absent. */
static int get_integer(const struct members *in, const char *key, uint64_t *integer)
{
	const json_t *value = json_object_get(in->object, key);

	if (value == NULL)
		return 0;
	if (!json_is_integer(value))
		return fail(in->why, -EINVAL, "\"%s%s\" must be an integer", in->prefix, key);
	if (json_integer_value(value) < 0)
		return fail(in->why, -EINVAL, "\"%s%s\" must not be negative", in->prefix, key);
	*integer = (uint64_t)json_integer_value(value);
	return 0;
}

static int get_boolean(const struct members *in, const char *key, bool *boolean)
{
	const json_t *value = json_object_get(in->object, key);

	if (value == NULL)
		return 0;
	if (!json_is_boolean(value))
		return fail(in->why, -EINVAL, "\"%s%s\" must be true or false", in->prefix, key);
	*boolean = json_is_true(value);
	return 0;
}

static int get_string(const struct members *in, const char *key, const char **string)
{
	const json_t *value = json_object_get(in->object, key);

	if (value == NULL)
		return 0;
	if (!json_is_string(value))
		return fail(in->why, -EINVAL, "\"%s%s\" must be a string", in->prefix, key);
	if (strlen(json_string_value(value)) != json_string_length(value))
		return fail(in->why, -EINVAL, "\"%s%s\" must not contain NUL", in->prefix, key);
	*string = json_string_value(value);
	return 0;
}

static int get_choice(const struct members *in, const char *key, const char *const *choices,
		      int *choice)
{
	const char *string = NULL;
	char list[64] = "";
	int error = get_string(in, key, &string);

	if (error || string == NULL)
		return error;
	error = index_of(choices, string);
	if (error >= 0) {
		*choice = error;
		return 0;
	}
	for (size_t i = 0, used = 0; choices[i] != NULL; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
					 i == 0 ? "" : ", ", choices[i]);
	return fail(in->why, -EINVAL, "\"%s%s\" must be one of %s: \"%s\"", in->prefix, key, list,
		    string);
}

/* Three characters: r or -, w or -, x or -. */
static int get_protection(const struct members *in, const char *key, unsigned *protection)
{
	static const char letters[] = "rwx";
	static const unsigned bits[] = {PMEM2_PROT_READ, PMEM2_PROT_WRITE, PMEM2_PROT_EXEC};
	const char *string = NULL;
	unsigned value = PMEM2_PROT_NONE;
	bool valid;
	int error = get_string(in, key, &string);

	if (error || string == NULL)
		return error;
	valid = strlen(string) == strlen(letters);
	for (size_t i = 0; valid && letters[i] != '\0'; i++) {
		if (string[i] == letters[i])
			value |= bits[i];
		else if (string[i] != '-')
			valid = false;
	}
	if (!valid)
		return fail(in->why, -EINVAL,
			    "\"%s%s\" must be r or -, w or -, x or -, as in \"rw-\": \"%s\"",
			    in->prefix, key, string);
	*protection = value;
	return 0;
}

static int check_version(const struct members *root)
{
	const json_t *version = json_object_get(root->object, "version");

	if (version == NULL || (json_is_integer(version) && json_integer_value(version) == 1))
		return 0;
	return fail(root->why, -EINVAL, "\"version\" must be 1");
}

static int refuse_key(const struct members *in, const char *key, const char *reason)
{
	if (json_object_get(in->object, key) == NULL)
		return 0;
	return fail(in->why, -EINVAL, "\"%s%s\" must not be given %s", in->prefix, key, reason);
}

/* *result is a new string, the bytes to open. */
static int get_path(const struct members *source, char **result)
{
	static const char *const encodings[] = {"escaped", NULL};
	const char *text = NULL;
	char *path;
	int encoding = -1;
	int error = get_string(source, "path", &text);

	if (!error)
		error = get_choice(source, "path_encoding", encodings, &encoding);
	if (error)
		return error;
	if (text == NULL)
		return fail(source->why, -EINVAL, "\"source.path\" is missing");

	path = encoding < 0 ? strdup(text) : escape_decode(text);
	if (path == NULL && errno == EINVAL)
		return fail(source->why, -EINVAL,
			    "\"source.path\" has a backslash that begins no \\xNN, or \\x00: "
			    "\"%s\"",
			    text);
	if (path == NULL)
		return fail_memory(source->why);
	if (path[0] != '/')
		error = fail(source->why, -EINVAL, "\"source.path\" must be absolute: \"%s\"",
			     path);
	else if (strlen(path) >= PATH_MAX)
		error = fail(source->why, -ENAMETOOLONG,
			     "\"source.path\" must not be longer than %d bytes", PATH_MAX - 1);
	if (error) {
		free(path);
		return error;
	}
	*result = path;
	return 0;
}

/* `request->length` has been read; it may only repeat the size. */
static int get_anonymous(const struct members *source, struct request *request)
{
	static const char reason[] = "for anonymous memory";
	uint64_t size = 0;
	int error = refuse_key(source, "path", reason);

	if (!error)
		error = refuse_key(source, "path_encoding", reason);
	if (!error)
		error = refuse_key(source, "offset", reason);
	if (!error)
		error = refuse_key(source, "allocate", reason);
	if (!error && json_object_get(source->object, "size") == NULL)
		error = fail(source->why, -EINVAL, "\"source.size\" is missing");
	if (!error)
		error = get_integer(source, "size", &size);
	if (!error && size == 0)
		error = fail(source->why, -EINVAL, "\"source.size\" must not be 0");
	if (!error && request->length != 0 && request->length != size)
		error = fail(source->why, -EINVAL,
			     "\"length\" must be \"source.size\" for anonymous memory");
	if (error)
		return error;
	request->anonymous = true;
	request->length = size;
	return 0;
}

static int get_source(const struct members *root, bool have_descriptor, struct request *request)
{
	static const char reason[] = "where the source came as a descriptor";
	const json_t *object = json_object_get(root->object, "source");
	const struct members source = {object, "source.", root->why};
	int type = 0;
	int error;

	if (object == NULL)
		return have_descriptor ? 0 : fail(root->why, -EINVAL, "\"source\" is missing");
	if (!json_is_object(object))
		return fail(root->why, -EINVAL, "\"source\" must be an object");
	error = check_keys(&source, source_keys);
	if (!error)
		error = get_choice(&source, "type", source_types, &type);
	if (error)
		return error;

	if (!strcmp(source_types[type], "anonymous")) {
		if (have_descriptor)
			return fail(root->why, -EINVAL, "\"source.type\" must not be anonymous %s",
				    reason);
		return get_anonymous(&source, request);
	}
	error = get_integer(&source, "offset", &request->offset);
	if (!error)
		error = get_boolean(&source, "allocate", &request->allocate);
	if (error)
		return error;
	if (request->allocate &&
	    (request->sharing != PMEM2_SHARED || !(request->protection & PMEM2_PROT_WRITE)))
		return fail(root->why, -EINVAL,
			    "\"source.allocate\" is for a mapping that is shared and writable");
	if (!have_descriptor && json_is_true(json_object_get(object, "deleted")))
		return fail(root->why, -ENOENT,
			    "\"source.deleted\" says that the source is no longer at its path");
	if (!have_descriptor)
		return get_path(&source, &request->path);
	error = refuse_key(&source, "path", reason);
	if (!error)
		error = refuse_key(&source, "path_encoding", reason);
	/* The process that passes the descriptor allocates, with its own rights. */
	return error ? error : refuse_key(&source, "allocate", reason);
}

int request_from_json(const json_t *json, bool have_descriptor, struct request *request, char *why)
{
	const struct members root = {json, "", why};
	struct request result = {.protection = PMEM2_PROT_READ | PMEM2_PROT_WRITE};
	int granularity = PMEM2_GRANULARITY_PAGE;
	int sharing = PMEM2_SHARED;
	int error;

	if (!json_is_object(json))
		return fail(why, -EINVAL, "a request must be a JSON object");
	error = check_keys(&root, root_keys);
	if (!error)
		error = check_version(&root);
	if (!error)
		error = get_integer(&root, "length", &result.length);
	if (!error)
		error = get_choice(&root, "required_granularity", granularities, &granularity);
	if (!error)
		error = get_choice(&root, "sharing", sharings, &sharing);
	if (!error)
		error = get_protection(&root, "protection", &result.protection);
	if (error)
		return error;
	result.granularity = (enum pmem2_granularity)granularity;
	result.sharing = (enum pmem2_sharing_type)sharing;
	error = get_source(&root, have_descriptor, &result);
	if (error)
		return error;
	*request = result;
	return 0;
}

int request_parse(const char *text, size_t length, struct request *request, char *why)
{
	json_error_t detail;
	json_t *json;
	int error;

	if (memchr(text, '\0', length) != NULL)
		return fail_nul(why); /* jansson passes over one behind a number */
	/* With JSON_ALLOW_NUL it is get_string that finds \u0000 and can name the key. */
	json = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &detail);
	if (json == NULL) {
		if (json_error_code(&detail) == json_error_out_of_memory)
			return fail_memory(why);
		return fail(why, -EINVAL, "%s: line %d, column %d: %s",
			    json_error_code(&detail) == json_error_invalid_utf8
				    ? "the request is not valid UTF-8"
				    : "the request is not valid JSON",
			    detail.line, detail.column, detail.text);
	}
	error = request_from_json(json, false, request, why);
	json_decref(json);
	return error;
}

void request_clear(struct request *request)
{
	free(request->path);
	request->path = NULL;
}
