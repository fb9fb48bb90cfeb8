/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_server.c - questions about the daemon's own mappings
 */
#include "base/clock.h"
#include "change/keeper_link.h"
#include "libpmem2fs.h"
#include "protocol/control.h"
#include "server_helper.h"
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

static json_t *say_hello(struct place *place, int fd)
{
	json_t *answer;

	put(fd, "{\"hello\":1}");
	answer = wait_for(place, fd);
	assert_int_equal(json_integer_value(json_object_get(answer, "errno")), 0);
	assert_string_equal(json_string_value(json_object_get(answer, "version")), PMEM2FS_VERSION);
	return answer;
}

/* The test's mount is /proc. */
static void says_hello(void **state)
{
	struct place *place = *state;
	int fd = reach(place, 0);
	char odd[64], escaped[64];
	struct stat st;
	json_t *answer;

	assert_int_equal(stat("/proc", &st), 0);
	place->means.dev = st.st_dev;
	answer = say_hello(place, fd); /* the mount was moved here from /mnt */
	assert_string_equal(json_string_value(json_object_get(answer, "mountpoint")), "/proc");
	assert_int_equal(json_object_size(answer), 3);
	json_decref(answer);
	place->means.dev = makedev(0, 0xfffff);
	answer = say_hello(place, fd);
	assert_true(json_is_null(json_object_get(answer, "mountpoint")));
	json_decref(answer);

	snprintf(odd, sizeof(odd), "%s/\xff\\", place->folder);
	assert_int_equal(mkdir(odd, 0755), 0);
	if (!mount("none", odd, "tmpfs", 0, NULL)) {
		assert_int_equal(stat(odd, &st), 0);
		place->means.dev = st.st_dev;
		answer = say_hello(place, fd);
		snprintf(escaped, sizeof(escaped), "%s/\\xff\\x5c", place->folder);
		assert_string_equal(json_string_value(json_object_get(answer, "mountpoint")),
				    escaped);
		assert_string_equal(
			json_string_value(json_object_get(answer, "mountpoint_encoding")),
			"escaped");
		json_decref(answer);
		assert_int_equal(umount(odd), 0);
	}
	rmdir(odd);
	if (!mount("none", "/proc", "tmpfs", 0, NULL)) { /* hides the list of mounts */
		assert_int_equal(ask(place, fd, "{\"hello\":1}", "mounted"), ENOENT);
		assert_int_equal(umount("/proc"), 0);
	}
	close(fd);
}

static void maps_what_is_passed(void **state)
{
	struct place *place = *state;
	struct catalog *catalog = place->rig->modules.catalog;
	int fd = reach(place, 0), file;
	struct pmem2fs_record record;
	char *path = rig_new_file();
	struct stat st;
	unsigned descriptors;

	start_receiver(place);
	file = open(path, O_RDWR);
	descriptors = rig_descriptors() + 1; /* the keeper's */
	packet_send(fd, "{\"map\":{},\"name\":\"x\"}", 21, file, 1);
	assert_int_equal(answered(place, fd, NULL), 0);
	expect_descriptors(place, descriptors);
	version_record(mapping_version(catalog_find(catalog, "x")), &record);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(record.source_inode, st.st_ino);
	assert_int_equal(record.length, 16384);

	packet_send(fd, "{\"map\":{},\"name\":\"x\"}", 21, file, 1);
	assert_int_equal(answered(place, fd, ": the name is taken"), EEXIST);
	/* A descriptor with a question that needs none, or with a wrong question. */
	packet_send(fd, "{\"hello\":1}", 11, file, 1);
	json_decref(wait_for(place, fd));
	packet_send(fd, "nonsense", 8, file, 1);
	assert_int_equal(answered(place, fd, ""), EINVAL);
	packet_send(fd, "{\"map\":{\"x\":1},\"name\":\"y\"}", 26, file, 1);
	assert_int_equal(answered(place, fd, "unknown key"), EINVAL);
	packet_send(fd, "{\"map\":{},\"name\":\"/\"}", 21, file, 1);
	assert_int_equal(answered(place, fd, "no file name"), EINVAL);
	expect_descriptors(place, descriptors);
	close(file);
	unlink(path);
	free(path);
	close(fd);
}

