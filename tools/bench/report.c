// SPDX-License-Identifier: BSD-3-Clause
/*
 * report.c - what was measured, as a table for people or as JSON for programs
 *
 * Owns the rows and the targets of memory. Calls comparison.c, copy_results.c and message.c.
 */
#include "bench/report.h"
#include "bench/comparison.h"
#include "bench/copy_results.h"
#include "bench/memory.h"
#include "bench/message.h"
#include "bench/options.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* Bytes of resident memory that one mapping may take, keeper and worker together. */
#define MEMORY_TARGET 1024

int report_measure(struct report *report, const struct comparison_plan *plan)
{
	int err = comparison_run(plan, &report->rows[report->row_count]);

	if (err == -ENOMEM)
		message_error("%s: %s", plan->name, strerror(ENOMEM));
	for (unsigned i = 0; !err && i < COMPARISON_PEERS_MAX && plan->peers[i].name; i++)
		report->row_count++;
	return err;
}

static bool row_missed(const struct comparison_row *row)
{
	return row->target > 0 && row->ratio.median > row->target;
}

/* How much more `after` is than `before`, for each mapping. */
static double per_mapping(const struct report *report, uint64_t before, uint64_t after)
{
	return ((double)after - (double)before) / (double)report->options->mappings;
}

static struct memory_usage memory_together(const struct report *report)
{
	struct memory_usage sum;

	for (unsigned i = 0; i < 3; i++) {
		sum.rss[i] = report->keeper.rss[i] + report->worker.rss[i];
		sum.pss[i] = report->keeper.pss[i] + report->worker.pss[i];
	}
	return sum;
}

static bool memory_missed(const struct report *report)
{
	struct memory_usage sum = memory_together(report);

	return report->have_memory && per_mapping(report, sum.rss[0], sum.rss[1]) > MEMORY_TARGET;
}

unsigned report_missed(const struct report *report)
{
	unsigned missed = memory_missed(report) + copy_results_missed(report->copies);

	for (size_t i = 0; i < report->row_count; i++)
		missed += row_missed(&report->rows[i]);
	return missed;
}

static void print_setting(const struct report *report)
{
	const struct options *options = report->options;
	struct utsname system;

	uname(&system);
	printf("%zu mappings; Linux %s; bench on CPU %d, ", options->mappings, system.release,
	       report->cpu);
	if (options->peer)
		printf("no daemon: ours is %s", options->peer);
	else
		printf("daemon %s", options->pin ? "on the same" : "where the kernel puts it");
	if (options->busy)
		printf("; %u other CPUs kept busy", report->busy_cpus);
	if (options->mount_options)
		printf("; -o %s", options->mount_options);
	if (report->document_size)
		printf("; documents of %zu bytes", report->document_size);
	if (report->scratch_fs[0])
		printf("; file on %s", report->scratch_fs);
	if (report->library[0])
		printf("\nours is %s, libpmem2 is %s", report->library,
		       report->libpmem2[0] ? report->libpmem2 : "not there");
	printf("\n"
	       "All sides ran in turn, round by round; the ratio is the median of the rounds' own "
	       "ratios.\n"
	       "Times are medians of this run in µs: not comparable between runs or machines.\n\n");
}

/* Rows that have the same columns. */
enum table { TABLE_TIMES, TABLE_PER_SECOND, TABLE_CPU, TABLES };

static enum table table_of(const struct comparison_row *row)
{
	return row->per_second ? TABLE_PER_SECOND : row->cpu_ns[0] > 0 ? TABLE_CPU : TABLE_TIMES;
}

static void print_heading(enum table table)
{
	const char *unit = table == TABLE_PER_SECOND ? "/s" : "µs";

	printf("%-17s %6s %s", "", "ours", unit);
	if (table == TABLE_CPU)
		printf(" %10s", "CPU µs");
	printf("  %-8s %6s %s", "peer", "peer", unit);
	if (table == TABLE_CPU)
		printf(" %10s", "CPU µs");
	printf(" %7s  %-15s %8s %7s  %s\n", "ratio", "quartiles", "overall", "rounds", "target");
}

