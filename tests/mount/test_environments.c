/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_environments.c - publication by processes with restrictions: seccomp filters, limits,
 * namespaces, users, other libraries beside ours
 *
 * No program ever fails because of its table. Where it can have no table, its mappings do not show;
 * where the daemon cannot be reached, it finds the table by itself.
 */
#include "publisher.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_SIZE 65536

#define FIRST_PID_NAMESPACE 0xeffffffcu

#define SANITIZED (ON_ASAN || ON_TSAN)

/*
 * The thread sanitizer has a thread of its own, and only a process with a single thread may leave
 * its user namespace.
 */
#define MAY_LEAVE_USERS (!ON_TSAN)

static const char *make_file(const struct fs *fs)
{
	return make_source(fs, "file", FILE_SIZE);
}

/* The end of the scripts below: the mapping can be used, and the test checks what shows of it. */
static void map_and_halt(struct publisher *me)
{
	struct pmem2_map *map = map_whole(me, 0, source(me->fs, "file"), "a");

	strcpy(pmem2_map_get_address(map), "works");
	halt(me);
	need(!strcmp(pmem2_map_get_address(map), "works"));
	need(pmem2_unmap(&map) == 0);
	halt(me);
}

static void check_comes_and_goes(struct fs *fs, struct publisher *p)
{
	assert_true(shown(fs, published_name(p, "a")));
	json_decref(valid_document(fs, published_name(p, "a")));
	publisher_next(p);
	assert_int_equal(shown_of(fs, p->pid), 0);
	publisher_end(p);
}

/* The mapping may show or not, but what shows must be right. */
static void check_shows_or_not(struct fs *fs, struct publisher *p)
{
	if (shown_of(fs, p->pid) != 0)
		assert_true(shown(fs, published_name(p, "a")));
	publisher_next(p);
	assert_int_equal(shown_of(fs, p->pid), 0);
	publisher_end(p);
}

struct forbidden {
	long call;
	uint32_t action;
};

static void forbid(long call, uint32_t action)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = 4, .filter = filter};

	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	need(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void forbidden_script(struct publisher *me)
{
	const struct forbidden *forbidden = me->data;

	forbid(forbidden->call, forbidden->action);
	map_and_halt(me);
}

static void a_call_is_forbidden(struct fs *fs)
{
	struct publisher p = {.data = fs->test->data};

	make_file(fs);
	publisher_start(fs, &p, NULL, forbidden_script);
	check_shows_or_not(fs, &p);
}

/* A filter that is set when the process has a table already changes nothing. */
static void forbidden_later_script(struct publisher *me)
{
	map_whole(me, 1, source(me->fs, "file"), "before");
	forbid(SYS_memfd_create, SECCOMP_RET_KILL_PROCESS);
	map_and_halt(me);
}

static void a_filter_that_comes_later_changes_nothing(struct fs *fs)
{
	struct publisher p;

	make_file(fs);
	publisher_start(fs, &p, NULL, forbidden_later_script);
	assert_true(shown(fs, published_name(&p, "before")));
	assert_true(shown(fs, published_name(&p, "a")));
	publisher_next(&p);
	publisher_end(&p);
}

static void limit(int resource, rlim_t value)
{
	struct rlimit limit;

	need(getrlimit((__rlimit_resource_t)resource, &limit) == 0);
	limit.rlim_cur = value;
	need(setrlimit((__rlimit_resource_t)resource, &limit) == 0);
}

static void file_size_script(struct publisher *me)
{
	limit(RLIMIT_FSIZE, 0);
	map_and_halt(me);
}

static void address_space_script(struct publisher *me)
{
	char *statm = read_file("/proc/self/statm", NULL);

	need(statm);
	limit(RLIMIT_AS, (rlim_t)atoll(statm) * 4096 + (4 << 20));
	map_and_halt(me);
}

static void locked_script(struct publisher *me)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		need(errno == ENOMEM || errno == EPERM);
	map_and_halt(me);
}