static void maps_anonymous_memory_without(void **state)
{
	struct place *place = *state;
	int fd = reach(place, 0);

	assert_int_equal(ask(place, fd, "{\"map\":" ANONYMOUS ",\"name\":\"x\"}", NULL), 0);
	assert_non_null(catalog_find(place->rig->modules.catalog, "x"));
	assert_int_equal(ask(place, fd, "{\"map\":{\"source\":{\"type\":\"file\"}},\"name\":\"y\"}",
			     "y: bad request: "),
			 EINVAL);
	assert_int_equal(ask(place, fd,
			     "{\"map\":{\"source\":{\"path\":\"/etc/passwd\"}},\"name\":\"y\"}",
			     "no descriptor came with it"),
			 EINVAL);
	assert_int_equal(ask(place, fd,
			     "{\"map\":" ANONYMOUS
			     ",\"name\":\"\\\\xff\",\"name_encoding\":\"escaped\"}",
			     NULL),
			 0);
	assert_non_null(catalog_find(place->rig->modules.catalog, "\xff"));
	close(fd);
}

/* All descriptors are taken, by others than connections, and given back. */
static void listens_again(void **state)
{
	struct place *place = *state;
	struct rlimit limit, none;
	int fd = reach(place, 0);
	json_t *answer;

	put(fd, "{\"unmap\":\"x\"}");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (int i = 0; i < 3; i++)
		rig_poll(place->rig);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int i = 0; i < 3; i++)
		rig_poll(place->rig);
	answer = packet_next(fd);
	assert_non_null(answer);
	json_decref(answer);
	close(fd);
}

static const char *const wrong[] = {
	"{",
	"[]",
	"{}",
	"1",
	"null",
	"{\"hello\"",
	"{\"hello\":1}{}",
	"{\"hello\":1,\"hello\":1}",
	"{\"dance\":1}",
	"\xff",
	"{\"map\":{},\"name\":1}",
	"{\"map\":{}}",
	"{\"map\":" ANONYMOUS ",\"name\":\"\"}",
	"{\"map\":" ANONYMOUS ",\"name\":\".\"}",
	"{\"map\":" ANONYMOUS ",\"name\":\"..\"}",
	"{\"map\":" ANONYMOUS ",\"name\":\"a/b\"}",
	"{\"map\":" ANONYMOUS ",\"name\":\"\\\\x2f\",\"name_encoding\":\"escaped\"}",
	"{\"map\":" ANONYMOUS ",\"name\":\"\\\\xf\",\"name_encoding\":\"escaped\"}",
	"{\"map\":" ANONYMOUS ",\"name\":\"a\",\"name_encoding\":\"base64\"}",
	"{\"map\":null,\"name\":\"a\"}",
	"{\"map\":[],\"name\":\"a\"}",
	"{\"unmap\":1}",
	"{\"show\":1}",
	"{\"show\":\"\"}",
	"{\"show\":\"a/b\"}",
	"{\"unmap\":\"\"}",
	"{\"unmap\":\"x\",\"timeout\":\"1\"}",
	"{\"unmap\":\"x\",\"timeout\":-1}",
	"{\"unmap\":\"x\",\"timeout\":-1e300}",
	"{\"unmap\":\"x\",\"timeout\":86401}",
	"{\"unmap\":\"x\",\"timeout\":1e20}",
	"{\"unmap\":\"x\",\"timeout\":1e300}",
	"{\"unmap\":\"x\",\"timeout\":1e400}",
	"{\"unmap\":\"x\",\"timeout\":9223372036854775807}",
	"{\"unmap\":\"x\",\"timeout\":-9223372036854775808}",
	"{\"unmap\":\"x\",\"timeout\":NaN}",
	"{\"unmap_range\":1,\"offset\":0,\"length\":1}",
	"{\"unmap_range\":\"x\"}",
	"{\"unmap_range\":\"x\",\"offset\":0}",
	"{\"unmap_range\":\"x\",\"offest\":0,\"length\":1}",
	"{\"unmap_range\":\"x\",\"offset\":-1,\"length\":1}",
	"{\"unmap_range\":\"x\",\"offset\":0,\"length\":-1}",
	"{\"unmap_range\":\"x\",\"offset\":0.5,\"length\":1}",
	"{\"unmap_range\":\"x\",\"offset\":1e20,\"length\":1}",
	"{\"unmap_range\":\"x\",\"offset\":9223372036854775808,\"length\":1}",
	"{\"unmap_range\":\"x\",\"offset\":0,\"length\":-9223372036854775808}",
	"{\"unmap_range\":\"x\",\"offset\":0,\"length\":1,\"timeout\":1e20}",
	"{\"unmap_range\":\"x\",\"offset\":null,\"length\":1}",
	"{\"unmap_range\":\"x\",\"offset\":0,\"length\":\"1\"}",
	"{\"unmap_range\":\"x\",\"offset\":0,\"length\":1,\"timeout\":-1}",
};

