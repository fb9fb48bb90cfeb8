/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmem2fs.h - what libpmem2fs offers beyond libpmem2
 *
 * Every process that maps persistent memory through this library keeps a table of its mappings in
 * shared memory. The functions of this header label mappings in that table and set their owners,
 * hand the table over, read tables, and report facts about the device below a source.
 *
 * The first call that maps announces the table to the daemon pmem2fs: root's, or that of the
 * process's effective user, and no other. Without a daemon, calls that make a source try again, at
 * most once a second. From the second mapping on, mapping costs a few more stores, and rarely a
 * system call (madvise). PMEM2FS=off in the environment switches all of it off; PMEM2FS_SOCKET
 * names the daemon's socket, which otherwise is /run/pmem2fs/socket or
 * $XDG_RUNTIME_DIR/pmem2fs/socket.
 *
 * Functions return 0 or a negative error (a negated errno or a PMEM2_E_ code of libpmem2.h) and
 * leave out-parameters untouched on failure. All of them may be called from any thread, different
 * objects at the same time; one configuration or reader only by one thread at a time. Source of the
 * contract: this project, unless a function says otherwise.
 */
#ifndef LIBPMEM2FS_H
#define LIBPMEM2FS_H 1

#include <libpmem2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* pmem2_unmap_range: pages that are not mapped are an error. */
#define PMEM2_UNMAP_STRICT (1U << 0)

/*
 * Unmaps the pages of `map` that contain any of the `length` bytes from `offset` on, counted from
 * its start. A page is the larger of the system's page and the alignment of the source, because
 * device DAX splits only there. References to the unmapped pages raise SIGSEGV, memory locks on
 * them end, private changes are lost, and inside a vm reservation they belong to the reservation
 * again. The object stays, even when none of its pages is left, and pmem2_map_get_size returns the
 * original size; pmem2_unmap ends it. Only pages that this mapping still has are touched, whatever
 * else is mapped at the addresses of the others.
 *
 * Pages that are not mapped are skipped; with PMEM2_UNMAP_STRICT they are an error, which is found
 * before anything is unmapped (other threads can change that at once).
 *
 * Errors: PMEM2_E_MAPPING_NOT_FOUND (as pmem2_unmap); -EINVAL: length 0, an offset that is not on a
 * page, a range beyond the mapping's last page (as is one with a negative length), unknown flags,
 * with PMEM2_UNMAP_STRICT a page that is not mapped; PMEM2_E_NOSUPP (the program made the mapping
 * itself, pmem2_map_from_existing); those of munmap, as for pmem2_unmap. After an error nothing has
 * changed, except that of several pieces with gaps between them the first ones may be unmapped.
 * Threads: any number for the same mapping; pmem2_unmap waits for them.
 *
 * Source of the contract: munmap of POSIX and IBM i; with PMEM2_UNMAP_STRICT of macOS.
 */
int pmem2_unmap_range(struct pmem2_map *map, size_t offset, size_t length, unsigned flags);

/* The longest label of a mapping, in bytes. */
#define PMEM2FS_LABEL_MAX 255

/*
 * Labels the mappings made with this configuration. `label` is `length` bytes, any but '/' and
 * NUL; length 0 removes the label.
 * Errors: -EINVAL (a forbidden byte), -ENAMETOOLONG (more than PMEM2FS_LABEL_MAX bytes).
 */
int pmem2fs_config_set_label(struct pmem2_config *cfg, const char *label, size_t length);

/*
 * The user and group that own the mappings made with this configuration, as the table shows them.
 * Without it, the effective user and group of the process when it made the table.
 */
int pmem2fs_config_set_owner(struct pmem2_config *cfg, uid_t uid, gid_t gid);

/*
 * Gives a live mapping another label, by the rules of pmem2fs_config_set_label.
 * Errors: those, PMEM2_E_MAPPING_NOT_FOUND, -ENOMEM.
 */
