/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmem2.h - persistent memory mappings, compatible with libpmem2 1.0
 *
 * A source says what to map, a configuration how, and a mapping is the result. A mapping needs
 * neither its source nor its configuration nor the descriptor afterwards.
 *
 * Functions that return int return 0 or a negative error: a PMEM2_E_ code, or a negated errno of
 * the system call that failed. They never print and never abort (the flush functions of page
 * granularity, which return nothing, can); pmem2_errormsg has the text of the last error of the
 * calling thread; a negated errno is in errno too. Unless said otherwise a failure leaves all
 * out-parameters as they were, and a NULL object or out-parameter is -EINVAL. If several errors
 * apply, the function returns the one that libpmem2 returns; where libpmem2 crashes, it returns an
 * error, too. Sizes, lengths and offsets are bytes.
 *
 * Threads: everything may be called from any thread. A mapping may be used by several at the
 * same time. A source may map for several threads at the same time; it and a configuration must
 * not be changed or deleted while another thread uses them. A child of a fork keeps the mappings
 * that it inherits as objects of its own, except those that another thread of the parent was making
 * or unmapping at that moment: the child can use neither them nor their places in a vm reservation.
 * No function but those that flush pages is a cancellation point. In signal handlers only the
 * getters of mappings and the functions for byte and cache-line granularity may be called.
 *
 * Besides what libpmem2's header declares, this one has two names of the draft, pmem2_map and
 * pmem2_unmap. Programs that use these names for something else define PMEM2_NO_DRAFT_NAMES before
 * they include it.
 *
 * Source of the contract: libpmem2 1.0 (libpmem2(7) and the manual pages of its functions, and
 * what it was measured to do), unless a function says otherwise.
 */
#ifndef LIBPMEM2_H
#define LIBPMEM2_H 1

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* Errors. Some are never returned, but keep their numbers. */
#define PMEM2_E_UNKNOWN                      (-100000)
#define PMEM2_E_NOSUPP                       (-100001)
#define PMEM2_E_FILE_HANDLE_NOT_SET          (-100003)
#define PMEM2_E_INVALID_FILE_HANDLE          (-100004)
#define PMEM2_E_INVALID_FILE_TYPE            (-100005)
#define PMEM2_E_MAP_RANGE                    (-100006)
#define PMEM2_E_MAPPING_EXISTS               (-100007)
#define PMEM2_E_GRANULARITY_NOT_SET          (-100008)
#define PMEM2_E_GRANULARITY_NOT_SUPPORTED    (-100009)
#define PMEM2_E_OFFSET_OUT_OF_RANGE          (-100010)
#define PMEM2_E_OFFSET_UNALIGNED             (-100011)
#define PMEM2_E_INVALID_ALIGNMENT_FORMAT     (-100012)
#define PMEM2_E_INVALID_ALIGNMENT_VALUE      (-100013)
#define PMEM2_E_INVALID_SIZE_FORMAT          (-100014)
#define PMEM2_E_LENGTH_UNALIGNED             (-100015)
#define PMEM2_E_MAPPING_NOT_FOUND            (-100016)
#define PMEM2_E_BUFFER_TOO_SMALL             (-100017)
#define PMEM2_E_SOURCE_EMPTY                 (-100018)
#define PMEM2_E_INVALID_SHARING_VALUE        (-100019)
#define PMEM2_E_SRC_DEVDAX_PRIVATE           (-100020)
#define PMEM2_E_INVALID_ADDRESS_REQUEST_TYPE (-100021)
#define PMEM2_E_ADDRESS_UNALIGNED            (-100022)
#define PMEM2_E_ADDRESS_NULL                 (-100023)
#define PMEM2_E_DEEP_FLUSH_RANGE             (-100024)
#define PMEM2_E_INVALID_REGION_FORMAT        (-100025)
#define PMEM2_E_DAX_REGION_NOT_FOUND         (-100026)
#define PMEM2_E_INVALID_DEV_FORMAT           (-100027)
#define PMEM2_E_CANNOT_READ_BOUNDS           (-100028)
#define PMEM2_E_NO_BAD_BLOCK_FOUND           (-100029)
#define PMEM2_E_LENGTH_OUT_OF_RANGE          (-100030)
#define PMEM2_E_INVALID_PROT_FLAG            (-100031)
#define PMEM2_E_NO_ACCESS                    (-100032)
#define PMEM2_E_VM_RESERVATION_NOT_EMPTY     (-100033)
#define PMEM2_E_MAP_EXISTS                   (-100034)
#define PMEM2_E_FILE_DESCRIPTOR_NOT_SET      (-100035)
#define PMEM2_E_SOURCE_TYPE_NOT_SUPPORTED    (-100036)
#define PMEM2_E_IO_FAIL                      (-100037)