static void wrong_questions_do_no_harm(void **state)
{
	struct place *place = *state;
	int fd = reach(place, 0);
	char *deep = malloc(CONTROL_MAX_BYTES), longest[400];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(ask(place, fd, wrong[i], ""), EINVAL);
	memset(deep, '[', CONTROL_MAX_BYTES);
	packet_send(fd, deep, CONTROL_MAX_BYTES, -1, 0);
	assert_int_equal(answered(place, fd, ""), EINVAL);
	snprintf(longest, sizeof(longest), "{\"unmap\":\"%0*d\"}", NAME_LENGTH_MAX + 1, 0);
	assert_int_equal(ask(place, fd, longest, ""), EINVAL);
	snprintf(longest, sizeof(longest), "{\"unmap\":\"%0*d\"}", NAME_LENGTH_MAX, 0);
	assert_int_equal(ask(place, fd, longest, "no such mapping"), ENOENT);
	assert_int_equal(ask(place, fd, "{\"hello\":1}", NULL), 0);
	assert_int_equal(rig_mapped(place->rig), 0);
	free(deep);
	close(fd);
}

static void a_packet_that_is_too_long(void **state)
{
	struct place *place = *state;
	int fd = reach(place, 0), file = open("/dev/null", O_RDONLY);
	char *blanks = malloc(CONTROL_MAX_BYTES + 1);
	unsigned descriptors;

	start_receiver(place);
	assert_int_equal(ask(place, fd, "{\"hello\":1}", NULL), 0);
	descriptors = rig_descriptors();
	memset(blanks, ' ', CONTROL_MAX_BYTES + 1);
	memcpy(blanks, "{\"hello\":1}", 11);
	packet_send(fd, blanks, CONTROL_MAX_BYTES, -1, 0);
	assert_int_equal(answered(place, fd, NULL), 0);
	packet_send(fd, blanks, CONTROL_MAX_BYTES + 1, file, 1);
	assert_int_equal(answered(place, fd, "too long"), EMSGSIZE);
	assert_int_equal(ask(place, fd, "{\"hello\":1}", NULL), 0);
	expect_descriptors(place, descriptors);
	close(file);
	free(blanks);
	close(fd);
}

