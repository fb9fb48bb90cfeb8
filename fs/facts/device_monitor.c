/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device_monitor.c - see device_monitor.h
 *
 * The list of devices is the thread's while a check is under way, and the loop's at all other
 * times. A device costs one stat and one read of a small file a second, however many mappings are
 * on it.
 *
 * The kernel reports some changes: a uevent says that a device or its driver came or went, and a
 * list of bad blocks wakes a poll of it. But not every change of a list does that (Linux 6.1:
 * not what is written to the list by hand), and uevents do not reach every container, so a check
 * once a second finds the rest.
 */
#include "facts/device_monitor.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/fd_watch.h"
#include "base/thread_pool.h"
#include "catalog/catalog.h"
#include "catalog/events.h"
#include "facts/facts_cache.h"
#include "libpmem2fs.h"
#include "scan/process_table.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PERIOD (CLOCK_SECOND + CLOCK_SECOND / 20) /* by then the facts are no longer fresh */
/* The kernel reports a device while it is still being removed, and several times. */
#define SETTLE    (CLOCK_SECOND / 20)
#define LIST_SIZE 4096 /* sysfs shows no more of a file */

struct watched {
	struct watched *next;
	dev_t dev;
	bool block;
	bool used;    /* a mapping that is shown is on it */
	bool checked; /* at least once */
	bool polled;
	bool pending;      /* some mapping on it has no facts since it changed */
	uint64_t identity; /* of the device that has this number; 0: none has */
	int list;          /* file of its bad blocks; -1: none */
	size_t length;
	uint64_t changed; /* clock_now(); 0: all mappings on it have facts since */
	char text[LIST_SIZE];
};

struct device_monitor {
	struct device_monitor_config means;
	struct watch uevents; /* fd -1: not listening */
	struct watch lists;   /* all that are polled; has no descriptor of its own */
	struct task check;
	bool checking;
	bool active;
	uint64_t due;
	struct timespec gathered; /* catalog_changed when the devices were gathered */
	struct watched *devices;
};

/* --- in a thread --- */

static void close_list(struct watched *watched)
{
	if (watched->list >= 0)
		close(watched->list);
	watched->list = -1;
	watched->polled = false;
}

/* The number has gone to another device, or to none. */
static void begin_device(struct watched *watched, uint64_t identity)
{
	struct pmem2fs_device device;

	close_list(watched);
	watched->identity = identity;
	if (identity && !pmem2fs_device_get(watched->dev, watched->block, &device) &&
	    device.badblocks_path[0])
		watched->list = open(device.badblocks_path, O_RDONLY | O_CLOEXEC);
}

/*
 * To read the list also arms the poll. A list that can no longer be read is of a disk that has gone
 * from below a device mapper, while the number stays.
 */
static bool list_changed(struct watched *watched)
{
	char text[LIST_SIZE];
	ssize_t n = watched->list >= 0 ? pread(watched->list, text, sizeof(text), 0) : 0;
	size_t length = n > 0 ? (size_t)n : 0;
	bool changed = n < 0 || length != watched->length || memcmp(text, watched->text, length);

	if (n < 0)
		close_list(watched);
	watched->length = length;
	memcpy(watched->text, text, length);
	return changed;
}

/*
 * A device that is checked for the first time counts as changed unless all is well with it: the
 * facts of the mappings may be older than the check.
 */
static void check_device(struct watched *watched)
{
	uint64_t now = clock_now(), identity = 0;
	int error = pmem2fs_device_identity(watched->dev, watched->block, &identity);
	bool changed = watched->checked ? identity != watched->identity : !identity;

	if (error && error != -ENODEV)
		return; /* this says nothing about the device */
	if (identity != watched->identity)
		begin_device(watched, identity);
	watched->checked = true;
	if (list_changed(watched) || changed)
		watched->changed = now;
}

static void check_devices(struct task *task)
{
	struct device_monitor *device_monitor = container_of(task, struct device_monitor, check);

	for (struct watched *watched = device_monitor->devices; watched; watched = watched->next)
		check_device(watched);
}

/* --- in the loop --- */

