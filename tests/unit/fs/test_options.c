/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_options.c - the command line of the daemon
 */
#include "capture.h"
#include "options.h"
#include "protocol/control.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WORDS_MAX 10

/* Parses the words of a line. *out and *err get what was printed, to be freed. */
static enum options_result parse(struct options *options, const char *line, char **out, char **err)
{
	char *copy = strdup(line), *words[WORDS_MAX + 1], *rest;
	struct capture stdout_capture, stderr_capture;
	enum options_result result;
	int count = 0;

	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	words[count] = NULL;
	capture_begin(&stdout_capture, STDOUT_FILENO);
	capture_begin(&stderr_capture, STDERR_FILENO);
	result = options_parse(options, count, words);
	*err = capture_text(&stderr_capture);
	*out = capture_text(&stdout_capture);
	capture_end(&stderr_capture);
	capture_end(&stdout_capture);
	free(copy);
	return result;
}

static void expect_run(struct options *options, const char *line)
{
	char *out, *err;

	if (parse(options, line, &out, &err) != OPTIONS_RUN)
		fail_msg("%s: %s", line, err);
	assert_string_equal(err, "");
	assert_string_equal(out, "");
	free(out);
	free(err);
}

static int begin(void **state)
{
	(void)state;
	unsetenv("PMEM2FS_SOCKET");
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	return 0;
}

static void defaults(void **state)
{
	struct options options;

	(void)state;
	expect_run(&options, "pmem2fs /");
	assert_string_equal(options.source, "pmem2fs");
	assert_string_equal(options.mountpoint, "/");
	assert_string_equal(options.socket,
			    geteuid() ? "/run/user/7/pmem2fs/socket" : CONTROL_SOCKET);
	assert_null(options.worker);
	assert_int_equal(options.mode, 0400);
	assert_int_equal(options.rootmode, 0755);
	assert_true(options.timeout == 1);
	assert_true(options.max > 100 && options.max <= 1000000);
	assert_int_equal(options.max_user, options.max / 2);
	assert_false(options.foreground || options.debug || options.help || options.version);
	options_free(&options);
}

static void every_option(void **state)
{
	struct options options;

	(void)state;
	expect_run(&options, "pmem2fs pmem,=\\ / -o mode=440,rootmode=1777,timeout=0.25 -o "
			     "socket=/x/y,max=100,max_user=7 -f -d");
	assert_string_equal(options.source, "pmem,=\\");
	assert_string_equal(options.mountpoint, "/");
	assert_string_equal(options.socket, "/x/y");
	assert_int_equal(options.mode, 0440);
	assert_int_equal(options.rootmode, 01777);
	assert_true(options.timeout == 0.25);
	assert_int_equal(options.max, 100);
	assert_int_equal(options.max_user, 7);
	assert_true(options.foreground && options.debug);
	options_free(&options);

	expect_run(&options, "pmem2fs -omode=0,debug --worker=12,0,/no,where /nowhere/at/all");
	assert_int_equal(options.mode, 0);
	assert_true(options.debug);
	assert_false(options.allow_other);
	assert_string_equal(options.worker, "12,0,/no,where");
	assert_string_equal(options.mountpoint, "/no,where");
	options_free(&options);
}

static const struct {
	const char *line;
	unsigned max, max_user;
} limits[] = {
	{"pmem2fs / -o max=1", 1, 1},
	{"pmem2fs / -o max=3", 3, 1},
	{"pmem2fs / -o max=10", 10, 5},
	{"pmem2fs / -o max=10,max_user=20", 10, 20},
};

static void a_user_gets_half_unless_told(void **state)
{
	struct options options;

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		expect_run(&options, limits[i].line);
		assert_int_equal(options.max, limits[i].max);
		assert_int_equal(options.max_user, limits[i].max_user);
		options_free(&options);
	}
}

static void mount_words_mean_nothing(void **state)
{
	struct options options;

	(void)state;
	expect_run(&options,
		   "pmem2fs none / -o rw,nofail,_netdev,noauto,x-systemd.automount,x-,comment=y,"
		   "nosuid,nodev,noexec,user,user=me,users,owner,group,relatime,noatime,lazytime,"
		   "defaults "
		   "-o allow_other,,default_permissions,max=9,");
	assert_int_equal(options.max, 9);
	assert_true(options.allow_other);
	assert_string_equal(options.source, "none");
	options_free(&options);
}

static void the_mount_point_is_made_absolute(void **state)
{
	struct options options;

	(void)state;
	assert_int_equal(chdir("/usr"), 0);
	expect_run(&options, "pmem2fs ../usr/./bin/..");
	assert_string_equal(options.mountpoint, "/usr");
	options_free(&options);
}

static void the_environment_names_the_socket(void **state)
{
	struct options options;

	(void)state;
	setenv("PMEM2FS_SOCKET", "/a/b", 1);
	expect_run(&options, "pmem2fs /");
	assert_string_equal(options.socket, "/a/b");
	options_free(&options);
	expect_run(&options, "pmem2fs / -o socket=/c");
	assert_string_equal(options.socket, "/c");
	options_free(&options);
}