struct pmem2_source;
struct pmem2_config;
struct pmem2_map;
struct pmem2_vm_reservation;
struct pmem2_badblock_context;

/*
 * Makes a source of an open file or device-DAX node. The descriptor is borrowed: neither copied nor
 * closed, and it must stay open until all that is to be mapped is. It must be readable, and
 * writable too for shared mappings that are to be written.
 * Errors: PMEM2_E_INVALID_FILE_HANDLE (not open, or for writing only), PMEM2_E_INVALID_FILE_TYPE
 * (neither a regular file nor device DAX), -ENOMEM. On failure *src is NULL.
 */
int pmem2_source_from_fd(struct pmem2_source **src, int fd);

/*
 * Makes a source of `size` bytes of memory without a file. Each mapping of it is new memory.
 * Size 0 is found by mapping. Errors: -ENOMEM. On failure *src is NULL.
 */
int pmem2_source_from_anon(struct pmem2_source **src, size_t size);

/* Gives the descriptor. Errors: PMEM2_E_FILE_DESCRIPTOR_NOT_SET (anonymous memory). */
int pmem2_source_get_fd(const struct pmem2_source *src, int *fd);

/*
 * Gives the size as it is now.
 * Errors: PMEM2_E_INVALID_FILE_HANDLE (the descriptor is closed, or, beyond libpmem2, is another
 * file by now), device DAX: PMEM2_E_INVALID_SIZE_FORMAT, -ENODEV (it is gone), others of reading
 * sysfs.
 */
int pmem2_source_size(const struct pmem2_source *src, size_t *size);

/*
 * Gives the alignment that offsets and lengths must have: a page (on hugetlbfs a huge one), or what
 * the device asks for.
 * Errors, device DAX only: PMEM2_E_INVALID_ALIGNMENT_FORMAT, PMEM2_E_INVALID_ALIGNMENT_VALUE,
 * -ENODEV (it is gone), others of reading sysfs.
 */
int pmem2_source_alignment(const struct pmem2_source *src, size_t *alignment);

/* Frees a source and sets *src to NULL. *src may be NULL. */
int pmem2_source_delete(struct pmem2_source **src);

/*
 * Read all `size` bytes at `offset` of the source into `buf`, or write them from there; `offset`
 * needs no alignment. A bad block is an error and never a signal, and no signal handler of the
 * program is run or replaced. On device DAX, written bytes have been flushed from the caches on
 * return; in a file they are as after pwrite. After an error a part may have been transferred.
 *
 * Errors: PMEM2_E_SOURCE_TYPE_NOT_SUPPORTED (anonymous memory), those of pmem2_source_size and
 * pmem2_source_alignment, PMEM2_E_LENGTH_OUT_OF_RANGE (not all of it is within the source: nothing
 * was transferred, unless the file shrank meanwhile), PMEM2_E_IO_FAIL (a bad block, or a device
 * that is gone), PMEM2_E_NO_ACCESS (a device-DAX node that is not open for writing), -EFAULT (not
 * all of `buf` is there), others of pread, pwrite and mmap: -EBADF (a file that is not open for
 * it), and -EINVAL (an offset of more than INT64_MAX; writing to a file that is open for
 * appending). Device DAX, where a child process makes the copy: -EAGAIN, -ENOMEM, -ECANCELED (the
 * child was killed).
 */
