/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - calls a fuzz target where the compiler has no libFuzzer
 *
 * usage: fuzz_TARGET [-runs=N] FOLDER...
 *
 * With each file of the folders, and then with N changed ones. The changes are the same each time.
 * Options of libFuzzer that mean nothing here are ignored.
 */
#include "fuzz.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SEEDS_MAX  64
#define INPUT_MAX  8192
#define CHANGE_MAX 8 /* changes of one input */
#define PIECE_MAX  64

struct input {
	size_t size;
	uint8_t bytes[INPUT_MAX];
};

static struct input seeds[SEEDS_MAX];
static size_t seed_count;
static uint64_t state = 1;

/* xorshift64 */
static size_t random_below(size_t bound)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return bound ? (size_t)(state % bound) : 0;
}

static bool read_seed(const char *folder, const char *name)
{
	struct input *seed = &seeds[seed_count++];
	char path[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, seed->bytes, INPUT_MAX);
	seed->size = n < 0 ? 0 : (size_t)n;
	return n >= 0 && close(fd) == 0;
}

static bool read_seeds(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	bool good = dir;

	while (good && seed_count < SEEDS_MAX && (entry = readdir(dir)))
		good = entry->d_name[0] == '.' || read_seed(folder, entry->d_name);
	if (dir)
		closedir(dir);
	if (!good)
		perror(folder);
	return good;
}

/* Replaces some bytes of the input by others, which may be more or fewer. */
static void replace(struct input *input, size_t at, size_t old, const uint8_t *bytes, size_t size)
{
	if (old > input->size - at)
		old = input->size - at;
	if (input->size - old + size > INPUT_MAX)
		return;
	memmove(input->bytes + at + size, input->bytes + at + old, input->size - at - old);
	memmove(input->bytes + at, bytes, size);
	input->size += size - old;
}

static void change(struct input *input)
{
	static const char *const words[] = {
		"0",     "-1",       "9223372036854775807", "ffffffffffffffff",
		"\\x41", "\xff\xfe", "18446744073709551615"};
	const struct input *other = &seeds[random_below(seed_count)];
	const char *word = words[random_below(sizeof(words) / sizeof(*words))];
	size_t at = random_below(input->size + 1), from = random_below(other->size);
	size_t length = random_below(PIECE_MAX);
	uint8_t byte = (uint8_t)random_below(256);

	if (length > other->size - from)
		length = other->size - from;
	switch (random_below(5)) {
	case 0:
		replace(input, at, 1, &byte, 1);
		break;
	case 1:
		replace(input, at, 0, &byte, 1);
		break;
	case 2:
		replace(input, at, length, NULL, 0);
		break;
	case 3:
		replace(input, at, random_below(PIECE_MAX), other->bytes + from, length);
		break;
	default:
		replace(input, at, random_below(8), (const uint8_t *)word, strlen(word));
	}
}

/* The target gets a copy of exactly that size, so that a sanitizer sees what it reads beyond. */
static void run(const struct input *input)
{
	uint8_t *copy = malloc(input->size ? input->size : 1);

	REQUIRE(copy);
	memcpy(copy, input->bytes, input->size);
	LLVMFuzzerTestOneInput(copy, input->size);
	free(copy);
}

int main(int argc, char **argv)
{
	unsigned long runs = 0;

	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "-runs=", 6))
			runs = strtoul(argv[i] + 6, NULL, 10);
		else if (argv[i][0] != '-' && !read_seeds(argv[i]))
			return 1;
	}
	for (size_t i = 0; i < seed_count; i++)
		run(&seeds[i]);
	while (seed_count && runs--) {
		static struct input input;

		input = seeds[random_below(seed_count)];
		for (size_t i = random_below(CHANGE_MAX); i <= CHANGE_MAX; i++)
			change(&input);
		run(&input);
	}
	return 0;
}
