/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_question.c - whatever is asked over the socket, there is one answer, and nothing is left
 * open
 *
 * The modules that carry questions out are replaced: they answer at once.
 */
#include "base/clock.h"
#include "catalog/catalog.h"
#include "catalog/events.h"
#include "change/changes.h"
#include "change/failure.h"
#include "change/mapper.h"
#include "control/carry_out.h"
#include "control/document_question.h"
#include "control/list_terms.h"
#include "fuse/invalidate.h"
#include "fuzz.h"
#include "mount/where.h"
#include "receive/receivers.h"
#include "scan/process_table.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static unsigned answers;

static void take_answer(struct question *question, json_t *message)
{
	(void)question;
	REQUIRE(json_is_integer(json_object_get(message, "errno")));
	answers++;
	json_decref(message);
}

void question_answer(struct question *question, int error, const char *why)
{
	REQUIRE(error >= 0 && (!error || why[0]));
	question->answer(question, json_pack("{s:i}", "errno", error));
}

bool question_may_use_root(const struct question *question, unsigned want)
{
	(void)question;
	(void)want;
	return true;
}

void receivers_close_file(struct receivers *receivers, int fd, uid_t uid, uint64_t until,
			  struct receive *receive)
{
	(void)receivers;
	(void)uid;
	(void)until;
	REQUIRE(!receive);
	close(fd);
}

void mapper_map(const struct mapper *mapper, const char *name, struct request *request, uid_t uid,
		gid_t gid, struct identity *identity, int fd, pid_t peer, completion *finished,
		void *arg, struct map_job **job)
{
	(void)mapper;
	(void)uid;
	(void)gid;
	(void)peer;
	(void)job;
	REQUIRE(name[0] && strlen(name) <= NAME_LENGTH_MAX && !strchr(name, '/') && !identity);
	REQUIRE(!request->path && request->anonymous == (fd < 0));
	if (fd >= 0)
		close(fd);
	request_clear(request);
	finished(arg, EBUSY, "x");
}

/* Names that begin with a letter before m are those of mappings. */
struct mapping *catalog_find(const struct catalog *catalog, const char *name)
{
	static char mapping;

	(void)catalog;
	return name[0] < 'm' ? (struct mapping *)&mapping : NULL;
}

const char *mapping_name(const struct mapping *mapping)
{
	(void)mapping;
	return "name";
}

static void check_patience(uint64_t patience)
{
	REQUIRE(patience >= CLOCK_SECOND / 4 && patience <= 86400 * CLOCK_SECOND);
}

void changes_unmap(const struct changes *changes, struct mapping *mapping, uid_t uid,
		   uint64_t patience, completion *finished, void *arg, struct change_job **job)
{
	(void)changes;
	(void)uid;
	(void)job;
	REQUIRE(mapping);
	check_patience(patience);
	finished(arg, 0, NULL);
}

void changes_unmap_range(const struct changes *changes, struct mapping *mapping, uint64_t offset,
			 uint64_t length, uid_t uid, uint64_t patience, completion *finished,
			 void *arg)
{
	(void)changes;
	(void)uid;
	REQUIRE(mapping && offset <= INT64_MAX);
	REQUIRE(length <= INT64_MAX || length == CHANGES_TO_THE_END);
	check_patience(patience);
	finished(arg, EINVAL, "x");
}

/* A mapping that is compared with each filter. */
void version_record(const struct version *version, struct pmem2fs_record *record)
{
	(void)version;
	*record = (struct pmem2fs_record){.source_type = PMEM2FS_SOURCE_FILE, .source_inode = 7};
}

const char *version_state(const struct version *version)
{
	(void)version;
	return "active";
}

uint64_t version_mapped(const struct version *version)
{
	(void)version;
	return 0;
}

void document_question_list(struct question *question, const struct list_terms *terms)
{
	static const struct extents nothing;
	struct device device = {.is.region = "region0"};
	struct list_terms mine = *terms;

	for (int pending = 0; pending < 2; pending++) {
		struct version version = {.pending = pending};

		REQUIRE(mapping_filter_match(mine.filter, &version, true) <= MATCH_YES);
		version.device = &device;
		version.extents = (struct extents *)&nothing;
		if (!pending)
			REQUIRE(mapping_filter_match(mine.filter, &version, true) !=
				MATCH_UNDECIDED);
		list_terms_need_facts(&mine, &version);
	}
	list_terms_clear(&mine);
	question_answer(question, 0, NULL);
}

void document_question_show(struct question *question, char *name)
{
	free(name);
	question_answer(question, 0, NULL);
}

int mount_where(dev_t dev, const char *usual, char **path)
{
	(void)dev;
	*path = strdup(usual);
	return 0;
}

int pool_submit(struct pool *pool, struct task *task)
{
	(void)pool;
	task->run(task);
	task->done(task);
	return 0;
}

void events_subscribe(struct events *events, struct subscriber *subscriber)
{
	(void)events;
	(void)subscriber;
}

void process_table_scan_for_user(struct process_table *process_table, struct user_scan *user_scan)
{
	(void)process_table;
	user_scan->done(user_scan, 0);
}

bool process_table_complete(const struct process_table *process_table)
{
	(void)process_table;
	return true;
}

uint64_t catalog_removed(const struct catalog *catalog)
{
	(void)catalog;
	return 0;
}

void failure_report(struct events *events, const char *operation, const char *name, uid_t uid,
		    int error, const char *why)
{
	(void)events;
	(void)operation;
	(void)name;
	(void)uid;
	REQUIRE(error > 0 && why[0]);
}

void invalidate_name(const struct invalidate *invalidate, const char *name)
{
	(void)invalidate;
	REQUIRE(name);
}

struct leftovers *catalog_leftovers(struct catalog *catalog)
{
	(void)catalog;
	return NULL;
}

int invalidate_wait(struct invalidate *invalidate, const struct leftovers *leftovers,
		    struct waiter *waiter)
{
	(void)invalidate;
	(void)leftovers;
	(void)waiter;
	return 1;
}

/* Only for questions that are given up. */
void mapper_abandon(struct map_job *job)
{
	(void)job;
}

void changes_withdraw(struct change_job *job)
{
	(void)job;
}

void events_unsubscribe(struct events *events, struct subscriber *subscriber)
{
	(void)events;
	(void)subscriber;
}

void document_question_clear(struct document_question *documents)
{
	(void)documents;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct question_means means = {.mountpoint = "/m\xff"};

	for (int with_fd = 0; with_fd < 2; with_fd++) {
		struct question question = {.means = &means, .answer = take_answer};
		int fd = with_fd ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;

		answers = 0;
		question_carry_out(&question, (const char *)data, size, fd, NULL);
		REQUIRE(answers == 1);
		REQUIRE(fd < 0 || fcntl(fd, F_GETFD) == -1);
		REQUIRE(!question.name && !question.mountpoint);
	}
	return 0;
}
