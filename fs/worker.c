/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.c - see worker.h
 *
 * The request loop: one thread that waits for the kernel's requests, the keeper's answers, the
 * socket, and the threads of the pools. Its handlers never block: what might is given to a pool.
 */
#define FUSE_USE_VERSION 314
#include "worker.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/watch.h"
#include "catalog/catalog.h"
#include "catalog/events.h"
#include "change/keeper_link.h"
#include "change/mapper.h"
#include "change/release.h"
#include "control/question.h"
#include "control/server.h"
#include "facts/device_monitor.h"
#include "facts/facts_cache.h"
#include "fuse/capacity.h"
#include "fuse/create.h"
#include "fuse/drafts.h"
#include "fuse/filesystem.h"
#include "fuse/interrupts.h"
#include "fuse/operations.h"
#include "libpmem2fs.h"
#include "mount/mount.h"
#include "protocol/worker_fds.h"
#include "scan/process_table.h"
#include "service.h"
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 32
#define DESCRIPTORS    1048576

#define OPENS_PER_USER  4 /* at once: a source that hangs holds up its own user */
#define OPENS           64
#define OPENS_WAITING   1024 /* per user */
#define HELPERS_WAITING 1024 /* of a kind: a name more that the kernel keeps does no harm */
#define NUMBERS_BITS    40   /* of inode numbers for each worker: the next one gives out others */

struct worker {
	struct service service;
	struct filesystem filesystem;
	int epoll, wake;
	struct watch fuse, keeper, pools;
	struct fuse_buf request; /* libfuse's */
	struct question_means questions;
	struct server *server;
	struct fuse_session *session;
	bool ended, announced;
};

/* One request at a time: whoever asks mostly waits for the answer before asking again. */
static void fuse_ready(struct watch *watch, uint32_t events)
{
	struct worker *worker = container_of(watch, struct worker, fuse);
	struct fuse_session *session = worker->session;
	int n;

	(void)events;
	n = fuse_session_receive_buf(session, &worker->request);
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n > 0) {
		fuse_session_process_buf(session, &worker->request);
		interrupts_deliver(&worker->filesystem.interrupts);
	}
	if (n <= 0 || fuse_session_exited(session)) /* unmounted */
		worker->ended = true;
}

static void keeper_ready(struct watch *watch, uint32_t events)
{
	struct worker *worker = container_of(watch, struct worker, keeper);

	(void)events;
	if (keeper_link_work(worker->service.keeper)) {
		log_debug("the keeper has gone");
		worker->ended = true;
	}
}

static void pools_ready(struct watch *watch, uint32_t events)
{
	struct worker *worker = container_of(watch, struct worker, pools);
	eventfd_t count;

	(void)events;
	eventfd_read(watch->fd, &count);
	pool_finish(worker->service.openers);
	pool_finish(worker->service.helpers);
}

static int watch_begin(struct worker *worker, struct watch *watch, int fd,
		       void (*ready)(struct watch *, uint32_t))
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

	*watch = (struct watch){.fd = fd, .ready = ready};
	return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int begin_service(struct service *service, const struct options *options, unsigned number,
			 int wake)
{
	int error;

	service->options = options;
	service->limits = (struct limits){.max = options->max, .max_user = options->max_user};
	error = pmem2fs_table_open(&service->table, WORKER_FD_TABLE);
	if (error) {
		log_error("the keeper's table: %s", pmem2_errormsg());
		return error;
	}
	service->catalog = catalog_new((uint64_t)number << NUMBERS_BITS);
	service->openers = pool_new(wake, OPENS_PER_USER, OPENS, OPENS_WAITING);
	service->helpers = pool_new(wake, 1, LANES, HELPERS_WAITING);
	service->events = events_new();
	service->keeper = keeper_link_new(WORKER_FD_COMMANDS);
	if (!service->catalog || !service->openers || !service->helpers || !service->events ||
	    !service->keeper)
		return -ENOMEM;
	service->facts_cache = facts_cache_new(service->catalog, service->events, service->helpers,
					       LANE_FACTS, getppid());
	if (!service->facts_cache)
		return -ENOMEM;
	service->mapper = (struct mapper){
		.catalog = service->catalog,
		.events = service->events,
		.facts_cache = service->facts_cache,
		.keeper = service->keeper,
		.table = service->table,
		.openers = service->openers,
		.limits = &service->limits,
	};
	return mapper_load(&service->mapper);
}

