/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * matrix_functions.c - the functions of the matrix: how they are called, and with what
 *
 * Where a function takes a structure, the members are arguments.
 */
#include "matrix.h"

/* --- kinds of numbers, beginning with a valid one --- */

#define NUMBER(number_)                                                                            \
	{                                                                                          \
		.name = #number_, .number = (uintptr_t)(number_)                                   \
	}
#define A_NUMBER_OF(...)                                                                           \
	{                                                                                          \
		(const struct value[]){__VA_ARGS__, {0}}, NULL                                     \
	}

static const struct kind any_granularity =
	A_NUMBER_OF(NUMBER(PMEM2_GRANULARITY_PAGE), NUMBER(PMEM2_GRANULARITY_CACHE_LINE),
		    NUMBER(PMEM2_GRANULARITY_BYTE), NUMBER(3), NUMBER(-1), NUMBER(INT32_MAX));

#define UNSET 99
static const struct kind a_requirement =
	A_NUMBER_OF(NUMBER(PMEM2_GRANULARITY_PAGE), NUMBER(PMEM2_GRANULARITY_CACHE_LINE),
		    NUMBER(PMEM2_GRANULARITY_BYTE), NUMBER(UNSET));

static const struct kind any_sharing =
	A_NUMBER_OF(NUMBER(PMEM2_SHARED), NUMBER(PMEM2_PRIVATE), NUMBER(2), NUMBER(-1));
static const struct kind a_sharing = A_NUMBER_OF(NUMBER(PMEM2_SHARED), NUMBER(PMEM2_PRIVATE));

#define READ_WRITE (PMEM2_PROT_READ | PMEM2_PROT_WRITE)
static const struct kind any_protection =
	A_NUMBER_OF(NUMBER(READ_WRITE), NUMBER(PMEM2_PROT_NONE), NUMBER(PROT_READ | PROT_WRITE),
		    NUMBER(UINT32_MAX));
static const struct kind a_protection =
	A_NUMBER_OF(NUMBER(READ_WRITE), NUMBER(PMEM2_PROT_NONE), NUMBER(PMEM2_PROT_READ),
		    NUMBER(PMEM2_PROT_WRITE), NUMBER(PMEM2_PROT_READ | PMEM2_PROT_EXEC));

static const struct kind any_number =
	A_NUMBER_OF(NUMBER(PAGE), NUMBER(0), NUMBER(1), NUMBER(INT64_MAX),
		    NUMBER((size_t)INT64_MAX + 1), NUMBER(-PAGE), NUMBER(SIZE_MAX));

/* Within a file of 4 MiB. */
static const struct kind an_offset =
	A_NUMBER_OF(NUMBER(0), NUMBER(1), NUMBER(PAGE), NUMBER(2 * MIB), NUMBER(4 * MIB),
		    NUMBER(6 * MIB), NUMBER(INT64_MAX), NUMBER(INT64_MAX - PAGE + 1));
static const struct kind a_length = A_NUMBER_OF(NUMBER(0), NUMBER(1), NUMBER(PAGE), NUMBER(2 * MIB),
						NUMBER(6 * MIB), NUMBER(-PAGE), NUMBER(SIZE_MAX));

static const struct kind a_transfer_size =
	A_NUMBER_OF(NUMBER(PAGE), NUMBER(0), NUMBER(1), NUMBER(4 * MIB), NUMBER(4 * MIB + 1),
		    NUMBER(INT64_MAX), NUMBER(-PAGE), NUMBER(SIZE_MAX));
static const struct kind a_transfer_offset =
	A_NUMBER_OF(NUMBER(0), NUMBER(1), NUMBER(4 * MIB - 1), NUMBER(4 * MIB), NUMBER(1ul << 60),
		    NUMBER(-PAGE), NUMBER(SIZE_MAX));

/* Within a mapping of 2 MiB. */
static const struct kind a_mapped_length =
	A_NUMBER_OF(NUMBER(PAGE), NUMBER(0), NUMBER(1), NUMBER(100), NUMBER(2 * MIB),
		    NUMBER(2 * MIB + 1), NUMBER(-PAGE), NUMBER(SIZE_MAX));
static const struct kind an_own_length =
	A_NUMBER_OF(NUMBER(PAGE), NUMBER(0), NUMBER(1), NUMBER(5000), NUMBER(1ul << 47),
		    NUMBER(-PAGE), NUMBER(SIZE_MAX));

