/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.c - the table of this process's mappings in shared memory: making and writing it
 *
 * Owns the memory of the table and keeps no descriptor: the program may close or reuse any. A
 * program must never fail or die because of its table, so whatever goes wrong here means that
 * there is none.
 */
#include "table.h"
#include "error.h"
#include "limit.h"
#include "page.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static struct {
	/*
	 * Private memory that a fork sets to 0 (MADV_WIPEONFORK): while it is 1, this process is
	 * the one for which the rest holds. Of the table itself a child has nothing (DONTFORK).
	 */
	volatile uint32_t *mine;
	bool given_up;
	char *base; /* NULL: no table */
	uint32_t slot_count;
	size_t populated; /* bytes from base that have memory */
} table;

static struct table_slot *slot_at(uint32_t index)
{
	return (struct table_slot *)(table.base + page_size()) + index;
}

/* Makes sure that after a fork the child knows, before anything is shared. */
static int watch_forks(void)
{
	void *p;
	int ret;

	if (table.mine)
		return 0;
	p = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	if (madvise(p, page_size(), MADV_WIPEONFORK)) {
		ret = -errno;
		munmap(p, page_size());
		return ret;
	}
	table.mine = p;
	return 0;
}

bool table_missing(void)
{
	if (table.mine && !*table.mine) {
		table.base = NULL;
		table.given_up = false;
		*table.mine = 1;
	}
	return !table.base && !table.given_up;
}

bool table_exists(void)
{
	return table.base;
}

static bool switched_off(void)
{
	const char *value = secure_getenv("PMEM2FS");

	return value && strcmp(value, "off") == 0;
}

static int create_memfd(void)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	/* vm.memfd_noexec=2 refuses a memfd without it, kernels before 6.3 one with it. */
	int fd = memfd_create("pmem2fs", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("pmem2fs", flags);
	return fd < 0 ? -errno : fd;
}

static int set_size(int fd, size_t size)
{
	struct rlimit limit;

	/* Beyond this limit ftruncate raises SIGXFSZ. */
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && size > limit.rlim_cur)
		return -EFBIG;
	return ftruncate(fd, (off_t)size) ? -errno : 0;
}

/* NULL and errno, or the table's memory. */
static char *map_table(int fd, size_t size)
{
	int error;
	/*
	 * In a program that locks all its memory (MCL_FUTURE) a writable mapping would be filled
	 * with pages at once. This one has none, and is unlocked before it becomes writable.
	 */
	void *p = mmap(NULL, size, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (munlock(p, size) || madvise(p, size, MADV_DONTFORK) ||
	    madvise(p, size, MADV_DONTDUMP) || mprotect(p, size, PROT_READ | PROT_WRITE)) {
		error = errno;
		munmap(p, size);
		errno = error;
		return NULL;
	}
	return p;
}

/* Gives memory to the first `size` bytes: an error now instead of SIGBUS at a store later. */
static int populate(char *base, size_t size)
{
	size = page_round_up(size);
	if (size <= table.populated)
		return 0;
	/* EINVAL: a kernel before 5.14. */
	if (madvise(base + table.populated, size - table.populated, MADV_POPULATE_WRITE) &&
	    errno != EINVAL)
		return -errno;
	table.populated = size;
	return 0;
}

static int make(int *fd_ptr)
{
	size_t slots = limit_max_map_count();
	struct table_header *header;
	size_t size;
	char *base;
	int fd;
	int ret;

	if (slots > TABLE_SLOTS_MAX)
		slots = TABLE_SLOTS_MAX;
	size = page_round_up(page_size() + slots * sizeof(struct table_slot));
	ret = watch_forks();
	if (ret)
		return ret;
	fd = create_memfd();
	if (fd < 0)
		return fd;
	ret = set_size(fd, size);
	if (ret)
		goto close_fd;
	base = map_table(fd, size);
	if (!base) {
		ret = -errno;
		goto close_fd;
	}
	table.populated = 0;
	ret = populate(base, sizeof(*header));
	if (ret)
		goto unmap;

	header = (struct table_header *)base;
	header->magic = TABLE_MAGIC;
	header->version = TABLE_VERSION;
	header->header_size = (uint32_t)page_size();
	header->slot_size = sizeof(struct table_slot);
	header->slot_count = (uint32_t)slots;
	header->pid = getpid();
	if (fcntl(fd, F_ADD_SEALS, TABLE_SEALS)) {
		ret = -errno;
		goto unmap;
	}

	table.base = base;
	table.slot_count = (uint32_t)slots;
	*table.mine = 1;
	if (fd_ptr)
		*fd_ptr = fd;
	else
		close(fd);
	return 0;

unmap:
	munmap(base, size);
close_fd:
	close(fd);
	return ret;
}

int table_make(int *fd)
{
	int ret = switched_off() ? -ENOTSUP : make(fd);

	if (ret) {
		table.given_up = true;
		if (table.mine)
			*table.mine = 1;
	}
	return ret;
}

bool table_publish(uint32_t index, const struct pmem2fs_record *record)
{
	struct table_slot *slot;
	uint64_t generation;

	if (!table.base || index >= table.slot_count)
		return false;
	slot = slot_at(index);
	if (populate(table.base, (size_t)((char *)(slot + 1) - table.base)))
		return false;
	generation = atomic_load_explicit(&slot->generation, memory_order_relaxed) | 1;
	atomic_store_explicit(&slot->generation, generation, memory_order_relaxed);
	/* Nobody may see part of the record with the generation before. */
	atomic_thread_fence(memory_order_release);
	slot->record = *record;
	atomic_store_explicit(&slot->generation, generation + 1, memory_order_release);
	return true;
}

void table_retire(uint32_t index)
{
	if (table.base && index < table.slot_count)
		atomic_fetch_or_explicit(&slot_at(index)->generation, 1, memory_order_release);
}
