/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * differences.c - the intended differences from Debian's libpmem2, and their reasons
 *
 * "Bug" is a defect of libpmem2: the case shows it there, and its absence here. "More" is what this
 * library promises beyond libpmem2 (libpmem2.h says so).
 */
#include "compare.h"

#define ERROR "PMEM2_E_"

#define EXPLAIN(subject, their_value, our_value, text, ...)                                        \
	{                                                                                          \
		.key = (subject), .theirs = (their_value), .ours = (our_value), .reason = (text),  \
		__VA_ARGS__                                                                        \
	}

struct difference differences[] = {
	/* messages */
	EXPLAIN("*@*: * text", "*", "?*",
		"More: the text names the object, its value and the reason in words of its own"),
	EXPLAIN("*@*: *source_from_fd*", ERROR "*, no message", ERROR "*, message",
		"More: every failure has a message"),
	EXPLAIN("device_facts*@*: badblock_next*", ERROR "NO_BAD_BLOCK_FOUND, no message",
		ERROR "NO_BAD_BLOCK_FOUND, message", "More: every failure has a message",
		.where = FSDAX),
	EXPLAIN("*@*: *source_device_id(*)", ERROR "*, no message", ERROR "*, message",
		"More: every failure has a message"),

	/* races */
	EXPLAIN("others_mappings@*: another thread's mapping was lost", "1", "0",
		"Bug: map_new gives its place away before it maps without MAP_SYNC", .rare = true),
	EXPLAIN("working_directory@*: another thread's relative open failed", "1", "0",
		"Bug: map_new changes the working directory of the process and back", .rare = true),

	/* pmem2_map_from_existing */
	EXPLAIN("existing_of_nothing@*: map_from_existing*", "0", "-EINVAL, message",
		"Bug: length 0 makes an object"),
	EXPLAIN("existing_of_nothing@*: an object that cannot be deleted", "1", "0",
		"Bug: which can never be deleted"),
	EXPLAIN("existing_of_nothing@*: map_delete*", ERROR "MAPPING_NOT_FOUND, message", "-",
		"Bug: which can never be deleted"),
	EXPLAIN("existing_granularity@*: end", "died: SIGABRT", "0",
		"Bug: an unknown granularity ends the process"),
	EXPLAIN("existing_at_null@*: map_from_existing*", "0", ERROR "ADDRESS_NULL, message",
		"More: NULL is no address"),
	EXPLAIN("existing_beyond@*: map_from_existing*", "0", ERROR "MAP_RANGE, message",
		"More: the range must be one"),
	EXPLAIN("existing_page_flush@*: end", "died: SIGALRM", "0",
		"Bug: a page flush of memory that the program mapped never returns"),

	/* reservations */
	EXPLAIN("reservation_of_nothing@*: a reservation that cannot be deleted", "1", "0",
		"Bug: a reservation of size 0 can never be deleted"),
	EXPLAIN("reservation_of_nothing@*: vm_reservation_delete*", "-EINVAL, message", "0",
		"Bug: a reservation of size 0 can never be deleted"),
	EXPLAIN("reservation_leak@*: leaks address space", "1", "0",
		"Bug: what it reserved for alignment is never given back"),
	EXPLAIN("reservation_shrink@*: * all areas", "*", "*",
		"Bug: what is cut off is not all given back"),
	EXPLAIN("reservation_shrink@*: * areas after", "*", "hole 0x400000",
		"Bug: nor is it when the reservation is deleted"),
	EXPLAIN("reservation_extend_beyond@*: vm_reservation_extend*", "0", "-ENOMEM, message",
		"Bug: a size that wraps around is taken"),
	EXPLAIN("reservation_extend_beyond@*: size", "0x1ff000", "0x200000",
		"Bug: and makes the reservation smaller"),
	EXPLAIN("reservation_map_before@*: map_new*", "0", ERROR "LENGTH_OUT_OF_RANGE, message",
		"Bug: an offset that wraps around is taken"),
	EXPLAIN("reservation_map_before@*: mapped outside of the reservation", "1", "0",
		"Bug: and maps over what is before the reservation"),
	EXPLAIN("reservation_*@*: *vm_reservation_new(&rsv, address, 8 * MIB)",
		ERROR "MAPPING_EXISTS, message", "0", "Bug: a hole that fits exactly is refused"),
	EXPLAIN("reservation_new@*: exactly fitting vm_reservation_delete*", "-", "0",
		"Bug: a hole that fits exactly is refused"),

