/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * compare.c - the comparison of this library with Debian's libpmem2, call by call
 *
 * usage: compare OURS THEIRS [--fsdax FOLDER] [--devdax NODE] [-v] [CASE...]
 *
 * With a folder on a file system with DAX, or a device-DAX node, only cases for it are run.
 *
 * Runs each case in two child processes, with one library loaded in each, and prints a result for
 * each case in the Test Anything Protocol: the two must print the same, except for what the table
 * in differences.c explains. An explanation that no case needs is a failure too. Exits with 77 if
 * THEIRS is not there.
 */
#include "compare.h"
#include <dlfcn.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct line {
	char *key;
	char *value;
	bool matched;
};

struct transcript {
	char *text;
	struct line *lines;
	size_t count;
};

static const char *const place_names[PLACES] = {"nowhere", "tmpfs", "disk", "fsdax", "devdax"};
static const struct test_case *const groups[] = {source_cases, map_cases,    reservation_cases,
						 memory_cases, device_cases, defect_cases,
						 matrix_cases};

static const char *folders[PLACES];
static const char *libraries[2]; /* theirs, ours */
static void *handle;             /* of the library, in a child */
static bool verbose;
static unsigned number;
static unsigned failed;
static unsigned explained;

const char *folder_of(enum place where)
{
	return folders[where];
}

bool has_function(const char *name)
{
	return dlsym(handle, name);
}

static void load(const char *path)
{
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		fprintf(stderr, "%s\n", dlerror());
		_exit(3);
	}
#define X(name)                                                                                    \
	lib.name = (__typeof__(lib.name))dlsym(handle, "pmem2_" #name);                            \
	if (!lib.name) {                                                                           \
		fprintf(stderr, "%s\n", dlerror());                                                \
		_exit(3);                                                                          \
	}
	FUNCTIONS(X)
#undef X
}

/* Tries it in another process: this one must not have a library loaded. */
static bool can_load(const char *path)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(!dlopen(path, RTLD_NOW | RTLD_LOCAL));
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void become_nobody(void)
{
	NEED(setgid(65534) == 0 && setuid(65534) == 0);
}

/* Runs a case in the child, whose standard output is the transcript. */
static void run_child(const struct test_case *test, enum place where, const char *library,
		      bool as_nobody)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	/* also ends a case that hangs */
	alarm(CASE_SECONDS);
	if (test->environment)
		putenv((char *)test->environment);
	if (as_nobody)
		become_nobody();
	load(library);
	place = where;
	test->run();
	fflush(stdout);
	_exit(0);
}

static char *read_all(FILE *file)
{
	long size;
	char *text;

	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	text = calloc(1, (size_t)size + 1);
	if (!text || fread(text, 1, (size_t)size, file) != (size_t)size)
		abort();
	return text;
}

static void parse(struct transcript *transcript)
{
	size_t room = 0;
	char *rest = transcript->text;
	char *line;

	while ((line = strsep(&rest, "\n"))) {
		char *tab = strchr(line, '\t');

		if (!tab)
			continue;
		*tab = '\0';
		if (transcript->count == room) {
			room = room ? 2 * room : 64;
			transcript->lines =
				realloc(transcript->lines, room * sizeof(*transcript->lines));
			if (!transcript->lines)
				abort();
		}
		transcript->lines[transcript->count++] = (struct line){line, tab + 1, false};
	}
}

static struct transcript record(const struct test_case *test, enum place where, const char *library,
				bool as_nobody)
{
	struct transcript transcript = {0};
	FILE *file = tmpfile();
	int status;
	pid_t pid;

	if (!file)
		abort();
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(fileno(file), STDOUT_FILENO);
		/* messages of libraries and cases are no results */
		run_child(test, where, library, as_nobody);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	fseek(file, 0, SEEK_END);
	if (WIFSIGNALED(status))
		fprintf(file, "end\tdied: SIG%s\n", sigabbrev_np(WTERMSIG(status)));
	else
		fprintf(file, "end\t%d\n", WEXITSTATUS(status));
	fflush(file);
	transcript.text = read_all(file);
	fclose(file);
	parse(&transcript);
	return transcript;
}

static void discard(struct transcript *transcript)
{
	free(transcript->lines);
	free(transcript->text);
}

static bool is_crash(const char *value)
{
	return !strncmp(value, "crash", 5);
}

/* The length of the error name with which the value begins; 0: there is none. */
static size_t error_length(const char *value)
{
	return !strncmp(value, "-E", 2) || !strncmp(value, "PMEM2_E_", 8) ? strcspn(value, ",") : 0;
}

static bool is_another_error(const char *theirs, const char *ours)
{
	size_t length = error_length(theirs);

	return length && error_length(ours) &&
	       (length != error_length(ours) || strncmp(theirs, ours, length) != 0);
}

/*
 * Whether the table explains the difference. An error that differs from libpmem2's is explained
 * only by an entry with `another`. Nothing explains a crash of this library.
 */
static bool explain(const char *subject, const char *theirs, const char *ours)
{
	bool another = is_another_error(theirs, ours);
	struct difference *entry;

	for (entry = differences; entry->key && !is_crash(ours); entry++)
		if (entry->another == another && !fnmatch(entry->key, subject, 0) &&
		    !fnmatch(entry->theirs, theirs, 0) && !fnmatch(entry->ours, ours, 0)) {
			/* each reason once is enough, unless asked for more */
			if (!entry->seen++ || verbose)
				printf("# %s: theirs %s, ours %s: %s\n", subject, theirs, ours,
				       entry->reason);
			explained++;
			return true;
		}
	printf("# DIFFERENCE %s: theirs %s, ours %s\n", subject, theirs, ours);
	return false;
}

static struct line *find(struct transcript *transcript, size_t guess, const char *key)
{
	size_t i;