static void print_row(const struct comparison_row *row, enum table table)
{
	int digits = table == TABLE_TIMES ? 2 : 0;
	double shown[2];

	for (unsigned i = 0; i < 2; i++)
		shown[i] = table == TABLE_PER_SECOND ? 1e9 / row->median_ns[i]
						     : row->median_ns[i] / 1000;
	printf("%-17s %9.*f", row->name, digits, shown[0]);
	if (table == TABLE_CPU)
		printf(" %9.0f", row->cpu_ns[0] / 1000);
	printf("  %-8s %9.*f", row->peer, digits, shown[1]);
	if (table == TABLE_CPU)
		printf(" %9.0f", row->cpu_ns[1] / 1000);
	printf(" %7.2f  %6.2f - %-6.2f %8.2f %7zu", row->ratio.median, row->ratio.low,
	       row->ratio.high, row->overall, row->rounds);
	if (row->target > 0)
		printf("  <= %.4g %s", row->target, row_missed(row) ? "MISSED" : "ok");
	printf("\n");
}

static void print_table(const struct report *report, enum table table)
{
	const char *group = NULL;
	bool begun = false;

	for (size_t i = 0; i < report->row_count; i++) {
		const struct comparison_row *row = &report->rows[i];

		if (table_of(row) != table)
			continue;
		if (row->group && row->group != group)
			printf("%s%s\n", begun ? "\n" : "", row->group);
		if (!begun || row->group != group)
			print_heading(table);
		group = row->group;
		begun = true;
		print_row(row, table);
	}
	if (begun)
		printf("\n");
}

static void print_rows(const struct report *report)
{
	for (enum table table = 0; table < TABLES; table++)
		print_table(report, table);
	for (size_t i = 0; i < report->row_count; i++)
		if (report->rows[i].what)
			printf("%s: %s\n", report->rows[i].name, report->rows[i].what);
	if (report->busy)
		printf("rm: said EBUSY %zu times and was repeated\n", report->busy);
	printf("overall: ratio of the mean times, so that rare slow rounds have their weight\n"
	       "/s: of all threads together; the ratios are those of the times here, too\n"
	       "CPU: how long CPUs were busy; with ours: keeper, worker and command together\n");
}

static void print_worst(const struct report *report)
{
	const struct comparison_row *worst = comparison_worst(report->rows, report->row_count);

	if (worst)
		printf("\nworst against its target: %s to %s%s%s: ratio %.2f, %.2f times its "
		       "target of %.4g\n",
		       worst->name, worst->peer, worst->group ? ", " : "",
		       worst->group ? worst->group : "", worst->ratio.median,
		       worst->ratio.median / worst->target, worst->target);
}

static void print_process(const struct report *report, const char *name,
			  const struct memory_usage *memory, const char *verdict)
{
	printf("%-9s Rss %14.0f %14.0f %14.0f %14.0f%s\n", name, (double)memory->rss[0] / 1024,
	       (double)memory->rss[1] / 1024, (double)memory->rss[2] / 1024,
	       per_mapping(report, memory->rss[0], memory->rss[1]), verdict);
	printf("%-9s Pss %14.0f %14.0f %14.0f %14.0f\n", "", (double)memory->pss[0] / 1024,
	       (double)memory->pss[1] / 1024, (double)memory->pss[2] / 1024,
	       per_mapping(report, memory->pss[0], memory->pss[1]));
}

static void print_memory(const struct report *report)
{
	struct memory_usage sum = memory_together(report);
	char verdict[64];

	snprintf(verdict, sizeof(verdict), "  <= %d %s", MEMORY_TARGET,
		 memory_missed(report) ? "MISSED" : "ok");
	printf("%-13s %14s %14s %14s %14s\n", "memory", "before, KiB", "all there, KiB",
	       "removed, KiB", "B per mapping");
	print_process(report, "keeper", &report->keeper, "");
	print_process(report, "worker", &report->worker, "");
	print_process(report, "together", &sum, verdict);
	printf("\nbefore: one mapping was made and removed; all there: after cat of each and ls -l;"
	       "\nthe table counts in the keeper; the kernel's own memory is not in it\n");
}