	/* flushing */
	EXPLAIN("deep_flush@*, length 18446744073709551615 deep_flush*", "0", "-ENOMEM, message",
		"Bug: a length that wraps around is taken"),
	EXPLAIN("deep_flush_anon@*: existing, CACHE_LINE deep_flush*64)", "0",
		ERROR "NOSUPP, message", "Bug: says that it made anonymous memory durable"),
	EXPLAIN("flush_unmapped@*: end", "died: SIGABRT", "0",
		"More: knows what is no longer mapped"),

	EXPLAIN("copies@devdax: end", "died: SIGABRT", "0",
		"More: with forced page granularity device DAX is flushed, though it refuses msync",
		.where = DEVDAX),
	EXPLAIN("flushes@devdax: end", "died: SIGABRT", "0",
		"More: with forced page granularity device DAX is flushed, though it refuses msync",
		.where = DEVDAX),

	/* the device below a source */
	EXPLAIN("device_facts_of_closed@*: badblock_context_new*", "0", "-EBADF, message",
		"More: a closed descriptor is found, and not said to be healthy"),
	EXPLAIN("badblock_clear@*: * badblock_clear*", "0", ERROR "NO_BAD_BLOCK_FOUND, message",
		"Bug: clears what is not bad"),
	EXPLAIN("badblock_clear@*: * kept", "*", "65536", "Bug: and with it destroys data"),
	EXPLAIN("mcsafe_modes@*: flags 2002 source_pwrite_mcsafe*", "0", "-EINVAL, message",
		"Bug: with O_APPEND it writes elsewhere"),
	EXPLAIN("mcsafe_underflow@*: *", "0", ERROR "LENGTH_OUT_OF_RANGE, message",
		"Bug: an offset beyond the end wraps around in the check"),
	EXPLAIN("failed_usc@*: count", "0", "42", "Bug: a failure changes the count"),

	EXPLAIN("device_facts*@devdax: block", "*", "77 +78", "Bug: a failure changes the block",
		.where = DEVDAX),
	EXPLAIN("id_behind_text@fsdax: appended", "1", "0",
		"Bug: the text is appended to what is in the buffer", .where = FSDAX),
	EXPLAIN("id_behind_text@devdax: appended", "1", "0",
		"Bug: the text is appended to what is in the buffer", .where = DEVDAX),

	/* invalid objects */
	EXPLAIN("delete_null@*: end", "died: SIGSEGV", "0", "More: NULL is no mapping"),
	EXPLAIN("getters_of_deleted@*: *", "*", "0", "Bug: reads freed memory"),
	EXPLAIN("wild_pointer@*: end", "died: SIGSEGV", "0", "More: any pointer is safe"),
	EXPLAIN("null_*@*: end", "died: SIGSEGV", "0", "More: NULL is an error"),
	EXPLAIN("reused_descriptor@*: source_size*", "0", ERROR "INVALID_FILE_HANDLE, message",
		"More: another file behind the descriptor is found"),
	EXPLAIN("reused_descriptor@*: size", "12288", "0",
		"More: another file behind the descriptor is found"),
	EXPLAIN("err_to_errno@*: *", "0", "1",
		"Bug: libpmem2.h declares a function that is not exported"),

	/* the matrix: calls that crash libpmem2 */
	EXPLAIN("matrix@*", "crash, SIG*", "-E*, message",
		"More: an error, where libpmem2 crashes"),
	EXPLAIN("matrix@*", "crash, SIG*", ERROR "*, message",
		"More: an error, where libpmem2 crashes"),
	EXPLAIN("matrix@*: badblock_context_delete(ctx=NULL)", "crash, SIG*", "returned",
		"More: nothing is deleted; there is no error to return"),
	EXPLAIN("matrix@*: map_get_*(map=NULL)", "crash, SIG*", "[N02]*",
		"More: what is no mapping has no address and no size, and is as coarse as can be"),
	EXPLAIN("matrix@*: get_*_fn(map=NULL)", "crash, SIG*", "set",
		"More: of what is no mapping, the functions that are right for any memory"),
	EXPLAIN("matrix@*: vm_reservation_get_*(rsv=NULL)", "crash, SIG*", "[N0]*",
		"More: what is no reservation has no address and no size"),

	/* deleted maps */
	EXPLAIN("matrix@*: map_get_*(map=deleted)", "*", "[N02]*", "Bug: reads freed memory",
		.rare = true),
	EXPLAIN("matrix@*: deep_flush(map=deleted*", "0", ERROR "MAPPING_NOT_FOUND, message",
		"Bug: reads freed memory", .rare = true),
	EXPLAIN("matrix@*: deep_flush(map=deleted*", ERROR "*", ERROR "MAPPING_NOT_FOUND, message",
		"Bug: reads freed memory", .another = true, .rare = true),
	EXPLAIN("matrix@*: vm_reservation_map_find_*(map=deleted*", "0",
		ERROR "MAPPING_NOT_FOUND, message", "Bug: reads freed memory", .rare = true),
	EXPLAIN("matrix@*: vm_reservation_map_find_*(map=deleted*after*", "*", "NULL",
		"Bug: reads freed memory", .rare = true),

