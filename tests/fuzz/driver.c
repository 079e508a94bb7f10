// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * driver.c - feeds LLVMFuzzerTestOneInput() where libFuzzer is not at hand (gcc).
 *
 *     fuzz_NAME SECONDS CORPUS-DIRECTORY CRASH-FILE [SEED]
 *
 * First the corpus as it is, then mutations of it in an order that the seed decides. Objects that
 * were compiled with -fsanitize-coverage=trace-pc tell which inputs reach something new; those
 * join the corpus in memory. An input that crashes or takes longer than HANG_SECONDS is written
 * to CRASH-FILE, which can be given instead of the corpus to run it alone.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX    65536
#define INPUTS_MAX   8192
#define HANG_SECONDS 10
#define MAP_SIZE     (1 << 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_cov_trace_pc(void);
void __sanitizer_set_death_callback(void (*callback)(void));

struct input {
	uint8_t *data;
	size_t size;
};

static struct input corpus[INPUTS_MAX];
static size_t corpus_count;
static const uint8_t *current;
static size_t current_size;
static const char *crash_file;
static uint64_t state;
static uint8_t seen[MAP_SIZE];
static bool found_new;
static uintptr_t previous;
extern const char __executable_start[];

/* Called on every edge of instrumented code: pairs of places, relative to where we are loaded. */
void __sanitizer_cov_trace_pc(void)
{
	uintptr_t place = (uintptr_t)__builtin_return_address(0) - (uintptr_t)__executable_start;
	size_t slot = ((place * 0x9e3779b97f4a7c15) >> 48 ^ previous) % MAP_SIZE;

	previous = ((place * 0x9e3779b97f4a7c15) >> 49) % MAP_SIZE;
	if (!seen[slot]) {
		seen[slot] = 1;
		found_new = true;
	}
}

static void save_current(void)
{
	int fd = open(crash_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	static const char text[] = "\nfuzz: the input was written to ";

	if (fd < 0)
		return;
	(void)!write(fd, current, current_size);
	close(fd);
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)!write(STDERR_FILENO, crash_file, strlen(crash_file));
	(void)!write(STDERR_FILENO, "\n", 1);
}

static void on_signal(int number)
{
	static const char hang[] = "fuzz: the input takes too long\n";

	if (number == SIGALRM)
		(void)!write(STDERR_FILENO, hang, sizeof(hang) - 1);
	save_current();
	_exit(1);
}

/* xorshift64*: the same numbers everywhere. */
static uint64_t next(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

static size_t below(size_t n)
{
	return n ? next() % n : 0;
}

static void run(const uint8_t *data, size_t size)
{
	/* An own block of exactly that size: reading past its end is then seen. */
	uint8_t *copy = malloc(size ? size : 1);

	memcpy(copy, data, size);
	current = copy;
	current_size = size;
	alarm(HANG_SECONDS);
	LLVMFuzzerTestOneInput(copy, size);
	alarm(0);
	free(copy);
}

static void keep(const uint8_t *data, size_t size)
{
	if (corpus_count == INPUTS_MAX)
		return;
	corpus[corpus_count].data = malloc(size ? size : 1);
	corpus[corpus_count].size = size;
	memcpy(corpus[corpus_count].data, data, size);
	corpus_count++;
}

static size_t insert(uint8_t *data, size_t size, size_t at, const uint8_t *from, size_t n)
{
	if (size + n > INPUT_MAX)
		n = INPUT_MAX - size;
	memmove(data + at + n, data + at, size - at);
	memcpy(data + at, from, n);
	return size + n;
}

static size_t mutate_once(uint8_t *data, size_t size)
{
	static const uint8_t interesting[] = {0,   1,    0x7f, 0x80, 0xff, '\n', ' ',
					      '"', '\'', '{',  '}',  '[',  ']',  ':',
					      ',', '-',  '*',  '&',  '$',  '%'};
	const struct input *other = &corpus[below(corpus_count)];
	size_t at = below(size + 1), n, from;

	switch (below(7)) {
	case 0:
		if (at < size)
			data[at] ^= (uint8_t)(1 << below(8));
		return size;
	case 1:
		if (at < size)
			data[at] = interesting[below(sizeof(interesting))];
		return size;
	case 2:
		if (at < size)
			data[at] = (uint8_t)next();
		return size;
	case 3:
		n = below(size - at + 1);
		memmove(data + at, data + at + n, size - at - n);
		return size - n;
	case 4:
		n = below(8) + 1;
		return insert(data, size, at, &interesting[below(sizeof(interesting) - n)], n);
	case 5: {
		uint8_t part[256];

		from = below(size + 1);
		n = below(size - from + 1);
		n = n < sizeof(part) ? n : sizeof(part);
		memcpy(part, data + from, n);
		return insert(data, size, at, part, n);
	}
	default:
		from = below(other->size + 1);
		return insert(data, size, at, other->data + from, below(other->size - from + 1));
	}
}

static void add_file(int dirfd, const char *name)
{
	static uint8_t data[INPUT_MAX];
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	struct stat status;
	ssize_t n;

	if (fd < 0)
		return;
	n = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? read(fd, data, INPUT_MAX) : -1;
	close(fd);
	if (n >= 0)
		keep(data, (size_t)n);
}

static int compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_corpus(const char *path)
{
	struct dirent **entries = NULL;
	int n = scandir(path, &entries, NULL, compare), fd;

	if (n < 0) {
		add_file(AT_FDCWD, path);
		return;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < n; i++) {
		add_file(fd, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	close(fd);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fuzz(double end)
{
	static uint8_t data[INPUT_MAX];
	unsigned long runs = 0;

	for (; now() < end; runs++) {
		const struct input *base = &corpus[below(corpus_count)];
		size_t size = base->size;

		memcpy(data, base->data, size);
		for (size_t n = below(6) + 1; n > 0; n--)
			size = mutate_once(data, size);
		found_new = false;
		run(data, size);
		if (found_new)
			keep(data, size);
	}
	printf("fuzz: %lu runs, %zu inputs\n", runs, corpus_count);
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: %s SECONDS CORPUS CRASH-FILE [SEED]\n", argv[0]);
		return 2;
	}
	crash_file = argv[3];
	state = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
	state = state ? state : 1;
	signal(SIGALRM, on_signal);
	signal(SIGABRT, on_signal);
	__sanitizer_set_death_callback(save_current);
	load_corpus(argv[2]);
	for (size_t i = 0, n = corpus_count; i < n; i++)
		run(corpus[i].data, corpus[i].size);
	if (corpus_count == 0)
		keep((const uint8_t *)"", 0);
	fuzz(now() + strtod(argv[1], NULL));
	return 0;
}
