// SPDX-License-Identifier: BSD-3-Clause
/*
 * holders.c - times pmem2ctl holders of a mount point against fuser -m and lsof together
 *
 * Nobody holds the mount point, so pmem2ctl looks at all processes twice, as it must before it says
 * "nobody". It cannot say that here, in a pid name space that is not the first one; any other doubt
 * would mean that it did not do all that. Before, all three have to find bench itself: their status
 * for "nobody" is also that for a failure. The processes end when bench does. Calls report.c,
 * program.c and message.c.
 */
#include "bench/holders.h"
#include "base/clock.h"
#include "bench/comparison.h"
#include "bench/fixture.h"
#include "bench/message.h"
#include "bench/program.h"
#include "bench/report.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES   1000u
#define DESCRIPTORS 20 /* that each process has open */
#define TARGET      1.0
#define ROUNDS      10u

#define STATUS_SOMEBODY 1 /* of pmem2ctl */
#define STATUS_UNKNOWN  2 /* of pmem2ctl */
#define STATUS_FOUND    0 /* of fuser and lsof */
#define STATUS_NOBODY   1 /* of fuser and lsof */

struct guard {
	const char *pmem2ctl;
	char folder[320];
	pid_t pid[PROCESSES];
	size_t started;
};

static _Noreturn void idle(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "idle");
	for (int i = 0; i < DESCRIPTORS; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			_exit(1);
	for (;;)
		pause();
}

static int start_all(struct guard *guard)
{
	while (guard->started < PROCESSES) {
		pid_t pid = fork();

		if (pid == 0)
			idle();
		if (pid < 0) {
			message_error("fork: %m");
			return -EAGAIN;
		}
		guard->pid[guard->started++] = pid;
	}
	return 0;
}

static void stop_all(struct guard *guard)
{
	for (size_t i = 0; i < guard->started; i++)
		kill(guard->pid[i], SIGKILL);
	for (size_t i = 0; i < guard->started; i++)
		waitpid(guard->pid[i], NULL, 0);
}

/* Fails unless nothing is in doubt but what cannot be seen from this pid name space. */
static int check_doubts(char *said)
{
	char *line;

	while ((line = strsep(&said, "\n"))) {
		if (!*line || strstr(line, "not all processes can be seen") ||
		    strstr(line, "daemon does not see all processes"))
			continue;
		message_error("pmem2ctl did not look at everything: %s", line);
		return -EIO;
	}
	return 0;
}

static int search_with_ours(const struct guard *guard, int expected)
{
	const char *arguments[] = {guard->pmem2ctl, "holders", "-q", guard->folder, NULL};
	char said[PROGRAM_SAID_MAX];
	int err = program_run(arguments, expected, said);

	return err ? err : check_doubts(said);
}

static int search_with_peers(const struct guard *guard, int expected)
{
	const char *fuser[] = {"fuser", "-m", guard->folder, NULL};
	const char *lsof[] = {"lsof", guard->folder, NULL};
	char said[PROGRAM_SAID_MAX];
	int err = program_run(fuser, expected, said);

	return err ? err : program_run(lsof, expected, said);
}

static int time_search(void *context, unsigned side, size_t round, struct sample *sample)
{
	uint64_t start = clock_now();
	int err = side == 0 ? search_with_ours(context, STATUS_UNKNOWN)
			    : search_with_peers(context, STATUS_NOBODY);

	(void)round;
	*sample = (struct sample){.ns = clock_now() - start, .operations = 1};
	return err;
}

/* All three find a process that has the mount point open. */
static int check_that_all_find(const struct guard *guard)
{
	int fd = open(guard->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 ? -errno : search_with_ours(guard, STATUS_SOMEBODY);

	if (!err)
		err = search_with_peers(guard, STATUS_FOUND);
	if (fd >= 0)
		close(fd);
	return err;
}

static int measure(struct guard *guard, struct report *report)
{
	const struct comparison_plan plan = {
		.name = "holders",
		.what = "pmem2ctl holders of a mount point among 1,000 processes; the peer is "
			"fuser -m and then lsof",
		.peers = {{.name = "fuser+lsof", .target = TARGET}},
		.warm_up = 1,
		.rounds = report->options->rounds < ROUNDS ? report->options->rounds : ROUNDS,
		.work = time_search,
		.context = guard,
	};
	int err;

	if (mkdir(guard->folder, 0755) || mount("tmpfs", guard->folder, "tmpfs", 0, "size=4096")) {
		err = -errno;
		message_error("%s: %m", guard->folder);
		return err;
	}
	err = start_all(guard);
	if (!err)
		err = check_that_all_find(guard);
	if (!err)
		err = report_measure(report, &plan);
	stop_all(guard);
	if (umount2(guard->folder, MNT_DETACH) && !err)
		err = -errno;
	return err;
}

int holders_measure(const struct fixture *fixture, const char *pmem2ctl, struct report *report)
{
	struct guard *guard;
	int err;

	if (program_is_missing("fuser") || program_is_missing("lsof")) {
		message_error("holders: skipped, fuser or lsof is not there (psmisc, lsof)");
		report->skipped = true;
		return 0;
	}
	guard = calloc(1, sizeof(*guard));
	if (!guard)
		return -ENOMEM;
	guard->pmem2ctl = pmem2ctl;
	snprintf(guard->folder, sizeof(guard->folder), "%s/guarded", fixture->root);
	fixture_use_socket(fixture);
	err = measure(guard, report);
	free(guard);
	return err;
}