static int begin_session(struct worker *worker)
{
	char *argv[] = {"pmem2fs", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	char fd[32];

	worker->session =
		fuse_session_new(&args, &operations, sizeof(operations), &worker->filesystem);
	fuse_opt_free_args(&args);
	if (!worker->session)
		return -ENOMEM;
	worker->service.invalidate = (struct invalidate){
		.session = worker->session,
		.helpers = worker->service.helpers,
		.lane = LANE_INVALIDATE,
	};
	snprintf(fd, sizeof(fd), "/dev/fd/%d", WORKER_FD_FUSE);
	if (fuse_session_mount(worker->session, fd))
		return -EIO;
	return fcntl(WORKER_FD_FUSE, F_SETFL, O_NONBLOCK) ? -errno : 0;
}

static void name_changed(void *arg, const char *name)
{
	invalidate_name(arg, name);
}

static void begin_changes(struct service *service)
{
	service->changes = (struct changes){
		.catalog = service->catalog,
		.events = service->events,
		.keeper = service->keeper,
		.releases = service->releases,
		.limits = &service->limits,
		.name_changed = name_changed,
		.arg = &service->invalidate,
	};
}

static int begin_filesystem(struct worker *worker, const struct options *options)
{
	struct service *service = &worker->service;

	worker->filesystem = (struct filesystem){
		.settings =
			{
				.mode = options->mode,
				.rootmode = options->rootmode,
				.timeout = options->timeout,
				.max = options->max,
			},
		.mapper = &service->mapper,
		.changes = &service->changes,
		.catalog = service->catalog,
		.events = service->events,
		.facts_cache = service->facts_cache,
		.process_table = service->process_table,
		.capacity = capacity_new(service->helpers, LANE_CAPACITY),
		.invalidate = &service->invalidate,
		.drafts = drafts_new(),
	};
	return worker->filesystem.capacity && worker->filesystem.drafts ? 0 : -ENOMEM;
}

static int begin_server(struct worker *worker, const struct options *options)
{
	struct service *service = &worker->service;

	worker->questions = (struct question_means){
		.mapper = &service->mapper,
		.changes = &service->changes,
		.catalog = service->catalog,
		.events = service->events,
		.process_table = service->process_table,
		.invalidate = &service->invalidate,
		.mountpoint = options->mountpoint,
		.rootmode = options->rootmode,
	};
	worker->server = server_new(&worker->questions, service->releases, worker->epoll,
				    WORKER_FD_LISTENER);
	return worker->server ? 0 : -ENOMEM;
}

static int begin(struct worker *worker, const struct options *options, unsigned number)
{
	int error;

	worker->epoll = epoll_create1(EPOLL_CLOEXEC);
	worker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->epoll < 0 || worker->wake < 0)
		return -errno;
	error = begin_service(&worker->service, options, number, worker->wake);
	if (!error)
		error = begin_session(worker);
	if (!error)
		error = watch_begin(worker, &worker->fuse, WORKER_FD_FUSE, fuse_ready);
	if (!error)
		error = watch_begin(worker, &worker->keeper, WORKER_FD_COMMANDS, keeper_ready);
	if (!error)
		error = watch_begin(worker, &worker->pools, worker->wake, pools_ready);
	if (error)
		return error;
	worker->service.process_table = process_table_new(&(struct process_table_config){
		.catalog = worker->service.catalog,
		.events = worker->service.events,
		.pool = worker->service.helpers,
		.first_lane = LANE_SCAN,
		.epoll = worker->epoll,
		.keeper = getppid(),
		.observe = options->observe,
	});
	worker->service.releases =
		releases_new(worker->service.catalog, worker->service.process_table, worker->epoll);
	worker->service.device_monitor = device_monitor_new(&(struct device_monitor_config){
		.catalog = worker->service.catalog,
		.events = worker->service.events,
		.facts_cache = worker->service.facts_cache,
		.process_table = worker->service.process_table,
		.pool = worker->service.helpers,
		.lane = LANE_DEVICE_MONITOR,
		.epoll = worker->epoll,
	});
	if (!worker->service.process_table || !worker->service.releases ||
	    !worker->service.device_monitor)
		return -ENOMEM;
	begin_changes(&worker->service);
	error = begin_filesystem(worker, options);
	return error ? error : begin_server(worker, options);
}

