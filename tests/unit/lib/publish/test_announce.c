/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_announce.c - passing the table to the daemon, once for each process
 */
#include "announce_helper.h"
#include "base/lock.h"
#include "publish/announce.h"
#include "publish/daemon_socket.h"
#include "registry/table_writer.h"
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

static const char *library; /* the shared one */
static _Atomic unsigned connects;
static _Atomic unsigned sends;
static int send_error;
static int memfd_error;
static uint64_t clock_now = 1000000000000000000; /* nanoseconds */

int __real_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
	connects++;
	return __real_connect(fd, address, size);
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);

static void *try_open(void *arg)
{
	*(bool *)arg = library_open_begin();
	return NULL;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	pthread_t thread;
	bool begun = true;

	sends++;
	/* A fork of another thread does not inherit the descriptors. */
	must(pthread_create(&thread, NULL, try_open, &begun) == 0);
	must(pthread_join(thread, NULL) == 0);
	must(!begun);
	if (send_error) {
		errno = send_error;
		return -1;
	}
	return __real_sendmsg(fd, message, flags);
}

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);

int __wrap_memfd_create(const char *name, unsigned flags)
{
	if (memfd_error) {
		errno = memfd_error;
		return -1;
	}
	return __real_memfd_create(name, flags);
}

int __wrap_clock_gettime(clockid_t id, struct timespec *now);

int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
	(void)id;
	now->tv_sec = (time_t)(clock_now / 1000000000);
	now->tv_nsec = (long)(clock_now % 1000000000);
	return 0;
}

static void pass_time(uint64_t milliseconds)
{
	clock_now += milliseconds * 1000000;
}

static struct pmem2_map *map(void)
{
	return map_anon(PAGE, PMEM2_SHARED);
}

static void hands_over_once(void)
{
	int listener = serve(8);
	unsigned before = count_descriptors();
	struct announcement received;
	uint32_t slot;
	struct pmem2_map *first = map();

	must(count_descriptors() == before);
	must(take(listener, &received));
	must((received.fd < 0) == root_can_look());
	must(check_received(&received) == (root_can_look() ? UINT32_MAX : 1));
	must(pmem2fs_map_get_slot(first, &slot) == 0);
	for (int i = 0; i < 10; i++) {
		pass_time(5000);
		map();
	}
	must(!take(listener, &received));
	must(connects == 1);
	must(pmem2_unmap(&first) == 0);
}

static void tries_once_a_second(void)
{
	struct pmem2_map *maps[20];
	struct announcement received;
	int listener;

	for (int i = 0; i < 20; i++) {
		maps[i] = map();
		must(connects == 1 + (unsigned)i / 10);
		pass_time(100);
	}
	/* Only calls that make a source try again, as map does. */
	pass_time(5000);
	must(pmem2fs_map_set_label(maps[0], "a", 1) == 0);
	must(pmem2_unmap(&maps[1]) == 0);
	must(connects == 2);
	/* The clock is set back by a year, for which the library must not wait. */
	clock_now -= 365ull * 86400 * 1000000000;
	map();
	must(connects == 3);
	/* Now there is a daemon. */
	listener = serve(8);
	pass_time(999);
	map();
	must(!take(listener, &received));
	pass_time(1);
	map();
	must(take(listener, &received));
	must(check_received(&received) == (root_can_look() ? UINT32_MAX : 22));
	must(connects == 4);
}

static void in_reservation(void)
{
	struct pmem2_vm_reservation *reservation;
	struct pmem2_config *config = page_config();
	struct pmem2_source *source = fd_source(make_file(MIB));
	struct pmem2_map *mapped;

	must(pmem2_vm_reservation_new(&reservation, NULL, MIB) == 0);
	must(connects == 0);
	must(pmem2_config_set_vm_reservation(config, reservation, 0) == 0);
	must(pmem2_map_new(&mapped, config, source) == 0);
	must(connects == 1);
}

static void from_existing(void)
{
	struct pmem2_source *source = fd_source(make_file(MIB));
	struct pmem2_map *mapped;
	void *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(pmem2_map_from_existing(&mapped, source, p, PAGE, PMEM2_GRANULARITY_PAGE) == 0);
	must(connects == 1);
}

/* A map tries only the first time; making a source, which has to open files anyway, tries again. */
static void tries_again_for_sources(void)
{
	struct pmem2_config *config = page_config();
	struct pmem2_source *source = fd_source(make_file(MIB));
	struct pmem2_map *mapped;

	must(connects == 0);
	for (int i = 0; i < 3; i++) {
		must(pmem2_map_new(&mapped, config, source) == 0);
		must(connects == 1);
		pass_time(5000);
	}
	must(pmem2_source_from_fd(&source, -1) < 0);
	must(connects == 1);
	fd_source(make_file(MIB));
	must(connects == 2);
	pass_time(1000);
	must(pmem2_source_from_anon(&source, PAGE) == 0);
	must(connects == 3);
}

