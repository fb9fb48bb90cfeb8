/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_rights.c - whether the peer of a socket may read a file, by its groups
 *
 * The kernel is replaced: in a user namespace the numbers of groups need not be in order.
 */
#include "control/rights.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define GID 54321

static const gid_t *kernels;
static size_t kernels_size;

int __wrap_getsockopt(int socket, int level, int option, void *value, socklen_t *size);

int __wrap_getsockopt(int socket, int level, int option, void *value, socklen_t *size)
{
	bool fits = *size >= kernels_size;

	(void)socket;
	assert_int_equal(level, SOL_SOCKET);
	assert_int_equal(option, SO_PEERGROUPS);
	*size = (socklen_t)kernels_size;
	if (fits && kernels_size)
		memcpy(value, kernels, kernels_size);
	else if (!fits)
		errno = ERANGE;
	return fits ? 0 : -1;
}

/* A peer of these groups and of GID, who is neither root nor the user of the daemon. */
static struct rights rights_of(const gid_t *groups, size_t count)
{
	const struct ucred peer = {.uid = geteuid() + 1, .gid = GID};
	struct rights rights;

	kernels = groups;
	kernels_size = count * sizeof(gid_t);
	rights_get(&rights, &peer, -1);
	if (geteuid())
		rights.uid = geteuid(); /* a user's daemon serves nobody else */
	return rights;
}

static bool may_read(const struct rights *rights, gid_t gid)
{
	return rights_allow(rights, rights->uid + 1, gid, 0040, S_IROTH);
}

static void each_group_counts(void **state)
{
	static const gid_t groups[] = {900, 7, 4000000000, 30, 30};
	struct rights rights = rights_of(groups, 5);

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_true(may_read(&rights, groups[i]));
	assert_true(may_read(&rights, GID));
	assert_false(may_read(&rights, 0));
	assert_false(may_read(&rights, 8));
	assert_false(may_read(&rights, UINT32_MAX));
	rights_clear(&rights);
}

static void there_may_be_none(void **state)
{
	struct rights rights = rights_of(NULL, 0);

	(void)state;
	assert_true(may_read(&rights, GID));
	assert_false(may_read(&rights, 7));
	rights_clear(&rights);
}

static void there_may_be_many(void **state)
{
	static gid_t groups[65536];
	struct rights rights;

	(void)state;
	for (gid_t i = 0; i < 65536; i++)
		groups[i] = 2 * (65535 - i);
	rights = rights_of(groups, 65536);
	assert_int_equal(rights.group_count, 65536);
	for (gid_t i = 0; i < 65536; i++)
		assert_int_equal(may_read(&rights, i), i % 2 == 0 || i == GID);
	rights_clear(&rights);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_group_counts),
		cmocka_unit_test(there_may_be_none),
		cmocka_unit_test(there_may_be_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
