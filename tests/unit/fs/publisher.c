/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publisher.c - see publisher.h
 */
#include "publisher.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

unsigned char *place;

/* Finds an aligned place with nothing near, so that its areas are the same in every run. */
__attribute__((constructor)) static void find_place(void)
{
	unsigned char *p = mmap(NULL, PLACE_SIZE * 2, PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED || munmap(p, PLACE_SIZE * 2))
		abort();
	place = p + PLACE_SIZE / 2;
}

void must(int condition)
{
	if (condition)
		return;
	perror("publisher");
	_exit(1);
}

void publisher_start(struct publisher *publisher, void (*step)(unsigned number))
{
	int to[2], from[2];
	char byte = 0;

	assert_int_equal(pipe2(to, O_CLOEXEC) | pipe2(from, O_CLOEXEC), 0);
	publisher->pid = fork();
	assert_true(publisher->pid >= 0);
	if (!publisher->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		close(from[0]);
		for (unsigned i = 0;; i++) {
			step(i);
			must(write(from[1], &byte, 1) == 1);
			must(read(to[0], &byte, 1) == 1);
		}
	}
	close(to[0]);
	close(from[1]);
	publisher->to = to[1];
	publisher->from = from[0];
	assert_int_equal(read(publisher->from, &byte, 1), 1);
}

void publisher_step(struct publisher *publisher)
{
	char byte = 0;

	assert_int_equal(write(publisher->to, &byte, 1), 1);
	assert_int_equal(read(publisher->from, &byte, 1), 1);
}

void publisher_stop(struct publisher *publisher)
{
	assert_int_equal(kill(publisher->pid, SIGKILL), 0);
	assert_int_equal(waitpid(publisher->pid, NULL, 0), publisher->pid);
	close(publisher->to);
	close(publisher->from);
}

int publisher_file(size_t size)
{
	char path[] = "/var/tmp/pmem2fs-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path) | ftruncate(fd, (off_t)size), 0);
	return fd;
}

void put(size_t page, size_t pages, int protection, int flags, int fd, size_t file_page)
{
	void *wanted = place + page * PAGE;

	must(mmap(wanted, pages * PAGE, protection,
		  flags | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS : 0), fd,
		  (off_t)(file_page * PAGE)) == wanted);
}

void take(size_t page, size_t pages)
{
	must(!munmap(place + page * PAGE, pages * PAGE));
}

struct table_header *forge_table_fd(const char *name, uint32_t version, uint32_t slots, int seals,
				    int *fd)
{
	size_t size = PAGE + (slots * sizeof(struct table_slot) + PAGE - 1) / PAGE * PAGE;
	struct table_header *header;

	*fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	must(*fd >= 0 && !ftruncate(*fd, (off_t)size));
	header = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	must(header != MAP_FAILED && !madvise(header, size, MADV_DONTFORK));
	*header = (struct table_header){
		.magic = TABLE_MAGIC,
		.version = version,
		.header_size = PAGE,
		.slot_size = sizeof(struct table_slot),
		.slot_count = slots,
		.used = slots,
		.pid = getpid(),
	};
	must(!seals || !fcntl(*fd, F_ADD_SEALS, seals));
	return header;
}

struct table_header *forge_table(const char *name, uint32_t version, uint32_t slots, int seals)
{
	int fd;
	struct table_header *header = forge_table_fd(name, version, slots, seals, &fd);

	close(fd);
	return header;
}

struct pmem2fs_record truth(size_t page, size_t pages, int fd, size_t file_page)
{
	struct pmem2fs_record record = {
		.address = (uintptr_t)place + page * PAGE,
		.length = pages * PAGE,
		.offset = file_page * PAGE,
		.source_size = pages * PAGE,
		.created = 1,
		.alignment = PAGE,
		.source_type = PMEM2FS_SOURCE_ANONYMOUS,
		.granularity = PMEM2_GRANULARITY_PAGE,
		.required = PMEM2_GRANULARITY_PAGE,
		.protection = 3,
	};
	struct stat st;

	if (fd < 0) {
		record.sharing = PMEM2_PRIVATE;
		return record;
	}
	must(!fstat(fd, &st));
	record.source_type = PMEM2FS_SOURCE_FILE;
	record.source_dev = st.st_dev;
	record.source_inode = st.st_ino;
	return record;
}

static struct table_slot *slot_of(struct table_header *table, uint32_t slot)
{
	return (struct table_slot *)((char *)table + table->header_size) + slot;
}

void publish(struct table_header *table, uint32_t slot, const struct pmem2fs_record *record)
{
	struct table_slot *to = slot_of(table, slot);

	to->generation |= 1;
	to->record = *record;
	to->generation++;
}

void retire(struct table_header *table, uint32_t slot)
{
	slot_of(table, slot)->generation |= 1;
}
