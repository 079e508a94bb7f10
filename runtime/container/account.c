// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Users and groups as the image's own files have them. glibc's NSS would read the host's, or
 * load modules out of the image; so this is a small reader of bounded lines.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/rootpath.h"

#include "runtime/container/birth.h"

#define FILE_BYTES_MAX (16 << 20)
#define FIELDS_MAX     7

struct lines {
	int fd;
	size_t used, at, total;
	char data[8192];
};

/* The next line without its end, or NULL. A line longer than the buffer is skipped. */
static char *next_line(struct lines *lines)
{
	bool skipping = false;

	for (;;) {
		char *start = lines->data + lines->at;
		char *end = memchr(start, '\n', lines->used - lines->at);
		ssize_t n;

		if (end) {
			*end = 0;
			lines->at = (size_t)(end + 1 - lines->data);
			if (!skipping)
				return start;
			skipping = false;
			continue;
		}
		memmove(lines->data, start, lines->used - lines->at);
		lines->used -= lines->at;
		lines->at = 0;
		if (lines->used == sizeof(lines->data) - 1) {
			lines->used = 0;
			skipping = true;
		}
		n = lines->total > FILE_BYTES_MAX ? 0
						  : read(lines->fd, lines->data + lines->used,
							 sizeof(lines->data) - 1 - lines->used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (!lines->used || skipping)
				return NULL;
			lines->data[lines->used] = 0; /* a last line without an end */
			lines->at = lines->used;
			return lines->data;
		}
		lines->used += (size_t)n;
		lines->total += (size_t)n;
	}
}

static size_t split_fields(char *line, char *fields[FIELDS_MAX])
{
	size_t n = 0;

	while (n < FIELDS_MAX) {
		fields[n++] = line;
		line = strchr(line, ':');
		if (!line)
			break;
		*line++ = 0;
	}
	return n;
}

/* Digits only; an id that does not fit is none. */
static bool parse_id(const char *text, unsigned int *ret)
{
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9' || strlen(text) > 10)
		return false;
	value = strtoull(text, &end, 10);
	if (*end || value > 0xfffffffeULL)
		return false;
	*ret = (unsigned int)value;
	return true;
}

