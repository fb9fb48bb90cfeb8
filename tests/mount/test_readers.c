/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_readers.c - each program that reads files gets the documents, byte for byte
 *
 * Some programs skip what the number of blocks, or lseek, reports as a hole. Programs that are not
 * installed are skipped.
 */
#include "helpers.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096

/*
 * Documents of one page, of pages with a gap, of a mapping of which nothing is left, and one that
 * is longer than what is mapped.
 */
static const char *const names[] = {"large", "gap", "nothing", "long"};

struct reader {
	const char *tools;
	const char *script;
	bool copies; /* all documents, into the current folder */
};

/*
 * For scripts: $E is a folder with the documents as read(2) gives them, the current folder is
 * empty. `same` runs a command in $M and in $E and compares what it prints.
 */
static const char prelude[] =
	"E=$D/expected && mkdir $D/w && cd $D/w && export E\n"
	"same() {\n"
	"	(cd $M && eval \"$1\") >$D/of_mount && (cd $E && eval \"$1\") >$D/of_copy &&\n"
	"	[ -s $D/of_copy ] && cmp $D/of_mount $D/of_copy\n"
	"}\n";

/* A path that takes five characters for each of its bytes in a document. */
static const char *make_long_source(const struct fs *fs)
{
	char name[241];

	memset(name, '\377', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(mkdir(source(fs, name), 0755), 0);
	assert_int_equal(mkdir(format("%s/%s", source(fs, name), name), 0755), 0);
	return make_source(fs, format("%s/%s/%s", name, name, name), PAGE);
}

static void make_documents(const struct fs *fs)
{
	map_anonymous(fs, "large", 1 << 20);
	map_anonymous(fs, "gap", 4 * PAGE);
	unmap_part(fs, "gap", "-o 4K -l 8K");
	map_source(fs, "nothing", make_source(fs, "file", PAGE));
	unmap_part(fs, "nothing", "-o 0");
	map_source(fs, "long", make_long_source(fs));
	let_facts_age();
	assert_int_equal(mkdir(source(fs, "expected"), 0755), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		size_t length;
		char *text = read_file(entry(fs, names[i]), &length);

		assert_non_null(text);
		assert_int_equal(
			write_file(format("%s/expected/%s", fs->data, names[i]), text, length), 0);
		free(text);
	}
}

static void reader(struct fs *fs)
{
	const struct reader *reader = fs->test->data;

	need_programs(fs, reader->tools);
	daemon_start(&fs->daemon, fs->test->options);
	make_documents(fs);
	if (shell(fs, format("%s{ %s\n}", prelude, reader->script)))
		fail_msg("%s", output_of(fs));
	if (reader->copies && shell(fs, "diff -r $D/expected $D/w"))
		fail_msg("%s", output_of(fs));
}

static struct stat stat_of(const struct fs *fs, const char *name)
{
	struct stat st;

	assert_int_equal(stat(entry(fs, name), &st), 0);
	return st;
}

static void blocks_are_what_is_mapped_and_never_none(struct fs *fs)
{
	make_documents(fs);
	assert_int_equal(stat_of(fs, "large").st_blocks, (1 << 20) / 512);
	assert_int_equal(stat_of(fs, "gap").st_blocks, 2 * PAGE / 512);
	assert_int_equal(stat_of(fs, "nothing").st_blocks, 1);
	assert_true(stat_of(fs, "nothing").st_size > 512);
	assert_int_equal(stat_of(fs, "long").st_blocks, PAGE / 512);
	assert_true(stat_of(fs, "long").st_size > PAGE);
}

#define PYTHON(program)                                                                            \
	"/usr/bin/python3 -c \"import mmap, os\nfor n in os.listdir('$M'):\n"                      \
	" i = os.open('$M/' + n, os.O_RDONLY); size = os.fstat(i).st_size\n"                       \
	" o = os.open(n, os.O_RDWR | os.O_CREAT)\n" program "\""

#define READER_THAT(n, t, s, c)                                                                    \
	{                                                                                          \
		.name = n, .function = reader, .no_daemon = true, .data = &(const struct reader)   \
		{                                                                                  \
			.tools = t, .script = s, .copies = c                                       \
		}                                                                                  \
	}
#define COPIER(name, tools, script) READER_THAT(name, tools, script, true)
#define READER(name, tools, script) READER_THAT(name, tools, script, false)

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(blocks_are_what_is_mapped_and_never_none),
		COPIER("cat", "cat", "for f in $M/*; do cat $f >${f##*/}; done"),
		COPIER("cp", "cp", "cp $M/* ."),
		COPIER("cp_a", "cp", "cp -a $M/. ."),
		COPIER("cp_sparse_always", "cp", "cp --sparse=always $M/* ."),
		COPIER("cp_sparse_auto", "cp", "cp --sparse=auto $M/* ."),
		COPIER("cp_reflink", "cp", "cp --reflink=auto $M/* ."),
		COPIER("install", "install", "install -m 600 $M/* ."),
		COPIER("mv", "mv", "mv $M/* . && [ -z \"$(ls $M)\" ]"),
		COPIER("tar", "tar", "tar -C $M -c . | tar -x"),
		COPIER("tar_S", "tar", "tar -C $M -cS . | tar -x"),
		COPIER("tar_S_raw", "tar", "tar -C $M -cS --hole-detection=raw . | tar -x"),
		COPIER("cpio", "cpio", "(cd $M && find . | cpio -o) | cpio -id"),
		COPIER("cpio_sparse", "cpio", "(cd $M && find . | cpio -p --sparse $D/w)"),
		COPIER("rsync", "rsync", "rsync $M/* ."),
		COPIER("rsync_aS", "rsync", "rsync -aS $M/ ."),
		COPIER("scp", "scp", "scp -p $M/* ."),
		COPIER("zip", "zip unzip", "(cd $M && zip -q - *) >$D/zip && unzip -q $D/zip"),
		COPIER("git", "git",
		       "git init -q $D/git && git --git-dir=$D/git/.git --work-tree=$M add -A && "
		       "git --git-dir=$D/git/.git checkout-index -a --prefix=$D/w/"),
		COPIER("xz", "xz", "for f in $M/*; do xz -c $f | xz -dc >${f##*/}; done"),
		COPIER("gzip", "gzip", "for f in $M/*; do gzip -c $f | gzip -dc >${f##*/}; done"),
		COPIER("dd", "dd", "for f in $M/*; do dd if=$f of=${f##*/} bs=7; done"),
		COPIER("dd_sparse", "dd",
		       "for f in $M/*; do dd if=$f of=${f##*/} bs=512 conv=sparse; done"),
		COPIER("dd_direct", "dd",
		       "for f in $M/*; do dd if=$f of=${f##*/} iflag=direct bs=4096; done"),
		COPIER("sed", "sed", "for f in $M/*; do sed p -n $f >${f##*/}; done"),
		COPIER("busybox_cp", "busybox", "busybox cp -a $M/* ."),
		COPIER("busybox_tar", "busybox", "busybox tar -C $M -c . | busybox tar -x"),
		COPIER("perl", "perl",
		       "perl -MFile::Copy -e 'copy($_, \".\") or die for @ARGV' $M/*"),
		COPIER("node", "node",
		       "node -e 'const fs = require(\"fs\"); fs.cpSync(process.env.M, \".\", "
		       "{recursive: true})'"),
		COPIER("python_mmap", "/usr/bin/python3",
		       PYTHON(" os.write(o, mmap.mmap(i, 0, mmap.MAP_SHARED, mmap.PROT_READ)[:])")),
		COPIER("python_sendfile", "/usr/bin/python3",
		       PYTHON(" while os.sendfile(o, i, None, 100): pass")),
		COPIER("python_copy_file_range", "/usr/bin/python3",
		       PYTHON(" try:\n"
			      "  while os.copy_file_range(i, o, 1 << 20): pass\n"
			      " except OSError:\n" /* EXDEV from one file system to another */
			      "  os.write(o, os.read(i, 1 << 20))")),
		COPIER("python_splice", "/usr/bin/python3",
		       PYTHON(" r, w = os.pipe()\n"
			      " while (n := os.splice(i, w, 4096)): os.splice(r, o, n)")),
		COPIER("python_seek_data", "/usr/bin/python3",
		       PYTHON(" assert os.lseek(i, 0, os.SEEK_HOLE) == size\n"
			      " assert os.lseek(i, 0, os.SEEK_DATA) == 0\n"
			      " assert os.lseek(i, size - 1, os.SEEK_DATA) == size - 1\n"
			      " os.pwrite(o, os.pread(i, size, 0), 0)")),
		READER("find", "find", "same \"find . -type f -printf '%f %s\\n' | sort\""),
		READER("find_ls", "find",
		       "same \"find . -type f -ls | awk '{print \\$7, \\$11}' | sort\""),
		READER("ls", "ls", "same \"ls -l | awk 'NR > 1 {print \\$5, \\$9}'\""),
		READER("du", "du",
		       "same 'du -b *' && [ \"$(du -B512 $M/nothing | cut -f1)\" = 1 ] && "
		       "[ \"$(du -k $M/large | cut -f1)\" = 1024 ]"),
		READER("df", "df", "df $M && [ $(df --output=iused $M | tail -n 1) = 4 ]"),
		READER("grep", "grep", "same \"grep -rn '[a-z]' . | sort\""),
		READER("rg", "rg", "same \"rg --mmap -n '[a-z]' . | sort\""),
		READER("md5sum", "md5sum", "same 'md5sum *'"),
		READER("wc", "wc", "same 'wc *'"),
		READER("tail", "tail", "same 'tail -c 40 *' && same 'tail -n 3 *'"),
		READER("diff", "diff", "diff -r $M $E"),
		READER("sort", "sort", "same 'sort *'"),
	};

	return fs_run(argc, argv, "readers", tests, sizeof(tests) / sizeof(*tests));
}