/* Once the kernel has said hello, so that whoever started the daemon finds it serving. */
static void announce(struct worker *worker)
{
	worker->announced = true;
	keeper_link_ready(worker->service.keeper);
	if (!worker->service.options->foreground)
		log_leave_terminal();
	log_start_thread();
	log_debug("serving %s", worker->service.options->mountpoint);
}

/* What is due by time. Returns for how many milliseconds nothing is. */
static int do_timers(struct worker *worker)
{
	struct service *service = &worker->service;
	uint64_t now = clock_now(), next, other;

	next = keeper_link_expire(service->keeper, now);
	other = device_monitor_expire(service->device_monitor, now); /* may have the holders look */
	if (other < next)
		next = other;
	other = process_table_expire(service->process_table, now);
	if (other < next)
		next = other;
	other = facts_cache_expire(service->facts_cache, now);
	if (other < next)
		next = other;
	other = releases_expire(service->releases, now);
	if (other < next)
		next = other;
	other = drafts_expire(worker->filesystem.drafts, now, create_expired, &worker->filesystem);
	if (other < next)
		next = other;
	if (next == UINT64_MAX)
		return -1;
	return next > now ? (int)((next - now) / 1000000 + 1) : 0;
}

/* The keeper can be written to again when something waits for that. */
static void watch_keeper(struct worker *worker, bool *writing)
{
	bool waits = keeper_link_waits(worker->service.keeper);
	struct epoll_event event = {
		.events = EPOLLIN | (waits ? (uint32_t)EPOLLOUT : 0u),
		.data.ptr = &worker->keeper,
	};

	if (waits != *writing)
		epoll_ctl(worker->epoll, EPOLL_CTL_MOD, worker->keeper.fd, &event);
	*writing = waits;
}

static void loop(struct worker *worker)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	bool writing = false;
	int n;

	while (!worker->ended) {
		watch_keeper(worker, &writing);
		n = epoll_wait(worker->epoll, events, EVENTS_AT_ONCE, do_timers(worker));
		for (int i = 0; i < n && !worker->ended; i++) {
			struct watch *watch = events[i].data.ptr;

			watch->ready(watch, events[i].events);
		}
		if (worker->filesystem.initialized && !worker->announced)
			announce(worker);
		server_sweep(worker->server);
	}
}

/* Every process that maps may have a descriptor or two here. */
static void raise_limit(void)
{
	struct rlimit limit, more = {.rlim_cur = DESCRIPTORS, .rlim_max = DESCRIPTORS};

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= DESCRIPTORS)
		return;
	if (limit.rlim_max > DESCRIPTORS)
		more.rlim_max = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &more)) { /* not root, or fs.nr_open is less */
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int worker_run(const struct options *options)
{
	static struct worker worker;
	struct service *service = &worker.service;
	unsigned long long dev = 0;
	unsigned number = 0;
	int error;

	prctl(PR_SET_NAME, "pmem2fs-worker");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* Ctrl-C is the keeper's, which then ends us */
	signal(SIGHUP, SIG_IGN);
	mallopt(M_ARENA_MAX, 2);              /* each arena keeps memory of its own */
	mallopt(M_MMAP_THRESHOLD, 64 * 1024); /* what is large and short-lived goes back at once */
	for (int fd = WORKER_FD_FIRST; fd < WORKER_FD_END; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	sscanf(options->worker, "%llu,%u", &dev, &number);
	raise_limit();
	error = begin(&worker, options, number);
	if (error)
		log_error("the worker cannot start: %s", strerror(-error));
	else
		loop(&worker);
	/* Where the keeper was killed nobody else is left to do this. */
	mount_take_away(options->mountpoint, (dev_t)dev);
	log_close();
	pool_close(service->openers);
	pool_close(service->helpers);
	_exit(error ? 1 : 0);
}
