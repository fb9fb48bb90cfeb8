/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options.c - see options.h
 *
 * The words after -o come from users, from fstab and from mount(8), which adds words of its own.
 * Each word has an effect, or is in the manual's list of words that have none, or is refused with a
 * message that names it.
 */
#include "options.h"
#include "mount/mountpoint.h"
#include "protocol/control.h"
#include <errno.h>
#include <fuse_opt.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPTION(template, member)                                                                   \
	{                                                                                          \
		template, offsetof(struct options, member), 1                                      \
	}

/* Values that are checked here: libfuse would accept a number with anything after it. */
enum { KEY_MODE, KEY_ROOTMODE, KEY_TIMEOUT, KEY_MAX, KEY_MAX_USER, KEY_OBSERVE };

static const struct fuse_opt templates[] = {
	FUSE_OPT_KEY("mode=", KEY_MODE),
	FUSE_OPT_KEY("rootmode=", KEY_ROOTMODE),
	FUSE_OPT_KEY("timeout=", KEY_TIMEOUT),
	OPTION("socket=%s", socket),
	FUSE_OPT_KEY("max=", KEY_MAX),
	FUSE_OPT_KEY("max_user=", KEY_MAX_USER),
	FUSE_OPT_KEY("observe=", KEY_OBSERVE),
	OPTION("allow_other", allow_other),
	FUSE_OPT_KEY("default_permissions",
		     FUSE_OPT_KEY_DISCARD), /* this and the next four always hold */
	FUSE_OPT_KEY("rw", FUSE_OPT_KEY_DISCARD),
	FUSE_OPT_KEY("nosuid", FUSE_OPT_KEY_DISCARD),
	FUSE_OPT_KEY("nodev", FUSE_OPT_KEY_DISCARD),
	FUSE_OPT_KEY("noexec", FUSE_OPT_KEY_DISCARD),
	OPTION("-f", foreground),
	OPTION("-d", debug),
	OPTION("debug", debug),
	OPTION("-h", help),
	OPTION("--help", help),
	OPTION("-V", version),
	OPTION("--version", version),
	OPTION("--worker=%s", worker),
	FUSE_OPT_END,
};

/* Whether a word of mount(8) or fstab(5) has no effect here. pmem2fs(8) lists them. */
static bool is_ignored(const char *word)
{
	/* An entry that ends in = or - matches all words that begin with it. */
	static const char *const words[] = {
		"dev",        "suid",        "exec",     "auto",        "noauto",     "user",
		"user=",      "nouser",      "users",    "owner",       "group",      "nofail",
		"_netdev",    "defaults",    "comment=", "x-",          "sync",       "async",
		"dirsync",    "atime",       "noatime",  "diratime",    "nodiratime", "relatime",
		"norelatime", "strictatime", "lazytime", "nosymfollow",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t length = strlen(words[i]);
		bool begins = words[i][length - 1] == '=' || words[i][length - 1] == '-';

		if (begins ? !strncmp(word, words[i], length) : !strcmp(word, words[i]))
			return true;
	}
	return !*word; /* an empty word, as between two commas */
}

static bool parse_number(const char *text, int base, unsigned low, unsigned high, unsigned *number)
{
	unsigned long value;
	char *end;

	if (*text < '0' || *text > '9') /* strtoul takes blanks and signs */
		return false;
	errno = 0;
	value = strtoul(text, &end, base);
	if (errno || *end || value < low || value > high)
		return false;
	*number = (unsigned)value;
	return true;
}

static bool parse_seconds(const char *text, double *seconds)
{
	char *end;

	*seconds = strtod(text, &end);
	return *text && !*end && *seconds >= 0 && *seconds <= 1;
}

static int set_option(struct options *options, const char *arg, int key)
{
	const char *value = strchr(arg, '=') + 1;
	const char *wanted = "a number above 0";
	bool right;

	switch (key) {
	case KEY_MODE:
		right = parse_number(value, 8, 0, 0777, &options->mode);
		wanted = "permissions in octal";
		break;
	case KEY_ROOTMODE:
		right = parse_number(value, 8, 0, 01777, &options->rootmode);
		wanted = "permissions in octal";
		break;
	case KEY_TIMEOUT:
		right = parse_seconds(value, &options->timeout);
		wanted = "between 0 and 1";
		break;
	case KEY_MAX:
		right = parse_number(value, 10, 1, UINT_MAX, &options->max);
		break;
	case KEY_OBSERVE:
		options->observe = !strcmp(value, "on");
		right = options->observe || !strcmp(value, "off");
		wanted = "on or off";
		break;
	default:
		right = parse_number(value, 10, 1, UINT_MAX, &options->max_user);
		break;
	}
	if (!right)
		fprintf(stderr, "pmem2fs: %s: not %s\n", arg, wanted);
	return right ? 0 : -1;
}

static int process_argument(void *data, const char *arg, int key, struct fuse_args *rest)
{
	struct options *options = data;

	(void)rest;
	if (key == FUSE_OPT_KEY_NONOPT) {
		if (!options->mountpoint) {
			options->mountpoint = strdup(arg);
		} else if (!options->source) {
			options->source = options->mountpoint;
			options->mountpoint = strdup(arg);
		} else {
			fprintf(stderr, "pmem2fs: %s: one argument too many\n", arg);
			return -1;
		}
		return options->mountpoint ? 0 : -1;
	}
	if (key != FUSE_OPT_KEY_OPT)
		return set_option(options, arg, key);
	if (arg[0] != '-' && is_ignored(arg))
		return 0;
	fprintf(stderr, "pmem2fs: %s: unknown option\n", arg);
	return -1;
}