static json_t *row_json(const struct comparison_row *row)
{
	json_t *json =
		json_pack("{s:s, s:s*, s:s*, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f}", "name",
			  row->name, "what", row->what, "group", row->group, "peer", row->peer,
			  "rounds", (int)row->rounds, "ours_ns", row->median_ns[0], "peer_ns",
			  row->median_ns[1], "ratio", row->ratio.median, "ratio_low",
			  row->ratio.low, "ratio_high", row->ratio.high, "overall", row->overall);

	if (table_of(row) == TABLE_CPU) {
		json_object_set_new(json, "ours_cpu_ns", json_real(row->cpu_ns[0]));
		json_object_set_new(json, "peer_cpu_ns", json_real(row->cpu_ns[1]));
	}
	if (row->per_second) {
		json_object_set_new(json, "ours_per_second", json_real(1e9 / row->median_ns[0]));
		json_object_set_new(json, "peer_per_second", json_real(1e9 / row->median_ns[1]));
	}
	if (row->target > 0) {
		json_object_set_new(json, "target", json_real(row->target));
		json_object_set_new(json, "ok", json_boolean(!row_missed(row)));
	}
	return json;
}

static json_t *memory_json(const struct report *report, const struct memory_usage *memory)
{
	return json_pack("{s:[I,I,I], s:[I,I,I], s:f, s:f}", "rss", (json_int_t)memory->rss[0],
			 (json_int_t)memory->rss[1], (json_int_t)memory->rss[2], "pss",
			 (json_int_t)memory->pss[0], (json_int_t)memory->pss[1],
			 (json_int_t)memory->pss[2], "rss_per_mapping",
			 per_mapping(report, memory->rss[0], memory->rss[1]), "pss_per_mapping",
			 per_mapping(report, memory->pss[0], memory->pss[1]));
}

static json_t *worst_json(const struct report *report)
{
	const struct comparison_row *worst = comparison_worst(report->rows, report->row_count);

	return worst ? json_pack("{s:s, s:s*, s:s, s:f, s:f}", "name", worst->name, "group",
				 worst->group, "peer", worst->peer, "ratio", worst->ratio.median,
				 "target", worst->target)
		     : json_null();
}

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static int print_json(const struct report *report)
{
	const struct options *options = report->options;
	struct memory_usage sum = memory_together(report);
	json_t *rows = json_array(), *root;
	struct utsname system;
	int err = 0;

	for (size_t i = 0; i < report->row_count; i++)
		json_array_append_new(rows, row_json(&report->rows[i]));
	uname(&system);
	root = json_pack("{s:i, s:b, s:s, s:I, s:i, s:i, s:b, s:s*, s:s*, s:I, s:I, s:s, s:s*, "
			 "s:s*, s:o, s:o}",
			 "version", 1, "complete", report->complete, "kernel", system.release,
			 "mappings", (json_int_t)options->mappings, "cpu", report->cpu, "busy_cpus",
			 (int)report->busy_cpus, "daemon_pinned", options->pin, "mount_options",
			 options->mount_options, "peer", options->peer, "document_size",
			 (json_int_t)report->document_size, "busy", (json_int_t)report->busy,
			 "scratch", report->scratch_fs, "library", or_null(report->library),
			 "libpmem2", or_null(report->libpmem2), "rows", rows, "worst",
			 worst_json(report));
	if (report->have_memory)
		json_object_set_new(root, "memory",
				    json_pack("{s:o, s:o, s:o, s:i, s:b}", "keeper",
					      memory_json(report, &report->keeper), "worker",
					      memory_json(report, &report->worker), "together",
					      memory_json(report, &sum), "target", MEMORY_TARGET,
					      "ok", !memory_missed(report)));
	if (report->copies->count)
		json_object_set_new(root, "copies", copy_results_json(report->copies));
	if (!root)
		return -ENOMEM;
	if (json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)))
		err = -EIO;
	printf("\n");
	json_decref(root);
	return err;
}

int report_print(const struct report *report)
{
	int err = 0;

	if (report->options->json) {
		err = print_json(report);
	} else {
		print_setting(report);
		if (report->row_count)
			print_rows(report);
		if (report->row_count && report->have_memory)
			printf("\n");
		if (report->have_memory)
			print_memory(report);
		if (report->copies->count && (report->row_count || report->have_memory))
			printf("\n");
		copy_results_print(report->copies);
		print_worst(report);
		if (!report->complete)
			printf("\nINCOMPLETE: something failed\n");
	}
	if (!err && (fflush(stdout) || ferror(stdout)))
		err = -EIO;
	if (err)
		message_error("cannot write the report: %s", strerror(-err));
	return err;
}
