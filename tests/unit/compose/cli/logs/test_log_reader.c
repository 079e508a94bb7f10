// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/logs/log_files.h"
#include "compose/cli/logs/log_reader.h"

#include "tests/support/scratch.h"

#define T                     "2026-01-02T03:04:0"
#define O(second, flag, text) T #second ".000000000Z stdout " flag " " text "\n"
#define E(second, flag, text) T #second ".000000000Z stderr " flag " " text "\n"
/* 2026-01-02T03:04:00Z */
#define BASE (INT64_C(1767323040) * 1000000000)

static char *log_path(void)
{
	_cleanup_close_ int fd = scratch_open();
	struct error err = ERROR_INIT;

	close(fs_mkdir_open(fd, "log", 0755, &err));
	return str_printf("%s/log", scratch_path());
}

static void put(const char *path, const char *name, const char *text)
{
	_cleanup_free_ char *file = str_printf("%s/%s", path, name);
	FILE *stream;

	if (!text) {
		(void)unlink(file);
		return;
	}
	stream = fopen(file, "we");
	fputs(text, stream);
	fclose(stream);
}

static void append(const char *path, const char *name, const char *text)
{
	_cleanup_free_ char *file = str_printf("%s/%s", path, name);
	FILE *stream = fopen(file, "ae");

	fputs(text, stream);
	fclose(stream);
}

static struct log_reader *open_reader(const char *path, struct log_reader_options options)
{
	struct log_reader *reader;
	struct error err = ERROR_INIT;

	cr_assert_eq(log_reader_open(path, &options, &reader, &err), 0, "%s", err.message);
	return reader;
}

static char *take(struct log_reader *reader)
{
	struct log_record record;
	struct strbuf text = {0};

	while (log_reader_next(reader, &record) == 1) {
		strbuf_add(&text, record.stream == 1 ? "o:" : "e:");
		strbuf_add_n(&text, record.text, record.size);
		strbuf_addc(&text, record.unfinished ? '~' : '|');
	}
	return strbuf_take(&text);
}

static void expect(struct log_reader *reader, const char *expected)
{
	_cleanup_free_ char *text = take(reader);

	cr_expect_str_eq(text, expected);
}

