// SPDX-License-Identifier: BSD-3-Clause
/*
 * holder.c - holds a file or device until it is killed, for case_holders*.sh
 *
 * usage: holder HOW FILE SIZE
 *
 * plain: mmap, without the library; open: only open(2); published: through the library, released on
 * request; chain, chain-open: like plain and open, by processes that each fork a child after a
 * millisecond and end; exec: open(2), by a process that runs this program again and again; pass:
 * one process passes the descriptor to another some time after the line is printed, and closes its
 * own; flight: the descriptor is only in the queue of a socket; thread: a second thread alone has
 * it.
 *
 * Prints a line when it holds the file. Reads from mappings again and again, so that it dies of
 * SIGBUS when the memory goes. All its processes are in one process group, which is to be killed.
 */
#include "../send_packet.h"
#include <fcntl.h>
#include <libpmem2fs.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile const char *memory; /* NULL: no longer mapped; under the lock */

static int release(struct pmem2_map *map, void *argument)
{
	(void)argument;
	pthread_mutex_lock(&lock);
	int error = pmem2_unmap(&map);
	if (!error)
		memory = NULL;
	pthread_mutex_unlock(&lock);
	return error;
}

static int publish(int fd, size_t size)
{
	struct pmem2_source *source = NULL;
	struct pmem2_config *config = NULL;
	struct pmem2_map *map = NULL;

	if (pmem2_source_from_fd(&source, fd) || pmem2_config_new(&config) ||
	    pmem2_config_set_length(config, size) ||
	    pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE) ||
	    pmem2fs_config_set_label(config, "data", 4) || pmem2_map_new(&map, config, source) ||
	    pmem2fs_map_set_release_handler(map, release, NULL) || pmem2fs_start_thread()) {
		pmem2_perror("holder");
		return -1;
	}
	memory = pmem2_map_get_address(map);
	return 0;
}

static _Noreturn void keep(void)
{
	for (;;) {
		pthread_mutex_lock(&lock);
		if (memory)
			(void)*memory;
		pthread_mutex_unlock(&lock);
		usleep(20000);
	}
}

static void say_ready(void)
{
	puts("ready");
	fflush(stdout);
}

static _Noreturn void chain(void)
{
	signal(SIGCHLD, SIG_IGN);
	say_ready();
	for (;;) {
		usleep(1000);
		if (memory)
			(void)*memory;
		if (fork() > 0)
			_exit(0);
	}
}

/* Runs this program again, with "again" and the descriptor in place of "exec" and the path. */
static _Noreturn void run_again(const char *program, int fd)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	usleep(5000);
	execl(program, program, "again", number, "0", (char *)NULL);
	_exit(1);
}

static void send_descriptor(int socket, int fd)
{
	if (send_packet(socket, "", 1, &fd, 1) != 1)
		_exit(1);
	close(fd);
}

static void receive_descriptor(int socket)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};

	if (recvmsg(socket, &message, 0) != 1)
		_exit(1);
}

static _Noreturn void pass(int fd, const char *how)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		_exit(1);
	if (strcmp(how, "pass") == 0) {
		if (fork() == 0) { /* the child receives the descriptor later */
			close(fd);
			receive_descriptor(ends[1]);
			keep();
		}
		say_ready();
		usleep((useconds_t)(getpid() % 16) * 20000);
		send_descriptor(ends[0], fd);
	} else {
		send_descriptor(ends[0], fd);
		say_ready();
	}
	keep();
}

static void *keep_own(void *argument)
{
	const char *path = argument;

	if (unshare(CLONE_FILES) || open(path, O_RDWR) < 0)
		_exit(1);
	say_ready();
	keep();
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	const char *how = argv[1];
	size_t size = strtoull(argv[3], NULL, 0);
	pthread_t thread;

	if (strcmp(how, "again") == 0)
		run_again(argv[0], atoi(argv[2]));
	setpgid(0, 0);
	if (strcmp(how, "thread") == 0) {
		pthread_create(&thread, NULL, keep_own, argv[2]);
		keep();
	}
	int fd = open(argv[2], O_RDWR);
	if (fd < 0) {
		perror(argv[2]);
		return 1;
	}
	if (strcmp(how, "exec") == 0) {
		say_ready();
		run_again(argv[0], fd);
	} else if (strcmp(how, "pass") == 0 || strcmp(how, "flight") == 0) {
		pass(fd, how);
	} else if (strcmp(how, "plain") == 0 || strcmp(how, "chain") == 0) {
		void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (address == MAP_FAILED) {
			perror("mmap");
			return 1;
		}
		memory = address;
	} else if (strcmp(how, "published") == 0 && publish(fd, size)) {
		return 1;
	}
	if (!strstr(how, "open"))
		close(fd);
	if (strstr(how, "chain"))
		chain();
	say_ready();
	keep();
}
