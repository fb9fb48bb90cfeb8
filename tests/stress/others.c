/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * others.c - the threads of the stress program other than the mappers
 */
#include "stress.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SECONDS 60

void *run_stranger(void *arg)
{
	static const size_t sizes[] = {PAGE, 2 * PAGE, 3 * PAGE, 8 * PAGE, 300 * PAGE};
	size_t number = (size_t)arg + 100;
	size_t *areas[5] = {NULL};

	for (size_t i = 0; !stop; i++) {
		size_t size = sizes[i % 5];
		size_t **area = &areas[i % 5];

		if (*area) {
			must((*area)[0] == number && (*area)[size / sizeof(size_t) - 1] == i - 5);
			ok(munmap(*area, size));
		}
		*area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);
		must(*area != MAP_FAILED);
		must((char *)*area + size <= rsv_start || (char *)*area >= rsv_start + SIZE);
		must((*area)[0] == 0 && (*area)[size / sizeof(size_t) - 1] == 0);
		(*area)[0] = number;
		(*area)[size / sizeof(size_t) - 1] = i;
		count(&mmaps);
	}
	for (size_t i = 0; i < 5; i++) {
		if (areas[i])
			ok(munmap(areas[i], sizes[i]));
	}
	return NULL;
}

void *run_opener(void *arg)
{
	(void)arg;
	while (!stop) {
		int fd = open("file", O_RDONLY | O_CLOEXEC);

		must(fd >= 0);
		close(fd);
		count(&opens);
		if (opens % 16 == 0)
			pause_for(100);
	}
	return NULL;
}

void *run_stretcher(void *arg)
{
	(void)arg;
	for (size_t i = 0; !stop; i++) {
		size_t size = (1 + i % 1500) * PAGE;
		int ret;

		busy_begin();
		ret = pmem2_vm_reservation_extend(rsv, size);
		if (ret != PMEM2_E_MAPPING_EXISTS) { /* else strangers are behind it */
			ok(ret);
			must(pmem2_vm_reservation_get_size(rsv) == SIZE + size);
			ok(pmem2_vm_reservation_shrink(rsv, SIZE, size));
			count(&stretches);
		}
		busy_end();
		pause_for(200);
	}
	return NULL;
}

void *run_finder(void *arg)
{
	(void)arg;
	while (!stop) {
		struct pmem2_map *map;
		struct pmem2_map *next;
		int ret;

		busy_begin();
		ret = pmem2_vm_reservation_map_find_first(rsv, &map);
		while (ret == 0) {
			ret = pmem2_vm_reservation_map_find_next(rsv, map, &next);
			map = next;
		}
		must_be("finding the next one", ret, PMEM2_E_MAPPING_NOT_FOUND);
		ok(pmem2_vm_reservation_map_find_last(rsv, &map));
		must(map == inherited[2]);
		busy_end();
		count(&finds);
		pause_for(100);
	}
	return NULL;
}

/* MS_ASYNC only checks that all of it is mapped. */
void *run_inspector(void *arg)
{
	(void)arg;
	while (!stop) {
		must(!(msync(rsv_start, SIZE, MS_ASYNC) && errno == ENOMEM));
		count(&inspections);
		if (inspections % 16 == 0)
			pause_for(100);
	}
	return NULL;
}

/* Ends a stuck child; of the C library only write may be called here. */
static void on_alarm(int sig)
{
	static const char text[] = "the child of a fork hangs in the library\n";

	(void)sig;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

/* The child: only what is allowed in the child of a program with threads. */
static _Noreturn void be_a_child(void)
{
	struct pmem2_config *config;
	struct pmem2_source *source;
	struct pmem2_map *map;

	signal(SIGALRM, on_alarm);
	alarm(CHILD_SECONDS);
	config = make_config(PMEM2_PRIVATE);
	for (int i = 0; i < 3; i++) {
		char *memory = pmem2_map_get_address(inherited[i]);

		must(memory && memory[1] == 'f');
		ok(pmem2_unmap(&inherited[i]));
	}
	ok(pmem2_source_from_anon(&source, PAGE));
	for (int i = 0; i < 2; i++) {
		ok(pmem2_map_new(&map, config, source));
		memset(pmem2_map_get_address(map), 'c', PAGE);
		ok(pmem2_unmap(&map));
		ok(pmem2_config_set_vm_reservation(config, rsv, INHERITED * PAGE));
	}
	_exit(0);
}

/* The child has an alarm of its own; this limit is for a child that hangs before it has set it. */
static void await_child(pid_t pid)
{
	int status;

	for (int i = 0; i < 2 * CHILD_SECONDS * 1000; i++) {
		pid_t ended = waitpid(pid, &status, WNOHANG);

		must(ended >= 0);
		if (ended == pid) {
			must_be("the wait status of the child of a fork", status, 0);
			return;
		}
		pause_for(1000);
	}
	kill(pid, SIGKILL);
	must(!"the child of a fork ends in time");
}

void *run_forker(void *arg)
{
	while (!stop && quiet_begin()) {
		pid_t pid = fork();

		if (pid == 0)
			be_a_child();
		quiet_end();
		must(pid > 0);
		await_child(pid);
		count(&forks);
		pause_for(20000);
	}
	return arg;
}
