// SPDX-License-Identifier: BSD-3-Clause
/*
 * copy_results.c - the tables of persist and the copy functions
 *
 * People see ratios only, a line per size; programs get everything. Calls statistics.c.
 */
#include "bench/copy_results.h"
#include "bench/library.h"
#include "bench/options.h"
#include "bench/statistics.h"
#include <stdio.h>
#include <string.h>

#define SLOWER_SHOWN 20

const struct copy_variant copy_variants[COPY_VARIANTS] = {
	{{"byte", ""}, NULL, PMEM2_GRANULARITY_BYTE, 0, false},
	{{"byte", "odd"}, NULL, PMEM2_GRANULARITY_BYTE, 0, true},
	{{"line", ""}, NULL, PMEM2_GRANULARITY_CACHE_LINE, 0, false},
	{{"line", "odd"}, NULL, PMEM2_GRANULARITY_CACHE_LINE, 0, true},
	{{"page", ""}, NULL, PMEM2_GRANULARITY_PAGE, 0, false},
	{{"page", "odd"}, NULL, PMEM2_GRANULARITY_PAGE, 0, true},
	{{"line", "nodrain"}, "nodrain", PMEM2_GRANULARITY_CACHE_LINE, PMEM2_F_MEM_NODRAIN, false},
	{{"line", "nontemp."},
	 "nontemporal",
	 PMEM2_GRANULARITY_CACHE_LINE,
	 PMEM2_F_MEM_NONTEMPORAL,
	 false},
	{{"line", "temporal"},
	 "temporal",
	 PMEM2_GRANULARITY_CACHE_LINE,
	 PMEM2_F_MEM_TEMPORAL,
	 false},
};

static const char *const granularities[] = {"byte", "cache_line", "page"};

static const char *function_name(enum measurement function)
{
	switch (function) {
	case MEASURE_PERSIST:
		return "persist";
	case MEASURE_MEMCPY:
		return "memcpy";
	case MEASURE_MEMMOVE:
		return "memmove";
	default:
		return "memset";
	}
}

/* Which results a mean is of. */
struct choice {
	int function, variant, granularity; /* -1: any */
};

static bool chosen(const struct copy_result *result, const struct choice *choice)
{
	return (choice->function < 0 || (int)result->function == choice->function) &&
	       (choice->variant < 0 || (int)result->variant == choice->variant) &&
	       (choice->granularity < 0 ||
		(int)copy_variants[result->variant].granularity == choice->granularity);
}

/* The geometric mean of the ratios of the chosen results, 0: there are none. */
static double mean(const struct copy_results *results, struct choice choice)
{
	double ratios[COPY_RESULTS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < results->count; i++)
		if (chosen(&results->list[i], &choice))
			ratios[count++] = results->list[i].row.ratio.median;
	return count ? statistics_geometric_mean(ratios, count) : 0;
}

static double mean_of_all(const struct copy_results *results)
{
	return mean(results, (struct choice){-1, -1, -1});
}

void copy_results_note_noise(struct copy_results *results)
{
	double noises[COPY_RESULTS_MAX];

	for (size_t i = 0; i < results->count; i++)
		noises[i] = statistics_noise(&results->list[i].equal);
	if (results->count)
		results->noise = statistics_quartiles(noises, results->count).high;
}

static double noise_of(const struct copy_results *results, const struct copy_result *result)
{
	double own = statistics_noise(&result->equal);

	return own > results->noise ? own : results->noise;
}

bool copy_result_is_slower(const struct copy_results *results, const struct copy_result *result)
{
	return statistics_slower(&result->row.ratio, noise_of(results, result));
}

size_t copy_results_slower(const struct copy_results *results)
{
	size_t slower = 0;

	for (size_t i = 0; i < results->count; i++)
		slower += copy_result_is_slower(results, &results->list[i]);
	return slower;
}

unsigned copy_results_missed(const struct copy_results *results)
{
	return results->count ? (copy_results_slower(results) > 0) + (mean_of_all(results) >= 1)
			      : 0;
}

static void print_heading(enum measurement function, unsigned variants)
{
	for (unsigned line = 0; line < 2; line++) {
		printf("%-9s", line ? "" : function_name(function));
		for (unsigned variant = 0; variant < variants; variant++)
			printf(" %9s", copy_variants[variant].heading[line]);
		printf("%s\n", function != MEASURE_PERSIST ? ""
			       : line                      ? "    /msync"
							   : "      page");
	}
}

static void print_size(size_t size)
{
	char text[32];

	if (size >= 1024 * 1024 && size % (1024 * 1024) == 0)
		snprintf(text, sizeof(text), "%zu MiB", size / (1024 * 1024));
	else if (size >= 1024 && size % 1024 == 0)
		snprintf(text, sizeof(text), "%zu KiB", size / 1024);
	else
		snprintf(text, sizeof(text), "%zu B", size);
	printf("%9s", text);
}