int pmem2_source_pread_mcsafe(struct pmem2_source *src, void *buf, size_t size, size_t offset);
int pmem2_source_pwrite_mcsafe(struct pmem2_source *src, void *buf, size_t size, size_t offset);

/*
 * Gives the ids of the NVDIMMs of the source's region, concatenated to a string. It is empty for a
 * region without NVDIMMs (memmap=, virtio-pmem). With `id` NULL *len becomes its size including the
 * terminator; else *len is the size of the buffer `id`, whose contents do not matter (libpmem2
 * appends to the string that it finds there). Neither this nor the next two functions need the
 * descriptor of the source any longer. Errors: PMEM2_E_NOSUPP (anonymous memory, not on persistent
 * memory, device DAX without an NVDIMM region, an NVDIMM without an id), PMEM2_E_BUFFER_TOO_SMALL,
 * those of sysfs and libndctl.
 */
int pmem2_source_device_id(const struct pmem2_source *src, char *id, size_t *len);

/*
 * Gives how often the NVDIMMs of the source's region, together, lost power before they were done; 0
 * for a region that is made of none.
 * Errors: PMEM2_E_NOSUPP (anonymous memory, not on persistent memory, device DAX without an NVDIMM
 * region, an NVDIMM that does not count), others as pmem2_source_device_id.
 */
int pmem2_source_device_usc(const struct pmem2_source *src, uint64_t *usc);

/*
 * Gives the NUMA node of the source's region, or beyond libpmem2 of a device-DAX node that has no
 * NVDIMM region; -1: the platform names none.
 * Errors: PMEM2_E_NOSUPP (anonymous memory), PMEM2_E_DAX_REGION_NOT_FOUND (not on persistent
 * memory), others as pmem2_source_device_id.
 */
int pmem2_source_numa_node(const struct pmem2_source *src, int *numa_node);

/*
 * A vm reservation is a piece of address space that is kept free for mappings: what one maps with
 * pmem2_config_set_vm_reservation goes into it, at an offset of one's choice, and when it is
 * unmapped the place is free again. No other mapping gets into it, whatever other threads do.
 * Reserving takes no memory.
 *
 * Any number of threads may map, unmap, find, extend and shrink in one reservation. Deleting it
 * ends all use of it, also by configurations. A NULL reservation is -EINVAL.
 */

/*
 * Where it is and how large, in bytes; as they are now, for extending and shrinking change them.
 * NULL and 0 for a NULL reservation.
 */
void *pmem2_vm_reservation_get_address(struct pmem2_vm_reservation *rsv);
size_t pmem2_vm_reservation_get_size(struct pmem2_vm_reservation *rsv);

/*
 * Reserves `size` bytes, a multiple of the page, at `addr`; if that is NULL, at an address that the
 * library chooses, a multiple of 2 MiB (of 1 GiB from 2 GiB up). At least 2 MiB (1 GiB) more behind
 * them are kept for extending, if they are free; with NULL they always are. A reservation of 0
 * bytes has only these. Errors: PMEM2_E_ADDRESS_UNALIGNED (not on a page),
 * PMEM2_E_LENGTH_UNALIGNED, PMEM2_E_MAPPING_EXISTS (something is mapped in the range), -ENOMEM,
 * -EAGAIN, -EPERM (below vm.mmap_min_addr). On failure *rsv_ptr is NULL.
 */
int pmem2_vm_reservation_new(struct pmem2_vm_reservation **rsv_ptr, void *addr, size_t size);

/*
 * Frees a reservation and its addresses, and sets *rsv_ptr to NULL. Errors:
 * PMEM2_E_VM_RESERVATION_NOT_EMPTY (something is mapped in it, also with pmem2_map_from_existing,
 * or is just being mapped or unmapped), those of munmap: -ENOMEM (at vm.max_map_count). On failure
 * nothing has changed.
 */
int pmem2_vm_reservation_delete(struct pmem2_vm_reservation **rsv_ptr);

