// SPDX-License-Identifier: BSD-3-Clause
/*
 * release_peer.c - a process that publishes mappings and is asked to release them
 *
 * release_peer SOCKET FILE COUNT BEHAVIOUR maps FILE as m0, m1, ... and speaks with the daemon by
 * hand (wire.h), so that it can do what the library never would. It prints "here" when it has sent
 * its table, and a line for each packet: "ask", "go" or "withdrawn".
 */
#include "format/wire.h"
#include "libpmem2fs.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define COUNT_MAX 100

static struct pmem2_map *maps[COUNT_MAX];
static uint32_t slots[COUNT_MAX];
static int daemon_socket;

static void need(bool good, const char *what)
{
	if (!good) {
		perror(what);
		exit(1);
	}
}

static void map(const char *path, int number)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct pmem2_source *file = NULL;
	struct pmem2_config *config = NULL;
	char label[32];

	need(!pmem2_source_from_fd(&file, fd) && !pmem2_config_new(&config), path);
	pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE);
	pmem2fs_config_set_label(config, label,
				 (size_t)snprintf(label, sizeof(label), "m%d", number));
	need(!pmem2_map_new(&maps[number], config, file), "pmem2_map_new");
	need(!pmem2fs_map_get_slot(maps[number], &slots[number]), "the slot");
	pmem2_config_delete(&config);
	pmem2_source_delete(&file);
	close(fd);
}

static void hand_over(const char *path, int table)
{
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct wire_message hello = {.magic = WIRE_MAGIC, .type = WIRE_TABLE, .flags = WIRE_STAYS};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct iovec iov = {.iov_base = &hello, .iov_len = sizeof(hello)};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	struct stat st;

	need(!fstat(table, &st), "the table");
	hello.table = st.st_ino;
	*CMSG_FIRSTHDR(&message) = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
						    .cmsg_type = SCM_RIGHTS,
						    .cmsg_len = CMSG_LEN(sizeof(int))};
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &table, sizeof(table));
	strcpy(address.sun_path, path);
	daemon_socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	need(!connect(daemon_socket, (struct sockaddr *)&address, sizeof(address)), path);
	need(sendmsg(daemon_socket, &message, 0) == sizeof(hello), "sendmsg");
	close(table);
}

static void answer(const struct wire_message *question, enum wire_type type, int error)
{
	const struct wire_message message = {
		.magic = WIRE_MAGIC, .type = type, .request = question->request, .error = error};

	send(daemon_socket, &message, sizeof(message), MSG_NOSIGNAL);
}

static struct pmem2_map **map_in(uint32_t slot)
{
	static struct pmem2_map *none;

	for (int i = 0; i < COUNT_MAX; i++)
		if (maps[i] && slots[i] == slot)
			return &maps[i];
	return &none;
}

static void asked(const struct wire_message *question, const char *behaviour)
{
	if (!strcmp(behaviour, "own")) /* the process unmaps it by itself at this moment */
		answer(question, WIRE_DONE, pmem2_unmap(map_in(question->slot)) ? -EIO : -ENOENT);
	else if (!strcmp(behaviour, "gone"))
		exit(0);
	else if (strcmp(behaviour, "mute"))
		answer(question, WIRE_READY, 0);
}

static void go_received(const struct wire_message *question, uint32_t slot, const char *behaviour)
{
	char byte;

	if (!strcmp(behaviour, "crash")) {
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	if (!strcmp(behaviour, "hang"))
		need(read(STDIN_FILENO, &byte, 1) == 1, "stdin");
	if (!strcmp(behaviour, "slow"))
		usleep(250000); /* almost all of the time that rm waits */
	if (!strcmp(behaviour, "refuse") || !strcmp(behaviour, "slow"))
		answer(question, WIRE_DONE, -EXDEV);
	else if (!strcmp(behaviour, "lie"))
		answer(question, WIRE_DONE, 0);
	else
		answer(question, WIRE_DONE, pmem2_unmap(map_in(slot)));
}

int main(int argc, char **argv)
{
	static const char *const words[] = {
		[WIRE_ASK] = "ask", [WIRE_GO] = "go", [WIRE_WITHDRAWN] = "withdrawn"};
	struct wire_message message;
	uint32_t slot = 0;
	int table;

	if (argc != 5)
		return 2;
	need(!pmem2fs_table_export(&table), "pmem2fs_table_export");
	for (int i = 0; i < atoi(argv[3]) && i < COUNT_MAX; i++)
		map(argv[2], i);
	hand_over(argv[1], table);
	setlinebuf(stdout);
	puts("here");
	while (recv(daemon_socket, &message, sizeof(message), 0) == sizeof(message)) {
		puts(words[message.type]);
		if (message.type == WIRE_ASK) {
			slot = message.slot;
			asked(&message, argv[4]);
		} else if (message.type == WIRE_GO) {
			go_received(&message, slot, argv[4]);
		}
	}
	return 0;
}
