/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_writers.c - each program that writes files restores a saved document
 *
 * A program exits with 0 if and only if it has made the mapping, whatever attributes it sets before
 * and after. Programs that are not installed are skipped.
 */
#include "helpers.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A script runs in a folder of its own, $W. It copies saved/a, also called $S, to $M/a. */
struct writer {
	const char *tools; /* programs that it needs */
	const char *script;
	bool root_only;   /* it sets attributes of $M, too, which only root may */
	bool passes_over; /* it skips an existing file and reports no failure */
};

/* Makes the folder of a script, owned by the user, and returns its path. */
static const char *make_folder(const struct fs *fs, uid_t id)
{
	const struct timespec times[2] = {{.tv_sec = 978307200}, {.tv_sec = 978307200}};
	static unsigned serial;
	const char *folder = source(fs, format("w%u", serial++));
	const char *paths[] = {folder, format("%s/saved", folder), format("%s/saved/a", folder)};
	size_t length;
	char *text = read_file(source(fs, "saved"), &length);

	assert_non_null(text);
	assert_int_equal(mkdir(paths[0], 0700), 0);
	assert_int_equal(mkdir(paths[1], 0700), 0);
	assert_int_equal(write_file(paths[2], text, length), 0);
	free(text);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(chown(paths[i], id, id), 0);
		assert_int_equal(utimensat(AT_FDCWD, paths[i], times, 0), 0);
	}
	return folder;
}

static bool run_writer(const struct fs *fs, const struct user *user)
{
	const struct writer *writer = fs->test->data;
	const char *folder = make_folder(fs, user ? user->uid : 0);

	return shell_as(user, fs,
			format("W=%s && S=$W/saved/a && HOME=$W && export S W HOME && cd $W && { "
			       "%s\n}",
			       folder, writer->script)) == 0;
}