/*
 * Makes it `size` bytes larger, at its end. What was kept for that is used first.
 * Errors: PMEM2_E_LENGTH_UNALIGNED (not a multiple of the page), PMEM2_E_MAPPING_EXISTS (not all
 * of what is needed behind it is free), -ENOMEM, -EAGAIN. On failure nothing has changed.
 */
int pmem2_vm_reservation_extend(struct pmem2_vm_reservation *rsv, size_t size);

/*
 * Makes it `size` bytes smaller: takes them off its start (offset 0), which moves the address and
 * the offsets of what is mapped in it, or off its end (offset + size is the end). Of the end the
 * rest of the last 2 MiB (1 GiB) is kept for extending. Errors, in this order:
 * PMEM2_E_OFFSET_UNALIGNED, PMEM2_E_LENGTH_UNALIGNED (not multiples of the page),
 * PMEM2_E_OFFSET_OUT_OF_RANGE (the end or beyond), PMEM2_E_LENGTH_OUT_OF_RANGE (0, or beyond the
 * end), PMEM2_E_NOSUPP (neither at the start nor at the end, or all of it),
 * PMEM2_E_VM_RESERVATION_NOT_EMPTY (something is mapped there), those of munmap: -ENOMEM (at
 * vm.max_map_count). On failure nothing has changed.
 */
int pmem2_vm_reservation_shrink(struct pmem2_vm_reservation *rsv, size_t offset, size_t size);

/*
 * Find mappings that were made in this reservation. find: the one with the lowest address among
 * those that contain any of the `len` bytes at `reserv_offset`; a `len` of 0 counts as 1, and if
 * the range goes beyond the address space, the mapping must begin at the offset. find_first,
 * find_last: the first and the last one. find_next, find_prev: the next one at higher or lower
 * addresses than `map`, which may be in another reservation. Other threads may have unmapped what
 * was found. Errors: PMEM2_E_MAPPING_NOT_FOUND (there is none, or `map` is not mapped): then the
 * out-parameter is NULL.
 */
int pmem2_vm_reservation_map_find(struct pmem2_vm_reservation *rsv, size_t reserv_offset,
				  size_t len, struct pmem2_map **map);
int pmem2_vm_reservation_map_find_prev(struct pmem2_vm_reservation *rsv, struct pmem2_map *map,
				       struct pmem2_map **prev_map);
int pmem2_vm_reservation_map_find_next(struct pmem2_vm_reservation *rsv, struct pmem2_map *map,
				       struct pmem2_map **next_map);
int pmem2_vm_reservation_map_find_first(struct pmem2_vm_reservation *rsv, struct pmem2_map **map);
int pmem2_vm_reservation_map_find_last(struct pmem2_vm_reservation *rsv, struct pmem2_map **map);

/* What has to be flushed before a store is persistent, from least to most. */
enum pmem2_granularity {
	PMEM2_GRANULARITY_BYTE,       /* nothing: CPU caches survive a power failure */
	PMEM2_GRANULARITY_CACHE_LINE, /* cache lines */
	PMEM2_GRANULARITY_PAGE,       /* pages, by msync */
};

enum pmem2_sharing_type {
	PMEM2_SHARED,  /* stores reach the source and its other mappings */
	PMEM2_PRIVATE, /* stores are seen through this mapping only, and are lost with it */
};

#define PMEM2_PROT_EXEC  (1U << 29)
#define PMEM2_PROT_READ  (1U << 30)
#define PMEM2_PROT_WRITE (1U << 31)
#define PMEM2_PROT_NONE  0

/*
 * Makes a configuration: offset 0, to the end of the source, shared, readable and writable; the
 * required granularity must be set. Errors: -ENOMEM. On failure *cfg is NULL.
 */
int pmem2_config_new(struct pmem2_config **cfg);

/* Frees a configuration and sets *cfg to NULL. *cfg may be NULL. */
int pmem2_config_delete(struct pmem2_config **cfg);

/* The coarsest granularity that will do. Errors: PMEM2_E_GRANULARITY_NOT_SUPPORTED (unknown). */
int pmem2_config_set_required_store_granularity(struct pmem2_config *cfg, enum pmem2_granularity g);

