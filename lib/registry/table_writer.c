/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table_writer.c - making and writing the table of this process's mappings in shared memory
 *
 * Owns the memory of the table. Keeps no descriptor, because the program may close or reuse any.
 * Calls base/ and libc.
 *
 * A program must never fail or die because of its table: every failure here means that there is no
 * table.
 */
#include "registry/table_writer.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/mmap_error.h"
#include "base/page.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Twice the window that map/placement.c uses, which lies near the program's libraries: a table
 * inside the window would cost each mapping more than the table itself does.
 */
#define DISTANCE (8ull << 40)

/*
 * How many bytes are populated ahead, at first and at most. Each time is a system call, the only
 * one that a mapping costs because of the table.
 */
#define POPULATE_MIN ((size_t)64 * 1024)
#define POPULATE_MAX ((size_t)1024 * 1024)

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static struct {
	/*
	 * Private memory that a fork clears (MADV_WIPEONFORK). While it is 1, the other members
	 * describe a table of this process. A child inherits nothing of the table itself
	 * (MADV_DONTFORK).
	 */
	volatile uint32_t *mine;
	bool given_up;
	char *base; /* NULL: no table */
	size_t size;
	uint64_t inode;
	uint32_t slot_count;
	/* The effective ids when it was made: asking for them at each mapping costs too much. */
	uid_t uid;
	gid_t gid;
	size_t populated; /* bytes from base that are backed by memory */
	/* The table that this one replaces, until this one is filled. */
	char *old_base;
	size_t old_size;
	bool stands_in; /* both are private memory in place of the parent's tables */
} table;

static struct table_slot *table_slot_at(uint32_t index)
{
	return (struct table_slot *)(table.base + page_size()) + index;
}

/* Sets up the memory that shows a child that it is one, before anything is shared. */
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

static void stand_in(char *base, size_t size)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;

	if (base)
		mmap(base, size, PROT_READ | PROT_WRITE, flags, -1, 0);
}

void table_stand_in(void)
{
	stand_in(table.base, table.size);
	stand_in(table.old_base, table.old_size);
	table.stands_in = true;
}

bool table_missing(void)
{
	if (table.mine && !*table.mine) {
		if (table.stands_in && table.base)
			munmap(table.base, table.size);
		if (table.stands_in && table.old_base)
			munmap(table.old_base, table.old_size);
		table.stands_in = false;
		table.base = NULL;
		table.old_base = NULL;
		table.given_up = false;
		*table.mine = 1;
	}
	return !table.base && !table.given_up;
}

bool table_exists(void)
{
	return table.base;
}

uint64_t table_inode(void)
{
	return table.base ? table.inode : 0;
}

bool table_switched_off(void)
{
	const char *value = secure_getenv("PMEM2FS");

	return value && !strcmp(value, "off");
}

static int create_memfd(void)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	/* vm.memfd_noexec=2 refuses a memfd without it, kernels before 6.3 one with it. */
	int fd = memfd_create("pmem2fs", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("pmem2fs", flags);
	fd = fd_move_off_standard(fd);
	return fd < 0 ? -errno : fd;
}

/*
 * A slot for each mapping that there can be. Where address space is limited it is the program's: a
 * thousandth of it must do.
 */
static size_t count_slots(void)
{
	size_t slots = mmap_error_max_map_count();
	struct rlimit limit;
	size_t room;

	if (slots > TABLE_SLOTS_MAX)
		slots = TABLE_SLOTS_MAX;
	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return slots;
	room = limit.rlim_cur / 1000 / sizeof(struct table_slot);
	return slots < room ? slots : room;
}

static int set_size(int fd, size_t size)
{
	struct rlimit limit;

	/* Beyond this limit ftruncate raises SIGXFSZ. */
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && size > limit.rlim_cur)
		return -EFBIG;
	return ftruncate(fd, (off_t)size) ? -errno : 0;
}

/* The address that suits the table best. mmap treats it as a hint, so nothing is overwritten. */
static void *wanted_place(size_t size)
{
	uintptr_t near = table.base ? (uintptr_t)table.base : (uintptr_t)&table;
	size_t below = table.base ? size : DISTANCE;

	return (void *)(near > below ? (near - below) & ~(page_size() - 1) : 0);
}