/* However many descriptors are sent, none stays open. */
static void descriptors_do_not_pile_up(void **state)
{
	struct place *place = *state;
	int file = open("/dev/null", O_RDONLY), fd = reach(place, 0);
	unsigned descriptors;
	json_t *answer;

	start_receiver(place);
	assert_int_equal(ask(place, fd, "{\"hello\":1}", NULL), 0);
	descriptors = rig_descriptors();
	for (unsigned count = 2; count <= 8; count++) {
		packet_send(fd, "{\"map\":{},\"name\":\"x\"}", 21, file, count);
		answer = wait_for(place, fd);
		assert_true(json_integer_value(json_object_get(answer, "errno")) > 0);
		json_decref(answer);
		expect_descriptors(place, descriptors);
	}
	/* With an empty packet, which ends the connection as well. */
	packet_send(fd, "", 0, file, 1);
	expect_end(place, fd);
	rig_poll(place->rig);
	expect_descriptors(place, descriptors - 2); /* the socket and a pidfd */
	close(file);
	close(fd);
}

static void unmaps(void **state)
{
	struct place *place = *state;
	int fd = reach(place, 0);

	assert_int_equal(ask(place, fd, "{\"map\":" ANONYMOUS ",\"name\":\"x\"}", NULL), 0);
	assert_int_equal(ask(place, fd, "{\"unmap\":\"y\"}", "y: no such mapping"), ENOENT);
	assert_int_equal(ask(place, fd, "{\"unmap\":\"x\"}", NULL), 0);
	assert_null(catalog_find(place->rig->modules.catalog, "x"));
	assert_int_equal(rig_mapped(place->rig), 0);
	assert_int_equal(ask(place, fd, "{\"unmap\":\"x\"}", "x: no such mapping"), ENOENT);
	close(fd);
}

static void unmaps_a_part(void **state)
{
	static const char request[] =
		"{\"map\":{\"source\":{\"type\":\"anonymous\",\"size\":12288}},\"name\":\"x\"}";
	struct place *place = *state;
	int fd = reach(place, 0);
	const struct extents *extents;
	struct mapping *mapping;

	assert_int_equal(ask(place, fd, request, NULL), 0);
	mapping = catalog_find(place->rig->modules.catalog, "x");
	assert_int_equal(ask(place, fd, "{\"unmap_range\":\"y\",\"offset\":0,\"length\":1}",
			     "y: no such mapping"),
			 ENOENT);
	assert_int_equal(
		ask(place, fd, "{\"unmap_range\":\"x\",\"offset\":4096,\"length\":4096}", NULL), 0);
	extents = mapping_version(mapping)->extents;
	assert_int_equal(extents->count, 2);
	assert_int_equal(extents->list[1].offset, 8192);
	assert_int_equal(
		ask(place, fd, "{\"unmap_range\":\"x\",\"offset\":4096,\"length\":null}", NULL), 0);
	extents = mapping_version(mapping)->extents;
	assert_int_equal(extents->count, 1);
	assert_int_equal(extents->list[0].length, 4096);
	assert_int_equal(ask(place, fd, "{\"unmap\":\"x\"}", NULL), 0);
	assert_int_equal(rig_mapped(place->rig), 0);
	close(fd);
}

static void an_unmap_waits_as_long_as_it_is_told(void **state)
{
	struct place *place = *state;
	struct rig *rig = place->rig;
	int fd = reach(place, 0);
	uint64_t before = clock_now();
	struct taken taken;

	assert_int_equal(ask(place, fd, "{\"map\":" ANONYMOUS ",\"name\":\"x\"}", NULL), 0);
	rig->keeper_off = true;
	put(fd, "{\"unmap\":\"x\",\"timeout\":20.5}");
	rig_poll(rig);
	assert_true(rig_take(rig, &taken));
	assert_true(keeper_link_expire(rig->modules.keeper, before + 20 * CLOCK_SECOND) <
		    clock_now() + 21 * CLOCK_SECOND);
	assert_null(packet_next(fd));
	keeper_link_expire(rig->modules.keeper, clock_now() + 21 * CLOCK_SECOND);
	assert_int_equal(answered(place, fd, "x: cannot unmap: "), EBUSY);
	assert_non_null(catalog_find(rig->modules.catalog, "x"));
	rig_carry_out(rig, &taken);
	assert_null(catalog_find(rig->modules.catalog, "x"));
	rig->keeper_off = false;
	assert_int_equal(ask(place, fd, "{\"hello\":1}", NULL), 0); /* no second answer */
	close(fd);
}

