/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cases_source.c - sources and configurations
 */
#include "compare.h"
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

static void describe(struct pmem2_source *src)
{
	size_t size = 77;
	size_t alignment = 77;
	int fd = -77;

	CALL(lib.source_size(src, &size));
	print_value("size", "%zu", size);
	CALL(lib.source_alignment(src, &alignment));
	print_value("alignment", "%zu", alignment);
	CALL(lib.source_get_fd(src, &fd));
	print_value("a descriptor", "%d", fd >= 0);
}

static void from_fd(const char *what, int fd)
{
	struct pmem2_source *const stale = (struct pmem2_source *)16;
	struct pmem2_source *src = stale;

	about("%s", what);
	if (CALL(lib.source_from_fd(&src, fd)) == 0) {
		int same = -1;

		NEED(lib.source_get_fd(src, &same) == 0 && same == fd);
		describe(src);
		CALL(lib.source_delete(&src));
	}
	print_value("src", "%s", src == stale ? "stale" : src ? "set" : "NULL");
}

static const size_t sizes[] = {
	0, 1, 511, 4095, 4096, 4097, 5000, 8192, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 1ul << 33,
};

static void source_of_files(void)
{
	static const struct {
		const char *name;
		int flags;
	} ways[] = {
		{"rdwr", O_RDWR},
		{"rdonly", O_RDONLY},
		{"wronly", O_WRONLY},
		{"append", O_RDWR | O_APPEND},
		{"nonblock", O_RDWR | O_NONBLOCK},
		{"sync", O_RDWR | O_SYNC},
		{"path", O_PATH},
		{"path-nofollow", O_PATH | O_NOFOLLOW},
	};
	const char *name = path_of("file");
	char link[300];
	size_t i;
	size_t j;

	snprintf(link, sizeof(link), "%s-link", name);
	NEED(symlink(name, link) == 0);
	for (i = 0; i < COUNT(sizes); i++) {
		int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

		NEED(fd >= 0 && ftruncate(fd, (off_t)sizes[i]) == 0);
		close(fd);
		for (j = 0; j < COUNT(ways); j++) {
			char what[64];

			snprintf(what, sizeof(what), "%s, %zu bytes", ways[j].name, sizes[i]);
			fd = open(name, ways[j].flags);
			NEED(fd >= 0);
			from_fd(what, fd);
			close(fd);
		}
	}
	for (j = 0; j < COUNT(ways); j++) {
		int fd = open(link, ways[j].flags);
		char what[64];

		snprintf(what, sizeof(what), "%s by a link", ways[j].name);
		NEED(fd >= 0);
		from_fd(what, fd);
		close(fd);
	}
	unlink(link);
	unlink(name);
}

static void source_of_others(void)
{
	static const struct {
		const char *name;
		int flags;
	} paths[] = {
		{"/", O_RDONLY},
		{"/", O_PATH},
		{"/dev/null", O_RDWR},
		{"/dev/null", O_RDONLY},
		{"/dev/null", O_WRONLY},
		{"/dev/zero", O_RDWR},
		{"/dev/urandom", O_RDONLY},
		{"/proc/self/maps", O_RDONLY},
		{"/proc/self/status", O_RDONLY},
		{"/sys/kernel/notes", O_RDONLY},
		{"/proc/self/ns/mnt", O_RDONLY},
	};
	static const int numbers[] = {-1, -2, INT32_MIN, INT32_MAX, 1000};
	int pair[2];
	size_t i;
	char what[64];
	int fd;

	for (i = 0; i < COUNT(paths); i++) {
		fd = open(paths[i].name, paths[i].flags);
		NEED(fd >= 0);
		snprintf(what, sizeof(what), "%s, flags %o", paths[i].name,
			 (unsigned)paths[i].flags);
		from_fd(what, fd);
		close(fd);
	}
	for (i = 0; i < COUNT(numbers); i++) {
		snprintf(what, sizeof(what), "descriptor %d", numbers[i]);
		from_fd(what, numbers[i]);
	}
	NEED(pipe(pair) == 0);
	from_fd("pipe to read", pair[0]);
	from_fd("pipe to write", pair[1]);
	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	from_fd("socket", pair[0]);
	fd = eventfd(0, 0);
	NEED(fd >= 0);
	from_fd("eventfd", fd);
	fd = memfd_create("compare", 0);
	NEED(fd >= 0 && ftruncate(fd, 5000) == 0);
	from_fd("memfd", fd);
	close(fd);
	from_fd("closed", fd);
	NEED(mknod("/dev/shm/pmem2fs-compare-fifo", S_IFIFO | 0600, 0) == 0);
	fd = open("/dev/shm/pmem2fs-compare-fifo", O_RDWR);
	unlink("/dev/shm/pmem2fs-compare-fifo");
	from_fd("fifo", fd);
}

static void source_over_time(void)
{
	int fd = new_file(5000);
	struct pmem2_source *src = new_source(fd);

	about("grown");
	NEED(ftruncate(fd, 9000) == 0);
	describe(src);
	about("emptied");
	NEED(ftruncate(fd, 0) == 0);
	describe(src);
	about("closed");
	close(fd);
	describe(src);
	CALL(lib.source_delete(&src));
	CALL(lib.source_delete(&src));
	print_value("src", "%d", !!src);
}

static void source_of_node(void)
{
	static const int flags[] = {O_RDWR, O_RDONLY, O_WRONLY, O_PATH};
	size_t i;

	for (i = 0; i < COUNT(flags); i++) {
		char what[32];
		int fd = open(folder_of(DEVDAX), flags[i]);

		NEED(fd >= 0);
		snprintf(what, sizeof(what), "flags %o", (unsigned)flags[i]);
		from_fd(what, fd);
		close(fd);
	}
}