static const struct {
	const char *line;
	enum options_result result;
	const char *says;
} refused[] = {
	{"pmem2fs", OPTIONS_WRONG, "no mount point given"},
	{"pmem2fs -f", OPTIONS_WRONG, "no mount point given"},
	{"pmem2fs a b c", OPTIONS_WRONG, "c: one argument too many"},
	{"pmem2fs / -o mdoe=1", OPTIONS_WRONG, "mdoe=1: unknown option"},
	{"pmem2fs / -o ro", OPTIONS_WRONG, "ro: unknown option"},
	{"pmem2fs / -o rw,subtype=x", OPTIONS_WRONG, "subtype=x: unknown option"},
	{"pmem2fs / -x", OPTIONS_WRONG, "-x: unknown option"},
	{"pmem2fs / -rw", OPTIONS_WRONG, "-rw: unknown option"},
	{"pmem2fs / --nonsense", OPTIONS_WRONG, "--nonsense: unknown option"},
	{"pmem2fs / -o", OPTIONS_WRONG, "-o"},
	{"pmem2fs / -o rw,-f", OPTIONS_WRONG, "-f: unknown option"},
	{"pmem2fs / -o-f", OPTIONS_WRONG, "-f: unknown option"},
	{"pmem2fs / -o rw -o --help", OPTIONS_WRONG, "--help: unknown option"},
	{"pmem2fs / -o \\-f", OPTIONS_WRONG, "\\-f: unknown option"},
	{"pmem2fs / -o \\055f", OPTIONS_WRONG, "\\055f: unknown option"},
	{"pmem2fs / -o --worker=1,0,/x", OPTIONS_WRONG, "-o --worker=1: unknown option"},
	{"pmem2fs / -o allow_other=1", OPTIONS_WRONG, "allow_other=1: unknown option"},
	{"pmem2fs / -o nofail=1", OPTIONS_WRONG, "nofail=1: unknown option"},
	{"pmem2fs / -o auto_unmount", OPTIONS_WRONG, "auto_unmount: unknown option"},
	{"pmem2fs / -o mode=", OPTIONS_WRONG, "mode="},
	{"pmem2fs / -o mode=8", OPTIONS_WRONG, "mode=8"},
	{"pmem2fs / -o mode=1000", OPTIONS_WRONG, "mode=1000: not permissions in octal"},
	{"pmem2fs / -o mode=-1", OPTIONS_WRONG, "mode=-1: not permissions"},
	{"pmem2fs / -o mode=400x", OPTIONS_WRONG, "mode=400x: not permissions"},
	{"pmem2fs / -o mode=0x1", OPTIONS_WRONG, "mode=0x1: not permissions"},
	{"pmem2fs / -o rootmode=2755", OPTIONS_WRONG, "not permissions"},
	{"pmem2fs / -o rootmode=x", OPTIONS_WRONG, "rootmode=x"},
	{"pmem2fs / -o timeout=x", OPTIONS_WRONG, "timeout=x"},
	{"pmem2fs / -o timeout=1.5", OPTIONS_WRONG, "timeout=1.5: not between 0 and 1"},
	{"pmem2fs / -o timeout=-1", OPTIONS_WRONG, "timeout=-1: not between 0 and 1"},
	{"pmem2fs / -o timeout=nan", OPTIONS_WRONG, "not between 0 and 1"},
	{"pmem2fs / -o max=many", OPTIONS_WRONG, "max=many: not a number above 0"},
	{"pmem2fs / -o max=0", OPTIONS_WRONG, "max=0: not a number above 0"},
	{"pmem2fs / -o max=1e6", OPTIONS_WRONG, "max=1e6: not a number"},
	{"pmem2fs / -o max=-1", OPTIONS_WRONG, "max=-1: not a number"},
	{"pmem2fs / -o max=4294967296", OPTIONS_WRONG, "max=4294967296: not a number"},
	{"pmem2fs / -o max=99999999999999999999", OPTIONS_WRONG, "not a number"},
	{"pmem2fs / -o timeout=", OPTIONS_WRONG, "timeout=: not between 0 and 1"},
	{"pmem2fs / -o timeout=0.5s", OPTIONS_WRONG, "timeout=0.5s: not between 0 and 1"},
	{"pmem2fs / -o max_user=", OPTIONS_WRONG, "max_user="},
	{"pmem2fs / -o socket=here", OPTIONS_WRONG, "socket=here: not an absolute path"},
	{"pmem2fs /nowhere/at/all", OPTIONS_FAILED, "/nowhere/at/all: No such file"},
};

static void wrong_ones_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct options options;
		char *out, *err;

		if (parse(&options, refused[i].line, &out, &err) != refused[i].result)
			fail_msg("%s: not as expected: %s", refused[i].line, err);
		if (!strstr(err, refused[i].says))
			fail_msg("%s: says %s", refused[i].line, err);
		assert_int_equal(!!strstr(err, "--help"), refused[i].result == OPTIONS_WRONG);
		assert_string_equal(out, "");
		free(out);
		free(err);
		options_free(&options);
	}
}

static const struct {
	const char *line, *says;
} answered[] = {
	{"pmem2fs -h", "Usage: pmem2fs"},
	{"pmem2fs --help /nowhere", "Usage: pmem2fs"},
	{"pmem2fs -V", "pmem2fs " PMEM2FS_VERSION "\n"},
	{"pmem2fs / --version", "pmem2fs " PMEM2FS_VERSION "\n"},
};

static void help_and_version_go_to_stdout(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(answered) / sizeof(*answered); i++) {
		struct options options;
		char *out, *err;

		assert_int_equal(parse(&options, answered[i].line, &out, &err), OPTIONS_DONE);
		assert_memory_equal(out, answered[i].says, strlen(answered[i].says));
		assert_string_equal(err, "");
		free(out);
		free(err);
		options_free(&options);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(defaults, begin),
		cmocka_unit_test_setup(every_option, begin),
		cmocka_unit_test_setup(a_user_gets_half_unless_told, begin),
		cmocka_unit_test_setup(mount_words_mean_nothing, begin),
		cmocka_unit_test_setup(the_mount_point_is_made_absolute, begin),
		cmocka_unit_test_setup(the_environment_names_the_socket, begin),
		cmocka_unit_test_setup(wrong_ones_are_refused, begin),
		cmocka_unit_test_setup(help_and_version_go_to_stdout, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
