/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * matrix_objects.c - the objects that functions of the matrix are called with
 *
 * Owns the objects of one call, which runs in a process of its own. Arguments are made from left to
 * right: an address within a mapping is within the mapping that was made last.
 */
#include "matrix.h"

#define MAPPED_SIZE (2 * MIB)

/* The value of an out-parameter for a pointer before the call. */
#define STALE ((void *)16)

/* The address of the last mapping. */
static char *mapped;

/* --- sources --- */

static uintptr_t make_file(void)
{
	return (uintptr_t)new_source(new_file(FILE_SIZE));
}

static uintptr_t make_empty_file(void)
{
	return (uintptr_t)new_source(new_file(0));
}

static uintptr_t make_odd_file(void)
{
	return (uintptr_t)new_source(new_file(5000));
}

static uintptr_t make_closed(void)
{
	int fd = new_file(FILE_SIZE);
	struct pmem2_source *src = new_source(fd);

	close(fd);
	return (uintptr_t)src;
}

static uintptr_t make_path(void)
{
	return (uintptr_t)new_source(open_again(new_file(FILE_SIZE), O_PATH));
}

static uintptr_t make_read_only(void)
{
	return (uintptr_t)new_source(open_again(new_file(FILE_SIZE), O_RDONLY));
}

static uintptr_t make_anon(void)
{
	return (uintptr_t)new_anon(FILE_SIZE);
}

static uintptr_t make_anon_of_nothing(void)
{
	return (uintptr_t)new_anon(0);
}

static uintptr_t make_endless_anon(void)
{
	return (uintptr_t)new_anon(SIZE_MAX);
}

#define SOURCES                                                                                    \
	{.name = "file", .make = make_file, .places = ANY_FILE},                                   \
		{.name = "anonymous", .make = make_anon, .places = AT(NOWHERE) | ANY_FILE},        \
		{.name = "empty file", .make = make_empty_file, .places = ANY_FILE},               \
		{.name = "odd file", .make = make_odd_file, .places = ANY_FILE},                   \
		{.name = "closed", .make = make_closed, .places = ANY_FILE},                       \
		{.name = "path", .make = make_path, .places = ANY_FILE},                           \
		{.name = "read-only", .make = make_read_only, .places = ANY_FILE},                 \
		{.name = "nothing", .make = make_anon_of_nothing, .places = AT(NOWHERE)},          \
	{                                                                                          \
		.name = "endless", .make = make_endless_anon, .places = AT(NOWHERE)                \
	}

const struct kind a_source = {(const struct value[]){SOURCES, {.name = "NULL"}, {0}}, NULL};

static struct pmem2_source *source_here(void)
{
	return place == NOWHERE ? new_anon(FILE_SIZE) : new_source(new_file(FILE_SIZE));
}

/* --- places for pointers --- */

static void show_pointer(const char *name, uintptr_t argument)
{
	const void *pointer = *(void **)argument;

	print_value(name, "%s", pointer == STALE ? "stale" : pointer ? "set" : "NULL");
}

/* Allocates a pointer with that value. */
static uintptr_t place_with(void *pointer)
{
	void **new = malloc(sizeof(*new));

	NEED(new);
	*new = pointer;
	return (uintptr_t) new;
}

static uintptr_t make_room(void)
{
	return place_with(STALE);
}

static uintptr_t make_pointer_to_null(void)
{
	return place_with(NULL);
}

const struct kind room_for_object = {
	(const struct value[]){POINTER_TO("stale", make_room), {.name = "NULL"}, {0}},
	show_pointer,
};

/* --- pointers to objects, for functions that delete --- */

static uintptr_t make_source_ptr(void)
{
	return place_with(source_here());
}

const struct kind a_source_ptr = {
	(const struct value[]){POINTER_TO("source", make_source_ptr),
			       POINTER_TO("NULL", make_pointer_to_null),
			       {.name = "NULL"},
			       {0}},
	show_pointer,
};

static uintptr_t make_config(void)
{
	return (uintptr_t)new_config();
}

static uintptr_t make_config_ptr(void)
{
	return place_with(new_config());
}

const struct kind a_config = {
	(const struct value[]){{.name = "config", .make = make_config}, {.name = "NULL"}, {0}},
	NULL,
};
const struct kind a_config_ptr = {
	(const struct value[]){POINTER_TO("config", make_config_ptr),
			       POINTER_TO("NULL", make_pointer_to_null),
			       {.name = "NULL"},
			       {0}},
	show_pointer,
};

static uintptr_t make_context(void)
{
	struct pmem2_badblock_context *context;

	NEED(lib.badblock_context_new(&context, source_here()) == 0);
	return (uintptr_t)context;
}

/*
 * A context of a source whose descriptor was then closed (-1) or replaced by one with other flags.
 */
