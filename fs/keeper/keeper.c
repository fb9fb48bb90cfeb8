/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper.c - see keeper.h
 *
 * Owns the connection to the kernel, the listening socket, and every mapping that was made through
 * the file system, in the table of this process like any other mapping. It parses nothing that a
 * user wrote: its worker, a process of its own, sends commands of fixed size (command.h), which a
 * few threads carry out side by side. When the worker dies, the mappings stay: their names are the
 * labels in the table, so that the next worker, on a fresh mount, finds everything there.
 *
 * The worker is started by exec, not by fork alone, so that it has none of the keeper's mappings.
 */
#include "keeper/keeper.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "keeper/listen.h"
#include "mount/mount.h"
#include "protocol/command.h"
#include "worker.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS   4
#define SLOTS_MAX 1000000
#define RESTARTS_MAX                                                                               \
	5 /* within RESTART_SECONDS: then something is wrong that a restart does not mend */
#define RESTART_SECONDS   10
#define END_SECONDS       2    /* for the worker to end, by itself and then by force */
#define LOOK_MILLISECONDS 2000 /* between two looks whether a worker died without a signal */

extern char **environ;

struct keeper {
	const struct options *options;
	char **argv;
	int table, listener, signals, mounts;
	int ready;            /* -1: nobody waits to be told */
	bool served;          /* the worker has come up once */
	_Atomic int commands; /* also told by it: to which worker a thread belongs */
	int worker_end;
	struct mount *mount;
	pid_t worker;
	unsigned workers; /* how many there were */
	pthread_t threads[THREADS];
	unsigned thread_count;
	/* By slot of the table; atomic since any thread may make and another one remove a mapping.
	 */
	_Atomic(struct pmem2_map *) maps[SLOTS_MAX];
};

static int configure(const struct command *command, struct pmem2_config *config)
{
	int error = pmem2_config_set_required_store_granularity(
		config, (enum pmem2_granularity)command->granularity);

	if (!error)
		error = pmem2_config_set_offset(config, command->offset);
	if (!error && !command->anonymous)
		error = pmem2_config_set_length(config, command->length);
	if (!error)
		error = pmem2_config_set_sharing(config, (enum pmem2_sharing_type)command->sharing);
	if (!error)
		error = pmem2_config_set_protection(config, command->protection);
	if (!error)
		error = pmem2fs_config_set_label(config, command->label, command->label_length);
	if (!error)
		error = pmem2fs_config_set_owner(config, command->uid, command->gid);
	return error;
}

static int do_map(struct keeper *keeper, const struct command *command, int fd, uint32_t *slot)
{
	struct pmem2_source *source = NULL;
	struct pmem2_config *config = NULL;
	struct pmem2_map *map = NULL;
	int error;

	error = pmem2_config_new(&config);
	if (!error)
		error = configure(command, config);
	if (!error)
		error = command->anonymous ? pmem2_source_from_anon(&source, command->length)
					   : pmem2_source_from_fd(&source, fd);
	if (!error)
		error = pmem2_map_new(&map, config, source);
	if (!error) {
		error = pmem2fs_map_get_slot(map, slot);
		if (!error && *slot >= SLOTS_MAX)
			error = -ENOSPC;
		if (error)
			pmem2_unmap(&map);
		else
			atomic_store(&keeper->maps[*slot], map);
	}
	pmem2_source_delete(&source);
	pmem2_config_delete(&config);
	return error;
}

static int do_unmap(struct keeper *keeper, uint32_t slot)
{
	struct pmem2_map *map = NULL;
	int error;

	if (slot < SLOTS_MAX)
		map = atomic_exchange(&keeper->maps[slot], NULL);
	if (!map)
		return PMEM2_E_MAPPING_NOT_FOUND;
	error = pmem2_unmap(&map);
	if (error) /* the mapping and its slot are as they were */
		atomic_store(&keeper->maps[slot], map);
	return error;
}