/*
 * Where in the source the mapping begins; must be a multiple of the source's alignment, which
 * is checked by mapping. Errors: PMEM2_E_OFFSET_OUT_OF_RANGE (more than INT64_MAX).
 */
int pmem2_config_set_offset(struct pmem2_config *cfg, size_t offset);

/*
 * How much to map; a multiple of the source's alignment, checked by mapping. 0 is to the end of
 * the source, and the only way to map a last page that the source does not fill.
 */
int pmem2_config_set_length(struct pmem2_config *cfg, size_t length);

/* Errors: PMEM2_E_INVALID_SHARING_VALUE. */
int pmem2_config_set_sharing(struct pmem2_config *cfg, enum pmem2_sharing_type type);

/* PMEM2_PROT_ flags, which are not those of mmap. Errors: PMEM2_E_INVALID_PROT_FLAG. */
int pmem2_config_set_protection(struct pmem2_config *cfg, unsigned prot);

/*
 * Maps into a reservation, `offset` bytes from its start; NULL ends that. Both are checked by
 * mapping.
 */
int pmem2_config_set_vm_reservation(struct pmem2_config *cfg, struct pmem2_vm_reservation *rsv,
				    size_t offset);

/*
 * Maps, at an address of the library's choice that is a multiple of 2 MiB (of 1 GiB from 2 GiB
 * up), and shows the mapping in this process's table. *map_ptr becomes the new object: a token, not
 * an address. No later object has the same value. On failure *map_ptr is NULL.
 *
 * With a vm reservation the address is its start plus the offset given there. Other threads see
 * the reservation or the mapping at every moment, and after a failure the reservation.
 *
 * The granularity is byte for anonymous memory and private sharing; else what the environment
 * variable PMEM2_FORCE_GRANULARITY says (BYTE, CACHE_LINE or CACHELINE, PAGE, in any case); else
 * page if the kernel refuses MAP_SYNC; else byte if all NVDIMM regions of the host say that CPU
 * caches survive a power failure, else cache line.
 *
 * Errors, in the order in which they are looked for:
 *   PMEM2_E_GRANULARITY_NOT_SET
 *   -ENODEV                     the device-DAX node is disabled, in use as system RAM, or gone
 *   those of pmem2_source_alignment and pmem2_source_size
 *   PMEM2_E_OFFSET_UNALIGNED    the offset is not a multiple of the alignment
 *   PMEM2_E_SRC_DEVDAX_PRIVATE  device DAX cannot be mapped with private sharing
 *   PMEM2_E_SOURCE_EMPTY        the source has no bytes
 *   PMEM2_E_LENGTH_UNALIGNED    the length is not a multiple of the alignment
 *   PMEM2_E_MAP_RANGE           offset and length go beyond the source
 *   in a reservation:
 *   PMEM2_E_OFFSET_UNALIGNED    its offset is not a multiple of the page
 *   PMEM2_E_LENGTH_OUT_OF_RANGE the mapping, in whole pages, does not fit
 *   PMEM2_E_ADDRESS_UNALIGNED   the address is not a multiple of the source's alignment
 *   PMEM2_E_MAPPING_EXISTS      something is mapped there, or just being mapped or unmapped
 *   then:
 *   -EINVAL                     the offset is the end of the source
 *   PMEM2_E_NO_ACCESS           the descriptor or the source does not allow it (EACCES)
 *   PMEM2_E_NOSUPP, PMEM2_E_MAPPING_EXISTS, other negated errnos of mmap; the text of -ENOMEM names
 *                               the limit that was reached and its value
 *   PMEM2_E_GRANULARITY_NOT_SUPPORTED  the granularity is coarser than required
 *   -ENOMEM                     for the object
 *
 * pmem2_map is the name of the same function in the draft of libpmem2. C++ programs do not get it:
 * there it would hide the struct.
 */
int pmem2_map_new(struct pmem2_map **map_ptr, const struct pmem2_config *cfg,
		  const struct pmem2_source *src);
