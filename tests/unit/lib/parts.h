/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parts.h - mappings of a few pages, for tests that unmap some of them
 *
 * With PMEM2FS_TEST_DEVDAX, the path of a device-DAX node, the mappings are of that node, in pages
 * of its alignment; otherwise of anonymous memory.
 */
#ifndef PMEM2FS_TEST_PARTS_H
#define PMEM2FS_TEST_PARTS_H

#include "unmapping.h"

#define PAGES 8

static const char *node; /* of device DAX; NULL: files and anonymous memory */
static size_t page = PAGE;

/* The first pages of the node, or anonymous memory. */
static inline struct pmem2_map *map_pages(size_t pages)
{
	struct pmem2_config *config = page_config();
	struct pmem2_source *source;
	struct pmem2_map *map;
	int fd = -1;

	if (node) {
		fd = open(node, O_RDWR | O_CLOEXEC);
		assert_true(fd >= 0);
		source = fd_source(fd);
		assert_ok(pmem2_config_set_length(config, pages * page));
	} else {
		source = anon_source(pages * page);
	}
	assert_ok(pmem2_map_new(&map, config, source));
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
	if (fd >= 0)
		close(fd);
	return map;
}

static inline char *page_of(struct pmem2_map *map, size_t number)
{
	return (char *)pmem2_map_get_address(map) + number * page;
}

/* Which pages of a mapping are mapped, as "x" and "-". */
static inline const char *picture(struct pmem2_map *map, size_t pages)
{
	static char text[64];

	for (size_t i = 0; i < pages; i++)
		text[i] = is_mapped(page_of(map, i)) ? 'x' : '-';
	text[pages] = '\0';
	return text;
}

static inline void check(struct pmem2_map *map, const char *expected)
{
	assert_string_equal(picture(map, strlen(expected)), expected);
}

static inline void *map_there(void *address)
{
	void *p = mmap(address, page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	assert_ptr_equal(p, address);
	return p;
}

static inline size_t alignment_of(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct pmem2_source *source = NULL;
	size_t alignment = 0;

	if (fd < 0 || pmem2_source_from_fd(&source, fd) ||
	    pmem2_source_alignment(source, &alignment)) {
		fprintf(stderr, "%s: %s\n", path, fd < 0 ? strerror(errno) : pmem2_errormsg());
		exit(2);
	}
	pmem2_source_delete(&source);
	close(fd);
	return alignment;
}

/* Must be called first. */
static inline void choose_node(void)
{
	node = getenv("PMEM2FS_TEST_DEVDAX");
	if (node)
		page = alignment_of(node);
}

#endif
