/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.c - see worker.h
 *
 * Makes all modules and passes each what it needs. Then it is the request loop: one thread that
 * waits for the kernel's requests, the keeper's answers, the socket and the tasks of the pools.
 * Nothing that it calls blocks: what may block is a task of a pool.
 *
 * Hundreds of descriptors of users may be ready all the time. So these are in an epoll set of their
 * own, of which each round of the loop serves a few. All else is served in each round: one request
 * of the kernel's and one more after each event of a user, since requests of root wait behind
 * requests of users, and the connections and receivers of root.
 */
#define FUSE_USE_VERSION 314
#include "worker.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/descriptor.h"
#include "base/fd_watch.h"
#include "base/lifeline.h"
#include "base/log.h"
#include "base/spare_memory.h"
#include "base/spawn.h"
#include "base/stuck_threads.h"
#include "base/thread_pool.h"
#include "base/time_quota.h"
#include "catalog/catalog.h"
#include "catalog/events.h"
#include "change/changes.h"
#include "change/hold_up.h"
#include "change/keeper_link.h"
#include "change/mapper.h"
#include "change/mapping_limits.h"
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
#include "fuse/invalidate.h"
#include "fuse/operations.h"
#include "host/quick_opener.h"
#include "libpmem2fs.h"
#include "mount/mount.h"
#include "protocol/worker_fds.h"
#include "receive/receivers.h"
#include "scan/process_table.h"
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 32
#define USERS_AT_ONCE  8                    /* events of users in a round of the loop */
#define USERS_ROUND    (CLOCK_SECOND / 500) /* for these, and the kernel's requests meanwhile */

#define OPENS_WAITING   1024 /* per user */
#define OPENERS_NICER   10 /* than the loop: many of users may be busy, and all wait for the loop */
#define LOOP_SHARE      4  /* of the time of the loop, see time_quota.h */
#define HELPERS_WAITING 1024 /* of a lane; a name that is not invalidated does no harm */
#define ROOTS_PART      8    /* one part in so many of the mappings is left to root */
#define NUMBERS_BITS    40   /* of the inode numbers of one worker; the next one has others */

/* A source that hangs delays only its own user. */
static const struct share openers_share = {
	.what = "sources being opened", .total = 128, .root = 8, .user = 4, .sure = 1};

/* Lanes of the helpers: one thread each. */
enum helper_lane {
	LANE_INVALIDATE = 1,
	LANE_CAPACITY,
	LANE_DEVICE_MONITOR,
	LANE_MOUNTPOINT,
	LANE_FACTS, /* and those after it: stuck_threads.h */
	LANE_SCAN = LANE_FACTS + STUCK_THREADS_MAX,
	LANES_END = LANE_SCAN + STUCK_THREADS_MAX,
};

static const struct share helpers_share = {
	.what = "helpers", .total = LANES_END - LANE_INVALIDATE, .user = 1, .sure = 1};

/* All modules of this process, in the order in which they are made. Only this file sees them all.
 */
struct worker {
	const struct options *options;
	dev_t dev;                   /* device number of the mount */
	int epoll;                   /* what each round serves, and `users` */
	int users;                   /* another epoll: what users can make ready all the time */
	int wake;                    /* written when a task of a pool is done */
	struct pmem2fs_table *table; /* the keeper's */
	struct keeper_link *keeper;
	struct pool *openers; /* a lane is a user */
	struct pool *helpers; /* a lane is an enum helper_lane */
	struct quick_opener *quick_opener;
	struct events *events;
	struct catalog *catalog;
	struct facts_cache *facts_cache;
	struct quota loop_time; /* what the loop does for each user */
	struct limits limits;
	struct mapper mapper;
	struct fuse_session *session;
	struct fuse_buf request; /* libfuse's */
	struct invalidate invalidate;
	struct process_table *process_table;
	struct receivers *receivers;
	struct releases *releases;
	struct device_monitor *device_monitor;
	struct changes changes;
	struct hold_up hold_up; /* of all that may hold others up */
	struct filesystem filesystem;
	struct question_means questions;
	struct server *server;
	struct watch session_watch, keeper_watch, wake_watch, users_watch;
	bool ended;     /* the loop is left */
	bool announced; /* that the mount is served */
};

static void charge_request(struct worker *worker, uid_t uid, uint64_t begun)
{
	struct user_quota *user = quota_of(&worker->loop_time, uid);
	uint64_t now = clock_now();

	if (user)
		quota_charge_now(&worker->loop_time, user, now, now - begun);
}

