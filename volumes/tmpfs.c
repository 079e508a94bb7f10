// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/str.h"
#include "common/units.h"

#include "volumes/mount.h"

static int parse_number(const char *text, int base, uint64_t limit, uint64_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, &end, base);
	return errno || *end || *ret > limit ? -EINVAL : 0;
}

static int set_size(struct tmpfs_options *options, const char *text)
{
	uint64_t percent;
	size_t n = strlen(text);
	char number[8];

	if (n == 0 || text[n - 1] != '%')
		return units_parse_bytes(text, &options->size_bytes) < 0 || options->size_bytes < 0
			       ? -EINVAL
			       : 0;
	/* As the kernel reads it: a share of the machine's memory. */
	if (n >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, n - 1);
	number[n - 1] = '\0';
	if (parse_number(number, 10, 100, &percent) < 0)
		return -EINVAL;
	options->size_bytes =
		(int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 100 * (int64_t)percent;
	return 0;
}

static int set_mode(struct tmpfs_options *options, const char *text)
{
	uint64_t value;

	if (parse_number(text, 8, 07777, &value) < 0)
		return -EINVAL;
	options->mode = (mode_t)value;
	return 0;
}

static int set_uid(struct tmpfs_options *options, const char *text)
{
	uint64_t value;

	if (parse_number(text, 10, UINT32_MAX - 1, &value) < 0)
		return -EINVAL;
	options->uid = (uid_t)value;
	return 0;
}

static int set_gid(struct tmpfs_options *options, const char *text)
{
	uint64_t value;

	if (parse_number(text, 10, UINT32_MAX - 1, &value) < 0)
		return -EINVAL;
	options->gid = (gid_t)value;
	return 0;
}

static int set_inodes(struct tmpfs_options *options, const char *text)
{
	int64_t value;

	if (units_parse_bytes(text, &value) < 0 || value < 0)
		return -EINVAL;
	options->inodes = value;
	return 0;
}

static int set_blocks(struct tmpfs_options *options, const char *text)
{
	uint64_t value;

	if (parse_number(text, 10, INT64_MAX / 65536, &value) < 0)
		return -EINVAL;
	options->size_bytes = (int64_t)value * sysconf(_SC_PAGESIZE);
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct tmpfs_options *options, const char *text);
} values[] = {
	{"size", set_size}, {"mode", set_mode},        {"uid", set_uid},
	{"gid", set_gid},   {"nr_inodes", set_inodes}, {"nr_blocks", set_blocks},
};

/* Words without a value: which field they set, and to what. NULL: of no consequence to a tmpfs. */
#define FIELD(name) (offsetof(struct tmpfs_options, name) + 1)
static const struct {
	const char *name;
	size_t field;
	bool value;
} flags[] = {
	{"ro", FIELD(read_only), true},
	{"rw", FIELD(read_only), false},
	{"exec", FIELD(exec), true},
	{"noexec", FIELD(exec), false},
	{"suid", FIELD(suid), true},
	{"nosuid", FIELD(suid), false},
	{"dev", FIELD(dev), true},
	{"nodev", FIELD(dev), false},
	{"defaults", 0, false},
	{"relatime", 0, false},
	{"norelatime", 0, false},
	{"atime", 0, false},
	{"noatime", 0, false},
	{"diratime", 0, false},
	{"nodiratime", 0, false},
	{"async", 0, false},
	{"sync", 0, false},
	{"rprivate", 0, false},
	{"private", 0, false},
	{"tmpcopyup", 0, false},
};

static bool parse_flag(const char *word, struct tmpfs_options *options)
{
	array_foreach(flag, flags) {
		if (strcmp(flag->name, word) != 0)
			continue;
		if (flag->field)
			*(bool *)((char *)options + flag->field - 1) = flag->value;
		return true;
	}
	return false;
}

static int parse_word(char *word, struct tmpfs_options *options, struct error *err)
{
	char *equals = strchr(word, '=');

	if (!equals) {
		if (parse_flag(word, options))
			return 0;
		return error_set(err, EINVAL, "tmpfs option '%s': there is none of this name",
				 word);
	}
	*equals = '\0';
	array_foreach(value, values) {
		if (strcmp(value->name, word) != 0)
			continue;
		if (value->set(options, equals + 1) == 0)
			return 0;
		return error_set(err, EINVAL, "tmpfs option '%s=%s': not a valid value", word,
				 equals + 1);
	}
	return error_set(err, EINVAL, "tmpfs option '%s=%s': there is none of this name", word,
			 equals + 1);
}

int tmpfs_options_parse(const char *text, struct tmpfs_options *ret, struct error *err)
{
	_cleanup_strv_ char **words = strv_split(text ? text : "", ",");
	struct tmpfs_options options = {0};

	strv_foreach(word, words) {
		int r = parse_word(word, &options, err);

		if (r < 0)
			return r;
	}
	*ret = options;
	return 0;
}