static const char usage[] =
	"Usage: pmem2fs [SOURCE] MOUNTPOINT [-o OPTION[,...]] [-f] [-d]\n"
	"Shows the persistent-memory mappings of this host as files.\n"
	"\n"
	"  -o mode=OCTAL      permissions of the files (0400)\n"
	"  -o rootmode=OCTAL  permissions of the root directory (0755; 1777 lets\n"
	"                     every user make mappings)\n"
	"  -o timeout=SECONDS how long the kernel may believe what it was told,\n"
	"                     0 to 1 (1)\n"
	"  -o socket=PATH     where pmem2ctl finds the daemon (" CONTROL_SOCKET ",\n"
	"                     for users $XDG_RUNTIME_DIR/pmem2fs/socket)\n"
	"  -o max=N           mappings in total (what vm.max_map_count has room for)\n"
	"  -o max_user=N      mappings of one user other than root (half of max)\n"
	"  -o observe=on|off  whether to look for mappings of other processes in\n"
	"                     /proc (on); off: only those that processes tell of\n"
	"  -o allow_other     let other users in; always so for root's, and for users\n"
	"                     where /etc/fuse.conf has user_allow_other\n"
	"  -f                 stay in the foreground, log to stderr\n"
	"  -d, -o debug       log more\n"
	"  -h, --help         this text\n"
	"  -V, --version      the version\n"
	"\n"
	"umount MOUNTPOINT (fusermount3 -u MOUNTPOINT for users) ends the daemon and\n"
	"with it the mappings made through it.\n";

/* How many mappings fit into one process; some areas are left for the process itself. */
static unsigned default_max(void)
{
	unsigned count = 65530;
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");

	if (file) {
		if (fscanf(file, "%u", &count) != 1)
			count = 65530;
		fclose(file);
	}
	if (count > 1000000)
		count = 1000000;
	return count > 2000 ? count - 1000 : count / 2;
}

static int default_socket(struct options *options)
{
	const char *dir = secure_getenv("XDG_RUNTIME_DIR");
	const char *given = secure_getenv("PMEM2FS_SOCKET");

	if (given && *given) {
		options->socket = strdup(given);
	} else if (geteuid() == 0) {
		options->socket = strdup(CONTROL_SOCKET);
	} else if (!dir || dir[0] != '/') {
		fprintf(stderr, "pmem2fs: XDG_RUNTIME_DIR is not set: say -o socket=PATH\n");
		return -1;
	} else if (asprintf(&options->socket, "%s/pmem2fs/socket", dir) < 0) {
		options->socket = NULL;
	}
	return options->socket ? 0 : -1;
}

/*
 * DEVICE,NUMBER,MOUNTPOINT. The keeper has resolved the mount point: here, touching it would wait
 * for this process to answer.
 */
static int parse_worker(struct options *options)
{
	const char *comma = strchr(options->worker, ',');

	comma = comma ? strchr(comma + 1, ',') : NULL;
	if (!comma || comma[1] != '/')
		return -1;
	free(options->mountpoint);
	options->mountpoint = strdup(comma + 1);
	return options->mountpoint && options->source ? 0 : -1;
}

static int complete_options(struct options *options)
{
	char *full;

	if (!options->mountpoint) {
		fprintf(stderr, "pmem2fs: no mount point given\n");
		return -1;
	}
	if (!options->max)
		options->max = default_max();
	if (!options->max_user)
		options->max_user = options->max / 2 ? options->max / 2 : 1;
	if (!options->source)
		options->source = strdup("pmem2fs");
	if (!options->socket && default_socket(options))
		return -1;
	if (options->socket[0] != '/') {
		fprintf(stderr, "pmem2fs: socket=%s: not an absolute path\n", options->socket);
		return -1;
	}
	if (options->worker)
		return parse_worker(options);
	full = mountpoint_resolve(options->mountpoint);
	if (!full) {
		fprintf(stderr, "pmem2fs: %s: %s\n", options->mountpoint, strerror(errno));
		return 1;
	}
	free(options->mountpoint);
	options->mountpoint = full;
	return options->source ? 0 : -1;
}

/*
 * Finds the first word after -o, in all arguments, that libfuse would take for an option of the
 * command itself. NULL: none. A backslash escapes the next character.
 */
static const char *misplaced_word(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i] + 2;

		if (strncmp(argv[i], "-o", 2) != 0 || (!*word && ++i == argc))
			continue;
		if (!*word)
			word = argv[i];
		for (bool begins = true; *word; word++) {
			if (begins && (*word == '-' || *word == '\\'))
				return word;
			begins = *word == ',';
			if (*word == '\\' && word[1])
				word++;
		}
	}
	return NULL;
}

enum options_result options_parse(struct options *options, int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	const char *misplaced = misplaced_word(argc, argv);
	int wrong = -1;

	*options = (struct options){.mode = 0400, .rootmode = 0755, .timeout = 1, .observe = true};
	if (misplaced)
		fprintf(stderr, "pmem2fs: -o %.*s: unknown option\n", (int)strcspn(misplaced, ","),
			misplaced);
	else
		wrong = fuse_opt_parse(&args, options, templates, process_argument);
	fuse_opt_free_args(&args);
	if (!wrong && options->help) {
		fputs(usage, stdout);
		return OPTIONS_DONE;
	}
	if (!wrong && options->version) {
		puts("pmem2fs " PMEM2FS_VERSION);
		return OPTIONS_DONE;
	}
	if (!wrong)
		wrong = complete_options(options);
	if (wrong < 0)
		fprintf(stderr, "Try 'pmem2fs --help'.\n");
	return wrong < 0 ? OPTIONS_WRONG : wrong > 0 ? OPTIONS_FAILED : OPTIONS_RUN;
}

void options_free(struct options *options)
{
	free(options->source);
	free(options->mountpoint);
	free(options->socket);
	free(options->worker);
}
