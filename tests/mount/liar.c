// SPDX-License-Identifier: BSD-3-Clause
/*
 * liar.c - tables that were not written by the library
 */
#include "liar.h"
#include "format/wire.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void lie_make(struct lie *lie, uint32_t slots, unsigned flags)
{
	lie->size = LIAR_PAGE + slots * sizeof(struct table_slot);
	lie->size = (lie->size + LIAR_PAGE - 1) / LIAR_PAGE * LIAR_PAGE;
	if (flags & MFD_HUGETLB)
		lie->size = (lie->size + (2 << 20) - 1) >> 21 << 21;
	lie->fd = memfd_create("pmem2fs", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
	need(lie->fd >= 0);
	need(ftruncate(lie->fd, (off_t)lie->size) == 0);
	lie->base = mmap(NULL, lie->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			 lie->fd, 0);
	need(lie->base != MAP_FAILED);
	lie->header = (struct table_header *)lie->base;
	lie->slot = (struct table_slot *)(lie->base + LIAR_PAGE);
	*lie->header = (struct table_header){.magic = TABLE_MAGIC,
					     .version = TABLE_VERSION,
					     .header_size = LIAR_PAGE,
					     .slot_size = sizeof(struct table_slot),
					     .slot_count = slots,
					     .used = slots,
					     .pid = getpid()};
}

void lie_seal(struct lie *lie)
{
	need(fcntl(lie->fd, F_ADD_SEALS, TABLE_SEALS) == 0);
}

void truth(struct pmem2fs_record *record, int fd, void *address, size_t length)
{
	struct stat st;

	need(fstat(fd, &st) == 0);
	*record = (struct pmem2fs_record){.address = (uintptr_t)address,
					  .length = length,
					  .source_size = (uint64_t)st.st_size,
					  .source_dev = st.st_dev,
					  .source_inode = st.st_ino,
					  .created = 1700000000000000000,
					  .uid = geteuid(),
					  .gid = getegid(),
					  .alignment = LIAR_PAGE,
					  .source_type = PMEM2FS_SOURCE_FILE,
					  .granularity = PMEM2_GRANULARITY_PAGE,
					  .required = PMEM2_GRANULARITY_PAGE,
					  .sharing = PMEM2_SHARED,
					  .protection = 3};
}

void map_raw(const struct publisher *me, const char *name, struct pmem2fs_record *record)
{
	int fd = open(source(me->fs, name), O_RDWR | O_CLOEXEC);
	struct stat st;
	void *address;

	need(fd >= 0 && fstat(fd, &st) == 0);
	address = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	need(address != MAP_FAILED);
	truth(record, fd, address, (size_t)st.st_size);
	close(fd);
}

void write_record(struct lie *lie, uint32_t slot, const struct pmem2fs_record *record,
		  const char *label)
{
	struct pmem2fs_record written = *record;

	if (label) {
		written.label_length = (uint8_t)strlen(label);
		memcpy(written.label, label, written.label_length);
	}
	lie->slot[slot].record = written;
	atomic_fetch_add(&lie->slot[slot].generation, 2);
}

int connect_to(const struct fs *fs)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fs->daemon.socket);
	need(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

void hand_over(const struct fs *fs, int fd)
{
	struct wire_message message = {.magic = WIRE_MAGIC, .type = WIRE_TABLE};
	struct stat st;
	int socket = connect_to(fs);

	if (fstat(fd, &st) == 0)
		message.table = st.st_ino;
	need(send_packet(socket, &message, sizeof(message), &fd, 1) == sizeof(message));
	close(socket);
}
