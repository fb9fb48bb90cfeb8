/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pmem2ctl.h - what the files of pmem2ctl share
 *
 * pmem2ctl is a short-lived program of one thread: it asks the daemon over its socket, or reads the
 * files of the mount, and ends. Functions that can fail say why on stderr themselves, so that a
 * caller only decides whether to go on. Memory that runs out ends the program (needed()).
 */
#ifndef PMEM2CTL_H
#define PMEM2CTL_H

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum exit_status {
	STATUS_OK = 0,
	STATUS_FAILURE = 1,
	STATUS_USAGE = 2,
};

/* What was asked for on the command line. */
struct invocation {
	const struct command *command; /* NULL until it is known */
	const char *socket;            /* from --socket, or NULL */
};

struct command {
	const char *name;
	const char *operands;
	const char *summary; /* one line of `pmem2ctl --help` */
	const char *details; /* the rest of `pmem2ctl COMMAND --help` */
	/* Gets the arguments from the command's name on; returns the exit status. */
	int (*run)(struct invocation *invocation, int argc, char **argv);
};

extern const struct command command_map, command_unmap, command_list, command_show, command_events,
	command_holders;

/* The options that all commands have: for the end of the two lists that getopt_long takes. */
#define COMMON_SHORT_OPTIONS "s:hV"
/* clang-format off */
#define COMMON_LONG_OPTIONS                                                                        \
	{"socket", required_argument, NULL, 's'},                                                  \
	{"help", no_argument, NULL, 'h'},                                                          \
	{"version", no_argument, NULL, 'V'},                                                       \
	{NULL, 0, NULL, 0}
/* clang-format on */

/* Does what one of them says. Returns the exit status to end with, or -1 to go on. */
int common_option(struct invocation *invocation, int option);

/* Understands optarg, an amount of bytes that is called `what`. Returns as common_option. */
int size_option(const struct invocation *invocation, const char *what, int64_t *size);

/* Says what is wrong with the command line and where to find help; returns STATUS_USAGE. */
int wrong_usage(const struct invocation *invocation, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* report.c: stdout and stderr */

/* One line on stderr: "pmem2ctl: OBJECT: TEXT", safe for a terminal. OBJECT may be NULL. */
void report(const char *object, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns `memory`, or ends the program when it is NULL. */
void *needed(void *memory);

/* Writes to stdout. Returns 0, or a negative errno after saying why. */
int output(const char *bytes, size_t length);
int output_text(const char *text);
int output_flush(void);

/* text.c: what a terminal may see */

/*
 * A copy of `text`, for the caller to free, with \xNN for each byte that is not part of a
 * printable character of the locale, and in *width (may be NULL) the columns that it takes.
 */
char *text_display(const char *text, size_t *width);

/* size.c: amounts of bytes */

#define SIZE_TEXT_LENGTH 24

/* Understands "4096", "64M", "1GiB". Returns 0, -EINVAL or -ERANGE (more than 2^63 - 1). */
int size_parse(const char *text, int64_t *size);
void size_print(char text[SIZE_TEXT_LENGTH], uint64_t size, bool human);

/* name.c: names of mappings */

/* Whether `name` can name a mapping; says why not. */
bool name_check(const char *name);

/*
 * Adds `name` to a question under `key`, which is taken over and returned; a name that is not
 * UTF-8 goes with \xNN escapes and a note that says so.
 */
json_t *name_put(json_t *question, const char *key, const char *name);

/* connection.c: the daemon's socket */

/*
 * Connects to the daemon: at `path`, or where path is NULL, at the places where a daemon listens.
 * Returns a descriptor that the caller closes, or -1.
 */
int connection_open(const char *path);

enum answer {
	ANSWER_LOST = -1,   /* there is nobody to ask more */
	ANSWER_SUCCESS = 0, /* *answer is the caller's */
	ANSWER_REFUSED = 1,
};

/*
 * Asks one question, which it takes over, and waits for the answer. `fd` goes along where it is
 * not -1. `object` is what a failure is reported of; `answer` may be NULL.
 */
enum answer connection_ask(int connection, const char *object, json_t *question, int fd,
			   json_t **answer);

/* Waits for the next packet and returns it, or NULL. */
json_t *connection_receive(int connection, const char *object);

enum look {
	LOOK_FAILED,  /* it was said why */
	LOOK_UNKNOWN, /* the daemon is too old to look at other processes */
	LOOK_PARTIAL, /* there may be mappings that the daemon cannot see */
	LOOK_COMPLETE,
};

/* Has the daemon look at all processes now. */
enum look connection_look(int connection);

/* source.c: the file to map */

/*
 * Opens a regular file or a device-DAX node, anything else is refused without being opened.
 * Returns a descriptor that the caller closes, or -1.
 */
int source_open(const char *path, bool writable);

/* mountpoint.c: the files that the daemon shows */

/* Asks the daemon where it is mounted and opens that. Returns a descriptor to close, or -1. */
int mountpoint_open(int connection);

struct buffer {
	char *bytes;
	size_t length, room;
};

/*
 * Reads the whole document of a mapping into `buffer`, whose memory is reused by the next call and
 * freed by the caller in the end. Returns 0 or a negative errno, and says nothing.
 */
int mountpoint_read(int mountpoint, const char *name, struct buffer *buffer);

/* documents.c: all documents */

/*
 * Gets one mapping: its document and the text of that, or NULL for both where it may not be
 * read. Returns whether to go on.
 */
typedef bool documents_take(void *context, const char *name, const struct buffer *text,
			    json_t *document);

/*
 * Hands all mappings over, sorted by the bytes of their names; those that go meanwhile are
 * counted only. Returns 0, or -1 after saying what could not be read; the others were handed over
 * then.
 */
int documents_read(int mountpoint, documents_take *take, void *context, size_t *gone);

#endif
