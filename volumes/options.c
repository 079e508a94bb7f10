// SPDX-License-Identifier: GPL-2.0-or-later
#include "volumes/options.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "volumes/detached.h"

#define OPTIONS_MAX (64 << 10)

/* Words of mount(8) that are about the mount, not about the file system. */
static const struct word {
	const char *name;
	uint64_t set, clear, propagation;
} words_of_mounts[] = {
	{"ro", MOUNT_ATTR_RDONLY, 0, 0},
	{"rw", 0, MOUNT_ATTR_RDONLY, 0},
	{"nosuid", MOUNT_ATTR_NOSUID, 0, 0},
	{"suid", 0, MOUNT_ATTR_NOSUID, 0},
	{"nodev", MOUNT_ATTR_NODEV, 0, 0},
	{"dev", 0, MOUNT_ATTR_NODEV, 0},
	{"noexec", MOUNT_ATTR_NOEXEC, 0, 0},
	{"exec", 0, MOUNT_ATTR_NOEXEC, 0},
	{"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, 0},
	{"relatime", 0, MOUNT_ATTR__ATIME, 0},
	{"atime", 0, MOUNT_ATTR__ATIME, 0},
	{"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME, 0},
	{"nodiratime", MOUNT_ATTR_NODIRATIME, 0, 0},
	{"diratime", 0, MOUNT_ATTR_NODIRATIME, 0},
	{"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0, 0},
	{"private", 0, 0, MS_PRIVATE},
	{"rprivate", 0, 0, MS_PRIVATE},
	{"shared", 0, 0, MS_SHARED},
	{"rshared", 0, 0, MS_SHARED},
	{"slave", 0, 0, MS_SLAVE},
	{"rslave", 0, 0, MS_SLAVE},
	{"unbindable", 0, 0, MS_UNBINDABLE},
};

/* Words for mount(8) and fstab alone. */
static const char *const words_without_effect[] = {
	"defaults", "auto", "noauto", "user", "nouser", "users", "_netdev", "nofail", "norelatime",
};

static bool mount_word(struct mount_words *words, const char *text)
{
	array_foreach(word, words_of_mounts) {
		if (strcmp(word->name, text) != 0)
			continue;
		words->clear = (words->clear & ~word->set) | word->clear;
		words->set = (words->set & ~word->clear) | word->set;
		if (word->propagation)
			words->propagation = word->propagation;
		return true;
	}
	array_foreach(word, words_without_effect)
		if (strcmp(*word, text) == 0)
			return true;
	if (strcmp(text, "bind") == 0 || strcmp(text, "rbind") == 0) {
		words->bind = true;
		words->recursive |= text[0] == 'r';
		return true;
	}
	return false;
}

static void parse_words(struct mount_words *words, const char *text)
{
	_cleanup_strv_ char **list = strv_split(text, ",");

	strv_foreach(word, list) {
		if (mount_word(words, word))
			continue;
		if (str_starts_with(word, "addr="))
			words->address = alloc_string(word + strlen("addr="));
		else
			strv_append(&words->parameters, word);
	}
}

static int check_known(const json_t *options, struct error *err)
{
	static const char *const known[] = {"type", "o", "device"};
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)options, key, value) {
		bool found = false;

		array_foreach(name, known)
			found |= strcmp(*name, key) == 0;
		if (!found)
			return error_set(err, EINVAL,
					 "driver option '%.100s': the local driver "
					 "has type, o and device",
					 key);
		if (!json_is_string(value) || json_string_length(value) > OPTIONS_MAX)
			return error_set(err, EINVAL, "driver option '%.100s': it must be a text",
					 key);
	}
	return 0;
}

int mount_words_parse(const json_t *options, struct mount_words *ret, struct error *err)
{
	const char *type, *device, *o;
	int r;

	*ret = (struct mount_words){0};
	if (!options || json_object_size(options) == 0)
		return 0;
	r = check_known(options, err);
	if (r < 0)
		return r;
	type = json_get_string(options, "type");
	device = json_get_string(options, "device");
	o = json_get_string(options, "o");
	ret->mounted = true;
	parse_words(ret, o ? o : "");
	if (type && strcmp(type, "bind") == 0)
		ret->bind = true;
	if (!device || !*device)
		return error_set(err, EINVAL, "driver option 'device': it is missing");
	if (!ret->bind && (!type || !*type || strcmp(type, "none") == 0))
		return error_set(err, EINVAL, "driver option 'type': it is missing");
	if (ret->bind && device[0] != '/')
		return error_set(err, EINVAL,
				 "driver option 'device': '%.200s' is not an absolute "
				 "path",
				 device);
	ret->type = ret->bind ? NULL : alloc_string(type);
	ret->device = alloc_string(device);
	return 0;
}

void mount_words_done(struct mount_words *words)
{
	free(words->type);
	free(words->device);
	free(words->address);
	strv_free(words->parameters);
	*words = (struct mount_words){0};
}

static int mount_the_bind(const struct mount_words *words, struct error *err)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	struct mount_attr attr = {.attr_set = words->set, .attr_clr = words->clear};
	_cleanup_close_ int mount = -EBADF;
	int r;

	mount = open_tree(AT_FDCWD, words->device, flags | (words->recursive ? AT_RECURSIVE : 0));
	if (mount < 0)
		return error_errno(err, "device '%s'", words->device);
	r = detached_set(mount, 0, words->propagation ? words->propagation : MS_PRIVATE,
			 words->recursive);
	if (r < 0)
		return error_code(err, r, "device '%s'", words->device);
	/* A change of the times' policy names its whole field. */
	if (attr.attr_set & MOUNT_ATTR__ATIME)
		attr.attr_clr |= MOUNT_ATTR__ATIME;
	attr.attr_clr &= ~attr.attr_set | MOUNT_ATTR__ATIME;
	if ((attr.attr_set || attr.attr_clr) &&
	    mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_errno(err, "device '%s': its options", words->device);
	return TAKE_FD(mount);
}

/* The kernel does not look up names: as mount.nfs, addr= is given as a number. */
static int set_address(int fs, const struct mount_words *words, struct error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	_cleanup_free_ char *host = NULL;
	const char *colon = strstr(words->device, ":/");
	char number[NI_MAXHOST];
	int r;

	if (words->address)
		host = alloc_string(words->address);
	else if (str_starts_with(words->type, "nfs") && colon)
		host = alloc_string_n(words->device, (size_t)(colon - words->device));
	else if (words->device[0] == '/' && words->device[1] == '/')
		host = alloc_string_n(words->device + 2, strcspn(words->device + 2, "/"));
	if (!host)
		return 0;
	r = getaddrinfo(host, NULL, &hints, &list);
	if (r != 0)
		return error_set(err, EHOSTUNREACH, "host '%.100s': %s", host, gai_strerror(r));
	r = getnameinfo(list->ai_addr, list->ai_addrlen, number, sizeof(number), NULL, 0,
			NI_NUMERICHOST);
	freeaddrinfo(list);
	if (r != 0)
		return error_set(err, EHOSTUNREACH, "host '%.100s': %s", host, gai_strerror(r));
	return detached_fs_set(fs, str_starts_with(words->type, "nfs") ? "addr" : "ip", number,
			       err);
}

static bool over_network(const char *type)
{
	return str_starts_with(type, "nfs") || strcmp(type, "cifs") == 0 ||
	       strcmp(type, "smb3") == 0;
}

static int set_parameter(int fs, const char *word, struct error *err)
{
	const char *equals = strchr(word, '=');
	_cleanup_free_ char *key = NULL;

	if (!equals)
		return detached_fs_set(fs, word, NULL, err);
	key = alloc_string_n(word, (size_t)(equals - word));
	return detached_fs_set(fs, key, equals + 1, err);
}

static int configure(int fs, const struct mount_words *words, struct error *err)
{
	int r = detached_fs_set(fs, "source", words->device, err);

	/* Read-only is the file system's too: a device that cannot be written mounts only so. */
	if (r == 0 && words->set & MOUNT_ATTR_RDONLY)
		r = detached_fs_set(fs, "ro", NULL, err);
	if (r == 0 && over_network(words->type))
		r = set_address(fs, words, err);
	strv_foreach(word, words->parameters)
		if (r == 0)
			r = set_parameter(fs, word, err);
	return r;
}

int mount_words_mount(const struct mount_words *words, struct error *err)
{
	_cleanup_close_ int fs = -EBADF;
	int mount, r;

	if (words->bind)
		return mount_the_bind(words, err);
	fs = detached_fs_open(words->type, err);
	if (fs < 0)
		return fs;
	r = configure(fs, words, err);
	if (r < 0)
		return r;
	mount = detached_fs_mount(fs, words->set, err);
	return mount < 0 ? error_wrap(err, "device '%s' as %s", words->device, words->type) : mount;
}
