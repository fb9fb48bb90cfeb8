/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping_filter.c - see mapping_filter.h
 *
 * The values of a condition are sorted, so that the time for a mapping does not grow with their
 * number by more than its logarithm.
 */
#include "control/mapping_filter.h"
#include "base/escape.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

enum value_kind {
	VALUE_NUMBER,
	VALUE_DEVICE, /* MAJOR:MINOR */
	VALUE_TEXT,
	VALUE_TRUTH, /* true */
};

/* When what is compared can be relied on. */
enum trust {
	TRUST_ALWAYS,
	TRUST_SETTLED, /* unless facts are pending: something else may be mapped by now */
	TRUST_FRESH,   /* only right after it was read */
};

struct condition_key {
	const char *name;
	enum value_kind kind;
	enum trust trust;
	/* The text of the mapping, NULL for none, or its number; false: it has none. */
	const char *(*text)(const struct version *version);
	bool (*number)(const struct pmem2fs_record *record, const struct version *version,
		       uint64_t *number);
	bool of_device; /* it is a fact of the device below */
};

union value {
	uint64_t number;
	char *text; /* owned */
};

struct condition {
	const struct condition_key *key;
	union value *values;
	size_t count;
};

/* What all have to be met. */
struct alternative {
	struct condition *conditions;
	size_t count;
};

struct mapping_filter {
	struct alternative alternatives[MAPPING_FILTER_ALTERNATIVES];
	size_t count;
};

static bool get_pid(const struct pmem2fs_record *record, const struct version *version,
		    uint64_t *number)
{
	(void)record;
	*number = version->owner ? (uint64_t)version->owner->is.pid : 0;
	return version->owner;
}

static bool get_dev(const struct pmem2fs_record *record, const struct version *version,
		    uint64_t *number)
{
	(void)version;
	*number = record->source_dev;
	return record->source_type != PMEM2FS_SOURCE_ANONYMOUS &&
	       record->source_type != PMEM2FS_SOURCE_DEVDAX;
}

static bool get_node(const struct pmem2fs_record *record, const struct version *version,
		     uint64_t *number)
{
	(void)version;
	*number = record->source_rdev;
	return record->source_type == PMEM2FS_SOURCE_DEVDAX;
}

static bool get_inode(const struct pmem2fs_record *record, const struct version *version,
		      uint64_t *number)
{
	(void)version;
	*number = record->source_inode;
	return record->source_type != PMEM2FS_SOURCE_ANONYMOUS;
}

static bool get_mapped(const struct pmem2fs_record *record, const struct version *version,
		       uint64_t *number)
{
	(void)record;
	*number = 1;
	return !version->extents || version_mapped(version);
}

static const char *get_region(const struct version *version)
{
	return version->device ? version->device->is.region : NULL;
}

static const char *get_namespace(const struct version *version)
{
	return version->device ? version->device->is.namespace_name : NULL;
}

static const char *get_blockdev(const struct version *version)
{
	return version->device ? version->device->is.blockdev : NULL;
}

static const char *get_chardev(const struct version *version)
{
	return version->device ? version->device->is.chardev : NULL;
}

static const struct condition_key keys[] = {
	{"pid", VALUE_NUMBER, TRUST_ALWAYS, NULL, get_pid, false},
	{"dev", VALUE_DEVICE, TRUST_SETTLED, NULL, get_dev, false},
	{"node", VALUE_DEVICE, TRUST_SETTLED, NULL, get_node, false},
	{"inode", VALUE_NUMBER, TRUST_SETTLED, NULL, get_inode, false},
	{"mapped", VALUE_TRUTH, TRUST_FRESH, NULL, get_mapped, false},
	{"state", VALUE_TEXT, TRUST_FRESH, version_state, NULL, false},
	{"region", VALUE_TEXT, TRUST_FRESH, get_region, NULL, true},
	{"namespace", VALUE_TEXT, TRUST_FRESH, get_namespace, NULL, true},
	{"blockdev", VALUE_TEXT, TRUST_FRESH, get_blockdev, NULL, true},
	{"chardev", VALUE_TEXT, TRUST_FRESH, get_chardev, NULL, true},
};

static int compare_numbers(const void *left, const void *right)
{
	uint64_t a = ((const union value *)left)->number, b = ((const union value *)right)->number;

	return (a > b) - (a < b);
}

static int compare_texts(const void *left, const void *right)
{
	return strcmp(((const union value *)left)->text, ((const union value *)right)->text);
}

/* Returns 0, -EINVAL or -ENOMEM. */
static int read_value(const json_t *json, enum value_kind kind, union value *value)
{
	const char *text = json_string_value(json);
	unsigned high, low;
	char *end, more;

	switch (kind) {
	case VALUE_TRUTH:
		value->number = 1;
		return json_is_true(json) ? 0 : -EINVAL;
	case VALUE_TEXT:
		/* Any bytes, by the rule of escape.h; no device has a backslash in its name. */
		value->text = text ? escape_decode(text) : NULL;
		return value->text ? 0 : text && errno == ENOMEM ? -ENOMEM : -EINVAL;
	case VALUE_DEVICE:
		if (!text || sscanf(text, "%u:%u%c", &high, &low, &more) != 2)
			return -EINVAL;
		value->number = makedev(high, low);
		return 0;
	case VALUE_NUMBER:
		/* A large one is a text, as few writers of JSON can write such integers. */
		value->number = (uint64_t)json_integer_value(json);
		if (json_is_integer(json) && json_integer_value(json) >= 0)
			return 0;
		if (!text || text[0] < '0' || text[0] > '9')
			return -EINVAL;
		errno = 0;
		value->number = strtoull(text, &end, 0);
		return *end || errno ? -EINVAL : 0;
	}
	return -EINVAL;
}