static const struct {
	const char *two, *one, *current;
	int64_t tail, since, until; /* seconds after BASE */
	const char *expected;
} reads[] = {
	{NULL, NULL, NULL, -1, 0, 0, ""},
	{NULL, NULL, "", 5, 0, 0, ""},
	{O(1, "F", "a"), O(2, "F", "b"), O(3, "F", "c"), -1, 0, 0, "o:a|o:b|o:c|"},
	{NULL, O(2, "F", "b"), NULL, -1, 0, 0, "o:b|"},
	{O(1, "F", "a"), NULL, O(3, "F", "c"), -1, 0, 0, "o:a|o:c|"},
	{O(1, "F", "a"), O(2, "F", "b"), O(3, "F", "c"), 0, 0, 0, ""},
	{O(1, "F", "a"), O(2, "F", "b"), O(3, "F", "c"), 1, 0, 0, "o:c|"},
	{O(1, "F", "a"), O(2, "F", "b"), O(3, "F", "c"), 2, 0, 0, "o:b|o:c|"},
	{O(1, "F", "a"), O(2, "F", "b"), "", 2, 0, 0, "o:a|o:b|"},
	{O(1, "F", "a"), O(2, "F", "b"), O(3, "F", "c"), 99, 0, 0, "o:a|o:b|o:c|"},
	{NULL, O(1, "F", "a") O(2, "F", "b"), O(3, "F", "c") O(4, "F", "d"), -1, 2, 3, "o:b|o:c|"},
	/* partial records, over files and between those of the other stream */
	{NULL, O(1, "P", "a") O(2, "P", "b"), O(3, "F", "c"), -1, 0, 0, "o:abc|"},
	{NULL, O(1, "P", "a") E(1, "F", "x") O(2, "P", "b"),
	 E(2, "P", "y") O(3, "F", "c") E(3, "F", "z"), -1, 0, 0, "e:x|o:abc|e:yz|"},
	{NULL, O(1, "P", "a") E(1, "F", "x") O(2, "P", "b"),
	 E(2, "P", "y") O(3, "F", "c") E(3, "F", "z"), 2, 0, 0, "o:abc|e:yz|"},
	{NULL, O(1, "P", "a") E(1, "F", "x") O(2, "P", "b"),
	 E(2, "P", "y") O(3, "F", "c") E(3, "F", "z"), 1, 0, 0, "e:yz|"},
	{NULL, O(1, "F", "0") O(1, "P", "a") E(1, "F", "x"), E(2, "F", "y") O(3, "F", "b"), 1, 0, 0,
	 "o:ab|"},
	{NULL, O(1, "F", "0") O(1, "P", "a") E(1, "F", "x"), E(2, "F", "y") O(3, "F", "b"), 2, 0, 0,
	 "e:y|o:ab|"},
	{NULL, NULL, O(1, "F", "a") O(2, "P", "$ "), -1, 0, 0, "o:a|o:$ ~"},
	{NULL, NULL, O(1, "P", "a") O(2, "F", ""), -1, 0, 0, "o:a|"},
	{NULL, NULL, O(1, "F", ""), -1, 0, 0, "o:|"},
	/* what no writer of ours would write */
	{NULL, NULL, O(1, "F", "a") "junk\n\n" O(2, "F", "b") "2026-01-02T03", -1, 0, 0,
	 "o:a|o:b|"},
	{NULL, NULL, O(1, "F", "a") "junk\n\n" O(2, "F", "b") "2026-01-02T03", 2, 0, 0, "o:a|o:b|"},
	{NULL, NULL, "2026-01-02T04:04:01.5+01:00 stdout F:tag a\n", -1, 1, 2, "o:a|"},
};

Test(log_reader, whole_lines_in_order)
{
	_cleanup_free_ char *path = log_path();

	array_foreach(c, reads) {
		struct log_reader_options options = {.tail = c->tail};
		struct log_reader *reader;
		_cleanup_free_ char *text = NULL;

		put(path, "00000007", c->two);
		put(path, "00000008", c->one);
		put(path, "00000009", c->current);
		options.since_nsec = c->since ? BASE + c->since * 1000000000 : 0;
		options.until_nsec = c->until ? BASE + c->until * 1000000000 : 0;
		reader = open_reader(path, options);
		text = take(reader);
		cr_expect_str_eq(text, c->expected, "row %td: %s", c - reads, text);
		cr_expect(log_reader_ended(reader));
		log_reader_free(reader);
	}
	scratch_remove();
}

Test(log_reader, times)
{
	static const struct {
		const char *line;
		int64_t nsec; /* -1: malformed */
	} rows[] = {
		{"2026-01-02T03:04:05.123456789Z stdout F x", BASE + 5123456789},
		{"2026-01-02T03:04:05Z stderr P x", BASE + 5000000000},
		{"2026-01-02T01:34:05.5-01:30 stdout F", BASE + 5500000000},
		{"1970-01-01T00:00:00Z stdout F x", 0},
		{"2000-02-29T00:00:00Z stdout F x", INT64_C(951782400000000000)},
		{"2026-01-02T03:04:05.Z stdout F x", -1},
		{"2026-01-02 03:04:05Z stdout F x", -1},
		{"2026-13-02T03:04:05Z stdout F x", -1},
		{"2026-01-02T03:04:05Z stdin F x", -1},
		{"2026-01-02T03:04:05Z stdout X x", -1},
		{"2026-01-02T03:04:05Z stdout", -1},
		{"", -1},
	};

	array_foreach(row, rows) {
		struct log_file_record record;
		bool ok = log_file_parse(row->line, strlen(row->line), &record);

		cr_expect_eq(ok, row->nsec >= 0, "%s", row->line);
		if (ok)
			cr_expect_eq(record.nsec, row->nsec, "%s: %lld", row->line,
				     (long long)record.nsec);
	}
}