static void users_unmap_their_own(void **state)
{
	struct place *place = *state;
	int root, user, other;

	if (geteuid())
		skip();
	place->means.rootmode = 01777;
	root = reach(place, 0);
	user = reach(place, UID);
	other = reach(place, UID + 1);
	assert_int_equal(ask(place, root, "{\"map\":" ANONYMOUS ",\"name\":\"roots\"}", NULL), 0);
	assert_int_equal(ask(place, user, "{\"map\":" ANONYMOUS ",\"name\":\"users\"}", NULL), 0);
	assert_int_equal(catalog_count_of(place->rig->modules.catalog, UID), 1);
	assert_int_equal(ask(place, user, "{\"unmap\":\"roots\"}", "belongs to user 0"), EPERM);
	assert_int_equal(ask(place, other, "{\"unmap\":\"users\"}", "belongs to user 12345"),
			 EPERM);
	assert_int_equal(ask(place, other, "{\"unmap_range\":\"users\",\"offset\":0,\"length\":1}",
			     "belongs to user 12345"),
			 EPERM);
	assert_int_equal(ask(place, user, "{\"unmap\":\"users\"}", NULL), 0);
	assert_int_equal(ask(place, other, "{\"map\":" ANONYMOUS ",\"name\":\"x\"}", NULL), 0);
	assert_int_equal(ask(place, root, "{\"unmap\":\"x\"}", NULL), 0);
	close(root);
	close(user);
	close(other);
}

static void making_takes_the_right_to_write_the_root(void **state)
{
	static const struct {
		unsigned rootmode;
		bool user;
	} modes[] = {{0755, false}, {01777, true}, {0775, false},
		     {0702, false}, {0703, true},  {0, false}};
	struct place *place = *state;

	if (geteuid())
		skip();
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		int root = reach(place, 0), user = reach(place, UID);
		const char *message = modes[i].user ? NULL : "user 12345 may not make mappings";

		place->means.rootmode = modes[i].rootmode;
		assert_int_equal(
			ask(place, user, "{\"map\":" ANONYMOUS ",\"name\":\"x\"}", message),
			modes[i].user ? 0 : EACCES);
		assert_int_equal(ask(place, root, "{\"map\":" ANONYMOUS ",\"name\":\"y\"}", NULL),
				 0);
		if (modes[i].user)
			assert_int_equal(ask(place, user, "{\"unmap\":\"x\"}", NULL), 0);
		assert_int_equal(ask(place, root, "{\"unmap\":\"y\"}", NULL), 0);
		close(root);
		close(user);
	}
}

/* A mapping whose peer hangs up while it is being made is not made. */
static void hang_up_while_a_map_is_under_way(void **state)
{
	struct place *place = *state;
	struct rig *rig = place->rig;
	int fd = reach(place, 0);
	struct taken taken;

	rig->keeper_off = true;
	put(fd, "{\"map\":" ANONYMOUS ",\"name\":\"x\"}");
	rig_poll(rig);
	assert_true(rig_take(rig, &taken));
	close(fd);
	rig_poll(rig);
	rig_carry_out(rig, &taken);
	assert_null(catalog_find(rig->modules.catalog, "x"));
	assert_true(rig_take(rig, &taken));
	assert_int_equal(taken.command.op, COMMAND_UNMAP);
	rig_carry_out(rig, &taken);
	assert_int_equal(rig_mapped(rig), 0);
}