/* For a reservation of 16 MiB with mappings of 2 MiB at 0 and 8 MiB, and 16 free MiB behind it. */
static const struct kind a_reserved_size =
	A_NUMBER_OF(NUMBER(4 * MIB), NUMBER(0), NUMBER(1), NUMBER(PAGE), NUMBER(5000),
		    NUMBER(1ul << 60), NUMBER(1ul << 63), NUMBER(-(3ul << 20)),
		    NUMBER(-(2ul << 20)), NUMBER(-PAGE), NUMBER(SIZE_MAX));
static const struct kind an_extension =
	A_NUMBER_OF(NUMBER(MIB), NUMBER(0), NUMBER(1), NUMBER(PAGE), NUMBER(8 * MIB),
		    NUMBER(32 * MIB), NUMBER(1ul << 46), NUMBER(-PAGE), NUMBER(SIZE_MAX));
static const struct kind a_place_in_reservation =
	A_NUMBER_OF(NUMBER(0), NUMBER(1), NUMBER(PAGE), NUMBER(4 * MIB), NUMBER(8 * MIB),
		    NUMBER(15 * MIB), NUMBER(16 * MIB), NUMBER(-PAGE), NUMBER(SIZE_MAX));
static const struct kind a_part_of_reservation =
	A_NUMBER_OF(NUMBER(4 * MIB), NUMBER(0), NUMBER(1), NUMBER(PAGE), NUMBER(8 * MIB),
		    NUMBER(16 * MIB), NUMBER(-PAGE), NUMBER(SIZE_MAX));

static const struct kind a_format =
	A_NUMBER_OF({.name = "text", .number = (uintptr_t) "text"}, {.name = "NULL"});

#define GIVEN 1
static const struct kind given_or_not = A_NUMBER_OF(NUMBER(GIVEN), {.name = "NULL"});

/* --- calls --- */

#define P(i) ((void *)a[i])
#define N(i) (a[i])