/* One check serves for all that is reported until then. */
static void check_soon(struct device_monitor *device_monitor)
{
	uint64_t soon = clock_now() + SETTLE;

	if (soon < device_monitor->due)
		device_monitor->due = soon;
}

static void list_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	check_soon(container_of(watch, struct device_monitor, lists));
}

static bool is_of_a_device(const char *text, size_t length)
{
	static const char *const subsystems[] = {"SUBSYSTEM=block", "SUBSYSTEM=dax",
						 "SUBSYSTEM=nd"};
	const char *end = text + length;

	for (; text < end; text += strlen(text) + 1)
		for (size_t i = 0; i < sizeof(subsystems) / sizeof(subsystems[0]); i++)
			if (!strcmp(text, subsystems[i]))
				return true;
	return false;
}

static void uevents_ready(struct watch *watch, uint32_t events)
{
	struct device_monitor *device_monitor = container_of(watch, struct device_monitor, uevents);
	char text[8192];
	ssize_t n;

	(void)events;
	n = recv(watch->fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	if (n < 0) {
		if (errno == ENOBUFS) /* some were lost */
			check_soon(device_monitor);
		return;
	}
	text[n] = '\0';
	if (is_of_a_device(text, (size_t)n))
		check_soon(device_monitor);
}

static void listen_to_uevents(struct device_monitor *device_monitor)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1}; /* the kernel's */
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &device_monitor->uevents};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd < 0)
		return;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    epoll_ctl(device_monitor->means.epoll, EPOLL_CTL_ADD, fd, &event)) {
		close(fd);
		return;
	}
	device_monitor->uevents.fd = fd;
}

static void drop_devices(struct device_monitor *device_monitor, bool unused_only)
{
	struct watched **at = &device_monitor->devices, *watched;

	while ((watched = *at)) {
		if (unused_only && watched->used) {
			at = &watched->next;
			continue;
		}
		*at = watched->next;
		close_list(watched);
		free(watched);
	}
}

/* Until events are wanted again. */
static void stop_monitoring(struct device_monitor *device_monitor)
{
	if (device_monitor->uevents.fd >= 0)
		close(device_monitor->uevents.fd);
	device_monitor->uevents.fd = -1;
	drop_devices(device_monitor, false);
	device_monitor->gathered = (struct timespec){0};
	device_monitor->due = 0;
	device_monitor->active = false;
}

/* The device that a mapping is on. False: it is on none. */
static bool device_of(const struct mapping *mapping, dev_t *dev, bool *block)
{
	struct pmem2fs_record record;

	version_record(mapping_version(mapping), &record);
	*block = record.source_type != PMEM2FS_SOURCE_DEVDAX;
	*dev = *block ? record.source_dev : record.source_rdev;
	return record.source_type != PMEM2FS_SOURCE_ANONYMOUS && major(*dev);
}

/* The device moves to the front: the next mapping is mostly on the same one. */
static struct watched *find_device(struct device_monitor *device_monitor, dev_t dev, bool block)
{
	struct watched **at = &device_monitor->devices, *watched;

	while ((watched = *at) && (watched->dev != dev || watched->block != block))
		at = &watched->next;
	if (watched) {
		*at = watched->next;
		watched->next = device_monitor->devices;
		device_monitor->devices = watched;
	}
	return watched;
}

static struct watched *add_device(struct device_monitor *device_monitor, dev_t dev, bool block)
{
	struct watched *watched = calloc(1, sizeof(*watched));

	if (!watched)
		return NULL;
	watched->dev = dev;
	watched->block = block;
	watched->list = -1;
	watched->next = device_monitor->devices;
	device_monitor->devices = watched;
	return watched;
}

/*
 * Collects the devices of all mappings. When memory runs out for a device, it is left out until
 * later.
 */
