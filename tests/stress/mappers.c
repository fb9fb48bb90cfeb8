/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mappers.c - the threads of the stress program that map and unmap
 */
#include "stress.h"
#include <sched.h>

#define BATCH 64

/*
 * An object that several threads unmap. Each object before the last one was unmapped by exactly one
 * thread.
 */
struct contest {
	struct pmem2_map *_Atomic map;
	atomic_ulong won;
	unsigned long made;
};

static struct contest contests[MAPPERS];

/* The state of a mapper, whose objects are used again and again. */
struct mapper {
	size_t number;
	unsigned long round;
	struct pmem2_source *memory; /* of two pages */
	struct pmem2_source *file;   /* likewise */
	struct pmem2_config *private;
	struct pmem2_config *shared;
	struct pmem2_config *reserved; /* private too: holds only values of this thread */
};

static void write_mark(const struct mapper *mapper, struct pmem2_map *map)
{
	unsigned long *memory = pmem2_map_get_address(map);

	must(memory);
	must(memory[0] == 0 && memory[1] == 0);
	memory[0] = mapper->number + 1;
	memory[1] = mapper->round;
}

static void check_mark(const struct mapper *mapper, struct pmem2_map *map)
{
	unsigned long *memory = pmem2_map_get_address(map);

	must(memory && memory[0] == mapper->number + 1 && memory[1] == mapper->round);
}

static void check_file(struct pmem2_map *map)
{
	char *memory = pmem2_map_get_address(map);

	must(memory && memory[0] == 'f' && memory[2 * PAGE - 1] == 'f');
}

static void round_of_memory(struct mapper *mapper)
{
	struct pmem2_map *map;

	ok(pmem2_map_new(&map, mapper->private, mapper->memory));
	write_mark(mapper, map);
	must((uintptr_t)pmem2_map_get_address(map) % (2 * MIB) == 0);
	check_mark(mapper, map);
	ok(pmem2_unmap(&map));
}

static void round_of_file(struct mapper *mapper)
{
	struct pmem2_map *map;

	ok(pmem2_map_new(&map, mapper->shared, mapper->file));
	check_file(map);
	ok(pmem2_unmap(&map));
}

/* A round with a new source, of which is not known yet whether it supports MAP_SYNC. */
static void round_of_fresh_objects(struct mapper *mapper)
{
	struct pmem2_config *config = make_config(PMEM2_SHARED);
	struct pmem2_source *source;
	struct pmem2_map *map;

	(void)mapper;
	ok(pmem2_source_from_fd(&source, file));
	ok(pmem2_map_new(&map, config, source));
	ok(pmem2_config_delete(&config));
	ok(pmem2_source_delete(&source));
	check_file(map);
	ok(pmem2_unmap(&map));
}

static void round_in_reservation(struct mapper *mapper)
{
	size_t page = mapper->number * ZONE + mapper->round / 8 % (ZONE - 1);
	struct pmem2_map *found;
	struct pmem2_map *map;

	ok(pmem2_config_set_vm_reservation(mapper->reserved, rsv, page * PAGE));
	ok(pmem2_map_new(&map, mapper->reserved, mapper->memory));
	must((char *)pmem2_map_get_address(map) == rsv_start + page * PAGE);
	write_mark(mapper, map);
	ok(pmem2_vm_reservation_map_find(rsv, page * PAGE + 1, PAGE, &found));
	must(found == map);
	check_mark(mapper, map);
	if (mapper->round / 8 % 4 == 0)
		ok(pmem2_unmap_range(map, PAGE, PAGE, 0));
	ok(pmem2_unmap(&map));
}

static void round_of_file_in_reservation(struct mapper *mapper)
{
	struct pmem2_source *source;
	struct pmem2_map *map;

	ok(pmem2_config_set_vm_reservation(mapper->reserved, rsv, mapper->number * ZONE * PAGE));
	ok(pmem2_config_set_sharing(mapper->reserved, PMEM2_SHARED));
	ok(pmem2_source_from_fd(&source, file));
	ok(pmem2_map_new(&map, mapper->reserved, source));
	ok(pmem2_source_delete(&source));
	ok(pmem2_config_set_sharing(mapper->reserved, PMEM2_PRIVATE));
	check_file(map);
	ok(pmem2_unmap(&map));
}