/* clang-format off: a line for each function, its arguments, its parameters */
#define DEFINE_ERRORS(X)                                                                           \
	X(source_from_fd, (P(0), (int)N(1)), ANY_FILE, {"src", &room_for_object},                  \
	  {"fd", &a_descriptor})                                                                   \
	X(source_from_anon, (P(0), N(1)), AT(NOWHERE), {"src", &room_for_object},                  \
	  {"size", &any_number})                                                                   \
	X(source_delete, (P(0)), EVERYWHERE, {"src", &a_source_ptr})                               \
	X(source_get_fd, (P(0), P(1)), EVERYWHERE, {"src", &a_source}, {"fd", &room_for_fd})       \
	X(source_size, (P(0), P(1)), EVERYWHERE, {"src", &a_source}, {"size", &room_for_size})     \
	X(source_alignment, (P(0), P(1)), EVERYWHERE, {"src", &a_source},                          \
	  {"alignment", &room_for_size})                                                           \
	X(source_device_id, (P(0), P(1), P(2)), EVERYWHERE, {"src", &a_source},                    \
	  {"id", &a_text_buffer}, {"len", &room_for_size})                                         \
	X(source_device_usc, (P(0), P(1)), EVERYWHERE, {"src", &a_source},                         \
	  {"usc", &room_for_count})                                                                \
	X(source_numa_node, (P(0), P(1)), EVERYWHERE, {"src", &a_source},                          \
	  {"node", &room_for_node})                                                                \
	X(source_pread_mcsafe, (P(0), P(1), N(2), N(3)), EVERYWHERE, {"src", &a_source},           \
	  {"buf", &a_buffer}, {"size", &a_transfer_size}, {"offset", &a_transfer_offset})          \
	X(source_pwrite_mcsafe, (P(0), P(1), N(2), N(3)), EVERYWHERE, {"src", &a_source},          \
	  {"buf", &a_buffer}, {"size", &a_transfer_size}, {"offset", &a_transfer_offset})          \
	X(badblock_context_new, (P(0), P(1)), EVERYWHERE, {"ctx", &room_for_object},               \
	  {"src", &a_source})                                                                      \
	X(badblock_next, (P(0), P(1)), ANY_FILE, {"ctx", &a_context}, {"bb", &room_for_block})     \
	X(config_new, (P(0)), AT(NOWHERE), {"cfg", &room_for_object})                              \
	X(config_delete, (P(0)), AT(NOWHERE), {"cfg", &a_config_ptr})                              \
	X(config_set_required_store_granularity, (P(0), (enum pmem2_granularity)N(1)),             \
	  AT(NOWHERE), {"cfg", &a_config}, {"g", &any_granularity})                                \
	X(config_set_offset, (P(0), N(1)), AT(NOWHERE), {"cfg", &a_config},                        \
	  {"offset", &any_number})                                                                 \
	X(config_set_length, (P(0), N(1)), AT(NOWHERE), {"cfg", &a_config},                        \
	  {"length", &any_number})                                                                 \
	X(config_set_sharing, (P(0), (enum pmem2_sharing_type)N(1)), AT(NOWHERE),                  \
	  {"cfg", &a_config}, {"type", &any_sharing})                                              \
	X(config_set_protection, (P(0), (unsigned)N(1)), AT(NOWHERE), {"cfg", &a_config},          \
	  {"prot", &any_protection})                                                               \
	X(config_set_vm_reservation, (P(0), P(1), N(2)), AT(NOWHERE), {"cfg", &a_config},          \
	  {"rsv", &a_no_reservation}, {"offset", &a_place_in_reservation})                         \
	X(map_from_existing, (P(0), P(1), P(2), N(3), (enum pmem2_granularity)N(4)), EVERYWHERE,   \
	  {"map", &room_for_map}, {"src", &a_source}, {"addr", &an_own_range},                     \
	  {"len", &an_own_length}, {"gran", &any_granularity})                                     \
	X(map_delete, (P(0)), EVERYWHERE, {"map", &a_map_ptr})                                     \
	X(deep_flush, (P(0), P(1), N(2)), EVERYWHERE, {"map", &a_map}, {"ptr", &a_mapped_range},   \
	  {"size", &a_mapped_length})                                                              \
	X(vm_reservation_new, (P(0), P(1), N(2)), AT(NOWHERE), {"rsv", &room_for_object},          \
	  {"addr", &a_hole}, {"size", &a_reserved_size})                                           \
	X(vm_reservation_delete, (P(0)), AT(NOWHERE), {"rsv", &a_reservation_ptr})                 \
	X(vm_reservation_extend, (P(0), N(1)), AT(NOWHERE), {"rsv", &a_reservation},               \
	  {"size", &an_extension})                                                                 \
	X(vm_reservation_shrink, (P(0), N(1), N(2)), AT(NOWHERE), {"rsv", &a_reservation},         \
	  {"offset", &a_place_in_reservation}, {"size", &a_part_of_reservation})                   \
	X(vm_reservation_map_find, (P(0), N(1), N(2), P(3)), AT(NOWHERE),                          \
	  {"rsv", &a_used_reservation}, {"offset", &a_place_in_reservation},                       \
	  {"len", &a_part_of_reservation}, {"map", &room_for_map})                                 \
	X(vm_reservation_map_find_first, (P(0), P(1)), AT(NOWHERE), {"rsv", &a_used_reservation},  \
	  {"map", &room_for_map})                                                                  \
	X(vm_reservation_map_find_last, (P(0), P(1)), AT(NOWHERE), {"rsv", &a_used_reservation},   \
	  {"map", &room_for_map})                                                                  \
	X(vm_reservation_map_find_next, (P(0), P(1), P(2)), AT(NOWHERE),                           \
	  {"rsv", &a_used_reservation}, {"map", &a_map}, {"next", &room_for_map})                  \
	X(vm_reservation_map_find_prev, (P(0), P(1), P(2)), AT(NOWHERE),                           \
	  {"rsv", &a_used_reservation}, {"map", &a_map}, {"prev", &room_for_map})

#define DEFINE_POINTERS(X)                                                                         \
	X(map_get_address, (P(0)), AT(NOWHERE), {"map", &a_map})                                   \
	X(get_persist_fn, (P(0)), AT(NOWHERE), {"map", &a_map})                                    \
	X(get_flush_fn, (P(0)), AT(NOWHERE), {"map", &a_map})                                      \
	X(get_drain_fn, (P(0)), AT(NOWHERE), {"map", &a_map})                                      \
	X(get_memmove_fn, (P(0)), AT(NOWHERE), {"map", &a_map})                                    \
	X(get_memcpy_fn, (P(0)), AT(NOWHERE), {"map", &a_map})                                     \
	X(get_memset_fn, (P(0)), AT(NOWHERE), {"map", &a_map})                                     \
	X(vm_reservation_get_address, (P(0)), AT(NOWHERE), {"rsv", &a_reservation})                \
	X(errormsg, (), AT(NOWHERE), {0})

