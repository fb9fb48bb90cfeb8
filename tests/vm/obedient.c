// SPDX-License-Identifier: BSD-3-Clause
/*
 * obedient.c - a program that maps persistent memory without any library
 *
 * usage: obedient FILE OFFSET LENGTH
 *
 * Maps that range shared, and then carries out the commands on its input, a line each, printing
 * "done" or an error:
 *
 *   munmap OFFSET LENGTH
 *   mprotect OFFSET LENGTH    makes it read-only
 *   mremap LENGTH
 *   fork                      a child that holds it as well; prints its pid
 *   exec                      becomes another program
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char *base;
static size_t size;

static const char *obey(const char *line)
{
	size_t offset, length;
	void *moved;
	pid_t child;

	if (sscanf(line, "munmap %zu %zu", &offset, &length) == 2)
		return munmap(base + offset, length) ? strerror(errno) : "done";
	if (sscanf(line, "mprotect %zu %zu", &offset, &length) == 2)
		return mprotect(base + offset, length, PROT_READ) ? strerror(errno) : "done";
	if (sscanf(line, "mremap %zu", &length) == 1) {
		moved = mremap(base, size, length, MREMAP_MAYMOVE);
		if (moved == MAP_FAILED)
			return strerror(errno);
		base = moved;
		size = length;
		return "done";
	}
	if (!strncmp(line, "fork", 4)) {
		static char text[32];

		child = fork();
		if (child == 0) {
			pause();
			_exit(0);
		}
		snprintf(text, sizeof(text), "%d", (int)child);
		return text;
	}
	if (!strncmp(line, "exec", 4))
		execl("/bin/sleep", "sleep", "1000", (char *)NULL);
	return "what?";
}

int main(int argc, char **argv)
{
	char line[128];
	int fd;

	if (argc != 4)
		return 2;
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	size = strtoul(argv[3], NULL, 0);
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, atol(argv[2]));
	if (fd < 0 || base == MAP_FAILED) {
		perror(argv[1]);
		return 1;
	}
	close(fd);
	setlinebuf(stdout);
	puts("done");
	while (fgets(line, sizeof(line), stdin))
		puts(obey(line));
	return 0;
}
