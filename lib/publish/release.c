/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * release.c - handlers that release mappings when the daemon asks
 *
 * Owns the connection on which the daemon asks (wire.h), the requests that wait for WIRE_GO, and
 * the right to dispatch: one thread at a time dispatches, and only that thread uses the connection.
 * Calls announce.c, daemon_socket.c, wakeup.c and the registry.
 *
 * The lock is not held while a handler runs or the registry is called, so that no thread waits for
 * the registry's lock with it. All signals are blocked while it is held, so that no signal handler
 * forks meanwhile.
 *
 * At most one answer is pending. Until it fits into the socket nothing more is read, so that no
 * memory is needed for a daemon that asks and does not read.
 *
 * fork: the child closes its copies of the descriptors and has no requests, but keeps the handlers.
 * A child that was not made by the C library's fork does the same at its first call.
 */
#include "publish/release.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/lock.h"
#include "format/wire.h"
#include "publish/announce.h"
#include "publish/daemon_socket.h"
#include "publish/wakeup.h"
#include "registry/publication.h"
#include "registry/registry.h"
#include "registry/seccomp_probe.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The kernel's limit: no errno is larger. */
#define ERRNO_MAX 4095

/* How often the thread checks that its descriptors still exist. */
#define LOOK_MS 5000
/* How long the thread pauses while another one dispatches or there are no descriptors. */
#define PAUSE_MS 100

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static pid_t process;  /* the process that the other variables belong to; 0: none yet */
static unsigned forks; /* counts the changes of `process` */
static bool wanted;    /* a handler has been set */
static bool dispatching;
static bool has_thread;

static struct {
	int fd; /* -1: not connected */
	struct fd_identity is;
	bool congested; /* `answer` has not been sent yet */
	struct wire_message answer;
} connection = {.fd = -1};

/* The requests that wait for WIRE_GO. */
static struct release_request {
	uint64_t number;
	uint64_t table; /* its inode number; slots of another table are other mappings */
	uint64_t generation;
	uint32_t slot;
} requests[RELEASE_REQUESTS_MAX];
static size_t request_count;

static bool is_connected(void)
{
	return connection.fd >= 0 && fd_is_same(connection.fd, &connection.is);
}

static bool watch_connection(void)
{
	return is_connected() &&
	       wakeup_watch(connection.fd, connection.congested ? EPOLLOUT : EPOLLIN);
}

static void end_connection(void)
{
	if (is_connected()) {
		if (process == getpid())
			wakeup_unwatch(connection.fd);
		close(connection.fd);
	}
	connection.fd = -1;
	connection.congested = false;
}

static void begin_process(void)
{
	wakeup_unmake();
	end_connection();
	dispatching = false;
	has_thread = false;
	process = getpid();
	forks++;
}

/* The state of the thread that is restored when it releases the lock. */
struct release_entry {
	sigset_t mask;
	int cancel_state;
};