static int do_unmap_range(struct keeper *keeper, const struct command *command)
{
	struct pmem2_map *map = NULL;

	if (command->slot < SLOTS_MAX)
		map = atomic_load(&keeper->maps[command->slot]);
	if (!map)
		return PMEM2_E_MAPPING_NOT_FOUND;
	return pmem2_unmap_range(map, command->offset, command->length, 0);
}

static int do_label(struct keeper *keeper, const struct command *command)
{
	struct pmem2_map *map = NULL;

	if (command->slot < SLOTS_MAX)
		map = atomic_load(&keeper->maps[command->slot]);
	if (!map)
		return PMEM2_E_MAPPING_NOT_FOUND;
	return pmem2fs_map_set_label(map, command->label, command->label_length);
}

static void do_ready(struct keeper *keeper)
{
	keeper->served = true;
	if (keeper->ready < 0)
		return;
	if (write(keeper->ready, "", 1) != 1)
		log_warning("nobody waits for the mount to be ready");
	close(keeper->ready);
	keeper->ready = -1;
	log_leave_terminal();
}

static void carry_out(struct keeper *keeper, const struct command *command, int fd,
		      struct command_reply *reply)
{
	reply->id = command->id;
	reply->slot = command->slot;
	if (command->deadline && clock_now() > command->deadline) {
		reply->error = -ETIMEDOUT;
		return;
	}
	switch (command->op) {
	case COMMAND_MAP:
		reply->error = do_map(keeper, command, fd, &reply->slot);
		break;
	case COMMAND_UNMAP:
		reply->error = do_unmap(keeper, command->slot);
		break;
	case COMMAND_UNMAP_RANGE:
		reply->error = do_unmap_range(keeper, command);
		break;
	case COMMAND_LABEL:
		reply->error = do_label(keeper, command);
		break;
	case COMMAND_PING:
		break;
	default: /* its descriptor could not be received */
		reply->error = -EMFILE;
		snprintf(reply->message, sizeof(reply->message), "%s", strerror(EMFILE));
		return;
	}
	if (reply->error)
		snprintf(reply->message, sizeof(reply->message), "%s", pmem2_errormsg());
}

/* Receives one command. False: the worker is gone. *fd is -1 or the descriptor that came along. */
static bool receive(int commands, struct command *command, int *fd)
{
	ssize_t n;

	do
		n = descriptor_receive(commands, command, sizeof(*command), 0, fd);
	while (n == -EINTR);
	if (n != sizeof(*command))
		command->op = 0;
	return n > 0 || n == -EMFILE || n == -EMSGSIZE;
}