static uintptr_t make_context_of(int flags)
{
	int fd = new_file(FILE_SIZE);
	struct pmem2_source *src = new_source(fd);
	struct pmem2_badblock_context *context;
	int other = flags < 0 ? -1 : open_again(fd, flags);

	NEED(lib.badblock_context_new(&context, src) == 0);
	if (other < 0)
		close(fd);
	else
		NEED(dup2(other, fd) == fd);
	return (uintptr_t)context;
}

static uintptr_t make_context_of_closed(void)
{
	return make_context_of(-1);
}

static uintptr_t make_context_of_read_only(void)
{
	return make_context_of(O_RDONLY);
}

static uintptr_t make_context_ptr(void)
{
	return place_with((void *)make_context());
}

const struct kind a_context = {
	(const struct value[]){{.name = "context", .make = make_context},
			       {.name = "closed", .make = make_context_of_closed},
			       {.name = "read-only", .make = make_context_of_read_only},
			       {.name = "NULL"},
			       {0}},
	NULL,
};
const struct kind a_context_ptr = {
	(const struct value[]){POINTER_TO("context", make_context_ptr),
			       POINTER_TO("NULL", make_pointer_to_null),
			       {.name = "NULL"},
			       {0}},
	show_pointer,
};

/* --- reservations --- */

static struct pmem2_map *members[2]; /* of the used reservation */

static uintptr_t new_reservation(size_t size)
{
	struct pmem2_vm_reservation *rsv;

	/* in a hole, so that there are always free addresses behind it */
	NEED(lib.vm_reservation_new(&rsv, hole(32 * MIB), size) == 0);
	return (uintptr_t)rsv;
}

static uintptr_t make_empty_reservation(void)
{
	return new_reservation(16 * MIB);
}

static uintptr_t make_reservation_of_nothing(void)
{
	return new_reservation(0);
}

/* Makes the only such reservation, with maps at 0 and at 8 MiB. */
static uintptr_t make_used_reservation(void)
{
	static uintptr_t rsv;
	struct pmem2_config *cfg = new_config();
	struct pmem2_source *src;
	size_t i;

	if (rsv)
		return rsv;
	rsv = make_empty_reservation();
	src = source_here();
	NEED(lib.config_set_length(cfg, MAPPED_SIZE) == 0);
	for (i = 0; i < COUNT(members); i++) {
		NEED(lib.config_set_vm_reservation(cfg, (void *)rsv, i * 8 * MIB) == 0);
		members[i] = new_map(cfg, src);
	}
	return rsv;
}

static uintptr_t make_empty_reservation_ptr(void)
{
	return place_with((void *)make_empty_reservation());
}

static uintptr_t make_reservation_of_nothing_ptr(void)
{
	return place_with((void *)make_reservation_of_nothing());
}

static uintptr_t make_used_reservation_ptr(void)
{
	return place_with((void *)make_used_reservation());
}

static void show_reservation(const char *name, uintptr_t argument)
{
	struct pmem2_vm_reservation *rsv = (struct pmem2_vm_reservation *)argument;

	print_value(name, "%#zx", lib.vm_reservation_get_size(rsv));
}

#define EMPTY                                                                                      \
	{                                                                                          \
		.name = "empty", .make = make_empty_reservation                                    \
	}
#define USED                                                                                       \
	{                                                                                          \
		.name = "used", .make = make_used_reservation                                      \
	}
#define OF_NOTHING                                                                                 \
	{                                                                                          \
		.name = "of nothing", .make = make_reservation_of_nothing                          \
	}

const struct kind a_reservation = {
	(const struct value[]){EMPTY, USED, OF_NOTHING, {.name = "NULL"}, {0}},
	show_reservation,
};
const struct kind a_used_reservation = {
	(const struct value[]){USED, EMPTY, OF_NOTHING, {.name = "NULL"}, {0}},
	NULL,
};
const struct kind a_no_reservation = {
	(const struct value[]){{.name = "none"}, EMPTY, USED, OF_NOTHING, {0}},
	NULL,
};
const struct kind a_reservation_ptr = {
	(const struct value[]){POINTER_TO("empty", make_empty_reservation_ptr),
			       POINTER_TO("used", make_used_reservation_ptr),
			       POINTER_TO("of nothing", make_reservation_of_nothing_ptr),
			       POINTER_TO("NULL", make_pointer_to_null),
			       {.name = "NULL"},
			       {0}},
	show_pointer,
};

/* --- maps --- */

static uintptr_t map_here(const char *granularity)
{
	struct pmem2_config *cfg = new_config();
	struct pmem2_map *map;

	if (granularity)
		setenv("PMEM2_FORCE_GRANULARITY", granularity, 1);
	NEED(lib.config_set_length(cfg, MAPPED_SIZE) == 0);
	map = new_map(cfg, source_here());
	unsetenv("PMEM2_FORCE_GRANULARITY");
	mapped = lib.map_get_address(map);
	return (uintptr_t)map;
}

