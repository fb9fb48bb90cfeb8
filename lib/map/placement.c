/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * placement.c - where in the address space a mapping goes
 *
 * Owns the hints given to mmap. Calls base/page and the registry. mmap is never called with
 * MAP_FIXED here: a wrong hint costs time, but cannot overwrite what another thread has mapped.
 * mremap uses MREMAP_FIXED only onto a reservation that this thread has made and still owns.
 *
 * A gap of at least a page is left between two mappings, so that the kernel does not merge them:
 * each stays an area (VMA) of its own, and unmapping one never splits an area.
 */
#include "map/placement.h"
#include "base/page.h"
#include "registry/registry.h"
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define TIB (1ull << 40)

/*
 * What an entry of the highest page table covers, on x86-64 with four levels. An unmap that leaves
 * nothing mapped there has the kernel flush the TLBs of all CPUs that run threads of the process,
 * which costs more than the rest of it. So mappings go where the program has others.
 */
#define TOP_LEVEL_ENTRY (512 * GIB)

/*
 * Hints begin at least this far below the place that the kernel chose for the first mapping:
 * between them the kernel finds room for what the program maps itself, such as the stacks of its
 * threads.
 */
#define HEADROOM_MIN (1 * GIB)

/* How far the cursor moves down from there. */
#define WINDOW (4 * TIB)

/* Alignments of at least 2 MiB leave the low bits of an address free for a number of pages. */
#define SMALLEST_ALIGNMENT (2 * MIB)
#define RECENT_PAGES       (SMALLEST_ALIGNMENT - 1)

/*
 * Places of mappings that were removed: the address and, in the low bits, the number of pages. 0:
 * none. Each CPU leaves its last one on a cache line of its own, so that threads which map and
 * unmap at the same time keep their places and do not wait for each other's writes.
 */
#define RECENT_PLACES 8
static struct {
	_Alignas(64) _Atomic uint64_t place;
} recent[RECENT_PLACES];

/*
 * The next hint lies below the cursor; 0: the kernel chooses first. The three only guide hints, so
 * that they need not be consistent with each other: relaxed order suffices.
 */
static _Atomic uintptr_t cursor;
static _Atomic uintptr_t window_top;
static _Atomic unsigned misses;

/*
 * Set when the kernel did not follow a hint. From then on the registry is asked for neighbours of
 * each place. (Two threads may still create neighbours at the same moment, which merely merges two
 * lines of /proc/PID/maps.)
 */
static _Atomic bool crowded;

static bool is_crowded(void)
{
	return atomic_load_explicit(&crowded, memory_order_relaxed);
}