static bool wakes(struct log_reader *reader)
{
	struct pollfd fd = {.fd = log_reader_fd(reader), .events = POLLIN};

	return poll(&fd, 1, 5000) == 1;
}

Test(log_reader, follows_over_rotations_and_to_the_end)
{
	_cleanup_free_ char *path = log_path();
	struct log_reader *reader;

	/* Nothing there yet. */
	reader = open_reader(path, (struct log_reader_options){.tail = -1, .follow = true});
	expect(reader, "");
	put(path, "00000001", O(1, "F", "a"));
	cr_expect(wakes(reader));
	expect(reader, "o:a|");
	/* A record in two writes; and one that was cut off and written again. */
	append(path, "00000001", T);
	expect(reader, "");
	append(path, "00000001", "2.000000000Z stdout F b\n");
	cr_expect(wakes(reader));
	expect(reader, "o:b|");
	/* Written just before two rotations that come before we look. */
	append(path, "00000001", O(3, "F", "c") O(3, "P", "d"));
	put(path, "00000002", O(4, "F", "e"));
	put(path, "00000003", O(5, "F", "f") O(5, "P", "g"));
	cr_expect(wakes(reader));
	expect(reader, "o:c|o:de|o:f|");
	/* The file that we hold goes, and the next one is there. */
	put(path, "00000004", O(6, "F", "h"));
	put(path, "00000001", NULL);
	put(path, "00000002", NULL);
	put(path, "00000003", NULL);
	expect(reader, "o:gh|");
	cr_expect_eq(log_reader_lost(reader), 0);
	cr_expect_not(log_reader_ended(reader));
	append(path, "00000004", O(7, "P", "$"));
	expect(reader, "");
	log_reader_stop_following(reader);
	expect(reader, "o:$~");
	cr_expect(log_reader_ended(reader));
	log_reader_free(reader);

	reader = open_reader(path, (struct log_reader_options){.tail = 0, .follow = true});
	expect(reader, "");
	append(path, "00000004", O(8, "F", "i"));
	expect(reader, "o:$i|");
	/* Removed with its directory: the end. */
	put(path, "00000004", NULL);
	cr_assert_eq(rmdir(path), 0);
	cr_expect(wakes(reader));
	expect(reader, "");
	cr_expect(log_reader_ended(reader));
	log_reader_free(reader);
	scratch_remove();
}

static char *take_one(struct log_reader *reader)
{
	struct log_record record;

	return log_reader_next(reader, &record) == 1 ? alloc_string_n(record.text, record.size)
						     : alloc_string("(none)");
}

/* What was seen before it was deleted is read; what was not is counted. */
Test(log_reader, rotation_overtakes_the_reader)
{
	_cleanup_free_ char *path = log_path(), *first = NULL;
	struct log_reader *reader;

	for (int number = 1; number <= 12; number++) {
		_cleanup_free_ char *name = str_printf("%08d", number);

		put(path, name, O(1, "F", "x") O(2, "F", "y") O(2, "P", "z"));
	}
	reader = open_reader(path, (struct log_reader_options){.tail = -1, .follow = true});
	/* This look opens eight files after the first. */
	first = take_one(reader);
	cr_expect_str_eq(first, "x");
	for (int number = 1; number <= 11; number++) {
		_cleanup_free_ char *name = str_printf("%08d", number);

		put(path, name, NULL);
	}
	expect(reader, "o:y|o:zx|o:y|o:zx|o:y|o:zx|o:y|o:zx|o:y|o:zx|o:y|o:zx|o:y|o:zx|o:y|o:zx|"
		       "o:y|o:z~o:x|o:y|");
	cr_expect_eq(log_reader_lost(reader), 2);
	cr_expect_eq(log_reader_lost(reader), 0);
	log_reader_free(reader);
	scratch_remove();
}

