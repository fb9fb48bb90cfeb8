// SPDX-License-Identifier: BSD-3-Clause
/*
 * crowd_latency.c - how long one mapping of a crowd takes while all of them are listed
 *
 * A pause between two of them leaves the daemon time for the list: people do not read documents as
 * quickly as they can. Calls program.c, interrupt.c and message.c.
 */
#include "bench/crowd_latency.h"
#include "base/clock.h"
#include "bench/interrupt.h"
#include "bench/message.h"
#include "bench/program.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CATS_MAX   20000
#define CATS_ALONE 200 /* where no command says when to end */
#define PAUSE_MS   2

int crowd_names_read(struct crowd_names *names, const char *folder, size_t size)
{
	DIR *stream = opendir(folder);
	size_t step = size / CROWD_NAMES + 1, at = 0;
	const struct dirent *entry;

	names->count = 0;
	while (stream && (entry = readdir(stream)) && names->count < CROWD_NAMES)
		if (entry->d_name[0] != '.' && at++ % step == 0)
			snprintf(names->list[names->count++], sizeof(*names->list), "%s",
				 entry->d_name);
	if (stream)
		closedir(stream);
	if (names->count)
		return 0;
	message_error("%s: no mapping is there", folder);
	return -ENOENT;
}

static int cat(int folder, const char *name)
{
	char bytes[16384];
	struct stat status;
	int fd, err = 0;

	if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW))
		return -errno;
	fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (read(fd, bytes, sizeof(bytes)) <= 0)
		err = -EIO;
	close(fd);
	return err;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* A process that runs the command once, with its output to /dev/null. */
static pid_t begin(const char *const *arguments)
{
	char said[PROGRAM_SAID_MAX];
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(program_run(arguments, 0, said) ? 1 : 0);
}

static bool has_ended(pid_t pid, int *err)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) == 0)
		return false;
	if (status)
		*err = -EIO;
	return true;
}

int crowd_latency(const struct crowd_names *names, const char *folder, const char *const *arguments,
		  uint64_t *ns)
{
	static uint64_t times[CATS_MAX];
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	pid_t pid = arguments ? begin(arguments) : 0;
	size_t count = 0, most = arguments ? CATS_MAX : CATS_ALONE;
	bool ended = !arguments || pid < 0;

	if (fd < 0 || pid < 0) {
		err = -errno;
		message_error("%s: %m", folder);
	}
	while (!err && count < most && (!arguments || !ended)) {
		const char *name = names->list[count % names->count];
		uint64_t begun = clock_now();

		err = cat(fd, name);
		if (err)
			message_error("%s/%s: %s", folder, name, strerror(-err));
		times[count++] = clock_now() - begun;
		if (!err)
			err = interrupt_sleep(PAUSE_MS);
		if (!ended)
			ended = has_ended(pid, &err);
	}
	if (!ended)
		waitpid(pid, NULL, 0);
	if (fd >= 0)
		close(fd);
	if (err)
		return err;
	qsort(times, count, sizeof(*times), compare);
	*ns = times[count * 99 / 100];
	return 0;
}
