/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * commands.c - see commands.h
 *
 * A few threads receive commands from one socket and carry them out side by side, each by a call
 * of the library. Nothing that a user wrote is parsed here: a command has a fixed size.
 */
#include "keeper/commands.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "keeper/disposal.h"
#include "libpmem2.h"
#include "libpmem2fs.h"
#include "protocol/command.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS     4
#define SLOTS_MAX   1000000
#define END_SECONDS 2 /* for the threads to end */
#define SPARE_FDS   64

struct commands {
	void (*ready)(void *arg);
	void *arg;
	/*
	 * The present worker's; written by commands_start alone. A thread that was left behind
	 * recognizes by it that its own worker has gone: that one's socket stays open, so that no
	 * other gets its number.
	 */
	_Atomic int socket;
	pthread_t threads[THREADS]; /* those that serve `socket` */
	unsigned thread_count;
	/* By slot of the table. A mapping is taken out while it is being removed, so that of two
	 * threads that remove it one finds nothing. */
	_Atomic(struct pmem2_map *) maps[SLOTS_MAX];
	/*
	 * The file of a mapping; 0: none. While it is open here, munmap does not drop the last
	 * reference to a file that its user controls, which could make this process wait.
	 */
	_Atomic int files[SLOTS_MAX];
	int files_end; /* descriptors from here on are left for other things */
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

/* If this succeeds, keeps *fd and makes it -1, unless descriptors are few (not with root). */
static int make_mapping(struct commands *commands, const struct command *command, int *fd,
			uint32_t *slot)
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
					   : pmem2_source_from_fd(&source, *fd);
	if (!error)
		error = pmem2_map_new(&map, config, source);
	if (!error) {
		error = pmem2fs_map_get_slot(map, slot);
		if (!error && *slot >= SLOTS_MAX)
			error = -ENOSPC;
		if (error)
			pmem2_unmap(&map);
	}
	if (!error) {
		if (*fd >= 0 && *fd < commands->files_end) {
			commands->files[*slot] = *fd;
			*fd = -1;
		}
		atomic_store(&commands->maps[*slot], map);
	}
	pmem2_source_delete(&source);
	pmem2_config_delete(&config);
	return error;
}

/* *file becomes that of the mapping, if it is removed and has one. */
static int remove_mapping(struct commands *commands, uint32_t slot, int *file)
{
	struct pmem2_map *map = NULL;
	int error, kept;

	if (slot < SLOTS_MAX)
		map = atomic_exchange(&commands->maps[slot], NULL);
	if (!map)
		return PMEM2_E_MAPPING_NOT_FOUND;
	kept = atomic_exchange(&commands->files[slot], 0); /* before another mapping has the slot */
	error = pmem2_unmap(&map);
	if (error) { /* the mapping and its slot are as they were */
		commands->files[slot] = kept;
		atomic_store(&commands->maps[slot], map);
	} else if (kept) {
		*file = kept;
	}
	return error;
}

static int unmap_range(struct commands *commands, const struct command *command, int *file)
{
	struct pmem2_map *map = NULL;
	int error, kept;

	if (command->slot < SLOTS_MAX)
		map = atomic_load(&commands->maps[command->slot]);
	if (!map)
		return PMEM2_E_MAPPING_NOT_FOUND;
	error = pmem2_unmap_range(map, command->offset, command->length, 0);
	kept = !error && command->last ? atomic_exchange(&commands->files[command->slot], 0) : 0;
	if (kept)
		*file = kept;
	return error;
}

static int set_label(struct commands *commands, const struct command *command)
{
	struct pmem2_map *map = NULL;

	if (command->slot < SLOTS_MAX)
		map = atomic_load(&commands->maps[command->slot]);
	if (!map)
		return PMEM2_E_MAPPING_NOT_FOUND;
	return pmem2fs_map_set_label(map, command->label, command->label_length);
}

/*
 * *fd is the descriptor that came with the command, and is set to -1 if it is kept. *file is set to
 * the descriptor that goes with the reply.
 */