/* When another mapper has mapped the place, or a part of it, the mapping is made elsewhere. */
static void round_on_common_place(struct mapper *mapper)
{
	size_t page = COMMON + mapper->round / 8 % 3;
	struct pmem2_map *map;
	int ret;

	ok(pmem2_config_set_vm_reservation(mapper->reserved, rsv, page * PAGE));
	ret = pmem2_map_new(&map, mapper->reserved, mapper->memory);
	if (ret == PMEM2_E_MAPPING_EXISTS) {
		round_of_memory(mapper);
		return;
	}
	ok(ret);
	write_mark(mapper, map);
	if (page == COMMON)
		sched_yield();
	check_mark(mapper, map);
	ok(pmem2_unmap(&map));
}

/* Tries to unmap the object. True: this thread has unmapped it. */
static bool contend(struct contest *contest)
{
	struct pmem2_map *map = atomic_load(&contest->map);
	struct pmem2_map *copy = map;
	int ret = pmem2_unmap(&copy);

	if (ret == 0) {
		must(!copy);
		count(&contest->won);
		return true;
	}
	must_be("unmapping what others unmap", ret, PMEM2_E_MAPPING_NOT_FOUND);
	must(copy == map);
	return false;
}

static void round_of_contest(struct mapper *mapper)
{
	struct contest *contest = &contests[mapper->number];
	struct pmem2_map *map;

	must(atomic_load(&contest->won) == contest->made);
	ok(pmem2_map_new(&map, mapper->private, mapper->memory));
	write_mark(mapper, map);
	contest->made++;
	atomic_store(&contest->map, map);
	if (mapper->round / 8 % 2)
		sched_yield();
	contend(contest);
	while (atomic_load(&contest->won) < contest->made)
		sched_yield(); /* another thread has unmapped it, and will count that */
	must(atomic_load(&contest->won) == contest->made);
	must(!pmem2_map_get_address(map));
}

static void do_round(struct mapper *mapper)
{
	busy_begin();
	switch (mapper->round % 8) {
	case 0:
		round_of_fresh_objects(mapper);
		break;
	case 1:
	case 2:
		round_of_memory(mapper);
		break;
	case 3:
		round_of_file(mapper);
		break;
	case 4:
		round_in_reservation(mapper);
		break;
	case 5:
		round_of_file_in_reservation(mapper);
		break;
	case 6:
		round_on_common_place(mapper);
		break;
	default:
		round_of_contest(mapper);
		break;
	}
	/* The object that the next mapper is unmapping, or has unmapped. */
	if (contend(&contests[(mapper->number + 1) % MAPPERS]))
		count(&takes);
	busy_end();
	mapper->round++;
}

static bool take_batch(void)
{
	unsigned long left = atomic_load(&rounds_left);

	while (left &&
	       !atomic_compare_exchange_weak(&rounds_left, &left, left > BATCH ? left - BATCH : 0))
		;
	return left;
}

void *run_mapper(void *arg)
{
	struct mapper mapper = {.number = (size_t)arg};

	busy_begin();
	mapper.private = make_config(PMEM2_PRIVATE);
	mapper.shared = make_config(PMEM2_SHARED);
	mapper.reserved = make_config(PMEM2_PRIVATE);
	ok(pmem2_source_from_anon(&mapper.memory, 2 * PAGE));
	ok(pmem2_source_from_fd(&mapper.file, file));
	busy_end();
	while (take_batch()) {
		for (int i = 0; i < BATCH; i++)
			do_round(&mapper);
	}
	busy_begin();
	ok(pmem2_source_delete(&mapper.file));
	ok(pmem2_source_delete(&mapper.memory));
	ok(pmem2_config_delete(&mapper.reserved));
	ok(pmem2_config_delete(&mapper.shared));
	ok(pmem2_config_delete(&mapper.private));
	busy_end();
	return NULL;
}