int pmem2fs_map_set_label(struct pmem2_map *map, const char *label, size_t length);

/*
 * The number of the mapping's slot in this process's table.
 * Errors: PMEM2_E_MAPPING_NOT_FOUND, -ENOENT (the mapping is in no table).
 */
int pmem2fs_map_get_slot(struct pmem2_map *map, uint32_t *slot);

/* The type of a mapping's source. */
enum pmem2fs_source_type {
	PMEM2FS_SOURCE_ANONYMOUS = 1, /* memory without a file */
	PMEM2FS_SOURCE_FILE,          /* regular file without DAX */
	PMEM2FS_SOURCE_FSDAX,         /* regular file with STATX_ATTR_DAX */
	PMEM2FS_SOURCE_DEVDAX,        /* device-DAX node */
};

/* record.flags */
#define PMEM2FS_RECORD_MAP_SYNC 1u

/*
 * One mapping as its owner's table describes it. The layout is that of a table of version 1: fixed
 * widths, no pointers, no padding. No member is verified: the owner may have written anything.
 */
struct pmem2fs_record {
	uint64_t address;      /* in the owner's address space */
	uint64_t length;       /* bytes; as pmem2_map_get_size */
	uint64_t offset;       /* bytes into the source */
	uint64_t source_size;  /* bytes, when it was mapped */
	uint64_t source_dev;   /* dev_t of the file system of the file; devdax: of its /dev node */
	uint64_t source_rdev;  /* dev_t of the device-DAX node, else 0 */
	uint64_t source_inode; /* inode number of the file or node */
	uint64_t created;      /* CLOCK_REALTIME at mapping, nanoseconds */
	uint32_t uid, gid;     /* its owner */
	uint32_t alignment;    /* of the source, bytes */
	uint8_t source_type;   /* enum pmem2fs_source_type */
	uint8_t granularity;   /* enum pmem2_granularity: what it has */
	uint8_t required;      /* enum pmem2_granularity: the coarsest that was asked for */
	uint8_t sharing;       /* enum pmem2_sharing_type */
	uint8_t protection;    /* bit 0 read, bit 1 write, bit 2 execute */
	uint8_t flags;         /* PMEM2FS_RECORD_ */
	uint8_t label_length;  /* bytes of label, 0 is none */
	uint8_t label[261];    /* not terminated; unused bytes are 0 */
};

/*
 * Makes this process's table if it has none yet and gives a descriptor of it to the caller, who
 * owns it from then on (close it, pass it to another process). Possible only for the call that
 * makes the table: the library itself keeps no descriptor.
 * Errors: -EALREADY (the table exists and its descriptor is gone), -ENOTSUP (switched off by
 * PMEM2FS=off), or why no table can be made.
 */
int pmem2fs_table_export(int *fd);

/* Reads the table of some process without trusting it. */
struct pmem2fs_table;

/*
 * Opens a reader on the table behind `fd`, which the reader owns from then on if this succeeds.
 * Nothing is mapped: every read is a bounded pread, so nothing that the table's owner does can
 * raise a signal here. Errors: -EINVAL (not shared memory, not sealed, or sizes that contradict
 * each other), -EPROTO (not a table), -EPROTONOSUPPORT (a table of another version), -ENOMEM, those
 * of fstat and pread.
 */
int pmem2fs_table_open(struct pmem2fs_table **table_ptr, int fd);

/* Ends a reader, closes its descriptor and sets *table_ptr to NULL, which it may be already. */
int pmem2fs_table_close(struct pmem2fs_table **table_ptr);

/* How many slots the table has; slots are numbered from 0. */
uint32_t pmem2fs_table_slots(const struct pmem2fs_table *table);

/*
 * Sets *changes to a number that grows with each change of the table, and of what is mapped of the
 * mappings in it: while it stays the same as it was before a sweep, another sweep finds the same. A
 * call that maps or unmaps has changed it when it returns. 0: the owner's library is an older one,
 * which does not count. Not verified, as the rest of the table. Errors: those of pread.
 */