static uintptr_t make_map(void)
{
	return map_here(NULL);
}

static uintptr_t make_line_map(void)
{
	return map_here("CACHE_LINE");
}

static uintptr_t make_member(void)
{
	make_used_reservation();
	mapped = lib.map_get_address(members[0]);
	return (uintptr_t)members[0];
}

static uintptr_t adopt(enum pmem2_granularity granularity)
{
	struct pmem2_map *map;

	mapped =
		mmap(NULL, MAPPED_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(mapped != MAP_FAILED);
	NEED(lib.map_from_existing(&map, source_here(), mapped, MAPPED_SIZE, granularity) == 0);
	return (uintptr_t)map;
}

static uintptr_t make_adopted(void)
{
	return adopt(PMEM2_GRANULARITY_CACHE_LINE);
}

static uintptr_t make_deleted(void)
{
	struct pmem2_map *map = (struct pmem2_map *)make_map();
	struct pmem2_map *deleted = map;

	NEED(lib.map_delete(&map) == 0);
	return (uintptr_t)deleted;
}

static uintptr_t make_map_ptr(void)
{
	return place_with((void *)make_map());
}

static uintptr_t make_member_ptr(void)
{
	return place_with((void *)make_member());
}

static uintptr_t make_adopted_ptr(void)
{
	return place_with((void *)make_adopted());
}

static uintptr_t make_deleted_ptr(void)
{
	return place_with((void *)make_deleted());
}

const struct kind a_map = {
	(const struct value[]){{.name = "map", .make = make_map},
			       {.name = "member", .make = make_member},
			       {.name = "adopted", .make = make_adopted},
			       {.name = "deleted", .make = make_deleted},
			       {.name = "cache line", .make = make_line_map, .places = ANY_FILE},
			       {.name = "NULL"},
			       {0}},
	NULL,
};
const struct kind a_map_ptr = {
	(const struct value[]){POINTER_TO("map", make_map_ptr),
			       POINTER_TO("member", make_member_ptr),
			       POINTER_TO("adopted", make_adopted_ptr),
			       POINTER_TO("deleted", make_deleted_ptr),
			       POINTER_TO("NULL", make_pointer_to_null),
			       {.name = "NULL"},
			       {0}},
	show_pointer,
};

static void show_map(const char *name, uintptr_t argument)
{
	struct pmem2_map *map = *(struct pmem2_map **)argument;

	if (!map || map == STALE)
		show_pointer(name, argument);
	else if (map == members[0] || map == members[1])
		print_value(name, "member %d", map == members[1]);
	else
		print_value(name, "%zu, granularity %d", lib.map_get_size(map),
			    (int)lib.map_get_store_granularity(map));
}

const struct kind room_for_map = {
	(const struct value[]){POINTER_TO("stale", make_room), {.name = "NULL"}, {0}},
	show_map,
};

/* --- memory --- */

static uintptr_t make_unaligned_memory(void)
{
	return make_memory() + 100;
}

/* A range that a map has already. */
static uintptr_t make_taken(void)
{
	make_map();
	return (uintptr_t)mapped;
}

const struct kind an_own_range = {
	(const struct value[]){{.name = "memory", .make = make_memory},
			       {.name = "unaligned", .make = make_unaligned_memory},
			       {.name = "taken", .make = make_taken},
			       {.name = "last page", .number = -PAGE},
			       {.name = "NULL"},
			       {0}},
	NULL,
};

static uintptr_t make_start(void)
{
	return (uintptr_t)mapped;
}

static uintptr_t make_inside(void)
{
	return (uintptr_t)mapped + 100;
}

static uintptr_t make_last_byte(void)
{
	return (uintptr_t)mapped + MAPPED_SIZE - 1;
}

static uintptr_t make_end(void)
{
	return (uintptr_t)mapped + MAPPED_SIZE;
}

static uintptr_t make_before(void)
{
	return (uintptr_t)mapped - 1;
}

const struct kind a_mapped_range = {
	(const struct value[]){{.name = "start", .make = make_start},
			       {.name = "inside", .make = make_inside},
			       {.name = "last byte", .make = make_last_byte},
			       {.name = "end", .make = make_end},
			       {.name = "before", .make = make_before},
			       {.name = "last page", .number = -PAGE},
			       {.name = "NULL"},
			       {0}},
	NULL,
};

static uintptr_t make_hole(void)
{
	return (uintptr_t)hole(16 * MIB);
}

static uintptr_t make_unaligned_hole(void)
{
	return make_hole() + 1;
}

const struct kind a_hole = {
	(const struct value[]){{.name = "NULL"},
			       {.name = "hole", .make = make_hole},
			       {.name = "unaligned", .make = make_unaligned_hole},
			       {.name = "occupied", .make = make_memory},
			       {.name = "kernel's", .number = 1ul << 63},
			       {.name = "last page", .number = -PAGE},
			       {0}},
	NULL,
};