/*
 * A request never waits for its user to have time, since the kernel may hold the directory for it:
 * what the user asks over the socket does.
 */
static void serve_request(struct worker *worker)
{
	struct fuse_session *session = worker->session;
	int n = fuse_session_receive_buf(session, &worker->request);
	uint64_t begun = clock_now();

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n > 0) {
		const struct fuse_in_header *header = worker->request.mem;
		uid_t uid = header->uid;

		fuse_session_process_buf(session, &worker->request);
		interrupts_deliver(&worker->filesystem.interrupts);
		charge_request(worker, uid, begun);
	}
	if (n <= 0 || fuse_session_exited(session)) /* unmounted */
		worker->ended = true;
}

/*
 * One request at a time: what a program has said to the socket before it made a request is read
 * before the request is carried out.
 */
static void session_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	serve_request(container_of(watch, struct worker, session_watch));
}

static void keeper_ready(struct watch *watch, uint32_t events)
{
	struct worker *worker = container_of(watch, struct worker, keeper_watch);

	(void)events;
	if (keeper_link_work(worker->keeper)) {
		log_debug("the keeper has gone");
		worker->ended = true;
	}
}

static void tasks_ready(struct watch *watch, uint32_t events)
{
	struct worker *worker = container_of(watch, struct worker, wake_watch);
	eventfd_t count;

	(void)events;
	eventfd_read(watch->fd, &count);
	pool_finish(worker->openers);
	pool_finish(worker->helpers);
}

/*
 * Connections that are not served now come first in the next round. The kernel's requests wait for
 * one connection at most.
 */
static void users_ready(struct watch *watch, uint32_t events)
{
	struct worker *worker = container_of(watch, struct worker, users_watch);
	uint64_t begun = clock_now();
	struct epoll_event event;

	for (int i = 0; i < USERS_AT_ONCE && clock_now() - begun < USERS_ROUND && !worker->ended;
	     i++) {
		struct watch *user;

		if (epoll_wait(watch->fd, &event, 1, 0) != 1)
			break;
		user = event.data.ptr;
		user->ready(user, event.events);
		session_ready(&worker->session_watch, events);
	}
}

static int watch_begin(struct worker *worker, struct watch *watch, int fd,
		       void (*ready)(struct watch *, uint32_t))
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};

	*watch = (struct watch){.fd = fd, .ready = ready};
	return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* What depends on the keeper: its commands, and the mappings that it holds already. */
static int begin_mapper(struct worker *worker)
{
	const struct options *options = worker->options;
	int error = pmem2fs_table_open(&worker->table, WORKER_FD_TABLE);

	if (error) {
		log_error("the keeper's table: %s", pmem2_errormsg());
		return error;
	}
	worker->keeper = keeper_link_new(WORKER_FD_COMMANDS);
	worker->receivers =
		receivers_new(worker->epoll, worker->users, SPAWN_SELF, &worker->loop_time);
	worker->quick_opener = quick_opener_new();
	if (!worker->keeper || !worker->receivers || !worker->quick_opener)
		return -ENOMEM;
	worker->limits = (struct limits){
		.max = options->max,
		.root = geteuid() ? 0 : options->max / ROOTS_PART,
		.max_user = options->max_user,
	};
	worker->mapper = (struct mapper){
		.catalog = worker->catalog,
		.events = worker->events,
		.facts_cache = worker->facts_cache,
		.keeper = worker->keeper,
		.table = worker->table,
		.openers = worker->openers,
		.quick_opener = worker->quick_opener,
		.receivers = worker->receivers,
		.limits = &worker->limits,
	};
	return mapper_load(&worker->mapper);
}