/* One descriptor is free, which the source takes. */
static void descriptors_script(struct publisher *me)
{
	int last = dup(me->socket);

	need(last >= 0);
	close(last);
	limit(RLIMIT_NOFILE, (rlim_t)last + 1);
	map_and_halt(me);
}

static void limited(struct fs *fs)
{
	struct publisher p;

	if (SANITIZED && fs->test->data == (const void *)address_space_script)
		skip();
	make_file(fs);
	publisher_start(fs, &p, NULL, (publisher_script)(uintptr_t)fs->test->data);
	check_shows_or_not(fs, &p);
}

static void two_script(struct publisher *me)
{
	const char *copy = format("%s/copy.so", me->fs->dir);
	int (*source_from_fd)(struct pmem2_source **, int);
	int (*map_new)(struct pmem2_map **, const struct pmem2_config *,
		       const struct pmem2_source *);
	int (*config_new)(struct pmem2_config **);
	int (*set_granularity)(struct pmem2_config *, enum pmem2_granularity);
	int (*set_label)(struct pmem2_config *, const char *, size_t);
	struct pmem2_source *source_;
	struct pmem2_config *config;
	struct pmem2_map *map;
	void *library;

	map_whole(me, 0, source(me->fs, "file"), "linked");
	library = dlopen(copy, RTLD_NOW | RTLD_LOCAL);
	need(library);
	source_from_fd = dlsym(library, "pmem2_source_from_fd");
	map_new = dlsym(library, "pmem2_map_new");
	config_new = dlsym(library, "pmem2_config_new");
	set_granularity = dlsym(library, "pmem2_config_set_required_store_granularity");
	set_label = dlsym(library, "pmem2fs_config_set_label");
	need(map_new && (void *)map_new != (void *)pmem2_map_new);
	need(source_from_fd(&source_, open(source(me->fs, "file"), O_RDWR)) == 0);
	need(config_new(&config) == 0);
	need(set_granularity(config, PMEM2_GRANULARITY_PAGE) == 0);
	need(set_label(config, "loaded", 6) == 0);
	need(map_new(&map, config, source_) == 0);
	halt(me);
}

static void two_copies_of_the_library(struct fs *fs)
{
	struct publisher p;

	make_file(fs);
	assert_int_equal(shell(fs, "cp $PMEM2FS_LIBRARY $D/../copy.so"), 0);
	publisher_start(fs, &p, NULL, two_script);
	assert_true(shown(fs, published_name(&p, "linked")));
	assert_true(shown(fs, published_name(&p, "loaded")));
	assert_int_equal(shown_of(fs, p.pid), 2);
	publisher_end(&p);
	assert_int_equal(shown_of(fs, p.pid), 0);
}

static void pid_script(struct publisher *me)
{
	pid_t child;

	need(unshare(CLONE_NEWPID) == 0);
	child = fork();
	need(child >= 0);
	if (child == 0) {
		need(getpid() == 1);
		map_and_halt(me);
		_exit(0);
	}
	me->reported->pid[0] = child;
	need(waitpid(child, NULL, 0) == child);
}

/* The entry has the pid that the process has in the daemon's pid namespace, not in its own. */
static void in_a_pid_namespace(struct fs *fs)
{
	struct publisher p;
	const char *name;
	json_t *root;

	make_file(fs);
	publisher_start(fs, &p, NULL, pid_script);
	WAIT_UNTIL(p.reported->pid[0] != 0);
	name = format(PUBLISHER_COMM ".%d.a", (int)p.reported->pid[0]);
	assert_true(shown(fs, name));
	root = valid_document(fs, name);
	assert_int_equal(number_of(json_object_get(root, "owner"), "pid"), p.reported->pid[0]);
	json_decref(root);
	publisher_kill(&p);
}