#if !defined(__cplusplus) && !defined(PMEM2_NO_DRAFT_NAMES)
int pmem2_map(struct pmem2_map **map_ptr, const struct pmem2_config *cfg,
	      const struct pmem2_source *src);
#endif

/*
 * Deletes the mapping: unmaps it, releases the object, sets *map_ptr to NULL. A mapping that
 * came from pmem2_map_from_existing, or that the program has unmapped by itself, is only
 * released. On failure *map_ptr and the object are as before, except that of a mapping with gaps
 * (pmem2_unmap_range) the first pieces may be unmapped.
 *
 * Of several threads that unmap one object exactly one succeeds.
 *
 * Errors: PMEM2_E_MAPPING_NOT_FOUND (it was unmapped before, or this is no mapping: stale and wild
 * pointers and NULL are all safe here), the negated errno of munmap: -ENOMEM (at
 * vm.max_map_count), -EPERM (sealed by the program), -EINVAL.
 *
 * pmem2_unmap is the name in the draft that this project is founded on; the draft is the source
 * of its contract.
 */
int pmem2_map_delete(struct pmem2_map **map_ptr);
#ifndef PMEM2_NO_DRAFT_NAMES
int pmem2_unmap(struct pmem2_map **map_ptr);
#endif

/*
 * Makes an object of `len` bytes at `addr` that the program has mapped itself. Nothing about the
 * range is checked with the kernel, and pmem2_unmap will not unmap it.
 * Errors: PMEM2_E_MAP_EXISTS (an object has part of the range), PMEM2_E_GRANULARITY_NOT_SUPPORTED
 * (unknown), those of pmem2_source_size and pmem2_source_alignment, -ENOMEM; beyond libpmem2
 * PMEM2_E_ADDRESS_NULL, PMEM2_E_MAP_RANGE (beyond the address space), -EINVAL (length 0).
 */
int pmem2_map_from_existing(struct pmem2_map **map_ptr, const struct pmem2_source *src, void *addr,
			    size_t len, enum pmem2_granularity gran);

/*
 * What a mapping is. They take no lock, and are safe with stale and wild pointers and NULL: then
 * they return NULL, 0 and PMEM2_GRANULARITY_PAGE. The size is what was asked for, not rounded to
 * pages.
 */
void *pmem2_map_get_address(struct pmem2_map *map);
size_t pmem2_map_get_size(struct pmem2_map *map);
enum pmem2_granularity pmem2_map_get_store_granularity(struct pmem2_map *map);

/*
 * The functions that make stores to a mapping persistent: flush begins it for `size` bytes at
 * `ptr`, drain waits until all that this thread has begun is done, persist is both. They are the
 * same for all mappings of a granularity, and a range may span several of those. The getters take
 * no lock and never return NULL; for a stale or wild pointer and NULL they give the functions of
 * page granularity.
 *
 * Byte: flush does nothing; drain waits for stores that by-pass the caches (sfence).
 *
 * Cache line: flush writes the cache lines of the range back: clwb, else clflushopt, else clflush;
 * drain, the same function as for byte, is sfence. On 64-bit Arm they are dc cvap, else dc cvac,
 * and dsb. On other processors user space cannot do this, and flush is that of page granularity.
 *
 * Page: flush and persist are one function, which calls msync for the pages of the range, as far as
 * they belong to mappings of this library; other parts are left out in silence. errno stays as it
 * was. Of device DAX, for which the kernel keeps no pages (so only with PMEM2_FORCE_GRANULARITY),
 * they flush the cache lines. If msync fails there is nobody to tell, and a program that went on
 * would take its data for safe: one line on stderr says which range and why, and the process
 * aborts. Drain does nothing.
 *
 * The instructions are chosen when the library is loaded. Environment (not for set-user-id
 * programs): PMEM_NO_CLWB=1 and PMEM_NO_CLFLUSHOPT=1 forbid their instructions.
 */
typedef void (*pmem2_persist_fn)(const void *ptr, size_t size);
typedef void (*pmem2_flush_fn)(const void *ptr, size_t size);
typedef void (*pmem2_drain_fn)(void);