static void hang_up_while_an_unmap_is_under_way(void **state)
{
	struct place *place = *state;
	struct rig *rig = place->rig;
	int fd = reach(place, 0);
	struct taken taken;

	assert_int_equal(ask(place, fd, "{\"map\":" ANONYMOUS ",\"name\":\"x\"}", NULL), 0);
	rig->keeper_off = true;
	put(fd, "{\"unmap\":\"x\"}");
	rig_poll(rig);
	assert_true(rig_take(rig, &taken));
	close(fd);
	rig_poll(rig);
	rig_carry_out(rig, &taken); /* the keeper had begun */
	assert_null(catalog_find(rig->modules.catalog, "x"));
	assert_int_equal(rig_mapped(rig), 0);
}

/* Nobody waits for the answer to what it has asked ahead. */
static void hang_up_with_questions_ahead(void **state)
{
	struct place *place = *state;
	struct rig *rig = place->rig;
	int fd = reach(place, 0);
	struct taken taken;

	assert_int_equal(ask(place, fd, "{\"map\":" ANONYMOUS ",\"name\":\"x\"}", NULL), 0);
	rig->keeper_off = true;
	put(fd, "{\"unmap\":\"x\"}");
	put(fd, "{\"unmap\":\"x\"}");
	close(fd);
	rig_poll(rig);
	rig_poll(rig);
	assert_false(rig_take(rig, &taken));
	assert_non_null(catalog_find(rig->modules.catalog, "x"));
	rig->keeper_off = false;
	fd = reach(place, 0);
	assert_int_equal(ask(place, fd, "{\"unmap\":\"x\"}", NULL), 0);
	close(fd);
}

/* Then the loop asks all modules again what is due. */
static void says_that_a_connection_has_ended(void **state)
{
	struct place *place = *state;
	int fd = reach(place, 0);

	assert_int_equal(ask(place, fd, "{\"hello\":1}", NULL), 0);
	assert_false(server_sweep(place->server));
	place->rig->swept = NULL;
	close(fd);
	rig_poll(place->rig);
	assert_true(server_sweep(place->server));
	assert_false(server_sweep(place->server));
}

/* The next question of a connection waits for the answer to the one before. */
static void one_question_at_a_time(void **state)
{
	struct place *place = *state;
	struct rig *rig = place->rig;
	int fd = reach(place, 0), other = reach(place, 0);
	struct taken taken;

	rig->keeper_off = true;
	put(fd, "{\"map\":" ANONYMOUS ",\"name\":\"x\"}");
	put(fd, "{\"unmap\":\"x\"}");
	rig_poll(rig);
	assert_int_equal(ask(place, other, "{\"hello\":1}", NULL), 0); /* others do not wait */
	assert_null(packet_next(fd));
	assert_true(rig_take(rig, &taken));
	assert_false(rig_take(rig, &(struct taken){0}));
	rig_carry_out(rig, &taken);
	assert_int_equal(answered(place, fd, NULL), 0);
	rig->keeper_off = false;
	assert_int_equal(answered(place, fd, NULL), 0);
	assert_null(catalog_find(rig->modules.catalog, "x"));
	close(fd);
	close(other);
}

