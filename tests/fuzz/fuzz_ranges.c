/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_ranges.c - whatever a process publishes, published and observed ranges are what its areas
 * say, and share no address
 */
#include "fuzz.h"
#include "host/proc.h"
#include "scan/observed_ranges.h"
#include "scan/published_ranges.h"
#include <string.h>
#include <sys/sysmacros.h>

#define PAGE      4096ull
#define FIRST     16 /* page of the first area that is possible */
#define PAGES     1024
#define AREAS_MAX 48

/* The files of areas and records. */
enum file {
	MEMORY, /* none */
	PLAIN,
	DAX,
	OTHER_DAX,
};

#define DEVICE makedev(259, 1)

/* Which area has a page; NULL: none. */
static const struct maps_area *area_of_page[PAGES];

/* In place of dax.c. */
const struct dax_file *dax_find(struct dax *dax, const struct maps *maps,
				const struct maps_area *area)
{
	static struct dax_file file;

	(void)dax;
	(void)maps;
	file = (struct dax_file){.type = PMEM2FS_SOURCE_FSDAX,
				 .dev = DEVICE,
				 .inode = area->inode,
				 .alignment = PAGE};
	return area->inode == DAX || area->inode == OTHER_DAX ? &file : NULL;
}

bool dax_is_file(struct dax *dax, const struct maps *maps, const struct maps_area *area, dev_t dev,
		 uint64_t inode)
{
	(void)dax;
	(void)maps;
	return dev == makedev(0, 99) && inode == area->inode;
}

dev_t dax_shmem(const struct dax *dax)
{
	(void)dax;
	return makedev(0, 1);
}

/* In place of proc.c: the areas are not read. */
int proc_open(pid_t pid, const char *name)
{
	(void)pid;
	(void)name;
	abort();
}

/* Four bytes of the input: place, length, file, offset. */
struct item {
	uint8_t place, length, file, offset;
};

static size_t take_areas(struct maps *maps, const struct item *items, size_t count)
{
	uint64_t page = FIRST;
	size_t i;

	memset(area_of_page, 0, sizeof(area_of_page));
	for (i = 0; i < count && i < AREAS_MAX && items[i].length; i++) {
		struct maps_area *area = &maps->list[i];
		uint64_t begin = page + items[i].place % 4, end = begin + 1 + items[i].length % 8;

		*area = (struct maps_area){
			.begin = begin * PAGE,
			.end = end * PAGE,
			.protection = items[i].file >> 5,
			.shared = items[i].file & 16,
			.inode = items[i].file % 4,
		};
		if (area->inode) {
			area->dev = DEVICE;
			area->offset = items[i].offset % 16 * PAGE;
		}
		for (page = begin; page < end; page++)
			area_of_page[page] = area;
	}
	maps->count = i;
	return i + (i < count); /* an item without length ends the areas */
}

static struct pmem2fs_record record_of(const struct item *item)
{
	struct pmem2fs_record record = {
		.address = (FIRST + item->place) * PAGE,
		.length = (1 + item->length % 32) * PAGE - (item->file & 64),
		.source_type = item->file % 4 ? PMEM2FS_SOURCE_FILE : PMEM2FS_SOURCE_ANONYMOUS,
		.sharing = item->file & 16 ? PMEM2_SHARED : PMEM2_PRIVATE,
	};

	if (item->file % 4) {
		record.source_dev = item->file & 128 ? makedev(0, 99) : DEVICE;
		record.source_inode = item->file % 4;
		record.offset = item->offset % 16 * PAGE;
	}
	return record;
}

/* Whether the area shows, at this page, what the record says is there. */
static bool confirms(const struct maps_area *area, const struct pmem2fs_record *record,
		     uint64_t page)
{
	if (!area || area->inode != record->source_inode)
		return false;
	return !area->inode || page * PAGE - area->begin + area->offset ==
				       page * PAGE - record->address + record->offset;
}

static void check_published(const struct published_ranges *published, bool *taken)
{
	for (size_t i = 0; i < published->part_count; i++) {
		const struct published_part *part = &published->parts[i];
		const struct published_range *range = &published->list[part->range];

		REQUIRE(part->begin < part->end && !range->refused);
		REQUIRE(range->begin <= part->begin && part->end <= range->end);
		REQUIRE(i == 0 || part[-1].end <= part->begin);
		for (uint64_t page = part->begin / PAGE; page < part->end / PAGE; page++) {
			REQUIRE(confirms(area_of_page[page], &published->records[range->record],
					 page));
			taken[page] = true;
		}
	}
}

static void check_observed(const struct observed_ranges *observed, bool *taken)
{
	for (size_t i = 0; i < observed->count; i++) {
		const struct observed_range *range = &observed->list[i];

		REQUIRE(range->begin < range->end);
		REQUIRE(i == 0 || range[-1].end <= range->begin);
		for (uint64_t page = range->begin / PAGE; page < range->end / PAGE; page++) {
			const struct maps_area *area = area_of_page[page];

			REQUIRE(area && area->inode == range->file.inode && !taken[page]);
			REQUIRE(page * PAGE - area->begin + area->offset ==
				page * PAGE - range->begin + range->offset);
			taken[page] = true;
		}
	}
	for (size_t page = 0; page < PAGES; page++)
		REQUIRE(taken[page] || !area_of_page[page] || area_of_page[page]->inode < DAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct item *items = (const struct item *)data;
	struct maps_area areas[AREAS_MAX];
	struct maps maps = {.list = areas};
	struct published_ranges published = {.maps = &maps, .seed = 1};
	struct observed_ranges observed;
	bool taken[PAGES] = {false};

	for (size_t i = take_areas(&maps, items, size / sizeof(*items)); i < size / sizeof(*items);
	     i++) {
		struct pmem2fs_record record = record_of(&items[i]);
		struct published_range *range;

		REQUIRE(published_ranges_add(&published, &record, &range) == 0);
		if (range)
			REQUIRE(published_ranges_keep_record(&published, range, &record) == 0);
	}
	REQUIRE(published_ranges_settle(&published) == 0);
	check_published(&published, taken);
	REQUIRE(observed_ranges_find(&observed, &published) == 0);
	check_observed(&observed, taken);
	observed_ranges_clear(&observed);
	published_ranges_clear(&published);
	return 0;
}
