/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - starts the keeper or, for the keeper, its worker or, for the worker, a receiver
 */
#include "base/log.h"
#include "keeper/keeper.h"
#include "options.h"
#include "receive/receiver.h"
#include "worker.h"
#include <errno.h>
#include <fcntl.h>
#include <fuse_log.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Forks and leaves the terminal's session. Returns in the child, with a descriptor that is written
 * to when the mount is served; the parent waits for that, so that the next command of the caller
 * finds the mount there.
 */
static int go_to_background(void)
{
	int ends[2];
	char byte;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	switch (fork()) {
	case -1:
		return -errno;
	case 0:
		close(ends[0]);
		setsid();
		return ends[1];
	default:
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 1 ? 0 : 1);
	}
}

static void let_go_of_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (null > STDERR_FILENO)
		close(null);
}

/* libfuse would wait for stderr. */
static __attribute__((__format__(__printf__, 2, 0))) void
log_of_libfuse(enum fuse_log_level level, const char *format, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_line((int)level, "%s", text); /* its levels are those of syslog(3) */
}

static void begin_log(bool debug)
{
	log_open(true, debug);
	log_start_thread();
	fuse_set_log_func(log_of_libfuse);
}

int main(int argc, char **argv)
{
	struct keeper_settings settings;
	struct options options;
	int ready = -1, status, null;

	/* No descriptor that is opened later may get the number of a closed standard stream. */
	do
		null = open("/dev/null", O_RDWR);
	while (null >= 0 && null <= STDERR_FILENO);
	if (null >= 0)
		close(null);
	if (argc >= 2 && !strcmp(argv[1], "--receiver"))
		return receiver_run(argv[2]);
	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_DONE:
		options_free(&options);
		return 0;
	case OPTIONS_FAILED:
		options_free(&options);
		return 1;
	case OPTIONS_WRONG:
		options_free(&options);
		return 2;
	case OPTIONS_RUN:
		break;
	}
	umask(022);
	if (options.worker) {
		begin_log(options.debug);
		status = worker_run(&options);
		options_free(&options);
		return status;
	}
	if (!options.foreground) {
		ready = go_to_background();
		if (ready < 0) {
			fprintf(stderr, "pmem2fs: cannot fork: %s\n", strerror(-ready));
			return 1;
		}
		let_go_of_terminal();
	}
	begin_log(options.debug);
	if (chdir("/"))
		log_warning("chdir /: %s", strerror(errno));
	settings = (struct keeper_settings){
		.source = options.source,
		.mountpoint = options.mountpoint,
		.allow_other = options.allow_other,
		.socket = options.socket,
		.argv = argv,
	};
	status = keeper_run(&settings, ready);
	log_close();
	options_free(&options);
	return status;
}
