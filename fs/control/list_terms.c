/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * list_terms.c - see list_terms.h
 */
#include "control/list_terms.h"
#include <errno.h>

static bool has_column(const struct list_terms *terms, const struct column *column)
{
	for (size_t i = 0; i < terms->column_count; i++)
		if (terms->columns[i] == column)
			return true;
	return false;
}

/*
 * A column that is repeated would make a line many times as long as the document, and a line is
 * rendered at once.
 */
static int read_columns(const json_t *json, struct list_terms *terms, const char **why)
{
	*why = "bad request: \"columns\" is not an array of columns, repeats one, or has too many";
	if (!json_array_size(json) || json_array_size(json) > COLUMNS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(json); i++) {
		const char *name = json_string_value(json_array_get(json, i));
		const struct column *column = name ? column_find(name) : NULL;

		if (!column || has_column(terms, column))
			return -EINVAL;
		terms->columns[terms->column_count++] = column;
	}
	return 0;
}

int list_terms_read(const json_t *question, struct list_terms *terms, const char **why)
{
	const json_t *columns = json_object_get(question, "columns");
	const json_t *where = json_object_get(question, "where");
	int error = 0;

	*terms = (struct list_terms){0};
	if (columns)
		error = read_columns(columns, terms, why);
	if (!error && where)
		error = mapping_filter_new(where, &terms->filter, why);
	if (error)
		*terms = (struct list_terms){0};
	return error;
}

void list_terms_clear(struct list_terms *terms)
{
	mapping_filter_free(terms->filter);
	*terms = (struct list_terms){0};
}

static bool shows_facts(const struct list_terms *terms)
{
	for (size_t i = 0; i < terms->column_count; i++)
		if (column_needs_facts(terms->columns[i]))
			return true;
	return !terms->column_count;
}

bool list_terms_need_facts(const struct list_terms *terms, const struct version *version)
{
	enum mapping_match match = mapping_filter_match(terms->filter, version, false);

	return match == MATCH_UNDECIDED || (match == MATCH_YES && shows_facts(terms));
}