/* Returns the table's memory, or NULL with errno set. */
static char *map_table(int fd, size_t size)
{
	int error;
	/*
	 * In a program that locks all its memory (MCL_FUTURE), mmap would populate a writable
	 * mapping at once. PROT_NONE avoids that; the memory is unlocked before it becomes
	 * writable.
	 */
	void *p = mmap(wanted_place(size), size, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);

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

/* Backs some bytes with memory: a shortage is an error here, not a SIGBUS at a later store. */
static int populate(char *from, size_t size)
{
	/* EINVAL: a kernel before 5.14. */
	if (madvise(from, page_round_up(size), MADV_POPULATE_WRITE) && errno != EINVAL)
		return -errno;
	return 0;
}

/* Makes sure that the first `size` bytes of the table are backed by memory. */
static bool have_memory(size_t size)
{
	size_t ahead = table.populated < POPULATE_MAX ? table.populated : POPULATE_MAX;

	if (size <= table.populated)
		return true;
	size = page_round_up(size + ahead);
	if (size > table.size)
		size = table.size;
	if (populate(table.base + table.populated, size - table.populated))
		return false;
	table.populated = size;
	return true;
}

/*
 * Only this process writes, one thread at a time: no atomic addition is needed. A reader that sees
 * the new number sees the change as well.
 */
static void count_change(char *base)
{
	struct table_header *header = (struct table_header *)base;
	uint64_t changes = atomic_load_explicit(&header->changes, memory_order_relaxed);

	atomic_store_explicit(&header->changes, changes + 1, memory_order_release);
}

static int create_table(int *fd_ptr)
{
	struct table_header *header;
	struct stat st;
	size_t populated;
	size_t slots;
	size_t size;
	char *base;
	int fd;
	int ret;

	slots = count_slots();
	if (!slots)
		return -ENOMEM;
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
	populated = size < POPULATE_MIN ? size : POPULATE_MIN;
	ret = populate(base, populated);
	if (ret)
		goto unmap;

	header = (struct table_header *)base;
	header->magic = TABLE_MAGIC;
	header->version = TABLE_VERSION;
	header->header_size = (uint32_t)page_size();
	header->slot_size = sizeof(struct table_slot);
	header->slot_count = (uint32_t)slots;
	header->pid = getpid();
	count_change(base);
	if (fcntl(fd, F_ADD_SEALS, TABLE_SEALS) || fstat(fd, &st)) {
		ret = -errno;
		goto unmap;
	}

	table.old_base = table.base;
	table.old_size = table.size;
	table.base = base;
	table.size = size;
	table.inode = st.st_ino;
	table.populated = populated;
	table.slot_count = (uint32_t)slots;
	table.uid = geteuid();
	table.gid = getegid();
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
	int error = errno;
	int ret = table_switched_off() ? -ENOTSUP : create_table(fd);

	if (ret)
		table_give_up();
	errno = error;
	return ret;
}

void table_give_up(void)
{
	table.given_up = true;
	if (table.mine)
		*table.mine = 1;
}

void table_count_change(void)
{
	/* In the child of a fork the parent's table is not mapped at table.base. */
	if (table.base && *table.mine)
		count_change(table.base);
}

/* A reader of the old table learns that there is another one. */
void table_drop_old(void)
{
	if (table.old_base) {
		count_change(table.old_base);
		munmap(table.old_base, table.old_size);
	}
	table.old_base = NULL;
}

/* Only this process writes, one thread at a time: no atomic addition is needed to change it. */
static uint64_t generation_of(const struct table_slot *slot)
{
	return atomic_load_explicit(&slot->generation, memory_order_relaxed);
}

struct pmem2fs_record *table_begin(uint32_t index)
{
	struct table_header *header = (struct table_header *)table.base;
	struct table_slot *slot;

	if (!table.base || index >= table.slot_count)
		return NULL;
	slot = table_slot_at(index);
	if (!have_memory((size_t)((char *)(slot + 1) - table.base)))
		return NULL;
	if (index >= atomic_load_explicit(&header->used, memory_order_relaxed))
		atomic_store_explicit(&header->used, index + 1, memory_order_relaxed);
	atomic_store_explicit(&slot->generation, generation_of(slot) | 1, memory_order_relaxed);
	/* A reader that sees a part of the new record also sees the odd generation. */
	atomic_thread_fence(memory_order_release);
	slot->record.uid = table.uid;
	slot->record.gid = table.gid;
	return &slot->record;
}

void table_end(uint32_t index)
{
	struct table_slot *slot = table_slot_at(index);

	atomic_store_explicit(&slot->generation, generation_of(slot) + 1, memory_order_release);
	count_change(table.base);
}

void table_retire(uint32_t index)
{
	struct table_slot *slot;

	/* In the child of a fork the parent's table is not mapped at table.base. */
	if (!table.base || !*table.mine || index >= table.slot_count)
		return;
	slot = table_slot_at(index);
	atomic_store_explicit(&slot->generation, generation_of(slot) | 1, memory_order_release);
	count_change(table.base);
}

bool table_slot_generation(uint32_t slot, uint64_t *generation)
{
	if (!table.base || slot >= table.slot_count)
		return false;
	*generation = generation_of(table_slot_at(slot));
	return *generation && *generation % 2 == 0;
}