	/* sums that wrap around */
	EXPLAIN("matrix@*: deep_flush(*", "0", "-ENOMEM, message",
		"Bug: a range that wraps around is taken"),
	EXPLAIN("matrix@*: source_p*_mcsafe(*offset=*", "0", ERROR "LENGTH_OUT_OF_RANGE, message",
		"Bug: an offset beyond the end wraps around in the check"),
	EXPLAIN("matrix@*: source_p*_mcsafe(*offset=1ul << 60)", "-EFAULT, message",
		ERROR "LENGTH_OUT_OF_RANGE, message",
		"Bug: an offset beyond the end wraps around in the check", .another = true),
	EXPLAIN("matrix@*: map_new(rsv=*, at=-PAGE)", "0", ERROR "LENGTH_OUT_OF_RANGE, message",
		"Bug: an offset that wraps around is taken"),
	EXPLAIN("matrix@*: map_new(rsv=*, at=-PAGE) after map", "*", "NULL",
		"Bug: and maps over what is before the reservation"),
	EXPLAIN("matrix@*: vm_reservation_new(size=-*)", "0", "-ENOMEM, message",
		"Bug: a size that wraps around is taken"),
	EXPLAIN("matrix@*: vm_reservation_new(size=-*) after rsv", "set", "NULL",
		"Bug: a size that wraps around is taken"),
	EXPLAIN("matrix@*: vm_reservation_extend(*size=-PAGE)", "0", "-ENOMEM, message",
		"Bug: a size that wraps around is taken"),
	EXPLAIN("matrix@*: vm_reservation_extend(*size=-PAGE) after rsv", "0x*", "0*",
		"Bug: and makes the reservation smaller"),
	EXPLAIN("matrix@*: vm_reservation_map_find(offset=*)", "0",
		ERROR "MAPPING_NOT_FOUND, message",
		"Bug: what wraps around finds mappings that are not in the range"),
	EXPLAIN("matrix@*: vm_reservation_map_find(offset=*) after map", "member 0", "NULL",
		"Bug: what wraps around finds mappings that are not in the range"),

	/* the rest of the matrix */
	EXPLAIN("*@*: *map_new(*)", "-E*, message, another errno", "-E*, message",
		"More: errno is the error that is returned, always"),
	EXPLAIN("matrix@*: source_device_usc(*) after usc", "0", "77",
		"Bug: a failure changes the count"),
	EXPLAIN("matrix@*: badblock_context_new(src=closed)", "0", "-EBADF, message",
		"More: a closed descriptor is found, and not said to be healthy"),
	EXPLAIN("matrix@*: badblock_context_new(src=closed) after ctx", "set", "NULL",
		"More: a closed descriptor is found, and not said to be healthy"),
	EXPLAIN("matrix@*: badblock_clear(*", "0", ERROR "NO_BAD_BLOCK_FOUND, message",
		"Bug: clears what is not bad"),
	EXPLAIN("matrix@*: badblock_clear(*length=INT64_MAX)", "-E*, message",
		ERROR "NO_BAD_BLOCK_FOUND, message",
		"Bug: clears what is not bad, and then finds no room for it", .another = true),
	EXPLAIN("matrix@*: deep_flush(map=adopted*", "0", ERROR "NOSUPP, message",
		"Bug: says that it made anonymous memory durable"),
	EXPLAIN("matrix@*: map_from_existing(*len=0*", "0", "-EINVAL, message",
		"Bug: length 0 makes an object, which can never be deleted"),
	EXPLAIN("matrix@*: map_from_existing(*addr=NULL*", "0", ERROR "ADDRESS_NULL, message",
		"More: NULL is no address"),
	EXPLAIN("matrix@*: map_from_existing(*", "0", ERROR "MAP_RANGE, message",
		"More: the range must be one"),
	EXPLAIN("matrix@*: map_from_existing(src=closed*", "0",
		ERROR "INVALID_FILE_HANDLE, message",
		"More: a closed descriptor is found: its file is a fact of the mapping"),
	EXPLAIN("matrix@*: map_from_existing(*) after map", "*, granularity *", "stale",
		"More: as above, there is no object"),
	EXPLAIN("matrix@*: vm_reservation_delete(rsv=&of nothing)", "-EINVAL, message", "0",
		"Bug: a reservation of size 0 can never be deleted"),
	EXPLAIN("matrix@*: vm_reservation_delete(rsv=&of nothing) after rsv", "set", "NULL",
		"Bug: a reservation of size 0 can never be deleted"),
	{0},
};
