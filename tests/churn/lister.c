// SPDX-License-Identifier: BSD-3-Clause
/*
 * lister.c - the processes of the churn program that read the mount and remove entries
 */
#include "churn.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BATCH          32u
#define ANSWER_SECONDS 60

static const char *path_of(const char *name)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/%s", arena->mount, name);
	return path;
}

static bool exists(const char *name)
{
	struct stat st;

	if (stat(path_of(name), &st) == 0)
		return true;
	must(errno == ENOENT, "stat %s: %s", name, strerror(errno));
	return false;
}

void look(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	static const char question[] = "{\"look\":1}";
	const struct timeval limit = {.tv_sec = ANSWER_SECONDS};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char answer[4096];
	ssize_t got;

	strncpy(address.sun_path, arena->socket, sizeof(address.sun_path) - 1);
	must(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
	     setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0);
	must(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	must(send(fd, question, strlen(question), MSG_NOSIGNAL) == (ssize_t)strlen(question));
	got = recv(fd, answer, sizeof(answer) - 1, 0);
	must(got > 0, "no answer to \"look\" in %d s: %s", ANSWER_SECONDS, strerror(errno));
	answer[got] = '\0';
	must(strstr(answer, "\"errno\":0"), "look: %s", answer);
	close(fd);
}

static void check_document(const char *name, const struct entry *entry, pid_t pid, char *text,
			   size_t length)
{
	char wanted[320];

	text[length] = '\0';
	must(length > 2 && text[0] == '{' && !strcmp(text + length - 2, "}\n"), "%s", text);
	snprintf(wanted, sizeof(wanted), "\"name\": \"%s\"", name);
	must(strstr(text, wanted), "%s", text);
	snprintf(wanted, sizeof(wanted), "\"pid\": %d,", (int)pid);
	must(strstr(text, wanted), "%s", text);
	must(strstr(text, "\"origin\": \"published\""), "%s", text);
	if (!entry->mapped)
		return;
	snprintf(wanted, sizeof(wanted), "\"address\": \"%#lx\"", (unsigned long)entry->address);
	must(strstr(text, wanted), "not %s: %s", wanted, text);
}

static void cat(const char *name, const struct entry *entry, pid_t pid)
{
	int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
	static char text[65536];
	size_t length = 0;
	ssize_t got;

	if (fd < 0) {
		must(errno == ENOENT, "open %s: %s", name, strerror(errno));
		must(accounted(entry), "%s was lost", name);
		return;
	}
	while ((got = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)got;
	must(got == 0, "read %s: %s", name, strerror(errno));
	close(fd);
	check_document(name, entry, pid, text, length);
	count(&arena->read);
}

/* Waits for the owner to run and to record that the mapping is gone. */
static void await_gone(const char *name, const struct entry *entry)
{
	for (int i = 0; i < 10000 && !entry->unmapped; i++) {
		if (arena->process[entry->process].ending)
			return;
		nap(1000);
	}
	must(entry->unmapped == 1, "%s was removed, but not unmapped", name);
}

static void rm(const char *name, struct entry *entry)
{
	int error;

	atomic_fetch_add(&entry->asked, 1);
	error = unlink(path_of(name)) == 0 ? 0 : errno;
	switch (error) {
	case 0:
		must(!exists(name), "%s is still there after rm", name);
		must(!entry->refuses || accounted(entry), "%s: it had refused", name);
		await_gone(name, entry);
		count(&arena->removed);
		break;
	case ENOENT:
		must(accounted(entry), "%s was lost", name);
		count(&arena->vanished);
		break;
	case REFUSAL:
		must(entry->refuses, "%s did not refuse", name);
		must(exists(name) || accounted(entry), "%s was lost after it refused", name);
		count(&arena->refused);
		break;
	case EBUSY:
		must(exists(name) || accounted(entry), "%s was lost after EBUSY", name);
		count(&arena->busy);
		break;
	default:
		must(false, "rm %s: %s", name, strerror(error));
	}
}

static void visit(const char *name)
{
	struct entry *entry;
	pid_t pid;

	if (strncmp(name, COMM ".", strlen(COMM) + 1) != 0)
		return;
	entry = entry_of(name, &pid);
	/* Without its label yet, or just inherited: its state is not known. */
	if (!entry || !entry->mapped || arena->process[entry->process].pid != pid)
		return;
	switch (dice(8)) {
	case 0:
	case 1:
		if (!exists(name))
			must(accounted(entry), "%s was lost", name);
		break;
	case 2:
	case 3:
		cat(name, entry, pid);
		break;
	case 4:
		rm(name, entry);
		break;
	}
}

_Noreturn void run_lister(void)
{
	while (!arena->stop) {
		DIR *dir = opendir(arena->mount);
		struct dirent *d;

		must(dir, "%s", strerror(errno));
		while ((errno = 0, d = readdir(dir)) && !arena->stop) {
			visit(d->d_name);
			rest();
		}
		must(errno == 0, "readdir: %s", strerror(errno));
		closedir(dir);
		count(&arena->listed);
		nap(dice(2000));
	}
	_exit(0);
}

/*
 * A mapping that is certainly gone does not show after a scan; one that does not show is accounted
 * for.
 */
_Noreturn void run_checker(void)
{
	while (!arena->stop) {
		unsigned gone[BATCH], there[BATCH], gone_count = 0, there_count = 0;
		unsigned entries = arena->entries;

		for (unsigned i = 0; i < 8 * BATCH && entries; i++) {
			unsigned range = entries < 2000 ? entries : 2000;
			unsigned number = entries - 1 - dice(range);
			const struct entry *entry = &arena->entry[number];

			if (!entry->mapped)
				continue;
			if (surely_gone(entry) && gone_count < BATCH)
				gone[gone_count++] = number;
			else if (!accounted(entry) && there_count < BATCH)
				there[there_count++] = number;
		}
		look();
		for (unsigned i = 0; i < gone_count; i++)
			must(!exists(name_of(gone[i])), "%s is stale", name_of(gone[i]));
		for (unsigned i = 0; i < there_count; i++)
			must(exists(name_of(there[i])) || accounted(&arena->entry[there[i]]),
			     "%s was lost", name_of(there[i]));
		atomic_fetch_add(&arena->checked, gone_count + there_count);
		rest();
		nap(20000);
	}
	_exit(0);
}