/* `number` is that of this worker among all that the keeper has started. */
static int begin_catalog(struct worker *worker, unsigned number)
{
	worker->openers = pool_new(worker->wake, &openers_share, OPENS_WAITING, OPENERS_NICER);
	worker->helpers = pool_new(worker->wake, &helpers_share, HELPERS_WAITING, 0);
	worker->events = events_new();
	worker->catalog = catalog_new((uint64_t)number << NUMBERS_BITS);
	if (!worker->openers || !worker->helpers || !worker->events || !worker->catalog)
		return -ENOMEM;
	worker->facts_cache = facts_cache_new(worker->catalog, worker->events, worker->helpers,
					      LANE_FACTS, getppid());
	return worker->facts_cache ? 0 : -ENOMEM;
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
	worker->invalidate = (struct invalidate){
		.session = worker->session,
		.helpers = worker->helpers,
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

static void hear_libraries(void *arg)
{
	const struct worker *worker = arg;

	if (worker->server)
		server_hear(worker->server);
}

/* What finds, watches and asks other processes, and what changes mappings with their help. */
static int begin_processes(struct worker *worker)
{
	worker->process_table = process_table_new(&(struct process_table_config){
		.catalog = worker->catalog,
		.events = worker->events,
		.pool = worker->helpers,
		.first_lane = LANE_SCAN,
		.epoll = worker->users,
		.keeper = getppid(),
		.receivers = worker->receivers,
		.loop_time = &worker->loop_time,
		.observe = worker->options->observe,
		.hear = hear_libraries,
		.arg = worker,
	});
	if (!worker->process_table)
		return -ENOMEM;
	facts_cache_use_scans(worker->facts_cache, worker->process_table);
	worker->releases = releases_new(worker->catalog, worker->process_table, worker->receivers,
					&worker->hold_up, worker->epoll, worker->users);
	worker->device_monitor = device_monitor_new(&(struct device_monitor_config){
		.catalog = worker->catalog,
		.events = worker->events,
		.facts_cache = worker->facts_cache,
		.process_table = worker->process_table,
		.pool = worker->helpers,
		.lane = LANE_DEVICE_MONITOR,
		.epoll = worker->epoll,
	});
	worker->changes = (struct changes){
		.catalog = worker->catalog,
		.events = worker->events,
		.keeper = worker->keeper,
		.releases = worker->releases,
		.receivers = worker->receivers,
		.hold_up = &worker->hold_up,
		.limits = &worker->limits,
		.name_changed = name_changed,
		.arg = &worker->invalidate,
	};
	return worker->releases && worker->device_monitor ? 0 : -ENOMEM;
}

static int begin_filesystem(struct worker *worker)
{
	const struct options *options = worker->options;

	worker->filesystem = (struct filesystem){
		.settings =
			{
				.mode = options->mode,
				.rootmode = options->rootmode,
				.timeout = options->timeout,
				.max = options->max,
			},
		.mapper = &worker->mapper,
		.changes = &worker->changes,
		.catalog = worker->catalog,
		.events = worker->events,
		.facts_cache = worker->facts_cache,
		.process_table = worker->process_table,
		.capacity = capacity_new(worker->catalog, worker->helpers, LANE_CAPACITY),
		.invalidate = &worker->invalidate,
		.drafts = drafts_new(),
	};
	holdings_begin(&worker->filesystem.holdings, &worker->hold_up);
	return worker->filesystem.capacity && worker->filesystem.drafts ? 0 : -ENOMEM;
}

static int begin_server(struct worker *worker)
{
	worker->questions = (struct question_means){
		.mapper = &worker->mapper,
		.changes = &worker->changes,
		.catalog = worker->catalog,
		.events = worker->events,
		.facts_cache = worker->facts_cache,
		.process_table = worker->process_table,
		.receivers = worker->receivers,
		.loop_time = &worker->loop_time,
		.invalidate = &worker->invalidate,
		.mountpoint = worker->options->mountpoint,
		.dev = worker->dev,
		.pool = worker->helpers,
		.lane = LANE_MOUNTPOINT,
		.mode = worker->options->mode,
		.rootmode = worker->options->rootmode,
	};
	worker->server = server_new(&worker->questions, worker->releases, worker->receivers,
				    worker->epoll, worker->users, WORKER_FD_LISTENER);
	return worker->server ? 0 : -ENOMEM;
}

static int watch_all(struct worker *worker)
{
	int error = watch_begin(worker, &worker->session_watch, WORKER_FD_FUSE, session_ready);

	if (!error)
		error = watch_begin(worker, &worker->keeper_watch, WORKER_FD_COMMANDS,
				    keeper_ready);
	if (!error)
		error = watch_begin(worker, &worker->wake_watch, worker->wake, tasks_ready);
	if (!error)
		error = watch_begin(worker, &worker->users_watch, worker->users, users_ready);
	return error;
}

static int worker_begin(struct worker *worker, unsigned number)
{
	int error;

	worker->epoll = epoll_create1(EPOLL_CLOEXEC);
	worker->users = epoll_create1(EPOLL_CLOEXEC);
	worker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->epoll < 0 || worker->users < 0 || worker->wake < 0)
		return -errno;
	error = begin_catalog(worker, number);
	if (!error)
		error = begin_mapper(worker);
	if (!error)
		error = begin_session(worker);
	if (!error)
		error = watch_all(worker);
	if (!error)
		error = begin_processes(worker);
	if (!error)
		error = begin_filesystem(worker);
	if (!error)
		error = begin_server(worker);
	return error;
}

/* Not before the kernel has said hello: the command that started the daemon ends now. */
static void announce(struct worker *worker)
{
	worker->announced = true;
	keeper_link_ready(worker->keeper);
	if (!worker->options->foreground)
		log_leave_terminal();
	log_debug("serving %s", worker->options->mountpoint);
}

/* Does what is due. Returns how long epoll_wait may wait, in milliseconds. */
static int do_timers(struct worker *worker)
{
	uint64_t now = clock_now(), next;

	quota_tidy(&worker->loop_time, now);
	next = device_monitor_expire(worker->device_monitor, now);
	/* After the device monitor, which may start a scan. */
	next = clock_earlier(next, process_table_expire(worker->process_table, now));
	next = clock_earlier(next, facts_cache_expire(worker->facts_cache, now));
	next = clock_earlier(next, releases_expire(worker->releases, now));
	next = clock_earlier(next, holdings_expire(&worker->filesystem.holdings, now));
	next = clock_earlier(next, server_expire(worker->server, now));
	next = clock_earlier(next, receivers_expire(worker->receivers, now));
	next = clock_earlier(next, drafts_expire(worker->filesystem.drafts, now, create_expired,
						 &worker->filesystem));
	next = clock_earlier(next, invalidate_leftovers(&worker->invalidate,
							catalog_leftovers(worker->catalog), now));
	next = clock_earlier(next, spare_memory_expire(now));
	/* Last, since any of these may call the keeper. */
	next = clock_earlier(next, keeper_link_expire(worker->keeper, now));
	/* Any of these may have ended a connection. */
	if (server_sweep(worker->server))
		return 0;
	if (next == UINT64_MAX)
		return -1;
	return next > now ? (int)((next - now) / 1000000 + 1) : 0;
}

/* Waits for room in the keeper's socket only while a command waits for it. */
static void watch_keeper(struct worker *worker, bool *writing)
{
	bool waits = keeper_link_waits(worker->keeper);
	struct epoll_event event = {
		.events = EPOLLIN | (waits ? (uint32_t)EPOLLOUT : 0u),
		.data.ptr = &worker->keeper_watch,
	};

	if (waits != *writing)
		epoll_ctl(worker->epoll, EPOLL_CTL_MOD, worker->keeper_watch.fd, &event);
	*writing = waits;
}

static void worker_loop(struct worker *worker)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	bool writing = false;
	int n, timeout;

	while (!worker->ended) {
		timeout = do_timers(worker);
		watch_keeper(worker, &writing);
		n = epoll_wait(worker->epoll, events, EVENTS_AT_ONCE, timeout);
		for (int i = 0; i < n && !worker->ended; i++) {
			struct watch *watch = events[i].data.ptr;

			watch->ready(watch, events[i].events);
		}
		if (worker->filesystem.initialized && !worker->announced)
			announce(worker);
	}
}

