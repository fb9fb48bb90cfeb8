/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_request_flood.c - too many requests, connections and mappings of one process: all
 * others are served beside them
 *
 * $PMEM2FS_TEST_FULL makes tables as large as they can be.
 */
#include "format/wire.h"
#include "liar.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FILE_SIZE (16 * LIAR_PAGE)
#define HONEST    10u /* mappings */
#define ROUNDS    9u

static uint32_t many(void)
{
	return getenv("PMEM2FS_TEST_FULL") ? TABLE_SLOTS_MAX : 100000;
}

static void honest_script(struct publisher *me)
{
	for (unsigned i = 0; i < HONEST; i++)
		map_whole(me, i, source(me->fs, "honest"), format("m%u", i));
	halt(me);
}

/* Reads each mapping of the honest process, in rounds between which there are scans. */
static void read_honest(const struct fs *fs, const struct publisher *honest)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < HONEST; i++)
			json_decref(document(fs, published_name(honest, format("m%u", i))));
		sleep_ms(100); /* otherwise no scan would come between */
	}
}

/* Asks for one scan after the other, until it is killed. */
static int scan_for_ever(void *argument)
{
	const struct fs *fs = argument;

	while (try_look(fs) >= 0)
		;
	return 1;
}

struct swarm {
	void (*fill)(const struct publisher *me, struct lie *lie, uint32_t count);
};

static void claim_the_same(const struct publisher *me, struct lie *lie, uint32_t count)
{
	struct pmem2fs_record record;

	map_raw(me, "file", &record);
	for (uint32_t i = 0; i < count; i++)
		write_record(lie, i, &record, NULL);
}

static void claim_nothing(const struct publisher *me, struct lie *lie, uint32_t count)
{
	struct pmem2fs_record record;

	map_raw(me, "file", &record);
	for (uint32_t i = 0; i < count; i++) {
		record.address = (1ull << 40) + (uint64_t)i * LIAR_PAGE;
		record.length = LIAR_PAGE;
		write_record(lie, i, &record, NULL);
	}
}

/* Each record is true according to the kernel. */
static void claim_single_pages(const struct publisher *me, struct lie *lie, uint32_t count)
{
	struct pmem2fs_record record;

	map_raw(me, "large", &record);
	record.length = LIAR_PAGE;
	for (uint32_t i = 0; i < count; i++) {
		write_record(lie, i, &record, NULL);
		record.address += LIAR_PAGE;
		record.offset += LIAR_PAGE;
	}
}

static void swarm_script(struct publisher *me)
{
	const struct swarm *swarm = me->data;
	struct lie lie;

	lie_make(&lie, many(), 0);
	swarm->fill(me, &lie, many());
	lie_seal(&lie);
	hand_over(me->fs, lie.fd);
	close(lie.fd);
	halt(me);
}

static void a_swarm_of_entries(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);
	struct publisher honest, p = {.data = fs->test->data};
	pid_t scans;

	make_source(fs, "file", FILE_SIZE);
	make_source(fs, "honest", FILE_SIZE);
	make_source(fs, "large", (off_t)many() * LIAR_PAGE);
	publisher_start(fs, &honest, NULL, honest_script);
	scan(fs);
	publisher_start(fs, &p, &user_a, swarm_script);
	scan(fs);
	print_message("%s: %u are shown\n", fs->test->name, listed_of(fs, p.pid));
	/* The swarm is scanned all the time, and the honest process is served beside it. */
	scans = start_as(NULL, scan_for_ever, fs);
	read_honest(fs, &honest);
	assert_false(has_ended(scans));
	assert_false(has_ended(p.pid));
	assert_int_equal(kill(scans, SIGKILL), 0);
	assert_int_equal(finish(scans), -SIGKILL);
	publisher_kill(&p);
	assert_int_equal(shown_of(fs, p.pid), 0);
	publisher_end(&honest);
	assert_int_equal(daemon_worker(&fs->daemon), worker);
}

/* --- the socket --- */

static void garbage_script(struct publisher *me)
{
	static char large[200000];
	struct wire_message message = {.magic = WIRE_MAGIC};
	int many_fds[16];
	unsigned seed = 1;

	for (int i = 0; i < 16; i++)
		many_fds[i] = 1;
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (char)rand_r(&seed);
	for (size_t size = 0; size < sizeof(large); size = size * 2 + 1) {
		int fd = connect_to(me->fs);

		(void)send_packet(fd, large, size, NULL, 0);
		(void)send_packet(fd, large, size, many_fds, 16);
		close(fd);
	}
	for (uint32_t type = 0; type < 12; type++) {
		for (uint32_t flags = 0; flags < 3; flags++) {
			int fd = connect_to(me->fs);

			message.type = type;
			message.flags = flags;
			message.request = rand_r(&seed);
			message.error = -12345;
			for (size_t size = 0; size <= sizeof(message); size += 8)
				(void)send_packet(fd, &message, size, NULL, 0);
			(void)send_packet(fd, &message, sizeof(message), many_fds, 16);
			for (int i = 0; i < 20; i++)
				(void)send_packet(fd, &message, sizeof(message), NULL, 0);
			message.type = WIRE_DONE;
			(void)send_packet(fd, &message, sizeof(message), many_fds, 1);
			close(fd);
		}
	}
	halt(me);
}

