/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rig.c - see rig.h
 */
#include "rig.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/descriptor.h"
#include "base/thread_pool.h"
#include "catalog/catalog.h"
#include "catalog/events.h"
#include "change/keeper_link.h"
#include "facts/facts_cache.h"
#include "host/quick_opener.h"
#include "libpmem2fs.h"
#include "receive/receivers.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SLOTS_MAX 4096

const char rig_daemon[] = DAEMON;

static struct pmem2_map *maps[SLOTS_MAX];
static int files[SLOTS_MAX]; /* of these, as in the keeper; 0: none */

static void drop_file(uint32_t slot)
{
	if (files[slot])
		close(files[slot]);
	files[slot] = 0;
}

static void keeper_ready(struct watch *watch, uint32_t events)
{
	struct rig *rig = (struct rig *)((char *)watch - offsetof(struct rig, keeper));

	(void)events;
	assert_int_equal(keeper_link_work(rig->modules.keeper), 0);
}

static void pools_ready(struct watch *watch, uint32_t events)
{
	struct rig *rig = (struct rig *)((char *)watch - offsetof(struct rig, pools));
	eventfd_t count;

	(void)events;
	eventfd_read(watch->fd, &count);
	pool_finish(rig->modules.openers);
	pool_finish(rig->modules.helpers);
}

static void watch_begin(struct rig *rig, struct watch *watch, int fd,
			void (*ready)(struct watch *, uint32_t))
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

	*watch = (struct watch){.fd = fd, .ready = ready};
	assert_int_equal(epoll_ctl(rig->epoll, EPOLL_CTL_ADD, fd, &event), 0);
}

/* The table of this process; its descriptor can be had once. */
static int table_descriptor(void)
{
	static int fd = -1;

	if (fd < 0)
		assert_int_equal(pmem2fs_table_export(&fd), 0);
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void name_changed(void *arg, const char *name)
{
	invalidate_name(arg, name);
}

struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct modules *modules = &rig->modules;
	int ends[2];

	modules->limits = (struct limits){.max = 1000, .max_user = 500};
	rig->epoll = epoll_create1(EPOLL_CLOEXEC);
	rig->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	rig->far = ends[1];
	assert_int_equal(pmem2fs_table_open(&modules->table, table_descriptor()), 0);
	modules->catalog = catalog_new(0);
	modules->openers =
		pool_new(rig->wake, &(struct share){.total = 16, .user = 4, .sure = 4}, 100, 0);
	modules->helpers =
		pool_new(rig->wake, &(struct share){.total = 3, .user = 1, .sure = 1}, 1000, 0);
	modules->invalidate =
		(struct invalidate){.helpers = modules->helpers, .lane = LANE_INVALIDATE};
	modules->events = events_new();
	modules->keeper = keeper_link_new(ends[0]);
	modules->facts_cache = facts_cache_new(modules->catalog, modules->events, modules->helpers,
					       LANE_FACTS, getpid());
	modules->loop_time.share = 4;
	modules->receivers = receivers_new(rig->epoll, rig->epoll, rig_daemon, &modules->loop_time);
	assert_non_null(modules->receivers);
	modules->quick_opener = quick_opener_new();
	assert_non_null(modules->quick_opener);
	modules->mapper = (struct mapper){
		.catalog = modules->catalog,
		.events = modules->events,
		.facts_cache = modules->facts_cache,
		.keeper = modules->keeper,
		.table = modules->table,
		.openers = modules->openers,
		.quick_opener = modules->quick_opener,
		.receivers = modules->receivers,
		.limits = &modules->limits,
	};
	modules->changes = (struct changes){
		.catalog = modules->catalog,
		.events = modules->events,
		.keeper = modules->keeper,
		.receivers = modules->receivers,
		.hold_up = &modules->hold_up,
		.limits = &modules->limits,
		.name_changed = name_changed,
		.arg = &modules->invalidate,
	};
	watch_begin(rig, &rig->pools, rig->wake, pools_ready);
	watch_begin(rig, &rig->keeper, ends[0], keeper_ready);
	return rig;
}

static bool drained;

static void drain_run(struct task *task)
{
	(void)task;
}

static void drain_done(struct task *task)
{
	(void)task;
	drained = true;
}

void rig_free(struct rig *rig)
{
	struct task last = {.lane = LANE_INVALIDATE, .run = drain_run, .done = drain_done};
	struct modules *modules = &rig->modules;
	struct mapping *mapping;
	size_t place;

	drained = false; /* a closed pool does not finish its tasks */
	assert_int_equal(pool_submit(modules->helpers, &last), 0);
	rig_run(rig, &drained);

	while ((mapping = catalog_after(modules->catalog, 0, &place)))
		catalog_remove(modules->catalog, mapping);
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		pmem2_unmap(&maps[i]);
		drop_file(i);
	}
	pool_close(modules->openers);
	pool_close(modules->helpers);
	facts_cache_free(modules->facts_cache);
	keeper_link_free(modules->keeper);
	receivers_free(modules->receivers);
	quick_opener_free(modules->quick_opener);
	quota_clear(&modules->loop_time);
	events_free(modules->events);
	catalog_free(modules->catalog);
	pmem2fs_table_close(&modules->table);
	close(rig->keeper.fd);
	close(rig->far);
	close(rig->wake);
	close(rig->epoll);
	free(rig);
}

static bool serve(struct rig *rig, int timeout)
{
	struct epoll_event events[32];
	struct taken taken;
	int n = epoll_wait(rig->epoll, events, 32, timeout);

	for (int i = 0; i < n; i++) {
		struct watch *watch = events[i].data.ptr;

		watch->ready(watch, events[i].events);
	}
	receivers_expire(rig->modules.receivers, clock_now());
	if (rig->swept)
		rig->swept(rig->arg);
	while (!rig->keeper_off && rig_take(rig, &taken)) {
		rig_carry_out(rig, &taken);
		n = 1;
	}
	return n > 0;
}