static void block_signals(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

static void take_lock(void)
{
	pthread_mutex_lock(&lock);
	if (process != getpid())
		begin_process();
}

static void release_enter(struct release_entry *entry)
{
	entry->cancel_state = cancel_disable();
	block_signals(&entry->mask);
	take_lock();
}

static void release_leave(const struct release_entry *entry)
{
	pthread_mutex_unlock(&lock);
	pthread_sigmask(SIG_SETMASK, &entry->mask, NULL);
	cancel_restore(entry->cancel_state);
}

/* Of the thread that forks; the child has its own copy. */
static _Thread_local struct {
	struct release_entry entry;
	bool locked;
} forking;

void release_before_fork(void)
{
	bool interrupted;

	forking.entry.cancel_state = cancel_disable();
	block_signals(&forking.entry.mask);
	/* Takes locks for a moment, in which no signal handler may call the library. */
	interrupted = library_is_interrupted();
	/* Another fork may hold this lock and wait for the one that the interrupted call holds. */
	forking.locked = !interrupted || !pthread_mutex_trylock(&lock);
	if (!interrupted)
		pthread_mutex_lock(&lock);
	if (forking.locked && process != getpid())
		begin_process();
}

void release_after_fork(void)
{
	if (forking.locked)
		pthread_mutex_unlock(&lock);
	pthread_sigmask(SIG_SETMASK, &forking.entry.mask, NULL);
	cancel_restore(forking.entry.cancel_state);
}

void release_in_child(void)
{
	static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;

	/* The thread that holds the lock does not exist here. */
	if (!forking.locked)
		lock = fresh;
	begin_process();
	release_after_fork();
}

static void send_answer(void)
{
	ssize_t sent;

	if (!is_connected())
		return;
	sent = send(connection.fd, &connection.answer, sizeof(connection.answer),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN) {
		end_connection();
		return;
	}
	connection.congested = sent < 0;
	watch_connection();
}

static void answer_request(enum wire_type type, uint64_t request, int error)
{
	connection.answer = (struct wire_message){
		.magic = WIRE_MAGIC,
		.type = type,
		.request = request,
		.error = error,
	};
	send_answer();
}

/* Removes a request from the list. False: there is none with that number. */
static bool take_request(uint64_t number, struct release_request *request)
{
	for (size_t i = 0; i < request_count; i++) {
		if (requests[i].number != number)
			continue;
		*request = requests[i];
		requests[i] = requests[--request_count];
		return true;
	}
	return false;
}

/* Releases the lock meanwhile. */
static int find_handler(const struct release_request *request, struct pmem2_map **map,
			pmem2fs_release_handler *handler, void **arg)
{
	int ret;

	pthread_mutex_unlock(&lock);
	ret = registry_find_release(request->table, request->slot, request->generation, map,
				    handler, arg);
	pthread_mutex_lock(&lock);
	return ret;
}

static void handle_ask(const struct wire_message *message)
{
	struct release_request request;
	struct pmem2_map *map;
	pmem2fs_release_handler handler;
	void *arg;
	int ret;

	take_request(message->request, &request);
	request = (struct release_request){
		.number = message->request,
		.table = message->table,
		.generation = message->generation,
		.slot = message->slot,
	};
	ret = find_handler(&request, &map, &handler, &arg);
	if (!ret && request_count == RELEASE_REQUESTS_MAX)
		ret = -EAGAIN;
	if (ret) {
		answer_request(WIRE_DONE, request.number, ret);
		return;
	}
	requests[request_count++] = request;
	answer_request(WIRE_READY, request.number, 0);
}

/* The result of a handler as the daemon gets it: 0 or a negated errno, whatever it returned. */
static int reported_result(int result)
{
	if (result == PMEM2_E_MAPPING_NOT_FOUND)
		return -ENOENT;
	if (result >= -ERRNO_MAX && result <= ERRNO_MAX)
		return result > 0 ? -result : result;
	return result == PMEM2_E_NOSUPP ? -ENOTSUP : -EINVAL;
}

/* Runs the handler with the program's signal mask and without the lock. */
static int run_handler(pmem2fs_release_handler handler, struct pmem2_map *map, void *arg,
		       const struct release_entry *entry)
{
	int ret;

	pthread_mutex_unlock(&lock);
	pthread_sigmask(SIG_SETMASK, &entry->mask, NULL);
	ret = handler(map, arg);
	block_signals(NULL);
	take_lock();
	return reported_result(ret);
}

static void handle_go(const struct wire_message *message, const struct release_entry *entry)
{
	unsigned before = forks;
	struct release_request request;
	struct pmem2_map *map;
	pmem2fs_release_handler handler;
	void *arg;
	int ret;

	if (!take_request(message->request, &request))
		return;
	ret = find_handler(&request, &map, &handler, &arg);
	if (!ret)
		ret = run_handler(handler, map, arg, entry);
	/* If the handler forked, the child has nothing to report to its parent's daemon. */
	if (forks == before)
		answer_request(WIRE_DONE, request.number, ret);
}

static void handle_message(const struct wire_message *message, const struct release_entry *entry)
{
	struct release_request request;

	switch (message->type) {
	case WIRE_ASK:
		handle_ask(message);
		break;
	case WIRE_GO:
		handle_go(message, entry);
		break;
	case WIRE_WITHDRAWN:
		take_request(message->request, &request);
		break;
	default:
		break;
	}
}

/* Handles the next packet. False: there is none. An empty packet is the end of the connection. */
static bool receive_packet(const struct release_entry *entry)
{
	struct wire_message message;
	ssize_t got = recv(connection.fd, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);

	if (got < 0 && errno == EAGAIN)
		return false;
	if (got <= 0)
		end_connection();
	else if (got == sizeof(message) && message.magic == WIRE_MAGIC)
		handle_message(&message, entry);
	return true;
}

static bool has_table(void)
{
	uint64_t table;
	int ret;

	pthread_mutex_unlock(&lock);
	ret = publication_table(&table, NULL);
	pthread_mutex_lock(&lock);
	return !ret;
}

/* Releases the lock meanwhile: a child that is forked then closes the socket in `connection`. */
static int announce_connection(bool is_root)
{
	int ret;

	pthread_mutex_unlock(&lock);
	ret = announce_table(connection.fd, is_root, WIRE_STAYS);
	pthread_mutex_lock(&lock);
	return ret;
}

static void connect_daemon(void)
{
	bool is_root;
	int fd;

	/* Without a table there is nothing that the daemon could ask for. */
	if (!has_table()) {
		wakeup_disarm();
		return;
	}
	if (!seccomp_probe_permits())
		return;
	fd = daemon_connect(&is_root);
	if (fd < 0)
		return;
	connection.fd = fd;
	/* The requests of the previous connection can never be carried out. */
	request_count = 0;
	if (fd_identify(fd, &connection.is) && watch_connection() && !announce_connection(is_root))
		wakeup_disarm();
	else
		end_connection();
}

static void serve_connection(const struct release_entry *entry)
{
	bool was_connected = connection.fd >= 0;
	int packets = 0;

	if (was_connected && connection.congested)
		send_answer();
	while (packets++ < RELEASE_PACKETS_MAX && is_connected() && !connection.congested &&
	       receive_packet(entry))
		;
	if (!wakeup_is_ours())
		return;
	if (was_connected && !is_connected()) {
		end_connection();
		wakeup_arm(false);
	} else if (!was_connected && wakeup_has_expired()) {
		connect_daemon();
	}
}

int pmem2fs_map_set_release_handler(struct pmem2_map *map, pmem2fs_release_handler handler,
				    void *arg)
{
	int ret = registry_set_release(map, handler, arg);
	struct release_entry entry;

	if (ret || !handler)
		return ret;
	release_enter(&entry);
	if (!wanted && wakeup_is_ours())
		wakeup_arm(true);
	wanted = true;
	release_leave(&entry);
	return 0;
}

static int get_wakeup_fd(void)
{
	bool anew = !wakeup_is_ours();
	int ret = 0;

	if (anew) {
		wakeup_unmake();
		ret = wakeup_make();
	}
	if (ret)
		return error_set(ret, "no descriptor to wait on: %s", strerror(-ret));
	if (connection.fd >= 0 && !watch_connection()) {
		end_connection();
		anew = true;
	}
	if (anew && connection.fd < 0 && wanted)
		wakeup_arm(true);
	return wakeup_descriptor();
}

int pmem2fs_get_fd(void)
{
	struct release_entry entry;
	int ret;

	release_enter(&entry);
	ret = get_wakeup_fd();
	release_leave(&entry);
	return ret;
}

int pmem2fs_dispatch(void)
{
	struct release_entry entry;
	unsigned before;
	int ret = 0;

	release_enter(&entry);
	before = forks;
	if (dispatching) {
		ret = error_set(-EBUSY, "a handler runs, or another thread is at it");
	} else if (!wakeup_is_ours()) {
		ret = error_set(-EBADF, "the descriptor to wait on is closed or was not asked for");
	} else {
		dispatching = true;
		serve_connection(&entry);
		if (forks == before)
			dispatching = false;
	}
	release_leave(&entry);
	return ret;
}

/* Whether this is still the process that started the thread, and not the child of a handler. */
static bool is_same_process(unsigned when)
{
	struct release_entry entry;
	bool same;

	release_enter(&entry);
	same = forks == when;
	release_leave(&entry);
	return same;
}

static void pause_thread(void)
{
	const struct timespec time = {.tv_nsec = PAUSE_MS * 1000000l};

	nanosleep(&time, NULL);
}

static void *serve_forever(void *arg)
{
	unsigned when = (unsigned)(uintptr_t)arg;

	pthread_setname_np(pthread_self(), "pmem2fs");
	while (is_same_process(when)) {
		struct pollfd wait = {.fd = pmem2fs_get_fd(), .events = POLLIN};

		if (wait.fd < 0) {
			pause_thread();
			continue;
		}
		poll(&wait, 1, LOOK_MS);
		if (pmem2fs_dispatch() == -EBUSY)
			pause_thread();
	}
	return NULL;
}

static int start_thread(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int ret;

	ret = pthread_attr_init(&attributes);
	if (ret)
		return -ret;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	/* The thread inherits that all signals are blocked. */
	ret = pthread_create(&thread, &attributes, serve_forever, (void *)(uintptr_t)forks);
	pthread_attr_destroy(&attributes);
	return -ret;
}

int pmem2fs_start_thread(void)
{
	struct release_entry entry;
	int ret;

	release_enter(&entry);
	ret = get_wakeup_fd();
	if (ret < 0)
		goto leave;
	ret = has_thread ? 0 : start_thread();
	if (ret)
		error_set(ret, "no thread to release mappings in: %s", strerror(-ret));
	else
		has_thread = true;
leave:
	release_leave(&entry);
	return ret;
}