pmem2_persist_fn pmem2_get_persist_fn(struct pmem2_map *map);
pmem2_flush_fn pmem2_get_flush_fn(struct pmem2_map *map);
pmem2_drain_fn pmem2_get_drain_fn(struct pmem2_map *map);

#define PMEM2_F_MEM_NODRAIN     (1U << 0) /* leave the drain to the caller */
#define PMEM2_F_MEM_NONTEMPORAL (1U << 1) /* by-pass the caches */
#define PMEM2_F_MEM_TEMPORAL    (1U << 2) /* do not */
#define PMEM2_F_MEM_WC          (1U << 3) /* as NONTEMPORAL */
#define PMEM2_F_MEM_WB          (1U << 4) /* as TEMPORAL */
#define PMEM2_F_MEM_NOFLUSH     (1U << 5) /* leave flush and drain to the caller */
#define PMEM2_F_MEM_VALID_FLAGS                                                                    \
	(PMEM2_F_MEM_NODRAIN | PMEM2_F_MEM_NONTEMPORAL | PMEM2_F_MEM_TEMPORAL | PMEM2_F_MEM_WC |   \
	 PMEM2_F_MEM_WB | PMEM2_F_MEM_NOFLUSH)

/*
 * The functions that store to a mapping and make that persistent, in one: memmove, memcpy (the same
 * function: source and destination may always overlap) and memset, which return `pmemdest`. They go
 * with a granularity and have getters just as the flush functions do. `flags` are PMEM2_F_MEM_
 * bits; of two that contradict each other TEMPORAL, WB and NOFLUSH prevail.
 *
 * Where `pmemdest` and `len` are multiples of 8, each word of 8 bytes is stored in one piece: other
 * threads, and readers after a power failure, see the old word or the new one.
 *
 * Without hints in the flags, stores by-pass the caches from 256 bytes on where cache lines have to
 * be flushed, from 32 MiB on where nothing has, and for page granularity from 128 KiB (memset: 8
 * MiB) on. The page functions end in their flush, with or without NODRAIN.
 *
 * Environment, as above: PMEM_MOVNT_THRESHOLD is the number of bytes instead of all of these,
 * PMEM_NO_MOVNT=1 forbids stores that by-pass the caches, PMEM_AVX512F=0 forbids AVX-512 and
 * PMEM_AVX=0 AVX as well. libpmem2's PMEM_MOVDIR64B, PMEM_WC_WORKAROUND and PMEM_NO_GENERIC_MEMCPY
 * have no meaning here.
 */
typedef void *(*pmem2_memmove_fn)(void *pmemdest, const void *src, size_t len, unsigned flags);
typedef void *(*pmem2_memcpy_fn)(void *pmemdest, const void *src, size_t len, unsigned flags);
typedef void *(*pmem2_memset_fn)(void *pmemdest, int c, size_t len, unsigned flags);

pmem2_memmove_fn pmem2_get_memmove_fn(struct pmem2_map *map);
pmem2_memcpy_fn pmem2_get_memcpy_fn(struct pmem2_map *map);
pmem2_memset_fn pmem2_get_memset_fn(struct pmem2_map *map);

/*
 * Makes `size` bytes at `ptr` safe even from a power failure in which the memory controller cannot
 * write out its queue. With page granularity there is nothing to do. Otherwise a file is msynced,
 * in whole pages. On device DAX the range is persisted, and the kernel is asked to flush the NVDIMM
 * region, unless there is none, the kernel cannot, or the platform flushes it in any case. Errors:
 * PMEM2_E_MAPPING_NOT_FOUND (stale and wild pointers and NULL are safe), PMEM2_E_DEEP_FLUSH_RANGE
 * (not within the mapping), PMEM2_E_NOSUPP (anonymous memory), the negated errno of msync: -ENOMEM
 * also where the range goes beyond the address space; device DAX: -ENODEV (it is gone), -EACCES
 * (only root may, where the region has something to flush), others of sysfs, among them those of
 * the flush itself, which libpmem2 does not report.
 */
