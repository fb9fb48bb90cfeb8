// SPDX-License-Identifier: BSD-3-Clause
/*
 * publish.c - what publishing mappings to a daemon costs
 *
 * Owns the cases and their target. Calls map_workload.c.
 */
#include "bench/publish.h"
#include "bench/comparison.h"
#include "bench/library.h"
#include "bench/map_workload.h"
#include "bench/report.h"
#include <unistd.h>

#define PUBLISH_TARGET 1.02

/*
 * One side publishes to a daemon, which has its table when the first round begins; the other does
 * not.
 */
int publish_measure(const struct library *ours, const cpu_set_t *cpus, struct report *report)
{
	static const struct {
		const char *name, *what;
		size_t live;
	} rows[] = {
		{"publish",
		 "as map reused; the peer is ours too, which publishes nothing (PMEM2FS=off)", 1},
		{"publish 10k", "the same with 10,000 other mappings in the process", 10000},
	};
	struct map_workload workload = {.report = report, .cpus = cpus};
	int fd = map_workload_file(), err = 0;

	if (fd < 0)
		return fd;
	for (size_t i = 0; !err && i < sizeof(rows) / sizeof(*rows); i++) {
		const struct map_side sides[] = {
			{.library = ours, .live = rows[i].live, .publishing = MAP_PUBLISHING_ON},
			{.library = ours, .live = rows[i].live, .publishing = MAP_PUBLISHING_OFF},
		};

		err = map_workload_start(&workload, sides, 2, fd);
		if (err)
			break;
		err = map_workload_measure(
			&workload,
			(struct comparison_plan){
				.name = rows[i].name,
				.what = rows[i].what,
				.peers = {{.name = "off", .target = PUBLISH_TARGET}},
			},
			0);
		map_workload_stop(&workload);
	}
	close(fd);
	return err;
}