static void carry_out_command(struct commands *commands, const struct command *command, int *fd,
			      struct command_reply *reply, int *file)
{
	reply->id = command->id;
	reply->slot = command->slot;
	if (command->deadline && clock_now() > command->deadline) {
		reply->error = -ETIMEDOUT;
		return;
	}
	switch (command->op) {
	case COMMAND_MAP:
		reply->error = make_mapping(commands, command, fd, &reply->slot);
		break;
	case COMMAND_UNMAP:
		reply->error = remove_mapping(commands, command->slot, file);
		break;
	case COMMAND_UNMAP_RANGE:
		reply->error = unmap_range(commands, command, file);
		break;
	case COMMAND_LABEL:
		reply->error = set_label(commands, command);
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

/* False: the worker has gone. *fd is -1 or the descriptor that came along. */
static bool receive_command(int socket, struct command *command, int *fd)
{
	ssize_t n;

	memset(command, 0, sizeof(*command)); /* a packet may be shorter than a command */
	do
		n = descriptor_receive(socket, command, sizeof(*command), 0, fd);
	while (n == -EINTR);
	if (n != sizeof(*command))
		command->op = 0;
	return n > 0 || n == -EMFILE || n == -EMSGSIZE;
}

/* Gives a file to the worker, which closes it when it gets the answer. */
static void give_back(int socket, int file, uint64_t id)
{
	const struct command_reply reply = {.id = id, .returns = 1};

	if (descriptor_send(socket, &reply, sizeof(reply), 0, file))
		disposal_of(file);
	else
		close(file); /* the worker, or the message to it, has it */
}

/* Carries out one command and answers it. Takes ownership of `fd`. */
static void serve_command(struct commands *commands, int socket, const struct command *command,
			  int fd)
{
	struct command_reply reply = {0};
	int file = -1;

	carry_out_command(commands, command, &fd, &reply, &file);
	/* The next worker has read the table already and would never know of this mapping. */
	if (command->op == COMMAND_MAP && !reply.error && commands->socket != socket)
		remove_mapping(commands, reply.slot, &file);
	/*
	 * Before the answer, until which the worker has the file open: it is to drop the last
	 * reference.
	 */
	if (fd >= 0)
		close(fd);
	if (file >= 0)
		give_back(socket, file, command->id);
	if (send(socket, &reply, sizeof(reply), MSG_NOSIGNAL) < 0)
		log_debug("the worker does not take an answer: %s", strerror(errno));
}

static void *serve_commands(void *arg)
{
	struct commands *commands = arg;
	const int socket = commands->socket; /* a thread never speaks to another worker */
	struct command command;
	int fd;

	while (receive_command(socket, &command, &fd)) {
		if (command.op != COMMAND_READY) {
			serve_command(commands, socket, &command, fd);
			continue;
		}
		commands->ready(commands->arg);
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

struct commands *commands_new(void (*ready)(void *arg), void *arg)
{
	struct commands *commands = calloc(1, sizeof(*commands));
	struct rlimit limit;

	if (commands) {
		commands->files_end = INT_MAX;
		if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < INT_MAX)
			commands->files_end = (int)limit.rlim_cur - SPARE_FDS;
		commands->ready = ready;
		commands->arg = arg;
		commands->socket = -1;
	}
	return commands;
}

int commands_start(struct commands *commands, int socket)
{
	commands->socket = socket;
	commands->thread_count = 0;
	while (commands->thread_count < THREADS) {
		if (pthread_create(&commands->threads[commands->thread_count], NULL, serve_commands,
				   commands))
			break;
		commands->thread_count++;
	}
	if (commands->thread_count) /* fewer than wanted will do */
		return 0;
	close(socket);
	return -EAGAIN;
}

void commands_hang_up(struct commands *commands)
{
	shutdown(commands->socket, SHUT_WR);
}

void commands_stop(struct commands *commands)
{
	struct timespec until;
	bool stuck = false;

	shutdown(commands->socket, SHUT_RDWR);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += END_SECONDS;
	for (unsigned i = 0; i < commands->thread_count; i++) {
		if (!pthread_timedjoin_np(commands->threads[i], NULL, &until))
			continue;
		pthread_detach(commands->threads[i]);
		stuck = true;
	}
	if (stuck) /* its socket stays open, so that no other gets the number */
		log_error("a command to the keeper hangs; what it does is lost");
	else
		close(commands->socket);
}

void commands_free(struct commands *commands)
{
	if (!commands)
		return;
	for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) {
		int file = -1;

		remove_mapping(commands, slot, &file);
		if (file >= 0)
			close(file);
	}
	free(commands);
}