void rig_run(struct rig *rig, const bool *done)
{
	rig_poll(rig);
	while (!*done)
		serve(rig, -1);
}

void rig_wait(struct rig *rig)
{
	serve(rig, -1);
}

void rig_poll(struct rig *rig)
{
	while (serve(rig, 0))
		;
}

bool rig_take(struct rig *rig, struct taken *taken)
{
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = &taken->command, .iov_len = sizeof(taken->command)};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(rig->far, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	taken->fd = -1;
	if (n < 0)
		return false;
	assert_int_equal(n, sizeof(taken->command));
	if (CMSG_FIRSTHDR(&message))
		memcpy(&taken->fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return true;
}

/* `file` is that of the slot and is given back before; -1: none. */
static void reply(struct rig *rig, struct taken *taken, int error, uint32_t slot, int file)
{
	struct command_reply answer = {.id = taken->command.id, .error = error, .slot = slot};

	if (error)
		strcpy(answer.message, "as the keeper says");
	if (taken->fd >= 0)
		close(taken->fd);
	taken->fd = -1;
	if (file >= 0) {
		const struct command_reply returned = {.id = answer.id, .returns = 1};

		assert_int_equal(descriptor_send(rig->far, &returned, sizeof(returned), 0, file),
				 0);
		drop_file(slot);
	}
	assert_int_equal(send(rig->far, &answer, sizeof(answer), 0), sizeof(answer));
	assert_int_equal(keeper_link_work(rig->modules.keeper), 0);
}

void rig_answer(struct rig *rig, struct taken *taken, int error)
{
	reply(rig, taken, error, taken->command.slot, -1);
}

static uint32_t do_map(struct taken *taken)
{
	const struct command *command = &taken->command;
	struct pmem2_source *source = NULL;
	struct pmem2_config *config = NULL;
	struct pmem2_map *map = NULL;
	uint32_t slot = 0;

	assert_int_equal(pmem2_config_new(&config), 0);
	pmem2_config_set_required_store_granularity(config, command->granularity);
	pmem2_config_set_sharing(config, command->sharing);
	pmem2_config_set_protection(config, command->protection);
	pmem2_config_set_offset(config, command->offset);
	pmem2fs_config_set_label(config, command->label, command->label_length);
	pmem2fs_config_set_owner(config, command->uid, command->gid);
	if (command->anonymous) {
		assert_int_equal(pmem2_source_from_anon(&source, command->length), 0);
	} else {
		pmem2_config_set_length(config, command->length);
		assert_int_equal(pmem2_source_from_fd(&source, taken->fd), 0);
	}
	assert_int_equal(pmem2_map_new(&map, config, source), 0);
	assert_int_equal(pmem2fs_map_get_slot(map, &slot), 0);
	assert_true(slot < SLOTS_MAX);
	maps[slot] = map;
	files[slot] = taken->fd < 0 ? 0 : taken->fd;
	taken->fd = -1;
	pmem2_source_delete(&source);
	pmem2_config_delete(&config);
	return slot;
}

void rig_carry_out(struct rig *rig, struct taken *taken)
{
	const struct command *command = &taken->command;
	uint32_t slot = command->slot;
	bool last = command->op == COMMAND_UNMAP || command->last;
	int error = 0;

	if (command->op == COMMAND_MAP)
		slot = do_map(taken);
	else if (command->op == COMMAND_UNMAP)
		error = pmem2_unmap(&maps[slot]);
	else if (command->op == COMMAND_UNMAP_RANGE)
		error = pmem2_unmap_range(maps[slot], command->offset, command->length, 0);
	else if (command->op == COMMAND_LABEL)
		error = pmem2fs_map_set_label(maps[slot], command->label, command->label_length);
	else
		assert_int_equal(command->op, COMMAND_PING);
	assert_int_equal(error, 0);
	reply(rig, taken, 0, slot, last && files[slot] ? files[slot] : -1);
}

char *rig_new_file(void)
{
	char *path = strdup("/tmp/pmem2fs-rig-XXXXXX");
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 16384), 0);
	close(fd);
	return path;
}

unsigned rig_mapped(struct rig *rig)
{
	struct pmem2fs_record record;
	uint32_t slot = 0;
	unsigned count = 0;

	while (!pmem2fs_table_next(rig->modules.table, &slot, NULL, &record, NULL)) {
		slot++;
		count++;
	}
	return count;
}

void rig_start_receiver(struct receivers *receivers, uid_t uid)
{
	receivers_close_file(receivers, open("/dev/null", O_RDONLY | O_CLOEXEC), uid, 0, NULL);
}

struct closing {
	struct receive receive;
	bool done;
};

static void file_closed(struct receive *receive, const struct receive_result *result,
			const char *packet, int fd)
{
	(void)result;
	(void)packet;
	(void)fd;
	container_of(receive, struct closing, receive)->done = true;
}

/* It closes one after the other. */
void rig_finish_closing(struct rig *rig, uid_t uid)
{
	struct closing last = {.receive.received = file_closed};

	receivers_close_file(rig->modules.receivers, open("/dev/null", O_RDONLY | O_CLOEXEC), uid,
			     UINT64_MAX, &last.receive);
	rig_run(rig, &last.done);
}

/* It is the last child of this thread. */
pid_t rig_receiver(void)
{
	FILE *file = fopen("/proc/thread-self/children", "re");
	int pid = 0;

	assert_non_null(file);
	while (fscanf(file, "%d", &pid) == 1)
		;
	fclose(file);
	assert_int_not_equal(pid, 0);
	return pid;
}

unsigned rig_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}