	if (guess < transcript->count && !transcript->lines[guess].matched &&
	    !strcmp(transcript->lines[guess].key, key))
		return &transcript->lines[guess];
	for (i = 0; i < transcript->count; i++)
		if (!transcript->lines[i].matched && !strcmp(transcript->lines[i].key, key))
			return &transcript->lines[i];
	return NULL;
}

/* Whether a signal ended the case. If so, missing lines are no difference. */
static bool died(const struct transcript *transcript)
{
	return !strncmp(transcript->lines[transcript->count - 1].value, "died", 4);
}

static bool compare(const char *name, struct transcript *theirs, struct transcript *ours)
{
	const char *crashed = NULL; /* the key of the last call that crashed libpmem2 */
	bool good = true;
	char *subject;
	size_t guess = 0;
	size_t i;

	for (i = 0; i < ours->count; i++) {
		struct line *our = &ours->lines[i];
		struct line *their = find(theirs, guess, our->key);

		if (their) {
			their->matched = true;
			guess = (size_t)(their - theirs->lines) + 1;
			if (is_crash(their->value))
				crashed = their->key;
		}
		/* libpmem2 crashed before it could show what the call leaves behind */
		if (!their && crashed && !strncmp(our->key, crashed, strlen(crashed)))
			continue;
		if (their ? !strcmp(their->value, our->value) && !is_crash(our->value)
			  : died(theirs))
			continue;
		if (asprintf(&subject, "%s: %s", name, our->key) < 0)
			abort();
		good &= explain(subject, their ? their->value : "-", our->value);
		free(subject);
	}
	for (i = 0; i < theirs->count; i++) {
		if (theirs->lines[i].matched || died(ours))
			continue;
		if (asprintf(&subject, "%s: %s", name, theirs->lines[i].key) < 0)
			abort();
		good &= explain(subject, theirs->lines[i].value, "-");
		free(subject);
	}
	return good;
}

/* Whether the case came to its end, if its library did not kill it. */
static bool complete(const struct transcript *transcript)
{
	const char *end = transcript->lines[transcript->count - 1].value;

	if (!strcmp(end, "0") || died(transcript))
		return true;
	printf("# the case itself failed (status %s)\n", end);
	return false;
}

static void report(bool good, const char *name, size_t lines)
{
	failed += !good;
	printf("%sok %u - %s (%zu results)\n", good ? "" : "not ", ++number, name, lines);
}

static void run_case(const struct test_case *test, enum place where, bool as_nobody)
{
	struct transcript theirs;
	struct transcript ours;
	char *name;
	bool good;

	if (asprintf(&name, "%s%s@%s", test->name, as_nobody ? "-nobody" : "", place_names[where]) <
	    0)
		abort();
	theirs = record(test, where, libraries[0], as_nobody);
	ours = record(test, where, libraries[1], as_nobody);
	good = compare(name, &theirs, &ours) && complete(&theirs) && complete(&ours);
	report(good && ours.count > 1, name, ours.count);
	discard(&theirs);
	discard(&ours);
	free(name);
}

static bool wanted(const char *name, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!fnmatch(*names, name, 0))
			return true;
	return false;
}

/* Makes a folder for files in a place, if it can have any. */
static const char *make_folder(const char *parent)
{
	char *path;

	if (!parent || asprintf(&path, "%s/pmem2fs-compare-XXXXXX", parent) < 0)
		return NULL;
	if (!mkdtemp(path) || chmod(path, 0777)) {
		printf("# no files in %s: %s\n", parent, strerror(errno));
		free(path);
		return NULL;
	}
	return path;
}

static void check_explanations(void)
{
	const struct difference *entry;
	bool good = true;

	for (entry = differences; entry->key; entry++)
		if (!entry->seen && !entry->rare && folders[entry->where]) {
			printf("# not seen: %s: theirs %s, ours %s: %s\n", entry->key,
			       entry->theirs, entry->ours, entry->reason);
			good = false;
		}
	report(good, "every explanation is needed", explained);
}

int main(int argc, char **argv)
{
	const char *fsdax = NULL;
	enum place where;
	char **names;
	int option;
	size_t i;

	if (argc < 3)
		return 2;
	libraries[1] = argv[1];
	libraries[0] = argv[2];
	for (option = 3; option < argc; option++) {
		if (!strcmp(argv[option], "--fsdax") && argv[option + 1])
			fsdax = argv[++option];
		else if (!strcmp(argv[option], "--devdax") && argv[option + 1])
			folders[DEVDAX] = argv[++option];
		else if (!strcmp(argv[option], "-v"))
			verbose = true;
		else
			break;
	}
	names = argv + option;
	if (!can_load(libraries[0])) {
		printf("1..0 # SKIP no %s\n", libraries[0]);
		return 77;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	umask(0);
	if (fsdax || folders[DEVDAX]) {
		folders[FSDAX] = make_folder(fsdax);
	} else {
		folders[NOWHERE] = "";
		folders[TMPFS] = make_folder("/dev/shm");
		folders[DISK] = make_folder("/var/tmp");
	}
	for (i = 0; i < COUNT(groups); i++) {
		const struct test_case *test;

		for (test = groups[i]; test->name; test++)
			for (where = 0; where < PLACES; where++)
				if (folders[where] && test->places & AT(where) &&
				    wanted(test->name, names)) {
					run_case(test, where, false);
					if (test->unprivileged && !getuid() && where != DEVDAX)
						run_case(test, where, true);
				}
	}
	if (!*names)
		check_explanations();
	for (where = TMPFS; where <= FSDAX; where++)
		if (folders[where] && rmdir(folders[where]))
			printf("# left behind: %s: %s\n", folders[where], strerror(errno));
	printf("1..%u\n", number);
	return failed > 0;
}