int pmem2fs_table_changes(const struct pmem2fs_table *table, uint64_t *changes);

/*
 * Copies the mapping in `slot`. A successful copy is never a mixture of two mappings. `generation`
 * (may be NULL) changes whenever the slot's contents do, and never comes back. Errors: -ENOENT
 * (nothing there), -EAGAIN (it kept changing), -EBADMSG (what is there cannot be a mapping),
 * -ERANGE (no such slot), those of pread.
 */
int pmem2fs_table_read(const struct pmem2fs_table *table, uint32_t slot, uint64_t *generation,
		       struct pmem2fs_record *record);

/*
 * Finds the first slot at or after *slot that holds a mapping, sets *slot to its number and
 * copies it. A sweep begins at slot 0 and goes on at *slot + 1; it sees each slot as it was at
 * some moment since the sweep began. Slots that cannot be read are passed over and counted in *bad
 * (may be NULL); those that keep changing are tried again, up to a thousand of them. Errors:
 * -ENOENT (no further mapping), -ENOMEM, those of pread.
 */
int pmem2fs_table_next(const struct pmem2fs_table *table, uint32_t *slot, uint64_t *generation,
		       struct pmem2fs_record *record, uint32_t *bad);

/*
 * Release on request. `rm /pmem2fs/NAME` and `pmem2ctl unmap NAME` ask the process that has the
 * mapping to give it up. A program that can do so registers a handler for the mapping, and lets
 * requests in by an event loop (pmem2fs_get_fd, pmem2fs_dispatch) or by a thread
 * (pmem2fs_start_thread). Without that nobody can have the mapping removed.
 *
 * The handler runs in pmem2fs_dispatch or in the thread, with no lock of the library held. It
 * unmaps with pmem2_unmap, under whatever locks the program guards the mapping with, and returns 0;
 * or it leaves the mapping as it is and returns a negative errno, which is reported to the asker
 * (-EBUSY: not now; -EPERM: never). A positive value counts as its negative, and of the errors of
 * the library, which it may return as well, their errno is reported. It may call every function of
 * the library but pmem2fs_dispatch, and fork; it has to return. By then the program may have
 * unmapped the mapping itself: pmem2_unmap then says PMEM2_E_MAPPING_NOT_FOUND, as ever. A request
 * whose asker went away or lost patience never reaches the handler. Cancelling a thread waits for
 * it.
 */
typedef int (*pmem2fs_release_handler)(struct pmem2_map *map, void *arg);

/*
 * Registers the handler of a mapping and what it is given, in place of the one before; NULL takes
 * it away. It goes with the mapping. A handler that is being called at that moment runs to its end.
 * Without a daemon this succeeds as well: it is asked when there is one.
 * Errors: PMEM2_E_MAPPING_NOT_FOUND.
 */
int pmem2fs_map_set_release_handler(struct pmem2_map *map, pmem2fs_release_handler handler,
				    void *arg);

/*
 * The descriptor to wait on for reading (poll, epoll): when it is readable, call
 * pmem2fs_dispatch. It is the library's, close-on-exec, and the same as long as this process
 * lives, whether or not a daemon is there; the child of a fork asks for its own. A program that
 * closes it, or others that it did not open, is no longer asked until it calls this function
 * again, which may then return another one. Returns the descriptor, or a negative errno of
 * epoll_create1, socket, timerfd_create or epoll_ctl.
 */
int pmem2fs_get_fd(void);

/*
 * Does what is to be done, which includes calling handlers, and waits for nothing else. Where there
 * is much to do, some of it is left for the next call. Returns 0 or a negative errno: -EBUSY
 * (called by a handler, or another thread is at it), -EBADF (this process has not called
 * pmem2fs_get_fd, or has closed the descriptor since).
 */
int pmem2fs_dispatch(void);