static int open_lines(int rootfd, const char *path, struct lines *lines)
{
	struct stat st;

	lines->used = lines->at = lines->total = 0;
	/* Non-blocking: an image may have a FIFO there. */
	lines->fd = rootpath_open_raw(rootfd, path, O_RDONLY | O_NONBLOCK, 0);
	if (lines->fd < 0)
		return lines->fd;
	if (fstat(lines->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(lines->fd);
		lines->fd = -EBADF;
		return -EINVAL;
	}
	return 0;
}

/*
 * Fills uid, gid and home from the first entry with this name or uid; its name into @name.
 * False: there is none.
 */
static bool find_user(int rootfd, const char *user, struct account *ret, char *name, size_t size)
{
	struct lines lines;
	unsigned int wanted, uid, gid;
	bool numeric = parse_id(user, &wanted), found = false;
	char *line, *fields[FIELDS_MAX];

	if (open_lines(rootfd, "/etc/passwd", &lines) < 0)
		return false;
	while (!found && (line = next_line(&lines))) {
		size_t n = split_fields(line, fields);

		if (n < 4 || !*fields[0] || !parse_id(fields[2], &uid) ||
		    !parse_id(fields[3], &gid))
			continue;
		if (strcmp(fields[0], user) != 0 && !(numeric && uid == wanted))
			continue;
		found = true;
		ret->uid = uid;
		ret->gid = gid;
		snprintf(name, size, "%s", fields[0]);
		if (n > 5 && *fields[5])
			snprintf(ret->home, sizeof(ret->home), "%s", fields[5]);
	}
	close(lines.fd);
	return found;
}

static bool find_group(int rootfd, const char *group, gid_t *ret)
{
	struct lines lines;
	unsigned int wanted, gid;
	bool numeric = parse_id(group, &wanted), found = false;
	char *line, *fields[FIELDS_MAX];

	if (open_lines(rootfd, "/etc/group", &lines) < 0)
		return false;
	while (!found && (line = next_line(&lines))) {
		if (split_fields(line, fields) < 3 || !parse_id(fields[2], &gid))
			continue;
		found = strcmp(fields[0], group) == 0 || (numeric && gid == wanted);
		if (found)
			*ret = gid;
	}
	close(lines.fd);
	return found;
}

static void add_group(struct account *account, gid_t gid)
{
	for (size_t i = 0; i < account->group_count; i++)
		if (account->groups[i] == gid)
			return;
	if (account->group_count < BIRTH_GROUPS_MAX)
		account->groups[account->group_count++] = gid;
}

static bool is_member(const char *members, const char *name)
{
	size_t length = strlen(name);

	while (*members) {
		size_t n = strcspn(members, ",");

		if (n == length && memcmp(members, name, n) == 0)
			return true;
		members += n + (members[n] == ',');
	}
	return false;
}

/* The groups that list the user as a member. */
static void add_memberships(int rootfd, const char *name, struct account *account)
{
	struct lines lines;
	unsigned int gid;
	char *line, *fields[FIELDS_MAX];

	if (open_lines(rootfd, "/etc/group", &lines) < 0)
		return;
	while ((line = next_line(&lines)))
		if (split_fields(line, fields) > 3 && parse_id(fields[2], &gid) &&
		    is_member(fields[3], name))
			add_group(account, gid);
	close(lines.fd);
}

static int resolve_group(int rootfd, const char *group, const char *what, gid_t *ret,
			 struct error *err)
{
	unsigned int gid;

	if (find_group(rootfd, group, ret))
		return 0;
	if (!parse_id(group, &gid))
		return error_set(err, ENOENT,
				 "unable to find %s %s: no matching entries in group file", what,
				 group);
	*ret = gid;
	return 0;
}

int account_find(int rootfd, const char *user, const char *const *groups, struct account *ret,
		 struct error *err)
{
	char who[256], name[256] = "", *group;
	bool found;
	int r = 0;

	*ret = (struct account){.home = "/"};
	if ((size_t)snprintf(who, sizeof(who), "%s", user ?: "") >= sizeof(who))
		return error_set(err, EINVAL, "user '%.40s...': the name is too long", user);
	group = strchr(who, ':');
	if (group)
		*group++ = 0;
	found = find_user(rootfd, *who ? who : "0", ret, name, sizeof(name));
	if (!found && *who && !parse_id(who, &ret->uid))
		return error_set(err, ENOENT,
				 "unable to find user %s: no matching entries in passwd file", who);
	if (group && *group)
		r = resolve_group(rootfd, group, "group", &ret->gid, err);
	if (r < 0)
		return r;
	add_group(ret, ret->gid);
	if (found && !(group && *group))
		add_memberships(rootfd, name, ret);
	for (; groups && *groups; groups++) {
		gid_t gid;

		r = resolve_group(rootfd, *groups, "additional group", &gid, err);
		if (r < 0)
			return r;
		add_group(ret, gid);
	}
	return 0;
}

/* Sets HOME too, where the image or the user did not. */
int account_resolve(struct newborn *self, struct error *err)
{
	const struct birth_plan *plan = self->plan;
	const char *user = self->spec->user;
	int r = account_find(self->root_fd, user, self->spec->groups, &self->account, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < plan->env_count; i++)
		if (strncmp(plan->env[i], "HOME=", 5) == 0 && plan->env[i][5])
			return 0;
	snprintf(self->home, sizeof(self->home), "HOME=%s", self->account.home);
	for (size_t i = 0; i < plan->env_count; i++) {
		if (strncmp(plan->env[i], "HOME=", 5) != 0)
			continue;
		plan->env[i] = self->home;
		return 0;
	}
	plan->env[plan->env_count] = self->home;
	return 0;
}
