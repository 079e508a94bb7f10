// SPDX-License-Identifier: GPL-2.0-or-later
/* check_machine.c - what the kernel does not know: names, sysctls, profiles to be confined by. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/str.h"

#include "runtime/container/confine/lsm.h"

#include "compose/control/place.h"
#include "compose/supervisor/translate/check.h"

#define UTS_MAX          64 /* uname(2) */
#define SYSCTL_VALUE_MAX 4096

static int check_names(const struct service *service, struct error *err)
{
	const struct {
		const char *key, *value;
	} rows[] = {
		{"hostname", service->hostname},
		{"domainname", service->domainname},
	};

	array_foreach(row, rows)
		if (row->value && strlen(row->value) > UTS_MAX && !strstr(row->value, "{{")) {
			error_set(err, ENAMETOOLONG, "%s '%.80s...' has more than %d characters",
				  row->key, row->value, UTS_MAX);
			return place_under(err, row->key, NULL);
		}
	return 0;
}

/* Those that are there in every namespace from the beginning, so that the host's tell of them. */
static bool is_fixed(const char *path)
{
	static const char *const folders[] = {"kernel/", "fs/mqueue/", "net/core/", "net/ipv4/",
					      "net/unix/"};
	static const char *const later[] = {"net/ipv4/conf/", "net/ipv4/neigh/", "net/ipv4/vs/"};

	array_foreach(folder, later)
		if (str_starts_with(path, *folder))
			return false;
	array_foreach(folder, folders)
		if (str_starts_with(path, *folder))
			return true;
	return false;
}

static bool is_numbers(const char *text)
{
	_cleanup_strv_ char **words = strv_split(text, " \t\n");

	strv_foreach(word, words) {
		char *end;

		(void)strtoll(word, &end, 10);
		if (*end)
			return false;
	}
	return words != NULL;
}

/* A number where the kernel has numbers; none is for the kernel to judge. */
static bool is_of_its_kind(const char *now, const char *value)
{
	return !is_numbers(now) || !*value || strchr("+-0123456789 \t", *value);
}

static int check_sysctl(const struct key_value *row, struct error *err)
{
	_cleanup_free_ char *path = str_printf("/proc/sys/%s", row->key), *now = NULL;
	struct error failure = ERROR_INIT;
	int r;

	for (char *c = path + strlen("/proc/sys/"); *c; c++)
		*c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
	if (!is_fixed(path + strlen("/proc/sys/")))
		return 0;
	r = fs_read(AT_FDCWD, path, SYSCTL_VALUE_MAX, &now, NULL, &failure);
	if (r == -ENOENT)
		return error_set(err, ENOENT, "sysctls: this kernel has no %s", row->key);
	if (r >= 0 && row->value && !is_of_its_kind(now, row->value))
		return error_set(err, EINVAL, "sysctls: %s is a number, not '%s'", row->key,
				 row->value);
	return 0;
}

static int check_sysctls(const struct service *service, struct error *err)
{
	for (size_t i = 0; i < service->sysctls.count; i++)
		if (check_sysctl(&service->sysctls.items[i], err) < 0)
			return place_under(err, "sysctls", service->sysctls.items[i].key, NULL);
	return 0;
}

/* Read once, however many services have it. */
static int check_seccomp(struct check_room *room, const struct service *service, struct error *err)
{
	struct translation translation = {.service = service, .project = room->project};
	const char *profile = translate_security_option(service, "seccomp");
	int r;

	if (!profile || !*profile || strv_contains(room->profiles, profile))
		return 0;
	r = translate_capabilities(service, &translation.spec.capabilities, err);
	if (r == 0)
		r = translate_seccomp(&translation, err);
	translation_done(&translation);
	if (r < 0)
		return r;
	strv_append(&room->profiles, profile);
	return 0;
}

static int check_apparmor(struct check_room *room, const struct service *service, struct error *err)
{
	const char *profile = translate_security_option(service, "apparmor");

	if (!profile || !*profile || str_equal(profile, "unconfined"))
		return 0;
	if (!lsm_has_apparmor()) {
		strv_take(&room->warnings,
			  str_printf("service %s: security_opt: apparmor=%s has no effect: this "
				     "machine has no AppArmor",
				     service->name, profile));
		return 0;
	}
	if (lsm_apparmor_profile(profile) == 0)
		return error_set(err, ENOENT,
				 "security_opt: AppArmor profile %s is not loaded: load it, with "
				 "apparmor_parser, or name another",
				 profile);
	return 0;
}

static int check_privileges(const struct service *service, struct error *err)
{
	const char *value = translate_security_option(service, "no-new-privileges");

	if (!value || !*value || str_equal(value, "true") || str_equal(value, "false"))
		return 0;
	return error_set(err, EINVAL, "security_opt: no-new-privileges is true or false, not '%s'",
			 value);
}

static int check_security(struct check_room *room, const struct service *service, struct error *err)
{
	const char *label = translate_security_option(service, "label");

	if (check_privileges(service, err) < 0 || check_seccomp(room, service, err) < 0 ||
	    check_apparmor(room, service, err) < 0)
		return place_under(err, "security_opt", NULL);
	if (label && *label && !str_equal(label, "disable") && !lsm_has_selinux())
		strv_take(&room->warnings,
			  str_printf("service %s: security_opt: label=%s has no effect: this "
				     "machine has no SELinux",
				     service->name, label));
	return 0;
}

int check_machine(struct check_room *room, const struct check_wish *wish, struct error *err)
{
	const struct service *service = wish->service;
	const char *parent;

	if (check_names(service, err) < 0 || (wish->started && check_sysctls(service, err) < 0) ||
	    check_security(room, service, err) < 0)
		return -err->code;
	parent = service->cgroup_parent;
	parent = parent ? parent + strspn(parent, "/") : "";
	if (*parent && cgroup_check_name(parent, err) < 0) {
		error_wrap(err, "cgroup_parent");
		return place_under(err, "cgroup_parent", NULL);
	}
	return 0;
}
