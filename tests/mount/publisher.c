// SPDX-License-Identifier: BSD-3-Clause
/*
 * publisher.c - processes of a test that map through the library, step by step
 */
#include "publisher.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

void script_failed(const char *source, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not true in a script: %s (%m; %s)\n", source, line, what,
		pmem2_errormsg());
	_exit(99);
}

static void await_halt(struct publisher *p)
{
	char byte;
	ssize_t got = recv(p->socket, &byte, 1, 0);

	if (got != 1)
		fail_msg("the publisher has ended: %d", finish(p->pid));
}

void publisher_start(const struct fs *fs, struct publisher *p, const struct user *user,
		     publisher_script script)
{
	int pair[2];

	p->fs = fs;
	p->reported = mmap(NULL, sizeof(*p->reported), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(p->reported != MAP_FAILED);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid == 0) {
		close(pair[0]);
		p->pid = getpid();
		p->socket = pair[1];
		for (int i = 1; i < 32; i++)
			signal(i, SIG_DFL); /* cmocka's */
		need(!user || become(user) == 0);
		need(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
		need(prctl(PR_SET_NAME, PUBLISHER_COMM) == 0);
		need(setenv("PMEM2FS_SOCKET", fs->daemon.socket, 1) == 0);
		script(p);
		_exit(0);
	}
	close(pair[1]);
	p->socket = pair[0];
	await_halt(p);
}

void publisher_go(struct publisher *p)
{
	assert_int_equal(send(p->socket, "", 1, MSG_NOSIGNAL), 1);
}

void publisher_next(struct publisher *p)
{
	publisher_go(p);
	await_halt(p);
}

static int forget(struct publisher *p)
{
	close(p->socket);
	munmap(p->reported, sizeof(*p->reported));
	return finish(p->pid);
}

void publisher_wait(struct publisher *p)
{
	assert_int_equal(forget(p), 0);
}

int publisher_finish(struct publisher *p)
{
	publisher_go(p);
	return forget(p);
}

void publisher_end(struct publisher *p)
{
	assert_int_equal(publisher_finish(p), 0);
}

void publisher_kill(struct publisher *p)
{
	kill(p->pid, SIGKILL);
	assert_int_equal(forget(p), -SIGKILL);
}

void halt(struct publisher *me)
{
	char byte = 0;

	need(send(me->socket, &byte, 1, MSG_NOSIGNAL) == 1);
	if (recv(me->socket, &byte, 1, 0) != 1)
		_exit(0);
}

struct pmem2_map *map_part(struct publisher *me, unsigned index, const char *path, size_t offset,
			   size_t length, const char *label)
{
	struct pmem2_config *config;
	struct pmem2_source *source;
	struct pmem2_map *map;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	need(fd >= 0);
	need(pmem2_source_from_fd(&source, fd) == 0);
	need(pmem2_config_new(&config) == 0);
	need(pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE) == 0);
	need(pmem2_config_set_offset(config, offset) == 0);
	need(pmem2_config_set_length(config, length) == 0);
	need(!label || pmem2fs_config_set_label(config, label, strlen(label)) == 0);
	need(pmem2_map_new(&map, config, source) == 0);
	need(pmem2_config_delete(&config) == 0);
	need(pmem2_source_delete(&source) == 0);
	close(fd);
	me->reported->address[index] = (uintptr_t)pmem2_map_get_address(map);
	return map;
}

struct pmem2_map *map_whole(struct publisher *me, unsigned index, const char *path,
			    const char *label)
{
	return map_part(me, index, path, 0, 0, label);
}

const char *published_name(const struct publisher *p, const char *label)
{
	return format(PUBLISHER_COMM ".%d.%s", (int)p->pid, label);
}

const char *address_name(const struct publisher *p, unsigned index)
{
	return format(PUBLISHER_COMM ".%d.0x%jx", (int)p->pid,
		      (uintmax_t)p->reported->address[index]);
}

int try_look(const struct fs *fs)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), result = -1;
	json_t *json = NULL, *complete;
	char answer[4096];
	ssize_t got = -1;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fs->daemon.socket);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    send(fd, "{\"look\":1}", 10, MSG_NOSIGNAL) == 10)
		got = recv(fd, answer, sizeof(answer), 0);
	close(fd);
	if (got > 0)
		json = json_loadb(answer, (size_t)got, 0, NULL);
	complete = json_object_get(json, "complete");
	if (json_is_boolean(complete) && json_integer_value(json_object_get(json, "errno")) == 0)
		result = json_is_true(complete);
	json_decref(json);
	return result;
}

void scan(const struct fs *fs)
{
	if (try_look(fs) < 0)
		fail_msg("the daemon cannot look, or does not say whether that was everything");
}

bool shown(const struct fs *fs, const char *name)
{
	struct names names;
	struct stat st;
	bool found;

	scan(fs);
	found = stat(entry(fs, name), &st) == 0;
	if (!found)
		assert_int_equal(errno, ENOENT);
	names_read(&names, fs->daemon.mnt);
	if (names_have(&names, name) != found)
		fail_msg("stat and ls disagree: %s is %s", name, found ? "not listed" : "listed");
	names_free(&names);
	return found;
}

unsigned listed_of(const struct fs *fs, pid_t pid)
{
	const char *part = format(".%d.", (int)pid);
	struct names names;
	unsigned count = 0;

	names_read(&names, fs->daemon.mnt);
	for (size_t i = 0; i < names.count; i++)
		count += strstr(names.name[i], part) != NULL;
	names_free(&names);
	return count;
}

unsigned shown_of(const struct fs *fs, pid_t pid)
{
	scan(fs);
	return listed_of(fs, pid);
}

json_t *valid_document(const struct fs *fs, const char *name)
{
	json_t *root = document(fs, name);
	int status;

	status = shell(fs, format("%s '%s'", getenv("PMEM2FS_VALIDATE"), entry(fs, name)));
	if (status == 77)
		print_message("jsonschema is missing: %s is not validated\n", name);
	else if (status)
		fail_msg("the document of %s is not valid: %s", name,
			 read_file(format("%s/output", fs->dir), NULL));
	return root;
}