/* Prints the line that begins with this result. Returns the result behind it. */
static const struct copy_result *print_line(const struct copy_results *results,
					    const struct copy_result *result,
					    const struct copy_result *end, unsigned variants)
{
	size_t size = result->size;
	double raw = 0;

	print_size(size);
	for (unsigned variant = 0; variant < variants; variant++) {
		if (result == end || result->size != size || result->variant != variant) {
			printf(" %9s", "");
			continue;
		}
		printf("  %7.2f%c", result->row.ratio.median,
		       copy_result_is_slower(results, result) ? '!' : ' ');
		if (result->raw > 0 && !raw)
			raw = result->raw;
		result++;
	}
	if (raw > 0)
		printf("  %7.2f", raw);
	printf("\n");
	return result;
}

static void print_function(const struct copy_results *results, enum measurement function)
{
	const struct copy_result *result = results->list, *end = result + results->count;
	unsigned variants = function == MEASURE_PERSIST ? COPY_PLAIN_VARIANTS : COPY_VARIANTS;

	while (result < end && result->function != function)
		result++;
	if (result == end)
		return;
	print_heading(function, variants);
	while (result < end && result->function == function) {
		const struct copy_result *line_end = result;

		while (line_end < end && line_end->function == function)
			line_end++;
		result = print_line(results, result, line_end, variants);
	}
	printf("%9s", "mean");
	for (unsigned variant = 0; variant < variants; variant++)
		printf("  %7.2f ", mean(results, (struct choice){(int)function, (int)variant, -1}));
	printf("\n\n");
}

void copy_results_print(const struct copy_results *results)
{
	size_t slower = copy_results_slower(results);
	double all = mean_of_all(results);

	if (!results->count)
		return;
	printf("Ratios of ours to libpmem2 by granularity, at aligned addresses and at odd ones; "
	       "page /msync: to msync.\n\n");
	for (int function = MEASURE_PERSIST; function <= MEASURE_MEMSET; function++)
		print_function(results, (enum measurement)function);
	printf("geometric means:");
	for (int granularity = 0; granularity < 3; granularity++) {
		double of_it = mean(results, (struct choice){-1, -1, granularity});

		if (of_it > 0)
			printf(" %s %.3f,", granularities[granularity], of_it);
	}
	printf(" all %zu %.3f  < 1 %s\n", results->count, all, all < 1 ? "ok" : "MISSED");
	printf("slower than libpmem2 by more than the noise (!): %zu  <= 0 %s\n", slower,
	       slower ? "MISSED" : "ok");
	for (size_t i = 0, shown = 0; i < results->count && shown < SLOWER_SHOWN; i++) {
		const struct copy_result *result = &results->list[i];
		const struct copy_variant *variant = &copy_variants[result->variant];

		if (copy_result_is_slower(results, result) && ++shown)
			printf("  %s %zu bytes, %s%s%s%s: ratio %.2f, quartiles %.2f - %.2f, noise "
			       "%.2f\n",
			       function_name(result->function), result->size,
			       granularities[variant->granularity],
			       variant->unaligned ? ", unaligned" : "", variant->flag ? ", " : "",
			       variant->flag ? variant->flag : "", result->row.ratio.median,
			       result->row.ratio.low, result->row.ratio.high,
			       noise_of(results, result));
	}
	if (slower > SLOWER_SHOWN)
		printf("  ...\n");
	printf("noise of this run: %.3f. Three sizes out of four had less, which is how far from 1 "
	       "the\n"
	       "farther quartile of libpmem2 against itself was, in the same rounds; one with more "
	       "has "
	       "its own.\n"
	       "slower: its lower quartile was above 1 + noise in each of three trials\n",
	       results->noise);
}

static json_t *result_json(const struct copy_results *results, const struct copy_result *result)
{
	const struct copy_variant *variant = &copy_variants[result->variant];
	json_t *json = json_pack(
		"{s:s, s:s, s:b, s:s*, s:I, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:f, s:f, s:f, "
		"s:b}",
		"function", function_name(result->function), "granularity",
		granularities[variant->granularity], "aligned", !variant->unaligned, "flags",
		variant->flag, "size", (json_int_t)result->size, "rounds", (int)result->row.rounds,
		"ours_ns", result->row.median_ns[0], "peer_ns", result->row.median_ns[1], "ratio",
		result->row.ratio.median, "ratio_low", result->row.ratio.low, "ratio_high",
		result->row.ratio.high, "overall", result->row.overall, "trials",
		(int)result->trials, "noise", noise_of(results, result), "noise_low",
		result->equal.low, "noise_high", result->equal.high, "slower",
		copy_result_is_slower(results, result));

	if (result->raw > 0)
		json_object_set_new(json, "msync_ratio", json_real(result->raw));
	return json;
}

json_t *copy_results_json(const struct copy_results *results)
{
	json_t *array = json_array(), *means = json_object();

	for (size_t i = 0; i < results->count; i++)
		json_array_append_new(array, result_json(results, &results->list[i]));
	for (int granularity = 0; results->count && granularity < 3; granularity++)
		json_object_set_new(means, granularities[granularity],
				    json_real(mean(results, (struct choice){-1, -1, granularity})));
	if (results->count)
		json_object_set_new(means, "all", json_real(mean_of_all(results)));
	return json_pack("{s:o, s:o, s:f, s:I, s:b}", "cells", array, "geometric_means", means,
			 "noise", results->noise, "slower",
			 (json_int_t)copy_results_slower(results), "ok",
			 !copy_results_missed(results));
}