static int read_condition(const char *name, const json_t *json, struct condition *condition)
{
	bool several = json_is_array(json);
	size_t count = several ? json_array_size(json) : 1;
	bool texts;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(keys[i].name, name))
			condition->key = &keys[i];
	if (!condition->key)
		return -EINVAL;
	texts = condition->key->kind == VALUE_TEXT;
	condition->values = calloc(count + 1, sizeof(*condition->values));
	if (!condition->values)
		return -ENOMEM;
	for (; condition->count < count; condition->count++) {
		int error = read_value(several ? json_array_get(json, condition->count) : json,
				       condition->key->kind, &condition->values[condition->count]);

		if (error)
			return error;
	}
	qsort(condition->values, count, sizeof(*condition->values),
	      texts ? compare_texts : compare_numbers);
	return 0;
}

static int read_alternative(const json_t *json, struct alternative *alternative)
{
	const char *name;
	json_t *value;

	if (!json_is_object(json))
		return -EINVAL;
	alternative->conditions =
		calloc(json_object_size(json) + 1, sizeof(*alternative->conditions));
	if (!alternative->conditions)
		return -ENOMEM;
	json_object_foreach ((json_t *)json, name, value) {
		int error =
			read_condition(name, value, &alternative->conditions[alternative->count++]);

		if (error)
			return error;
	}
	return 0;
}

int mapping_filter_new(const json_t *where, struct mapping_filter **filter, const char **why)
{
	struct mapping_filter *made;
	size_t conditions = 0;
	int error = 0;

	*why = "bad request: \"where\" is not an array of objects, or has too many";
	if (!json_is_array(where) || json_array_size(where) > MAPPING_FILTER_ALTERNATIVES)
		return -EINVAL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	while (!error && made->count < json_array_size(where)) {
		const json_t *json = json_array_get(where, made->count);

		conditions += json_object_size(json);
		error = conditions > MAPPING_FILTER_CONDITIONS
				? -EINVAL
				: read_alternative(json, &made->alternatives[made->count++]);
	}
	if (error) {
		*why = "bad request: \"where\" has an unknown key, a wrong value, or too many keys";
		mapping_filter_free(made);
		return error;
	}
	*filter = made;
	return 0;
}

void mapping_filter_free(struct mapping_filter *filter)
{
	for (size_t i = 0; filter && i < filter->count; i++) {
		struct alternative *alternative = &filter->alternatives[i];

		for (size_t j = 0; j < alternative->count; j++) {
			struct condition *condition = &alternative->conditions[j];

			for (size_t k = 0; k < condition->count; k++)
				if (condition->key->kind == VALUE_TEXT)
					free(condition->values[k].text);
			free(condition->values);
		}
		free(alternative->conditions);
	}
	free(filter);
}

static bool has_value(const struct condition *condition, const struct pmem2fs_record *record,
		      const struct version *version)
{
	const struct condition_key *key = condition->key;
	union value wanted = {0};

	if (key->text)
		wanted.text = (char *)key->text(version);
	if (key->text ? !wanted.text : !key->number(record, version, &wanted.number))
		return false;
	return condition->count &&
	       bsearch(&wanted, condition->values, condition->count, sizeof(wanted),
		       key->text ? compare_texts : compare_numbers);
}

/* Whether a fact that is not the wanted one may be it all the same. */
static bool is_uncertain(const struct condition_key *key, const struct version *version)
{
	/* Of a device that was lost before it was looked at, nothing can be found out. */
	return (version->pending && key->trust != TRUST_ALWAYS) ||
	       (key->of_device && version->lost && !version->device);
}

static enum mapping_match match_condition(const struct condition *condition,
					  const struct pmem2fs_record *record,
					  const struct version *version, bool fresh)
{
	if (condition->key->trust == TRUST_FRESH && !fresh)
		return MATCH_UNDECIDED;
	if (has_value(condition, record, version))
		return MATCH_YES;
	return is_uncertain(condition->key, version) ? MATCH_UNDECIDED : MATCH_NO;
}

static enum mapping_match match_alternative(const struct alternative *alternative,
					    const struct pmem2fs_record *record,
					    const struct version *version, bool fresh)
{
	enum mapping_match match = MATCH_YES;

	for (size_t i = 0; match && i < alternative->count; i++) {
		enum mapping_match one =
			match_condition(&alternative->conditions[i], record, version, fresh);

		if (one < match)
			match = one;
	}
	return match;
}

enum mapping_match mapping_filter_match(const struct mapping_filter *filter,
					const struct version *version, bool fresh)
{
	enum mapping_match match = MATCH_NO;
	struct pmem2fs_record record;

	if (!filter)
		return MATCH_YES;
	version_record(version, &record);
	for (size_t i = 0; match < MATCH_YES && i < filter->count; i++) {
		enum mapping_match one =
			match_alternative(&filter->alternatives[i], &record, version, fresh);

		if (one > match)
			match = one;
	}
	return match;
}