static void source_of_anon(void)
{
	static const size_t more[] = {SIZE_MAX, SIZE_MAX / 2, 1ul << 47};
	size_t i;

	for (i = 0; i < COUNT(sizes) + COUNT(more); i++) {
		size_t size = i < COUNT(sizes) ? sizes[i] : more[i - COUNT(sizes)];
		struct pmem2_source *src = NULL;

		about("%zu bytes", size);
		if (CALL(lib.source_from_anon(&src, size)) == 0) {
			describe(src);
			CALL(lib.source_delete(&src));
		}
	}
}

static void config(void)
{
	static const size_t numbers[] = {
		0, 1, 4095, 4096, 4097, INT64_MAX, (size_t)INT64_MAX + 1, SIZE_MAX, PAGE * 512,
	};
	struct pmem2_config *cfg = NULL;
	unsigned bit;
	size_t i;
	int value;

	CALL(lib.config_new(&cfg));
	for (value = -2; value < 6; value++) {
		about("%d", value);
		CALL(lib.config_set_required_store_granularity(cfg, (enum pmem2_granularity)value));
		CALL(lib.config_set_sharing(cfg, (enum pmem2_sharing_type)value));
	}
	for (i = 0; i < COUNT(numbers); i++) {
		about("%zu", numbers[i]);
		CALL(lib.config_set_offset(cfg, numbers[i]));
		CALL(lib.config_set_length(cfg, numbers[i]));
		CALL(lib.config_set_vm_reservation(cfg, NULL, numbers[i]));
	}
	for (bit = 0; bit < 32; bit++) {
		about("bit %u", bit);
		print_value("protection", "%d", lib.config_set_protection(cfg, 1u << bit));
		print_value("with reading", "%d",
			    lib.config_set_protection(cfg, PMEM2_PROT_READ | 1u << bit));
	}
	about("protection");
	CALL(lib.config_set_protection(cfg, PMEM2_PROT_NONE));
	CALL(lib.config_set_protection(cfg, PMEM2_PROT_EXEC | PMEM2_PROT_READ | PMEM2_PROT_WRITE));
	CALL(lib.config_set_protection(cfg, UINT32_MAX));
	about("the end");
	CALL(lib.config_delete(&cfg));
	print_value("cfg", "%d", !!cfg);
	CALL(lib.config_delete(&cfg));
}

/* A setter that fails does not change the configuration. */
static void config_kept(void)
{
	struct pmem2_source *src = new_anon(4 * PAGE);
	struct pmem2_config *cfg = new_config();
	struct pmem2_map *map;

	CALL(lib.config_set_protection(cfg, PMEM2_PROT_READ));
	CALL(lib.config_set_length(cfg, 2 * PAGE));
	CALL(lib.config_set_offset(cfg, PAGE));
	CALL(lib.config_set_sharing(cfg, PMEM2_PRIVATE));
	CALL(lib.config_set_protection(cfg, PROT_READ | PROT_WRITE));
	CALL(lib.config_set_offset(cfg, SIZE_MAX));
	CALL(lib.config_set_sharing(cfg, (enum pmem2_sharing_type)3));
	CALL(lib.config_set_required_store_granularity(cfg, (enum pmem2_granularity)3));
	CALL(lib.map_new(&map, cfg, src));
	print_value("size", "%zu", lib.map_get_size(map));
	print_areas("areas", lib.map_get_address(map), lib.map_get_size(map));
}

static void messages(void)
{
	struct pmem2_source *src;
	struct pmem2_config *cfg;
	struct pmem2_map *map;
	char text[512];
	int saved = dup(STDERR_FILENO);
	int fd = memfd_create("stderr", 0);
	ssize_t length;
	char *colon;

	print_value("first message", "%zu bytes", strlen(lib.errormsg()));
	NEED(lib.config_new(&cfg) == 0);
	src = new_anon(PAGE);
	print_value("message after successes", "%zu bytes", strlen(lib.errormsg()));
	NEED(lib.map_new(&map, cfg, src) != 0);
	print_value("message after a failure", "%d", strlen(lib.errormsg()) > 0);
	snprintf(text, sizeof(text), "%s", lib.errormsg());
	NEED(lib.config_set_length(cfg, 0) == 0 && lib.source_delete(&src) == 0);
	print_value("the same after successes", "%d", strcmp(text, lib.errormsg()) == 0);

	NEED(saved >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	lib.perror("text %d %s", 42, "more");
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	length = pread(fd, text, sizeof(text) - 1, 0);
	NEED(length > 0);
	text[length] = '\0';
	colon = strchr(text, ':');
	NEED(colon);
	print_value("perror ends with the message", "%d",
		    strlen(colon) > 3 && text[length - 1] == '\n' &&
			    !strncmp(colon + 2, lib.errormsg(), strlen(lib.errormsg())) &&
			    colon + 2 + strlen(lib.errormsg()) + 1 == text + length);
	colon[2] = '\0';
	print_value("perror begins", "%s", text);
}

const struct test_case source_cases[] = {
	{.name = "source_of_files",
	 .run = source_of_files,
	 .places = ANY_FILE,
	 .unprivileged = true},
	{.name = "source_of_others", .run = source_of_others, .places = AT(NOWHERE)},
	{.name = "source_over_time", .run = source_over_time, .places = ANY_FILE},
	{.name = "source_of_node", .run = source_of_node, .places = AT(DEVDAX)},
	{.name = "source_of_anon", .run = source_of_anon, .places = AT(NOWHERE)},
	{.name = "config", .run = config, .places = AT(NOWHERE)},
	{.name = "config_kept", .run = config_kept, .places = AT(NOWHERE)},
	{.name = "messages", .run = messages, .places = AT(NOWHERE)},
	{0},
};