static void gather_devices(struct device_monitor *device_monitor)
{
	const struct device_monitor_config *means = &device_monitor->means;
	struct timespec changed = catalog_changed(means->catalog);
	struct watched *watched;
	struct mapping *mapping;
	size_t place;
	dev_t dev;
	bool block;

	if (!memcmp(&changed, &device_monitor->gathered, sizeof(changed)))
		return;
	device_monitor->gathered = changed;
	for (watched = device_monitor->devices; watched; watched = watched->next)
		watched->used = false;
	mapping = catalog_after(means->catalog, 0, &place);
	for (; mapping; mapping = catalog_next(means->catalog, &place)) {
		if (!device_of(mapping, &dev, &block))
			continue;
		watched = find_device(device_monitor, dev, block);
		if (!watched)
			watched = add_device(device_monitor, dev, block);
		if (watched)
			watched->used = true;
		else
			device_monitor->gathered = (struct timespec){0};
	}
	drop_devices(device_monitor, true);
}

/*
 * Facts that were being read when the device changed do not count: the mappings on it are queried
 * until each of them has later ones.
 */
static void query_changed(struct device_monitor *device_monitor)
{
	const struct device_monitor_config *means = &device_monitor->means;
	struct watched *watched;
	struct mapping *mapping;
	bool any = false, block;
	size_t place;
	dev_t dev;

	for (watched = device_monitor->devices; watched; watched = watched->next) {
		watched->pending = false;
		any |= watched->changed != 0;
	}
	if (!any)
		return;
	mapping = catalog_after(means->catalog, 0, &place);
	for (; mapping; mapping = catalog_next(means->catalog, &place)) {
		watched = device_of(mapping, &dev, &block) ? find_device(device_monitor, dev, block)
							   : NULL;
		if (!watched || mapping_checked(mapping) >= watched->changed)
			continue;
		watched->pending = true;
		if (!mapping_is_queried(mapping))
			facts_cache_request(means->facts_cache, mapping, 0, NULL);
	}
	for (watched = device_monitor->devices; watched; watched = watched->next)
		if (!watched->pending)
			watched->changed = 0;
}

/* Edge-triggered: a list stays ready until the next check reads it. */
static void poll_lists(struct device_monitor *device_monitor)
{
	struct epoll_event event = {.events = EPOLLPRI | EPOLLET,
				    .data.ptr = &device_monitor->lists};

	for (struct watched *watched = device_monitor->devices; watched; watched = watched->next) {
		if (watched->polled || watched->list < 0)
			continue;
		epoll_ctl(device_monitor->means.epoll, EPOLL_CTL_ADD, watched->list, &event);
		watched->polled = true;
	}
}

static void check_done(struct task *task)
{
	struct device_monitor *device_monitor = container_of(task, struct device_monitor, check);

	device_monitor->checking = false;
	poll_lists(device_monitor);
	query_changed(device_monitor);
}

static void begin_check(struct device_monitor *device_monitor, uint64_t now)
{
	device_monitor->due = now + PERIOD;
	if (!device_monitor->active)
		listen_to_uevents(device_monitor);
	device_monitor->active = true;
	process_table_scan(device_monitor->means.process_table, 0, NULL);
	gather_devices(device_monitor);
	device_monitor->checking = device_monitor->devices &&
				   !pool_submit(device_monitor->means.pool, &device_monitor->check);
}

uint64_t device_monitor_expire(struct device_monitor *device_monitor, uint64_t now)
{
	if (device_monitor->checking)
		return UINT64_MAX; /* its end comes back here */
	if (!events_wanted(device_monitor->means.events)) {
		if (device_monitor->active)
			stop_monitoring(device_monitor);
		return UINT64_MAX;
	}
	if (now >= device_monitor->due)
		begin_check(device_monitor, now);
	return device_monitor->checking ? UINT64_MAX : device_monitor->due;
}

struct device_monitor *device_monitor_new(const struct device_monitor_config *config)
{
	struct device_monitor *device_monitor = calloc(1, sizeof(*device_monitor));

	if (!device_monitor)
		return NULL;
	device_monitor->means = *config;
	device_monitor->uevents = (struct watch){.fd = -1, .ready = uevents_ready};
	device_monitor->lists = (struct watch){.fd = -1, .ready = list_ready};
	device_monitor->check =
		(struct task){.lane = config->lane, .run = check_devices, .done = check_done};
	return device_monitor;
}

void device_monitor_free(struct device_monitor *device_monitor)
{
	if (device_monitor)
		stop_monitoring(device_monitor);
	free(device_monitor);
}