static size_t round_up(size_t value, size_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

static size_t placement_alignment(const struct placement_request *request)
{
	size_t wanted = request->length >= 2 * GIB ? GIB : SMALLEST_ALIGNMENT;

	return wanted > request->alignment ? wanted : request->alignment;
}

/* The index in `recent` of this CPU, which the thread may have left when this returns. */
static unsigned recent_here(void)
{
	return (unsigned)sched_getcpu() % RECENT_PLACES;
}

static uintptr_t take_place(_Atomic uint64_t *place, size_t length, size_t alignment)
{
	uint64_t area = atomic_load_explicit(place, memory_order_relaxed);
	uintptr_t address = area & ~RECENT_PAGES;

	if (!area || address & (alignment - 1) || (area & RECENT_PAGES) * page_size() < length)
		return 0;
	if (!atomic_compare_exchange_strong_explicit(place, &area, 0, memory_order_relaxed,
						     memory_order_relaxed))
		return 0;
	return address;
}

static uintptr_t take_recent(size_t length, size_t alignment)
{
	unsigned here = recent_here();
	uintptr_t address = 0;

	for (unsigned i = 0; !address && i < RECENT_PLACES; i++)
		address = take_place(&recent[(here + i) % RECENT_PLACES].place, length, alignment);
	return address;
}

void placement_released(uintptr_t address, size_t length)
{
	size_t pages = length / page_size();

	if (pages <= RECENT_PAGES && !(address & RECENT_PAGES))
		atomic_store_explicit(&recent[recent_here()].place, address | pages,
				      memory_order_relaxed);
}

/* Opens the window below a place that the kernel has chosen. */
static void open_window(uintptr_t place)
{
	uintptr_t room = place % TOP_LEVEL_ENTRY / 2;
	uintptr_t headroom = room < HEADROOM_MIN ? TOP_LEVEL_ENTRY / 2 : room;
	uintptr_t top = place > headroom ? place - headroom : place;

	atomic_store_explicit(&window_top, top, memory_order_relaxed);
	atomic_store_explicit(&cursor, top, memory_order_relaxed);
}

/* Moves the cursor down by an aligned place and a gap. Returns the place, or 0. */
static uintptr_t take_cursor(size_t length, size_t alignment)
{
	uintptr_t old = atomic_load_explicit(&cursor, memory_order_relaxed);
	uintptr_t top = atomic_load_explicit(&window_top, memory_order_relaxed);
	uintptr_t next;

	do {
		if (old < length || old - length < page_size() + alignment)
			return 0;
		next = (old - length - page_size()) & ~(alignment - 1);
		if (top - next > WINDOW)
			next = 0;
	} while (!atomic_compare_exchange_weak_explicit(&cursor, &old, next, memory_order_relaxed,
							memory_order_relaxed));
	return next;
}

/* Something else is mapped below the cursor: moves it further down, by a larger step each time. */
static void skip_obstacle(size_t length, size_t alignment)
{
	unsigned n = atomic_fetch_add_explicit(&misses, 1, memory_order_relaxed);
	uintptr_t at = atomic_load_explicit(&cursor, memory_order_relaxed);
	uintptr_t top = atomic_load_explicit(&window_top, memory_order_relaxed);
	uint64_t step = n < 20 ? (uint64_t)round_up(length, alignment) << n : WINDOW;

	if (at > step && top - (at - step) <= WINDOW)
		atomic_store_explicit(&cursor, at - step, memory_order_relaxed);
	else
		atomic_store_explicit(&cursor, 0, memory_order_relaxed);
}

/*
 * Moves a mapping to an aligned address: reserves a range that contains such an address and lets
 * mremap replace that part of it, atomically for all other threads.
 */
static int relocate(const struct placement_request *request, size_t length, size_t alignment,
		    uintptr_t *address)
{
	size_t gap = page_size();
	size_t size = length + alignment + 2 * gap;
	uintptr_t start;
	uintptr_t place;
	int ret = 0;
	void *p;

	if (length > SIZE_MAX / 2 || alignment > SIZE_MAX / 4)
		return -ENOMEM;
	p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	start = (uintptr_t)p;
	place = round_up(start + gap, alignment);

	p = mremap((void *)*address, request->length, request->length,
		   MREMAP_MAYMOVE | MREMAP_FIXED, (void *)place);
	if (p == MAP_FAILED)
		ret = -errno;
	/*
	 * The ends of the range still belong to this thread. After a failure the kernel may or may
	 * not have removed the middle, where another thread may have mapped by now: it is left
	 * alone, at worst as lost address space.
	 */
	munmap((void *)start, place - start);
	munmap((void *)(place + length), start + size - (place + length));
	if (!ret)
		*address = place;
	return ret;
}

int placement_map_anywhere(const struct placement_request *request, uintptr_t *address)
{
	void *p = mmap(NULL, request->length, request->prot, request->flags, request->fd,
		       request->offset);

	if (p == MAP_FAILED)
		return -errno;
	*address = (uintptr_t)p;
	return 0;
}

int placement_map(const struct placement_request *request, uintptr_t *address)
{
	size_t length = page_round_up(request->length);
	size_t alignment = placement_alignment(request);
	bool from_recent;
	uintptr_t hint;
	uintptr_t at;
	void *p;
	int ret;

	if (length < request->length)
		return -ENOMEM;
	hint = take_recent(length, alignment);
	from_recent = hint;
	if (!hint)
		hint = take_cursor(length, alignment);
	p = mmap((void *)hint, request->length, request->prot, request->flags, request->fd,
		 request->offset);
	/* Where a hint is occupied, device DAX chooses an address that it then rejects. */
	if (p == MAP_FAILED && errno == EINVAL && hint && request->alignment > page_size())
		p = mmap(NULL, request->length, request->prot, request->flags, request->fd,
			 request->offset);
	if (p == MAP_FAILED) {
		ret = -errno;
		if (from_recent)
			placement_released(hint, length);
		return ret;
	}
	at = (uintptr_t)p;
	if (hint && at == hint && !(is_crowded() && registry_has_neighbour(at, length))) {
		if (!from_recent && atomic_load_explicit(&misses, memory_order_relaxed))
			atomic_store_explicit(&misses, 0, memory_order_relaxed);
		*address = at;
		return 0;
	}

	ret = relocate(request, length, alignment, &at);
	if (ret) {
		munmap(p, request->length);
		return ret;
	}
	if (hint || atomic_load_explicit(&window_top, memory_order_relaxed))
		atomic_store_explicit(&crowded, true, memory_order_relaxed);
	if (!hint) {
		open_window(at);
	} else if (!from_recent) {
		skip_obstacle(length, alignment);
	}
	*address = at;
	return 0;
}
