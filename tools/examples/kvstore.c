/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvstore.c - a small key-value store in persistent memory, which gives it back when asked
 *
 * usage: kvstore [--format] PATH
 *
 * PATH is a file, on a file system with DAX or without, or a device-DAX node. A file that is not
 * there is made, and it or an empty one becomes a store. Whatever else holds no store is left
 * alone, a device too, for zeros at its start say nothing of what is behind them: --format makes
 * it one and destroys what is there.
 *
 * Commands come from stdin, one a line: set KEY VALUE, get KEY, del KEY, list, hold, unhold, open,
 * quit. Each line gets one answer; what has no newline at the end is none. Only one program may
 * have a store open.
 *
 * It shows two things. How to store so that whatever the power does, each key has its old value or
 * its new one: see put(). And how to let an administrator have the region without ending the
 * program: see give_back(), open_again() and main().
 */
#include <errno.h>
#include <fcntl.h>
#include <libpmem2fs.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC        0x3165726f7473766bull /* "kvstore1", as little-endian bytes */
#define NEW_SIZE     (1 << 20)             /* of a file that is made or empty */
#define KEY_LENGTH   55
#define VALUE_LENGTH 95
#define LINE_LENGTH  255

/* What `state` says of an entry. Reading and writing it cannot be interrupted by a power failure.
 */
enum { EMPTY, FIRST, SECOND, DELETED }; /* FIRST and SECOND: which of the values counts */

struct entry {
	uint64_t state;
	char key[KEY_LENGTH + 1];
	char value[2][VALUE_LENGTH + 1];
};

struct header {
	uint64_t magic; /* written last: the rest is there */
	uint64_t entries;
	char unused[sizeof(struct entry) - 16];
};

static struct {
	const char *path;
	struct stat source;    /* what was mapped first */
	bool fresh;            /* to be formatted */
	bool held;             /* it must not be taken away just now */
	struct pmem2_map *map; /* NULL: released */
	pmem2_persist_fn persist;
	struct header *header;
	struct entry *entry; /* header->entries of them, an open-addressing hash table */
} store;

/*
 * The release handler. It is called by pmem2fs_dispatch, so in main() between two commands; in a
 * program with threads it would take the lock that guards the store. After a successful
 * pmem2_unmap nothing may use the region.
 */
static int give_back(struct pmem2_map *map, void *arg)
{
	int ret;

	(void)arg;
	if (store.held)
		return -EBUSY;
	ret = pmem2_unmap(&map);
	if (!ret)
		store.map = NULL;
	return ret;
}

static void format(size_t size)
{
	pmem2_memset_fn set = pmem2_get_memset_fn(store.map);

	set(store.header, 0, size, 0);
	store.header->entries = size / sizeof(struct entry) - 1;
	store.persist(&store.header->entries, sizeof(store.header->entries));
	store.header->magic = MAGIC;
	store.persist(&store.header->magic, sizeof(store.header->magic));
}

static bool use(void)
{
	size_t size = pmem2_map_get_size(store.map);

	store.persist = pmem2_get_persist_fn(store.map);
	store.header = pmem2_map_get_address(store.map);
	store.entry = (struct entry *)(store.header + 1);
	if (size < 2 * sizeof(struct entry)) {
		fprintf(stderr, "%s: too small\n", store.path);
		return false;
	}
	if (store.fresh)
		format(size);
	store.fresh = false;
	if (store.header->magic != MAGIC ||
	    store.header->entries > size / sizeof(struct entry) - 1) {
		fprintf(stderr, "%s: holds something else (see --format)\n", store.path);
		return false;
	}
	return true;
}

static int open_first(void)
{
	int fd = open(store.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || fstat(fd, &store.source))
		goto fail;
	if (S_ISREG(store.source.st_mode) && store.source.st_size == 0) {
		/* With its blocks, for a store into a hole that cannot be filled is a SIGBUS. */
		errno = posix_fallocate(fd, 0, NEW_SIZE);
		if (errno)
			goto fail;
		store.fresh = true;
	}
	return fd;
fail:
	perror(store.path);
	if (fd >= 0)
		close(fd);
	return -1;
}