/* The attributes that the program has set have no effect on the mapping and the root directory. */
static void check_attributes(const struct fs *fs, const struct user *user)
{
	struct stat st;

	assert_int_equal(stat(entry(fs, "a"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0400);
	assert_int_equal(st.st_uid, user ? user->uid : 0);
	assert_int_equal(st.st_gid, user ? user->gid : 0);
	assert_true(st.st_mtim.tv_sec > 1700000000);
	assert_int_equal(stat(entry(fs, "."), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 01777);
	assert_int_equal(st.st_uid, 0);
	assert_true(st.st_mtim.tv_sec > 1700000000);
}

static void maps_as(const struct fs *fs, const struct user *user)
{
	if (!run_writer(fs, user))
		fail_msg("as %s: %s", user ? "a user" : "root", output_of(fs));
	assert_entries(fs, "a", NULL);
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 1);
	check_attributes(fs, user);
	unmap(fs, "a");
}

/* Runs the script where it cannot make the mapping: nothing may change. */
static bool succeeds_in_nothing(const struct fs *fs, const struct user *user)
{
	char *before = snapshot(fs), *after;
	bool succeeded = run_writer(fs, user);

	after = snapshot(fs);
	assert_string_equal(after, before);
	free(before);
	free(after);
	return succeeded;
}

static void fails_as(const struct fs *fs, const struct user *user, const char *why)
{
	if (succeeds_in_nothing(fs, user))
		fail_msg("%s, and it says that it succeeded: %s", why, output_of(fs));
}

static void writer(struct fs *fs)
{
	const struct writer *writer = fs->test->data;
	const struct user *user = writer->root_only ? NULL : &user_nobody;

	need_programs(fs, writer->tools);
	daemon_start(&fs->daemon, fs->test->options);
	map_source(fs, "a", make_source(fs, "file", 65536));
	assert_int_equal(shell(fs, "cat $M/a >$D/saved"), 0);
	unmap(fs, "a");

	maps_as(fs, NULL);
	maps_as(fs, user);
	map_source(fs, "a", make_source(fs, "other", 4096));
	if (writer->passes_over)
		succeeds_in_nothing(fs, user);
	else if (user)
		fails_as(fs, user, "the name is taken");
	unmap(fs, "a");
	assert_int_equal(unlink(source(fs, "file")), 0);
	fails_as(fs, NULL, "the source is gone");
	fails_as(fs, user, "the source is gone");
}

#define PYTHON(program) "/usr/bin/python3 -c \"import os, pathlib, shutil\n" program "\""
#define PERL(program)   "perl -MFile::Copy -e '" program "'"
#define NODE(program)   "node -e 'const fs = require(\"fs\"), e = process.env; " program "'"

#define VIM_WRITES(vim) vim " -Nu NONE -es -c \"w $M/a\" -c 'q!' $S"
#define VIM_MAKES(vim)  vim " -Nu NONE -es -c \"0r $S\" -c x -c cq $M/a"

#define WRITER_THAT(n, t, s, ...)                                                                  \
	{                                                                                          \
		.name = n, .function = writer, .options = "rootmode=1777", .no_daemon = true,      \
		.data = (const struct writer[])                                                    \
		{                                                                                  \
			{                                                                          \
				.tools = t, .script = s, __VA_ARGS__                               \
			}                                                                          \
		}                                                                                  \
	}
#define WRITER(name, tools, script)      WRITER_THAT(name, tools, script, .root_only = false)
#define ROOT_WRITER(name, tools, script) WRITER_THAT(name, tools, script, .root_only = true)
#define NEW_WRITER(name, tools, script)  WRITER_THAT(name, tools, script, .passes_over = true)

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		WRITER("cp", "cp", "cp $S $M/a"),
		WRITER("cp_p", "cp", "cp -p $S $M"),
		WRITER("cp_a", "cp", "cp -a $S $M/a"),
		WRITER("cp_attributes", "cp", "cp --preserve=mode,ownership,timestamps $S $M/a"),
		WRITER("cp_sparse", "cp", "cp --sparse=always $S $M/a"),
		WRITER("cp_folder", "cp", "cp -r saved/. $M"),
		ROOT_WRITER("cp_a_folder", "cp", "cp -a saved/. $M"),
		WRITER("install", "install", "install $S $M/a"),
		WRITER("install_m", "install", "install -m 640 $S $M/a"),
		WRITER("install_p", "install", "install -p $S $M/a"),
		WRITER("install_o", "install", "install -o $(id -u) -g $(id -g) $S $M/a"),
		WRITER("mv", "mv", "mv $S $M/a"),
		WRITER("tar_x", "tar", "tar -C saved -cf t a && tar -C $M -xf t"),
		WRITER("tar_xp", "tar", "tar -C saved -cf t a && tar -C $M -xpf t"),
		ROOT_WRITER("tar_xp_folder", "tar", "tar -C saved -cf t . && tar -C $M -xpf t"),
		NEW_WRITER("cpio_p", "cpio", "cd saved && echo a | cpio -pm $M"),
		NEW_WRITER("cpio_i", "cpio",
			   "cd saved && echo a | cpio -o >../t && cd $M && cpio -i <$W/t"),
		WRITER("unzip", "zip unzip",
		       "cd saved && zip -q ../t.zip a && cd $M && unzip -oq "
		       "$W/t.zip"),
		WRITER("rsync", "rsync", "rsync $S $M/a"),
		WRITER("rsync_a", "rsync", "rsync -a $S $M/a"),
		WRITER("rsync_aAX", "rsync", "rsync -aAX $S $M/a"),
		WRITER("rsync_inplace", "rsync", "rsync --inplace $S $M/a"),
		ROOT_WRITER("rsync_a_folder", "rsync", "rsync -a saved/ $M"),
		WRITER("scp", "scp", "scp $S $M/a"),
		WRITER("scp_p", "scp", "scp -p $S $M/a"),
		WRITER("git", "git",
		       "cd saved && git init -q && git add a && git checkout-index -f --prefix=$M/ "
		       "a"),
		WRITER("dd", "dd", "dd if=$S of=$M/a"),
		WRITER("dd_small", "dd", "dd if=$S of=$M/a bs=7 conv=fsync"),
		WRITER("dd_direct", "dd", "dd if=$S of=$M/a oflag=direct bs=4096"),
		WRITER("tee", "tee", "tee $M/a <$S"),
		WRITER("sed_w", "sed", "sed -n \"w $M/a\" $S"),
		WRITER("ed", "ed", "printf 'w %s\\nq\\n' $M/a | ed -s $S"),
		WRITER("ex", "ex", "printf 'w %s\\nq\\n' $M/a | ex -s $S"),
		WRITER("vim", "vim", VIM_WRITES("vim")),
		WRITER("vim_new", "vim", VIM_MAKES("vim")),
		WRITER("vim_tiny", "vim.tiny", VIM_WRITES("vim.tiny")),
		WRITER("vim_tiny_new", "vim.tiny", VIM_MAKES("vim.tiny")),
		/* nano asks before it overwrites a file. */
		WRITER("nano", "nano /usr/bin/python3",
		       "[ ! -e $M/a ] || y=y; $PMEM2FS_TYPE Wrote 'Error writing /' 'Read File' "
		       "'\\x12' 'to insert' \"$S\\r\" lines '\\x0f' 'to Write' \"$M/a\\r$y\" -- "
		       "nano -I"),
		WRITER("emacs", "emacs",
		       "emacs -Q --batch $S --eval '(write-file (concat (getenv \"M\") \"/a\"))'"),
		WRITER("emacs_new", "emacs",
		       "emacs -Q --batch $M/a --eval '(insert-file-contents (getenv \"S\"))' -f "
		       "save-buffer"),
		WRITER("cat", "cat", "cat $S >$M/a"),
		WRITER("awk", "awk", "awk '{print > f} END {exit close(f)}' f=$M/a $S"),
		WRITER("sort", "sort", "sort -s -k 99 -o $M/a $S"),
		WRITER("gzip", "gzip", "gzip -c $S | gzip -dc >$M/a"),
		WRITER("xz", "xz", "xz -c $S | xz -dc >$M/a"),
		WRITER("xz_d", "xz", "xz -c $S >a.xz && cd $M && xz -dc $W/a.xz >a"),
		WRITER("printf", "printf", "printf %s \"$(cat $S)\" >$M/a"),
		WRITER("sh", "sh", "sh -c 'd=$(cat $S) && echo \"$d\" >$M/a'"),
		WRITER("dash", "dash", "dash -c 'd=$(cat $S) && echo \"$d\" >$M/a'"),
		WRITER("bash", "bash", "bash -c 'set -C; echo \"$(<$S)\" >$M/a'"),
		WRITER("zsh", "zsh", "zsh -c 'echo -E - \"$(<$S)\" >$M/a'"),
		WRITER("mksh", "mksh", "mksh -c 'print -r -- \"$(<$S)\" >$M/a'"),
		WRITER("ksh", "ksh93", "ksh93 -c 'print -r -- \"$(<$S)\" >$M/a'"),
		WRITER("busybox_sh", "busybox", "busybox sh -c 'd=$(cat $S) && echo \"$d\" >$M/a'"),
		WRITER("busybox_cp", "busybox", "busybox cp $S $M/a"),
		WRITER("busybox_cp_a", "busybox", "busybox cp -a $S $M/a"),
		WRITER("busybox_mv", "busybox", "busybox mv $S $M/a"),
		WRITER("busybox_dd", "busybox", "busybox dd if=$S of=$M/a bs=100"),
		WRITER("busybox_tee", "busybox", "busybox tee $M/a <$S"),
		WRITER("busybox_tar", "busybox",
		       "busybox tar -C saved -cf t a && busybox tar -C $M -xpf t"),
		NEW_WRITER("busybox_cpio", "busybox",
			   "cd saved && echo a | busybox cpio -o -H newc >../t && cd $M && busybox "
			   "cpio -im <$W/t"),
		WRITER("python_with", "/usr/bin/python3",
		       PYTHON("with open('$M/a', 'xb') as f: f.write(open('$S', 'rb').read())")),
		WRITER("python_pathlib", "/usr/bin/python3",
		       PYTHON("pathlib.Path('$M/a').write_text(pathlib.Path('$S').read_text())")),
		WRITER("python_copyfile", "/usr/bin/python3",
		       PYTHON("shutil.copyfile('$S', '$M/a')")),
		WRITER("python_copy", "/usr/bin/python3", PYTHON("shutil.copy('$S', '$M')")),
		WRITER("python_copy2", "/usr/bin/python3", PYTHON("shutil.copy2('$S', '$M/a')")),
		WRITER("python_move", "/usr/bin/python3",
		       PYTHON("shutil.move('$S', '$M/a')\nassert not os.path.exists('$S')")),
		ROOT_WRITER("python_copytree", "/usr/bin/python3",
			    PYTHON("shutil.copytree('saved', '$M', dirs_exist_ok=True)")),
		WRITER("python_rename", "/usr/bin/python3",
		       PYTHON("with open('$M/a.tmp', 'w') as f: f.write(open('$S').read())\n"
			      "try: os.rename('$M/a.tmp', '$M/a')\n"
			      "except OSError: os.unlink('$M/a.tmp'); raise")),
		WRITER("perl_print", "perl",
		       PERL("open(F, \">\", \"$ENV{M}/a\") or die; local $/; open(S, $ENV{S}); "
			    "print F <S>; close(F) or die")),
		WRITER("perl_copy", "perl", PERL("copy($ENV{S}, \"$ENV{M}/a\") or die")),
		WRITER("perl_move", "perl", PERL("move($ENV{S}, \"$ENV{M}/a\") or die")),
		WRITER("node_write", "node",
		       NODE("fs.writeFileSync(e.M + \"/a\", fs.readFileSync(e.S))")),
		WRITER("node_copy", "node", NODE("fs.copyFileSync(e.S, e.M + \"/a\")")),
		WRITER("node_cp", "node",
		       NODE("fs.cpSync(e.S, e.M + \"/a\", {preserveTimestamps: true})")),
	};

	return fs_run(argc, argv, "writers", tests, sizeof(tests) / sizeof(*tests));
}