#define DEFINE_NUMBERS(X)                                                                          \
	X(map_get_size, (P(0)), AT(NOWHERE), {"map", &a_map})                                      \
	X(map_get_store_granularity, (P(0)), AT(NOWHERE), {"map", &a_map})                         \
	X(vm_reservation_get_size, (P(0)), AT(NOWHERE), {"rsv", &a_reservation})
/* clang-format on */

#define DEFINE_CALL(name, arguments, ...)                                                          \
	static uintptr_t call_##name(const uintptr_t *a)                                           \
	{                                                                                          \
		(void)a;                                                                           \
		return (uintptr_t)lib.name arguments;                                              \
	}
DEFINE_ERRORS(DEFINE_CALL)
DEFINE_POINTERS(DEFINE_CALL)
DEFINE_NUMBERS(DEFINE_CALL)
#undef DEFINE_CALL

static uintptr_t call_map_new(const uintptr_t *a)
{
	struct pmem2_config *cfg = P(1);

	if (cfg) {
		if (N(2) == UNSET)
			NEED(lib.config_new(&cfg) == 0);
		else
			NEED(lib.config_set_required_store_granularity(
				     cfg, (enum pmem2_granularity)N(2)) == 0);
		NEED(lib.config_set_sharing(cfg, (enum pmem2_sharing_type)N(3)) == 0);
		NEED(lib.config_set_protection(cfg, (unsigned)N(4)) == 0);
		NEED(lib.config_set_offset(cfg, N(5)) == 0);
		NEED(lib.config_set_length(cfg, N(6)) == 0);
		NEED(lib.config_set_vm_reservation(cfg, P(7), N(8)) == 0);
	}
	return (uintptr_t)lib.map_new(P(0), cfg, P(9));
}

static uintptr_t call_badblock_clear(const uintptr_t *a)
{
	const struct pmem2_badblock block = {N(2), N(3)};

	return (uintptr_t)lib.badblock_clear(P(0), N(1) ? &block : NULL);
}

static uintptr_t call_badblock_context_delete(const uintptr_t *a)
{
	lib.badblock_context_delete(P(0));
	return 0;
}

static uintptr_t call_perror(const uintptr_t *a)
{
	NEED(dup2(open("/dev/null", O_WRONLY), STDERR_FILENO) == STDERR_FILENO);
	lib.perror(P(0));
	return 0;
}

const struct function functions[] = {
#define ERROR_ENTRY(name, arguments, places, ...)                                                  \
	{#name, AN_ERROR, call_##name, {__VA_ARGS__}, places},
#define POINTER_ENTRY(name, arguments, places, ...)                                                \
	{#name, A_POINTER, call_##name, {__VA_ARGS__}, places},
#define NUMBER_ENTRY(name, arguments, places, ...)                                                 \
	{#name, A_NUMBER, call_##name, {__VA_ARGS__}, places},
	DEFINE_ERRORS(ERROR_ENTRY) DEFINE_POINTERS(POINTER_ENTRY) DEFINE_NUMBERS(NUMBER_ENTRY){
		"map_new",
		AN_ERROR,
		call_map_new,
		{{"map", &room_for_map},
		 {"cfg", &a_config},
		 {"required", &a_requirement},
		 {"sharing", &a_sharing},
		 {"protection", &a_protection},
		 {"offset", &an_offset},
		 {"length", &a_length},
		 {"rsv", &a_no_reservation},
		 {"at", &a_place_in_reservation},
		 {"src", &a_source}},
		EVERYWHERE,
	},
	{
		"badblock_clear",
		AN_ERROR,
		call_badblock_clear,
		{{"ctx", &a_context},
		 {"bb", &given_or_not},
		 {"offset", &any_number},
		 {"length", &any_number}},
		ANY_FILE,
	},
	{
		"badblock_context_delete",
		NOTHING,
		call_badblock_context_delete,
		{{"ctx", &a_context_ptr}},
		ANY_FILE,
	},
	{"perror", NOTHING, call_perror, {{"format", &a_format}}, AT(NOWHERE)},
	{0},
};