/* A child that makes its table for another reason than a mapping announces it too. */
static void child_unmaps(void)
{
	struct pmem2_map *first = map();
	int listener = serve(8);
	struct announcement received;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		must(pmem2_unmap(&first) == 0);
		must(take(listener, &received));
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0);
}

static void child_has_its_own(void)
{
	int listener = serve(8);
	struct announcement received;
	int status;
	pid_t pid;

	map();
	must(take(listener, &received));
	check_received(&received);
	pid = fork();
	if (pid == 0) {
		uint64_t parents = received.message.table;

		must(!take(listener, &received));
		map();
		must(take(listener, &received));
		must(received.message.table != parents);
		must(check_received(&received) == (root_can_look() ? UINT32_MAX : 2));
		map();
		must(!take(listener, &received));
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0);
}

static void exported_is_handed_over(void)
{
	int fd;

	must(pmem2fs_table_export(&fd) == 0);
	map();
	pass_time(2000);
	map();
	must(connects == 0);
}

static void switched_off(void)
{
	setenv("PMEM2FS", "off", 1);
	map();
	pass_time(2000);
	map();
	must(connects == 0);
}

/* No failure is visible to the program, and the announcement is tried again. */
static void failures(void)
{
	int listener = serve(8);
	unsigned before = count_descriptors();
	struct announcement received;

	/* An earlier error, whose message must stay. */
	must(pmem2_map_from_existing(NULL, NULL, NULL, 0, PMEM2_GRANULARITY_PAGE) == -EINVAL);
	send_error = EPIPE;
	errno = 77;
	map();
	must(errno == 77 && strcmp(pmem2_errormsg(), "no source given") == 0);
	must(sends == 1 && count_descriptors() == before);
	pass_time(1000);
	map();
	must(sends == 2);
	send_error = 0;
	pass_time(1000);
	map();
	must(take(listener, &received));
	must(check_received(&received) == (root_can_look() ? UINT32_MAX : 3));
}

/*
 * A user's daemon needs a descriptor of the table: without a free one, the table stays as it was.
 */
static void no_descriptors(void)
{
	struct rlimit limit = {0, 1024};
	int listener;
	unsigned before;
	struct announcement received;
	uint64_t inode, first, before_it, generation;
	uint32_t slot;

	must(pmem2fs_map_get_slot(map(), &slot) == 0);
	must(table_slot_generation(slot, &before_it));
	must(find_tables(&first) == 1);
	listener = serve(8);
	before = count_descriptors();
	memfd_error = ENOMEM;
	pass_time(1000);
	map();
	memfd_error = 0;
	must(!root_can_look() || sends == 1);
	if (root_can_look())
		return;
	must(find_tables(&inode) == 1 && inode == first);
	must(table_slot_generation(slot, &generation) && generation == before_it);
	for (limit.rlim_cur = 0; limit.rlim_cur < 64 && !sends; limit.rlim_cur++) {
		must(find_tables(&inode) == 1 && inode == first);
		must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
		pass_time(1000);
		map();
		must(setrlimit(RLIMIT_NOFILE, &(struct rlimit){1024, 1024}) == 0);
		must(count_descriptors() == before);
	}
	/*
	 * Free descriptors: first none, then one for a connection, then one for the table as well.
	 */
	must(sends == 1 && limit.rlim_cur >= 2);
	must(find_tables(&inode) == 1 && inode != first);
	must(take(listener, &received));
	must(check_received(&received) == 2 + limit.rlim_cur);
}

static void queue_is_full(void)
{
	int listener = serve(0);
	bool is_root;
	int n = 0;
	struct announcement received;

	while (daemon_connect(&is_root) >= 0)
		n++;
	must(errno == EAGAIN);
	map();
	must(sends == 0);
	while (n--)
		close(accept(listener, NULL, NULL));
	pass_time(1000);
	map();
	must(sends == 1);
	must(take(listener, &received));
}

static _Atomic bool begin;

static void *map_in_thread(void *arg)
{
	while (!begin)
		;
	for (int i = 0; i < 200; i++) {
		struct pmem2_map *mapped = map();

		must(pmem2_unmap(&mapped) == 0);
	}
	return arg;
}

/*
 * One thread announces the table, and no mapping of the others is lost when the table is made
 * again.
 */
static void threads(void)
{
	struct pmem2_map *kept[50];
	pthread_t ids[6];
	struct announcement received;
	int listener;

	for (int i = 0; i < 50; i++)
		kept[i] = map();
	must(connects == 1);
	listener = serve(8);
	pass_time(1000);
	for (int i = 0; i < 6; i++)
		must(pthread_create(&ids[i], NULL, map_in_thread, NULL) == 0);
	begin = true;
	for (int i = 0; i < 6; i++)
		must(pthread_join(ids[i], NULL) == 0);
	must(take(listener, &received));
	must(check_received(&received) == (root_can_look() ? UINT32_MAX : 50));
	must(!take(listener, &received));
	must(connects == 2);
	for (int i = 0; i < 50; i++)
		must(pmem2_unmap(&kept[i]) == 0);
}