int pmem2_deep_flush(struct pmem2_map *map, void *ptr, size_t size);

/* A part of a source that the device reports as unreadable: bytes, relative to the source. */
struct pmem2_badblock {
	size_t offset;
	size_t length;
};

/*
 * Lists the bad blocks of `src` that the kernel knows of at this moment. The caller deletes the
 * list. `src` is no longer needed, and its descriptor only for pmem2_badblock_clear. Bad
 * blocks of a file are whole blocks (st_blksize), and each is within one extent; those of a
 * device-DAX node are whole sectors of 512 bytes. A file that is not on pmem has none. Returns 0 or
 * a negative error; on failure *bbctx is NULL, except that PMEM2_E_NOSUPP for anonymous memory
 * leaves it untouched. Errors: PMEM2_E_NOSUPP (anonymous memory, a DAX node without an NVDIMM
 * region, an XFS realtime file that may be concerned), -EBADF (the descriptor is closed),
 * PMEM2_E_INVALID_FILE_HANDLE (it now refers to another file), PMEM2_E_DAX_REGION_NOT_FOUND (the
 * DAX node has vanished), PMEM2_E_CANNOT_READ_BOUNDS (a device mapper is in between; for a DAX
 * node: the caller lacks CAP_SYS_ADMIN), -ENOMEM, those of fstat, of FIEMAP and of reading sysfs.
 * Any number of threads may call it, also for the same source. Contract: libpmem2.
 */
int pmem2_badblock_context_new(struct pmem2_badblock_context **bbctx,
			       const struct pmem2_source *src);

/*
 * Copies the next bad block to *bb, in ascending order of offsets and without overlaps, each one
 * once. One context may be used by one thread at a time. Contract: libpmem2.
 * Errors: PMEM2_E_NO_BAD_BLOCK_FOUND (there are no more; *bb is left alone).
 */
int pmem2_badblock_next(struct pmem2_badblock_context *bbctx, struct pmem2_badblock *bb);

/*
 * Clears a bad block, adjacent ones, or a part of them: the bytes read as zeroes afterwards, and
 * what was in them is lost. A file gets other blocks from its file system; blocks of a device-DAX
 * node are repaired by the firmware. The source is that of `bbctx`: its descriptor must still be
 * open, for a file for writing. The list in `bbctx` does not change.
 *
 * Errors: PMEM2_E_OFFSET_OUT_OF_RANGE, PMEM2_E_LENGTH_OUT_OF_RANGE (more than INT64_MAX);
 * PMEM2_E_NO_BAD_BLOCK_FOUND (not all of the range is bad at this moment: nothing is changed,
 * whereas libpmem2 destroys good data); those of pmem2_badblock_context_new; of fallocate (-EBADF:
 * closed or not open for writing, -EFBIG: the end is beyond INT64_MAX, -ENOSPC: no other blocks
 * left, and the file has a hole there now); of libndctl; -ENXIO (the firmware repaired only a
 * part); PMEM2_E_NOSUPP (the platform cannot clear); PMEM2_E_IO_FAIL (no step failed, but the
 * kernel still lists a part as bad). Contract: libpmem2.
 */
int pmem2_badblock_clear(struct pmem2_badblock_context *bbctx, const struct pmem2_badblock *bb);

/* Deletes the list and sets *bbctx to NULL, which it may be already. Contract: libpmem2. */
void pmem2_badblock_context_delete(struct pmem2_badblock_context **bbctx);

/*
 * The text of the last error of the calling thread, which names the object and the reason; "" if
 * there was none yet. Success does not clear it. It is valid until the thread's next call.
 */
const char *pmem2_errormsg(void);

/* Prints the formatted text, ": ", that text and a newline to stderr. */
void pmem2_perror(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/*
 * The errno that comes nearest to an error of this library: of a negated errno that errno, of
 * PMEM2_E_NOSUPP ENOTSUP, of 0 it is 0, of anything else EINVAL (libpmem2 aborts if `err` is
 * positive).
 */
int pmem2_err_to_errno(int err);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif /* LIBPMEM2_H */