/* Only what was unfinished at that time is cut off. */
Test(log_reader, a_container_ends_and_starts_again)
{
	_cleanup_free_ char *path = log_path();
	struct log_reader *reader;

	put(path, "00000001", O(1, "F", "a") O(2, "P", "b"));
	reader = open_reader(path, (struct log_reader_options){.tail = -1, .follow = true});
	expect(reader, "o:a|");
	log_reader_cut(reader, BASE + INT64_C(3) * 1000000000);
	expect(reader, "o:b~");
	append(path, "00000001", O(4, "P", "c"));
	expect(reader, "");
	append(path, "00000001", O(4, "F", "d"));
	expect(reader, "o:cd|");
	log_reader_free(reader);
	scratch_remove();
}

Test(log_reader, lines_without_end_come_in_pieces)
{
	_cleanup_free_ char *path = log_path(), *file = str_printf("%s/00000001", path);
	_cleanup_free_ char *text = alloc(16384);
	struct log_reader *reader;
	struct log_record record;
	FILE *stream = fopen(file, "we");
	size_t total = 0;

	memset(text, 'x', 16384);
	for (int i = 0; i < 100; i++)
		fprintf(stream, T "1.000000000Z stdout P %.16384s\n", text);
	fputs(O(2, "F", "end"), stream);
	fclose(stream);
	reader = open_reader(path, (struct log_reader_options){.tail = -1});
	while (log_reader_next(reader, &record) == 1) {
		total += record.size;
		cr_expect_leq(record.size, (1 << 20) + 16384);
		cr_expect_eq(record.unfinished, total < 100 * 16384);
	}
	cr_expect_eq(total, 100 * 16384 + 3);
	log_reader_free(reader);
	scratch_remove();
}

/* More followers than a user may have inotifies: each of them is still woken. */
Test(log_reader, many_followers)
{
	_cleanup_free_ char *path = log_path();
	struct log_reader *readers[300];

	put(path, "00000001", "");
	array_foreach(reader, readers)
		*reader =
			open_reader(path, (struct log_reader_options){.tail = -1, .follow = true});
	append(path, "00000001", O(1, "F", "a"));
	array_foreach(reader, readers) {
		cr_expect(wakes(*reader));
		expect(*reader, "o:a|");
		log_reader_free(*reader);
	}
	scratch_remove();
}

Test(log_reader, no_directory_is_an_error)
{
	struct log_reader_options options = {.tail = -1};
	struct log_reader *reader;
	struct error err = ERROR_INIT;

	cr_expect_eq(log_reader_open("/nonexistent/log", &options, &reader, &err), -ENOENT);
	cr_expect_str_eq(err.message, "log /nonexistent/log: No such file or directory");
}

/* Measured, not asserted. */
Test(log_reader, speed)
{
	const int lines = 300000;
	_cleanup_free_ char *path = log_path(), *file = str_printf("%s/00000001", path);
	struct log_reader *reader;
	struct log_record record;
	FILE *stream = fopen(file, "we");
	int64_t all, tail;
	int seen = 0;

	for (int i = 0; i < lines; i++)
		fprintf(stream, T "1.000000000Z stdout F %0100d\n", i);
	fclose(stream);
	all = units_monotonic_usec();
	reader = open_reader(path, (struct log_reader_options){.tail = -1});
	while (log_reader_next(reader, &record) == 1)
		seen++;
	all = units_monotonic_usec() - all;
	cr_expect_eq(seen, lines);
	log_reader_free(reader);
	tail = units_monotonic_usec();
	reader = open_reader(path, (struct log_reader_options){.tail = 10});
	for (seen = 0; log_reader_next(reader, &record) == 1;)
		seen++;
	tail = units_monotonic_usec() - tail;
	cr_expect_eq(seen, 10);
	log_reader_free(reader);
	fprintf(stderr, "%d lines read in %lld ms (%.2f M/s); the last 10 in %lld us\n", lines,
		(long long)all / 1000, (double)lines / all, (long long)tail);
	scratch_remove();
}