static void without_a_table(void)
{
	setenv("PMEM2FS", "off", 1);
	must(announce_table(-1, false, WIRE_STAYS) == -ENOENT);
}

static void over_a_connection(void)
{
	struct announcement received;
	bool is_root;
	int listener;
	int fd;

	map();
	listener = serve(8);
	fd = daemon_connect(&is_root);
	must(fd >= 0);
	must(library_open_begin());
	must(announce_table(fd, is_root, WIRE_STAYS) == -EBUSY);
	library_open_end();
	must(announce_table(fd, is_root, WIRE_STAYS) == 0);
	must(take(listener, &received));
	must(received.message.flags == WIRE_STAYS);
	must(check_received(&received) == (root_can_look() ? UINT32_MAX : 1));
	/* Nothing more may follow. */
	pass_time(5000);
	map();
	must(!take(listener, &received));
	shutdown(fd, SHUT_RDWR);
	must(announce_table(fd, is_root, 0) == -EPIPE);
}

/* Root of a user namespace may not open in /proc the files that processes outside have mapped. */
static void in_user_namespace(void)
{
	int listener = serve(8);
	struct announcement received;
	int fd;

	if (unshare(CLONE_NEWUSER))
		_exit(0);
	fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0 0 1", 5) != 5)
		_exit(0);
	close(fd);
	map();
	must(take(listener, &received));
	must(check_received(&received) == 1);
}

/* Root is not mapped in this namespace: the daemon's user appears as the overflow uid. */
static void in_user_namespace_without_root(void)
{
	serve(8);
	if (unshare(CLONE_NEWUSER))
		_exit(0);
	map();
	must(connects == 1 && sends == 0);
}

/* Each copy of the library has a table, and announces it. */
static void two_copies(void)
{
	int listener = serve(8);
	struct announcement received[2];
	uint64_t inode;
	void *other = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	int (*source_from_anon)(struct pmem2_source **, size_t);
	int (*config_new)(struct pmem2_config **);
	int (*set_granularity)(struct pmem2_config *, enum pmem2_granularity);
	int (*map_new)(struct pmem2_map **, const struct pmem2_config *,
		       const struct pmem2_source *);
	struct pmem2_source *source;
	struct pmem2_config *config;
	struct pmem2_map *mapped;

	must(other);
	*(void **)&source_from_anon = dlsym(other, "pmem2_source_from_anon");
	*(void **)&config_new = dlsym(other, "pmem2_config_new");
	*(void **)&set_granularity = dlsym(other, "pmem2_config_set_required_store_granularity");
	*(void **)&map_new = dlsym(other, "pmem2_map_new");
	must(source_from_anon && config_new && set_granularity && map_new);
	must((void *)map_new != (void *)pmem2_map_new);
	map();
	must(source_from_anon(&source, PAGE) == 0 && config_new(&config) == 0);
	must(set_granularity(config, PMEM2_GRANULARITY_PAGE) == 0);
	must(map_new(&mapped, config, source) == 0);
	must(take(listener, &received[0]) && take(listener, &received[1]));
	must(find_tables(&inode) == 2);
	must(received[0].message.table != received[1].message.table);
}

static void test_once(void **state)
{
	(void)state;
	both(hands_over_once);
	both(in_reservation);
	both(from_existing);
}

static void test_once_a_second_until_then(void **state)
{
	(void)state;
	both(tries_once_a_second);
	both(tries_again_for_sources);
}

static void test_fork(void **state)
{
	(void)state;
	both(child_has_its_own);
	both(child_unmaps);
}

static void test_nothing_to_tell(void **state)
{
	(void)state;
	both(exported_is_handed_over);
	both(switched_off);
}

static void test_failures(void **state)
{
	(void)state;
	both(failures);
	/* Valgrind has limits of its own. */
	if (!on_valgrind())
		both(no_descriptors);
	both(queue_is_full);
}

static void test_threads(void **state)
{
	(void)state;
	both(threads);
}

static void test_connection_that_stays(void **state)
{
	(void)state;
	both(without_a_table);
	both(over_a_connection);
}

static void test_name_spaces(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	run(in_user_namespace);
	run(in_user_namespace_without_root);
}

static void test_two_copies(void **state)
{
	(void)state;
	if (!library)
		skip();
	both(two_copies);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_once_a_second_until_then),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_nothing_to_tell),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_connection_that_stays),
		cmocka_unit_test(test_name_spaces),
		cmocka_unit_test(test_two_copies),
	};
	int failed;

	library = argc > 1 ? argv[1] : NULL;
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/socket", folder);
	setenv("PMEM2FS_SOCKET", path, 1);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(folder);
	return failed;
}