/*
 * Starts a thread that does the above for the rest of the process's life, with all signals blocked,
 * whatever descriptors the program closes. More calls have no effect. The child of a fork has no
 * such thread. The library cannot be unloaded.
 * Errors: -EAGAIN (no thread), those of pmem2fs_get_fd.
 */
int pmem2fs_start_thread(void);

/* A fact that the platform should offer and that cannot be had, and one that does not apply. */
#define PMEM2FS_UNKNOWN      (-1)
#define PMEM2FS_INAPPLICABLE (-2)

/*
 * What is known of the pmem or DAX device below a source and does not change while it exists.
 * Strings are empty where a fact does not apply; the numbers are PMEM2FS_UNKNOWN or
 * PMEM2FS_INAPPLICABLE instead. A DAX node of memory without an NVDIMM region (CXL, hmem) has
 * chardev, mode, size and nodes only. What `ndctl list` shows as well has the same value there.
 */
struct pmem2fs_device {
	char namespace_name[32]; /* "namespace0.0" */
	char uuid[40];           /* of the namespace's pfn, dax or btt layer, else its own */
	char mode[16];           /* as ndctl: "fsdax", "devdax", "sector", "raw" */
	char blockdev[32];       /* "pmem0"; the disk, also for a partition or a mapping over it */
	char chardev[32];        /* "dax1.0" */
	char region[32];         /* "region0" */
	char persistence_domain[32]; /* as sysfs: "memory_controller", "cpu_cache"; "" is unknown */
	int64_t numa_node;           /* inapplicable: the kernel names none */
	int64_t target_node;         /* likewise */
	int64_t unsafe_shutdowns;    /* sum over the DIMMs of the region; unknown when one does not
				      * count them or there are none; inapplicable without a region */
	uint64_t size;               /* bytes of the disk or node named above */
	uint64_t sysfs_inode;        /* with the device number asked for, the device's identity */
	char badblocks_path[256];    /* sysfs list of the bad sectors; "" where none applies: sector
				      * mode, and nodes without a region */
	int64_t badblocks_start;     /* where the data of the device asked for (the partition, if it
				      * is one) begins in that list, bytes; unknown below a device
				      * mapper, and for a node when the caller lacks CAP_SYS_ADMIN */
};

/*
 * Finds the facts of a device: the block device `dev` (block is true; a partition or a mapping
 * over one device counts as that device) or the device-DAX node with that number. Reads sysfs
 * through libndctl and libdaxctl, which takes milliseconds.
 * Errors: -ENODEV (not a pmem or dax device, disabled, or gone meanwhile), -EAGAIN (replaced by
 * another meanwhile), -ENOMEM, errors of sysfs, libndctl or libdaxctl.
 */
int pmem2fs_device_get(dev_t dev, bool block, struct pmem2fs_device *device);

/*
 * The current identity of a device number: 0 and the inode number of its sysfs directory, which
 * differs from pmem2fs_device.sysfs_inode when the number was given to another device since. Costs
 * one stat, and two links read for a node. A device mapper that is loaded with another table keeps
 * its identity, and a node that is disabled has it again when it is enabled.
 * Errors: -ENODEV (also of a DAX node that is disabled, or in use as system RAM), others of stat.
 */
int pmem2fs_device_identity(dev_t dev, bool block, uint64_t *sysfs_inode);

/*
 * How many bad ranges the disk or node has now (ndctl's badblock_count is the number of sectors in
 * them). Reads one small file of sysfs. The kernel shows no more than a page of it, some hundred
 * ranges.
 * Errors: PMEM2_E_NOSUPP (no list applies), PMEM2_E_CANNOT_READ_BOUNDS (the node's part of the
 * list is unknown), those of reading sysfs, -ENOMEM.
 */
int pmem2fs_device_badblock_count(const struct pmem2fs_device *device, size_t *count);

/* The bytes of all pmem regions of this host together. Errors: those of libndctl. */
int pmem2fs_host_capacity(uint64_t *bytes);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif /* LIBPMEM2FS_H */