/* The questions of a user wait until it has time of the loop again, and nobody else's do. */
static void a_user_without_time_waits(void **state)
{
	struct place *place = *state;
	struct user_quota *user;
	int root, asker, other;

	if (geteuid())
		skip();
	root = reach(place, 0);
	asker = reach(place, UID);
	other = reach(place, UID + 1);
	assert_int_equal(ask(place, asker, "{\"unmap\":\"x\"}", "no such"), ENOENT);
	user = quota_of(&place->loop_time, UID);
	assert_true(user->at > 0); /* it was charged */
	quota_charge(&place->loop_time, user, clock_now(), 1000 * CLOCK_SECOND);
	put(asker, "{\"unmap\":\"x\"}");
	rig_poll(place->rig);
	assert_int_equal(ask(place, root, "{\"hello\":1}", NULL), 0);
	assert_int_equal(ask(place, other, "{\"hello\":1}", NULL), 0);
	assert_null(packet_next(asker));
	assert_true(server_expire(place->server, clock_now()) > clock_now() + CLOCK_SECOND);
	user->credit = CLOCK_SECOND / 5;
	assert_true(server_expire(place->server, clock_now()) == UINT64_MAX);
	assert_int_equal(answered(place, asker, "no such"), ENOENT);
	/* A connection whose user waits for time ends like any other. */
	quota_charge(&place->loop_time, user, clock_now(), 1000 * CLOCK_SECOND);
	put(asker, "{\"map\":" ANONYMOUS ",\"name\":\"x\"}");
	rig_poll(place->rig);
	close(asker);
	rig_poll(place->rig);
	assert_null(catalog_find(place->rig->modules.catalog, "x"));
	assert_true(server_expire(place->server, clock_now()) == UINT64_MAX);
	close(other);
	close(root);
}

/* Who connects, and never asks anything, costs time as well. */
static void who_connects_is_charged(void **state)
{
	struct place *place = *state;
	int fd;

	if (geteuid())
		skip();
	fd = reach(place, UID);
	rig_poll(place->rig);
	assert_true(quota_of(&place->loop_time, UID)->spent > 0);
	close(fd);
}

/* The last connections are reserved for root. */
static void users_cannot_take_all_connections(void **state)
{
	struct place *place = *state;
	int fds[65], root;

	if (geteuid())
		skip();
	for (int i = 0; i < 65; i++) {
		fds[i] = reach(place, UID);
		rig_poll(place->rig);
	}
	expect_end(place, fds[64]);
	assert_int_equal(ask(place, fds[63], "{\"hello\":1}", NULL), 0);
	root = reach(place, 0);
	assert_int_equal(ask(place, root, "{\"hello\":1}", NULL), 0);
	close(fds[0]);
	rig_poll(place->rig);
	close(fds[64]);
	fds[64] = reach(place, UID);
	assert_int_equal(ask(place, fds[64], "{\"hello\":1}", NULL), 0);
	for (int i = 1; i < 65; i++)
		close(fds[i]);
	close(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(says_hello, begin, end),
		cmocka_unit_test_setup_teardown(maps_what_is_passed, begin, end),
		cmocka_unit_test_setup_teardown(maps_anonymous_memory_without, begin, end),
		cmocka_unit_test_setup_teardown(listens_again, begin, end),
		cmocka_unit_test_setup_teardown(wrong_questions_do_no_harm, begin, end),
		cmocka_unit_test_setup_teardown(a_packet_that_is_too_long, begin, end),
		cmocka_unit_test_setup_teardown(descriptors_do_not_pile_up, begin, end),
		cmocka_unit_test_setup_teardown(unmaps, begin, end),
		cmocka_unit_test_setup_teardown(unmaps_a_part, begin, end),
		cmocka_unit_test_setup_teardown(an_unmap_waits_as_long_as_it_is_told, begin, end),
		cmocka_unit_test_setup_teardown(users_unmap_their_own, begin, end),
		cmocka_unit_test_setup_teardown(making_takes_the_right_to_write_the_root, begin,
						end),
		cmocka_unit_test_setup_teardown(hang_up_while_a_map_is_under_way, begin, end),
		cmocka_unit_test_setup_teardown(hang_up_while_an_unmap_is_under_way, begin, end),
		cmocka_unit_test_setup_teardown(hang_up_with_questions_ahead, begin, end),
		cmocka_unit_test_setup_teardown(says_that_a_connection_has_ended, begin, end),
		cmocka_unit_test_setup_teardown(one_question_at_a_time, begin, end),
		cmocka_unit_test_setup_teardown(a_user_without_time_waits, begin, end),
		cmocka_unit_test_setup_teardown(who_connects_is_charged, begin, end),
		cmocka_unit_test_setup_teardown(users_cannot_take_all_connections, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