static void *serve(void *arg)
{
	struct keeper *keeper = arg;
	struct command command;
	int fd;
	/* A thread that outlives its worker must not speak to the next one. */
	const int commands = keeper->commands;

	while (receive(commands, &command, &fd)) {
		struct command_reply reply = {0};

		if (command.op == COMMAND_READY) {
			do_ready(keeper);
		} else {
			carry_out(keeper, &command, fd, &reply);
			/* The next worker has read the table already: nobody would know of it. */
			if (command.op == COMMAND_MAP && !reply.error &&
			    keeper->commands != commands)
				do_unmap(keeper, reply.slot);
			/* Whoever hears the answer may unmount what the descriptor is on. */
			if (fd >= 0)
				close(fd);
			fd = -1;
			if (send(commands, &reply, sizeof(reply), MSG_NOSIGNAL) < 0)
				log_debug("the worker does not take an answer: %s",
					  strerror(errno));
		}
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static int start_threads(struct keeper *keeper)
{
	keeper->thread_count = 0;
	while (keeper->thread_count < THREADS) {
		if (pthread_create(&keeper->threads[keeper->thread_count], NULL, serve, keeper))
			return keeper->thread_count ? 0 : -EAGAIN;
		keeper->thread_count++;
	}
	return 0;
}

/* The worker gets what it needs under the fixed numbers of worker.h, and nothing else. */
static int start_worker(struct keeper *keeper)
{
	const int given[] = {mount_fd(keeper->mount), keeper->worker_end, keeper->listener,
			     keeper->table};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	char *start;
	char **argv;
	int argc = 0, error;

	while (keeper->argv[argc])
		argc++;
	argv = calloc((size_t)argc + 3, sizeof(*argv));
	if (!argv)
		return -ENOMEM;
	memcpy(argv, keeper->argv, (size_t)argc * sizeof(*argv));
	/* The mount point is given again as the keeper has resolved it. */
	if (asprintf(&start, "--worker=%llu,%u,%s", (unsigned long long)mount_device(keeper->mount),
		     keeper->workers++, keeper->options->mountpoint) < 0) {
		free(argv);
		return -ENOMEM;
	}
	argv[argc] = start;
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(&actions);
	for (int i = 0; i < WORKER_FDS; i++)
		posix_spawn_file_actions_adddup2(&actions, given[i], WORKER_FD_FIRST + i);
	error = posix_spawn(&keeper->worker, "/proc/self/exe", &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	free(start);
	free(argv);
	return -error;
}

/* Mount, socket pair, worker, threads: all that lives as long as one worker. */
static int begin(struct keeper *keeper)
{
	int pair[2], error;

	error = mount_begin(keeper->options, &keeper->mount);
	if (error)
		return error;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		error = -errno;
		goto unmount;
	}
	keeper->commands = pair[0];
	keeper->worker_end = fcntl(pair[1], F_DUPFD_CLOEXEC, WORKER_FD_FIRST + WORKER_FDS);
	close(pair[1]);
	error = keeper->worker_end < 0 ? -errno : start_worker(keeper);
	if (error)
		goto close_pair;
	close(keeper->worker_end);
	error = start_threads(keeper);
	if (!error)
		return 0;
	kill(keeper->worker, SIGKILL);
	waitpid(keeper->worker, NULL, 0);
	keeper->worker_end = -1;
close_pair:
	close(keeper->commands);
	if (keeper->worker_end >= 0)
		close(keeper->worker_end);
unmount:
	log_error("cannot start the worker: %s", strerror(-error));
	mount_end(keeper->mount);
	return error;
}

/*
 * After this no command of that worker is under way any more, but for one that hangs in a file
 * system: its thread is left behind.
 */
static void end(struct keeper *keeper)
{
	struct timespec until;
	bool stuck = false;

	mount_end(keeper->mount);
	shutdown(keeper->commands, SHUT_RDWR);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += END_SECONDS;
	for (unsigned i = 0; i < keeper->thread_count; i++) {
		if (!pthread_timedjoin_np(keeper->threads[i], NULL, &until))
			continue;
		pthread_detach(keeper->threads[i]);
		stuck = true;
	}
	if (stuck) /* its descriptor stays open, so that no other takes the number */
		log_error("a command to the keeper hangs; what it does is lost");
	else
		close(keeper->commands);
}

/*
 * True when the worker has died though it cannot be waited for: a thread of it is still inside a
 * foreign file system that does not answer, which not even SIGKILL ends.
 */
static bool is_dead(pid_t worker)
{
	char path[64], text[512], *state;
	bool dead = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)worker);
	file = fopen(path, "re");
	if (!file)
		return true;
	if (fgets(text, sizeof(text), file) && (state = strrchr(text, ')')))
		dead = !strncmp(state, ") Z", 3);
	fclose(file);
	return dead;
}

/* Reaps whatever worker has ended. True: the present one has, or is as good as ended. */
static bool worker_ended(struct keeper *keeper, int *status)
{
	bool ended = false;
	pid_t pid;
	int one;

	while ((pid = waitpid(-1, &one, WNOHANG)) > 0) {
		if (pid != keeper->worker)
			continue;
		*status = one;
		ended = true;
	}
	/* Its other threads mostly end a moment later. */
	for (int i = 0; !ended && is_dead(keeper->worker); i++) {
		if (waitpid(keeper->worker, status, WNOHANG) == keeper->worker) {
			ended = true;
		} else if (i == END_SECONDS * 100) {
			*status = SIGKILL; /* as waitpid would have it */
			ended = true;
		} else {
			poll(NULL, 0, 10);
		}
	}
	return ended;
}