static void check_alive(const struct fs *fs, pid_t worker)
{
	struct publisher honest;

	make_source(fs, "honest", FILE_SIZE);
	publisher_start(fs, &honest, NULL, honest_script);
	assert_int_equal(shown_of(fs, honest.pid), HONEST);
	publisher_end(&honest);
	assert_int_equal(daemon_worker(&fs->daemon), worker);
}

static void garbage(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);
	struct publisher p;

	publisher_start(fs, &p, &user_a, garbage_script);
	check_alive(fs, worker);
	publisher_end(&p);
}

/* Sends until the daemon takes no more, or closes. */
static void deaf_script(struct publisher *me)
{
	static const char *const questions[] = {"{\"look\":1}", "{\"hello\":1}", "{\"events\":1}",
						"{\"unmap\":\"x\"}"};

	for (size_t i = 0; i < 40; i++) {
		int fd = connect_to(me->fs);
		struct timeval soon = {.tv_usec = 100000};

		need(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon)) == 0);
		for (int n = 0; n < 1000; n++) {
			if (send_packet(fd, questions[i % 4], strlen(questions[i % 4]), NULL, 0) <
			    0)
				break;
		}
	}
	halt(me);
}

static void a_peer_that_never_reads(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);
	struct publisher p;

	publisher_start(fs, &p, &user_a, deaf_script);
	check_alive(fs, worker);
	publisher_end(&p);
}

static void connections_script(struct publisher *me)
{
	struct wire_message message = {
		.magic = WIRE_MAGIC, .type = WIRE_TABLE, .flags = WIRE_STAYS};
	struct rlimit limit = {6000, 6000};

	need(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	need(become(&user_a) == 0);
	for (int i = 0; i < 5000; i++) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

		need(fd >= 0);
		strcpy(address.sun_path, me->fs->daemon.socket);
		/* A full queue is as good as a connection. */
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && i % 2)
			(void)send_packet(fd, &message, sizeof(message), NULL, 0);
		if (i % 100 == 0)
			sleep_ms(1); /* so that the daemon may accept some of them */
	}
	halt(me);
}

static void thousands_of_connections(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);
	struct publisher p;

	publisher_start(fs, &p, NULL, connections_script);
	check_alive(fs, worker);
	publisher_end(&p);
	check_alive(fs, worker);
}

#define SWARM(name_)                                                                               \
	{                                                                                          \
		.name = #name_, .function = a_swarm_of_entries, .limit = 300,                      \
		.data = &(const struct swarm)                                                      \
		{                                                                                  \
			name_                                                                      \
		}                                                                                  \
	}

/* --- the log --- */

#define FLOOD 3000

/* Requests, refused releases and names that are too long. */
static int fail_often(void *argument)
{
	const struct fs *fs = argument;
	char *long_name = memset(calloc(1, 256), 'n', 255);
	const char *too_long = entry(fs, long_name);
	struct stat st;

	for (int i = 0; i < FLOOD; i++)
		if (write_text(entry(fs, "flood"), "[]") != EINVAL ||
		    unlink(entry(fs, "roots")) == 0 || stat(too_long, &st) == 0)
			return 1;
	return 0;
}

/* How many lines of the log match. */
static unsigned lines_of_log(const struct fs *fs, const char *pattern)
{
	unsigned count = 0;

	shell(fs, format("grep -cE '%s' %s", pattern, fs->daemon.log));
	assert_int_equal(sscanf(output_of(fs), "%u", &count), 1);
	return count;
}

/*
 * While requests of one user fail all the time, the log has the lines on other users. On this user
 * it has a few, and in the end the number of those left out.
 */
static void failed_requests_do_not_fill_the_log(struct fs *fs)
{
	unsigned left_out = 0, lines;
	char *text, *at;
	pid_t flood;

	map_anonymous(fs, "roots", 4096);
	flood = start_as(&user_a, fail_often, fs);
	WAIT_UNTIL(lines_of_log(fs, "flood") >= 20);
	assert_int_equal(write_as(&user_b, entry(fs, "other"), "[]"), EINVAL);
	assert_int_equal(write_text(entry(fs, "wanted"), "[]"), EINVAL);
	assert_true(log_has(&fs->daemon, "other: bad request"));
	assert_true(log_has(&fs->daemon, "wanted: bad request"));
	assert_int_equal(finish(flood), 0);
	unmap(fs, "roots");
	daemon_stop(&fs->daemon);
	lines = lines_of_log(fs, "flood|roots|nnn");
	text = read_file(fs->daemon.log, NULL);
	for (at = text; (at = strstr(at, "lines left out")); at++) {
		unsigned more;

		assert_int_equal(sscanf(at,
					format("lines left out on failed requests of user %u: %%u",
					       (unsigned)user_a.uid),
					&more),
				 1);
		left_out += more;
	}
	free(text);
	/*
	 * At least the failed writes and the long names were counted: nothing keeps the daemon from
	 * receiving these.
	 */
	assert_in_range(lines, 1, FLOOD / 10);
	assert_in_range(lines + left_out, FLOOD, 3 * FLOOD);
}

static const struct fs_test tests[] = {
	SWARM(claim_the_same),
	SWARM(claim_nothing),
	SWARM(claim_single_pages),
	FS_TEST(garbage),
	FS_TEST(a_peer_that_never_reads),
	FS_TEST(thousands_of_connections),
	FS_TEST(failed_requests_do_not_fill_the_log, .options = "rootmode=1777"),
};

int main(int argc, char **argv)
{
	fs_observes = true;
	return fs_run(argc, argv, "request_flood", tests, sizeof(tests) / sizeof(*tests));
}