static void mount_script(struct publisher *me)
{
	const char *folder = me->fs->data;
	int fd;

	need(unshare(CLONE_NEWNS) == 0);
	need(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	need(mount("hidden", folder, "tmpfs", 0, NULL) == 0);
	fd = open(source(me->fs, "file"), O_RDWR | O_CREAT, 0600);
	need(fd >= 0 && ftruncate(fd, FILE_SIZE) == 0);
	map_and_halt(me);
}

/* In the test's mount namespace another file has that path: the path in the document is null. */
static void in_a_mount_namespace(struct fs *fs)
{
	const char *path = make_file(fs);
	const json_t *shown_source;
	struct publisher p;
	struct stat st;
	json_t *root;

	publisher_start(fs, &p, NULL, mount_script);
	scan(fs);
	root = valid_document(fs, published_name(&p, "a"));
	shown_source = json_object_get(root, "source");
	assert_int_equal(stat(path, &st), 0);
	assert_true(json_is_null(json_object_get(shown_source, "path")));
	assert_string_not_equal(text_of(shown_source, "dev"),
				format("%u:%u", major(st.st_dev), minor(st.st_dev)));
	json_decref(root);
	check_comes_and_goes(fs, &p);
}

static void user_script(struct publisher *me)
{
	need(unshare(CLONE_NEWUSER) == 0);
	map_and_halt(me);
}

static void in_a_user_namespace(struct fs *fs)
{
	struct publisher p;
	json_t *root;

	if (!MAY_LEAVE_USERS)
		skip();
	make_file(fs);
	publisher_start(fs, &p, &user_a, user_script);
	scan(fs);
	root = valid_document(fs, published_name(&p, "a"));
	assert_int_equal(number_of(json_object_get(root, "owner"), "uid"), user_a.uid);
	json_decref(root);
	check_comes_and_goes(fs, &p);
}

static void runtime_script(struct publisher *me)
{
	need(unsetenv("PMEM2FS_SOCKET") == 0);
	need(setenv("XDG_RUNTIME_DIR", format("%s/run", me->fs->dir), 1) == 0);
	map_and_halt(me);
}

static int shows(void *argument)
{
	return access(argument, F_OK) == 0;
}

static int scan_queue(void *argument)
{
	return try_look(argument);
}

/*
 * A user with a line in passwd, which fusermount3 needs; not nobody, whom the library does not
 * trust.
 */
static const struct user user_games = {.uid = 5, .gid = 60};

/* The daemon sees its user's processes, and reports that the scan is not complete. */
static void a_daemon_of_a_user(struct fs *fs)
{
	struct publisher theirs, other;

	if (access("/run/pmem2fs", F_OK) == 0)
		assert_int_equal(mount("none", "/run/pmem2fs", "tmpfs", 0, NULL), 0);
	make_file(fs);
	assert_int_equal(mkdir(format("%s/run", fs->dir), 0700), 0);
	assert_int_equal(chown(format("%s/run", fs->dir), user_games.uid, user_games.gid), 0);
	assert_int_equal(chown(fs->daemon.mnt, user_games.uid, user_games.gid), 0);
	assert_int_equal(chmod(fs->dir, 01777), 0);
	strcpy(fs->daemon.socket, format("%s/run/pmem2fs/socket", fs->dir));
	daemon_spawn(&fs->daemon, &user_games, NULL, NULL);
	daemon_wait_mounted(&fs->daemon);
	publisher_start(fs, &theirs, &user_games, runtime_script);
	publisher_start(fs, &other, &user_a, runtime_script);
	assert_int_equal(
		run_as(&user_games, shows, (void *)entry(fs, published_name(&theirs, "a"))), 1);
	assert_int_equal(run_as(&user_games, shows, (void *)entry(fs, published_name(&other, "a"))),
			 0);
	assert_int_equal(run_as(&user_games, scan_queue, fs), 0);
	assert_int_equal(
		run_as(&user_games, shows, (void *)entry(fs, published_name(&theirs, "a"))), 1);
	publisher_next(&theirs);
	assert_int_equal(run_as(&user_games, scan_queue, fs), 0);
	assert_int_equal(
		run_as(&user_games, shows, (void *)entry(fs, published_name(&theirs, "a"))), 0);
	publisher_end(&theirs);
	publisher_kill(&other);
}

/*
 * The scan is complete in the first pid namespace only: in another one, the daemon cannot see the
 * processes outside, and reports that.
 */
static void a_daemon_of_root_sees_everything(struct fs *fs)
{
	struct stat st;
	int fd = open("/proc/1/maps", O_RDONLY | O_CLOEXEC); /* more than root may in a container */

	assert_int_equal(stat("/proc/self/ns/pid", &st), 0);
	assert_int_equal(try_look(fs), st.st_ino == FIRST_PID_NAMESPACE && fd >= 0);
	if (fd >= 0)
		close(fd);
}

/* Stores in reported->number how many clients have connected, and how many of them sent something.
 */
static void fake_script(struct publisher *me)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), peer;
	char bytes[256];

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/fake", me->fs->data);
	need(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	need(chmod(address.sun_path, 0777) == 0 && listen(fd, 10) == 0);
	halt(me);
	need(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	while ((peer = accept(fd, NULL, NULL)) >= 0) {
		me->reported->number[0]++;
		if (recv(peer, bytes, sizeof(bytes), 0) > 0)
			me->reported->number[1]++;
	}
	halt(me);
}

static void fooled_script(struct publisher *me)
{
	need(setenv("PMEM2FS_SOCKET", format("%s/fake", me->fs->data), 1) == 0);
	map_and_halt(me);
}

/*
 * `daemon` runs the fake daemon, `program` maps; `sent` is how many clients send something to it.
 */
static void check_fake(struct fs *fs, const struct user *daemon, const struct user *program,
		       int sent)
{
	struct publisher fake, p;

	make_file(fs);
	assert_int_equal(chmod(fs->data, 01777), 0);
	publisher_start(fs, &fake, daemon, fake_script);
	publisher_start(fs, &p, program, fooled_script);
	publisher_next(&p);
	publisher_end(&p);
	publisher_next(&fake);
	assert_int_equal(fake.reported->number[1], sent);
	publisher_end(&fake);
}

static void a_daemon_of_another_user_gets_nothing(struct fs *fs)
{
	check_fake(fs, &user_a, NULL, 0);
	assert_int_equal(unlink(format("%s/fake", fs->data)), 0);
	check_fake(fs, &user_a, &user_b, 0);
	assert_int_equal(unlink(format("%s/fake", fs->data)), 0);
	check_fake(fs, &user_a, &user_a, 1);
	assert_int_equal(unlink(format("%s/fake", fs->data)), 0);
	check_fake(fs, NULL, &user_a, 1);
}

static int run_set_uid(void *argument)
{
	const struct fs *fs = argument;

	setenv("PMEM2FS_SOCKET", format("%s/fake", fs->data), 1);
	execl(format("%s/set_uid", fs->dir), "set_uid", source(fs, "file"), (char *)NULL);
	return 126;
}

static void a_set_uid_program_does_not_trust_the_environment(struct fs *fs)
{
	struct publisher fake;

	make_file(fs);
	assert_int_equal(chmod(source(fs, "file"), 0600), 0);
	assert_int_equal(chmod(fs->data, 01777), 0);
	assert_int_equal(shell(fs, "cp $PMEM2FS_SET_UID $D/../set_uid && chmod 4755 $D/../set_uid"),
			 0);
	publisher_start(fs, &fake, &user_a, fake_script);
	assert_int_equal(run_as(&user_a, run_set_uid, fs), 0);
	publisher_next(&fake);
	assert_int_equal(fake.reported->number[0], 0);
	publisher_end(&fake);
}

struct debian {
	struct fs *fs;
	int in[2], out[2];
};

static int run_debian(void *argument)
{
	struct debian *debian = argument;

	dup2(debian->in[0], 0);
	dup2(debian->out[1], 1);
	close(debian->in[1]);
	close(debian->out[0]);
	setenv("PMEM2FS_SOCKET", debian->fs->daemon.socket, 1);
	setenv("LD_LIBRARY_PATH", format("%s/dropin", debian->fs->dir), 1);
	execl(getenv("PMEM2FS_LIBPMEM2_PROGRAM"), "libpmem2_program", source(debian->fs, "file"),
	      (char *)NULL);
	return 126;
}

/* A program that was linked with Debian's libpmem2, as it is. */
static void a_program_for_libpmem2(struct fs *fs)
{
	struct debian debian = {.fs = fs};
	unsigned long address;
	char line[64] = "";
	const char *name;
	json_t *root;
	pid_t child;

	if (!getenv("PMEM2FS_LIBPMEM2_PROGRAM") || SANITIZED)
		skip();
	make_file(fs);
	assert_int_equal(shell(fs, "mkdir $D/../dropin && "
				   "ln -s $PMEM2FS_LIBRARY $D/../dropin/libpmem2.so.1"),
			 0);
	assert_int_equal(pipe2(debian.in, O_CLOEXEC) | pipe2(debian.out, O_CLOEXEC), 0);
	child = start_as(NULL, run_debian, &debian);
	close(debian.out[1]);
	assert_true(read(debian.out[0], line, sizeof(line) - 1) > 0);
	assert_int_equal(sscanf(line, "mapped %lx", &address), 1);
	name = format("libpmem2_progra.%d.0x%lx", (int)child, address);
	assert_true(shown(fs, name));
	root = valid_document(fs, name);
	assert_string_equal(text_of(root, "origin"), "published");
	assert_string_equal(text_of(json_object_get(root, "source"), "path"), source(fs, "file"));
	json_decref(root);
	close(debian.in[1]);
	assert_int_equal(finish(child), 0);
	assert_false(shown(fs, name));
}

#define FORBIDDEN(n, c, a)                                                                         \
	{                                                                                          \
		.name = n, .function = a_call_is_forbidden, .data = &(const struct forbidden)      \
		{                                                                                  \
			c, a                                                                       \
		}                                                                                  \
	}
#define LIMITED(script)                                                                            \
	{                                                                                          \
		.name = #script, .function = limited, .data = (const void *)script                 \
	}

static const struct fs_test tests[] = {
	FORBIDDEN("memfd_create_fails", SYS_memfd_create, SECCOMP_RET_ERRNO | EPERM),
	FORBIDDEN("memfd_create_kills", SYS_memfd_create, SECCOMP_RET_KILL_PROCESS),
	FORBIDDEN("memfd_create_traps", SYS_memfd_create, SECCOMP_RET_TRAP),
	FORBIDDEN("socket_fails", SYS_socket, SECCOMP_RET_ERRNO | EPERM),
	FORBIDDEN("socket_kills", SYS_socket, SECCOMP_RET_KILL_PROCESS),
	FORBIDDEN("connect_kills", SYS_connect, SECCOMP_RET_KILL_PROCESS),
	FORBIDDEN("sendmsg_kills", SYS_sendmsg, SECCOMP_RET_KILL_PROCESS),
	FORBIDDEN("ftruncate_kills", SYS_ftruncate, SECCOMP_RET_KILL_PROCESS),
	FORBIDDEN("madvise_fails", SYS_madvise, SECCOMP_RET_ERRNO | EPERM),
	FS_TEST(a_filter_that_comes_later_changes_nothing),
	LIMITED(file_size_script),
	LIMITED(address_space_script),
	LIMITED(locked_script),
	LIMITED(descriptors_script),
	FS_TEST(two_copies_of_the_library),
	FS_TEST(in_a_pid_namespace),
	FS_TEST(in_a_mount_namespace),
	FS_TEST(in_a_user_namespace),
	FS_TEST(a_daemon_of_a_user, .no_daemon = true),
	FS_TEST(a_daemon_of_root_sees_everything),
	FS_TEST(a_daemon_of_another_user_gets_nothing, .no_daemon = true),
	FS_TEST(a_set_uid_program_does_not_trust_the_environment, .no_daemon = true),
	FS_TEST(a_program_for_libpmem2),
};

int main(int argc, char **argv)
{
	fs_observes = true;
	return fs_run(argc, argv, "environments", tests, sizeof(tests) / sizeof(*tests));
}