/*
 * Waits for the worker's end. 1: a signal or an unmount asks us to end instead; 0: *status is the
 * worker's.
 */
static int watch(struct keeper *keeper, int *status)
{
	struct pollfd waits[] = {
		{.fd = keeper->signals, .events = POLLIN},
		{.fd = keeper->mounts, .events = POLLPRI}, /* the list of mounts has changed */
	};
	struct signalfd_siginfo info;

	for (;;) {
		poll(waits, 2, LOOK_MILLISECONDS);
		if (waits[0].revents &&
		    read(keeper->signals, &info, sizeof(info)) == sizeof(info) &&
		    info.ssi_signo != SIGCHLD)
			return 1;
		if (worker_ended(keeper, status))
			return 0;
		/* The kernel ends the connection only with the last copy, in whatever namespace. */
		if (waits[1].revents && !mount_is_there(keeper->mount))
			return 1;
	}
}

/* The worker ends when its command socket does; a stuck one is not waited for. */
static void end_worker(struct keeper *keeper)
{
	int status;

	shutdown(keeper->commands, SHUT_WR);
	for (int i = 0; i < END_SECONDS * 100; i++) {
		if (worker_ended(keeper, &status))
			return;
		if (i == END_SECONDS * 50)
			kill(keeper->worker, SIGKILL);
		poll(NULL, 0, 10);
	}
	log_error("the worker cannot be ended: it is stuck in another file system");
}

static int run(struct keeper *keeper)
{
	uint64_t first = 0;
	bool ended, unmounted;
	unsigned restarts = 0;
	int status;

	for (;;) {
		if (begin(keeper))
			return 1;
		ended = watch(keeper, &status);
		/* A connection that was aborted looks like an unmount to the worker. */
		unmounted = !mount_is_there(keeper->mount);
		if (ended) {
			mount_take_away(keeper->options->mountpoint, mount_device(keeper->mount));
			end_worker(keeper);
			end(keeper);
			return 0;
		}
		end(keeper);
		if (keeper->served && unmounted)
			return 0;
		if (!keeper->served)
			return 1; /* it never came up, and has said why */
		log_error("the worker died (%s %d); the mappings are kept, starting another",
			  WIFSIGNALED(status) ? "signal" : "status",
			  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		if (clock_now() - first > RESTART_SECONDS * CLOCK_SECOND) {
			first = clock_now();
			restarts = 0;
		}
		if (++restarts > RESTARTS_MAX) {
			log_error("the worker died %u times in a row: giving up", restarts);
			return 1;
		}
	}
}

/* Out of the way of the numbers that the worker finds its descriptors under. */
static int move_up(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, WORKER_FD_END);

	if (moved >= 0)
		close(fd);
	return moved;
}

int keeper_run(const struct options *options, char **argv, int ready)
{
	static struct keeper keeper;
	sigset_t signals;
	int status = 1;

	keeper.options = options;
	keeper.argv = argv;
	keeper.ready = ready;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	keeper.signals = signalfd(-1, &signals, SFD_CLOEXEC);
	if (keeper.signals < 0) {
		log_error("signalfd: %s", strerror(errno));
		return 1;
	}
	keeper.mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	status = pmem2fs_table_export(&keeper.table);
	if (status) {
		log_error("cannot make the table of mappings: %s", pmem2_errormsg());
		return 1;
	}
	keeper.listener = listen_begin(options->socket);
	if (keeper.listener < 0)
		return 1;
	keeper.table = move_up(keeper.table);
	keeper.listener = move_up(keeper.listener);
	status = run(&keeper);
	unlink(options->socket);
	return status;
}