int worker_run(const struct options *options)
{
	static struct worker worker;
	unsigned long long dev = 0;
	unsigned number = 0;
	int error;

	prctl(PR_SET_NAME, "pmem2fs-worker");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* on Ctrl-C the keeper ends this process */
	signal(SIGHUP, SIG_IGN);
	mallopt(M_ARENA_MAX, 2);              /* each arena holds back freed memory */
	mallopt(M_MMAP_THRESHOLD, 64 * 1024); /* large blocks go back to the kernel at once */
	for (int fd = WORKER_FD_FIRST; fd < WORKER_FD_END; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	worker.options = options;
	worker.loop_time.share = LOOP_SHARE;
	sscanf(options->worker, "%llu,%u", &dev, &number);
	worker.dev = (dev_t)dev;
	descriptor_raise_limit(); /* a process that maps takes up to six: three are pidfds */
	error = lifeline_hold(WORKER_FD_LIFELINE);
	close(WORKER_FD_LIFELINE);
	if (!error)
		error = worker_begin(&worker, number);
	if (error)
		log_error("the worker cannot start: %s", strerror(-error));
	else
		worker_loop(&worker);
	/* When the keeper was killed no other process does this. */
	mount_take_away(options->mountpoint, worker.dev);
	log_close();
	pool_close(worker.openers);
	pool_close(worker.helpers);
	_exit(error ? 1 : 0);
}