/*
 * After a release the file system may have been unmounted, or the device disabled. Then another
 * file may have the name, or none: data stored there would be lost when the right one is back. A
 * node that was disabled and enabled again has another inode.
 */
static int open_again(void)
{
	const struct stat *first = &store.source;
	int fd = open(store.path, O_RDWR | O_CLOEXEC);
	struct stat now;

	if (fd < 0 || fstat(fd, &now)) {
		perror(store.path);
	} else if ((now.st_mode & S_IFMT) != (first->st_mode & S_IFMT) ||
		   (S_ISREG(now.st_mode)
			    ? now.st_dev != first->st_dev || now.st_ino != first->st_ino
			    : now.st_rdev != first->st_rdev)) {
		fprintf(stderr, "%s: is something else now, the store is not there\n", store.path);
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Maps the store if it is not, and says by what name and how it can be asked for. */
static bool map_store(void)
{
	struct pmem2_source *source = NULL;
	struct pmem2_config *config = NULL;
	int fd;

	if (store.map)
		return true;
	fd = store.source.st_mode ? open_again() : open_first();
	if (fd < 0)
		return false;
	if (pmem2_source_from_fd(&source, fd) || pmem2_config_new(&config) ||
	    pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE) ||
	    pmem2fs_config_set_label(config, "kvstore", strlen("kvstore")) ||
	    pmem2_map_new(&store.map, config, source))
		pmem2_perror("%s", store.path);
	else if (!use())
		pmem2_unmap(&store.map);
	else if (pmem2fs_map_set_release_handler(store.map, give_back, NULL))
		pmem2_perror("%s cannot be given back", store.path);
	/* The mapping needs none of them, and an open file would keep its file system mounted. */
	pmem2_config_delete(&config);
	pmem2_source_delete(&source);
	close(fd);
	return store.map;
}

static bool is_used(const struct entry *entry)
{
	return entry->state == FIRST || entry->state == SECOND;
}

static const char *value_of(const struct entry *entry)
{
	return entry->value[entry->state == SECOND];
}

static uint64_t hash(const char *key)
{
	uint64_t sum = 14695981039346656037ull; /* FNV-1a */

	while (*key)
		sum = (sum ^ (unsigned char)*key++) * 1099511628211ull;
	return sum;
}

/* The entry with that key, or NULL and in *room (may be NULL) one that is free for it, or NULL. */
static struct entry *find_entry(const char *key, struct entry **room)
{
	struct entry *first_free = NULL;
	struct entry *found = NULL;
	uint64_t at = hash(key);

	for (uint64_t i = 0; i < store.header->entries && !found; i++) {
		struct entry *entry = &store.entry[(at + i) % store.header->entries];

		if (is_used(entry) && !strncmp(entry->key, key, sizeof(entry->key)))
			found = entry;
		else if (!is_used(entry) && !first_free)
			first_free = entry;
		if (entry->state == EMPTY)
			break;
	}
	if (room)
		*room = first_free;
	return found;
}

/* Until this store everything is as it was, and it comes after what it makes valid. */
static void commit(struct entry *entry, uint64_t state)
{
	__atomic_store_n(&entry->state, state, __ATOMIC_RELEASE);
	store.persist(&entry->state, sizeof(entry->state));
}

static void copy(char *to, size_t size, const char *text)
{
	memset(to, 0, size);
	memcpy(to, text, strlen(text));
}

/*
 * The value goes where none counts, in the same entry or a free one, and is made persistent before
 * the one word that says that it counts.
 */
static bool put(const char *key, const char *value)
{
	struct entry *room;
	struct entry *entry = find_entry(key, &room);
	bool second = entry && entry->state == FIRST;

	if (!entry) {
		if (!room)
			return false;
		entry = room;
		copy(entry->key, sizeof(entry->key), key);
	}
	copy(entry->value[second], sizeof(entry->value[second]), value);
	store.persist(entry, sizeof(*entry));
	commit(entry, second ? SECOND : FIRST);
	return true;
}

static const char *get(const char *key)
{
	static char text[VALUE_LENGTH + 1];
	const struct entry *entry = find_entry(key, NULL);

	return entry ? memcpy(text, value_of(entry), VALUE_LENGTH) : "not found";
}

static const char *del(const char *key)
{
	struct entry *entry = find_entry(key, NULL);

	if (!entry)
		return "not found";
	commit(entry, DELETED);
	return "ok";
}

static const char *list(void)
{
	for (struct entry *e = store.entry; e < store.entry + store.header->entries; e++) {
		if (is_used(e))
			printf("%.*s %.*s\n", KEY_LENGTH, e->key, VALUE_LENGTH, value_of(e));
	}
	return "ok";
}

/* Carries out a command and returns the answer. */
static const char *obey(char *line)
{
	const char *command = strsep(&line, " ");
	const char *key = line ? strsep(&line, " ") : "";
	const char *value = line ? line : "";
	bool has_key =
		!strcmp(command, "set") || !strcmp(command, "get") || !strcmp(command, "del");

	if (has_key != (*key != '\0') || strlen(key) > KEY_LENGTH || strlen(value) > VALUE_LENGTH)
		return "error: no such command";
	/* A read does not map a released region again; a command that writes has to. */
	if (!strcmp(command, "get"))
		return store.map ? get(key) : "released";
	if (!strcmp(command, "list"))
		return store.map ? list() : "released";
	if (!strcmp(command, "unhold"))
		store.held = false;
	else if (!map_store())
		return "error: cannot be mapped";
	else if (!strcmp(command, "set"))
		return put(key, value) ? "ok" : "error: full";
	else if (!strcmp(command, "del"))
		return del(key);
	else if (!strcmp(command, "hold"))
		store.held = true;
	else if (strcmp(command, "open"))
		return "error: no such command";
	return "ok";
}

/* Takes what there is of stdin, never more: while somebody waits for the rest of a line, the region
 * could not be given back. False: that was the last. */
static bool serve(void)
{
	static char line[LINE_LENGTH + 1];
	static size_t length; /* of the line, up to now; LINE_LENGTH + 1: too long */
	char input[256];
	ssize_t n = read(STDIN_FILENO, input, sizeof(input));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	for (ssize_t i = 0; i < n; i++) {
		if (input[i] != '\n') {
			if (length < LINE_LENGTH)
				line[length] = input[i];
			length += length <= LINE_LENGTH;
			continue;
		}
		if (length > LINE_LENGTH || memchr(line, '\0', length)) {
			puts("error: no such command");
		} else {
			line[length] = '\0';
			if (!strcmp(line, "quit"))
				return false;
			puts(obey(line));
		}
		length = 0;
	}
	return n;
}

int main(int argc, char *argv[])
{
	/* Readable when somebody asks for the region. Without, -1, which poll passes over. */
	struct pollfd wait[2] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = pmem2fs_get_fd(), .events = POLLIN},
	};
	bool more = true;

	store.fresh = argc == 3 && !strcmp(argv[1], "--format");
	if (argc != 2 + store.fresh || argv[argc - 1][0] == '-') {
		fprintf(stderr, "usage: %s [--format] PATH\n", argv[0]);
		return 2;
	}
	store.path = argv[argc - 1];
	setlinebuf(stdout);
	if (!map_store())
		return 1;
	while (more) {
		if (poll(wait, 2, -1) < 0)
			continue;
		if (wait[1].revents)
			pmem2fs_dispatch();
		if (wait[0].revents)
			more = serve();
	}
	pmem2_unmap(&store.map);
	return 0;
}
