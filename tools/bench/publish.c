// SPDX-License-Identifier: BSD-3-Clause
/*
 * publish.c - what showing mappings to a daemon costs
 */
#include "bench/arena.h"
#include "bench/comparison.h"
#include "bench/library.h"
#include "bench/report.h"
#include <unistd.h>

#define PUBLISH_TARGET 1.05

/* With mappings shown to a daemon, which has the table when the first round begins, and hidden. */
int bench_publish(const struct library *ours, const cpu_set_t *cpus, struct report *report)
{
	static const struct {
		const char *name, *what;
		size_t live;
	} rows[] = {
		{"publish",
		 "as map reused; the peer is ours too, which publishes nothing (PMEM2FS=off)", 1},
		{"publish 10k", "the same with 10,000 other mappings in the process", 10000},
	};
	struct bench_arena arena = {.report = report, .cpus = cpus};
	int fd = bench_arena_file(), err = 0;

	if (fd < 0)
		return fd;
	for (size_t i = 0; !err && i < sizeof(rows) / sizeof(*rows); i++) {
		const struct bench_contender contenders[] = {
			{.library = ours, .live = rows[i].live, .shown = BENCH_SHOWN},
			{.library = ours, .live = rows[i].live, .shown = BENCH_HIDDEN},
		};

		err = bench_arena_open(&arena, contenders, 2, fd);
		if (err)
			break;
		err = bench_arena_measure(
			&arena,
			(struct comparison_plan){
				.name = rows[i].name,
				.what = rows[i].what,
				.peers = {{.name = "off", .target = PUBLISH_TARGET}},
			},
			0);
		bench_arena_close(&arena);
	}
	close(fd);
	return err;
}
