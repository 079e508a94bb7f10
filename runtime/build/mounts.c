// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RUN --mount=type=...: its words.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"

static const char *const kinds[] = {"bind", "cache", "tmpfs", "secret", "ssh"};
static const char *const keys[] = {"type",      "id",   "target",   "dst",      "destination",
				   "source",    "src",  "from",     "readonly", "ro",
				   "readwrite", "rw",   "sharing",  "mode",     "uid",
				   "gid",       "size", "required", "env"};

struct parsing {
	struct build *build;
	struct build_stage *stage;
	struct run_mount *mount;
	bool writable_set;
};

static int parse_number(const char *key, const char *value, int base, unsigned long max,
			unsigned long *ret, struct error *err)
{
	char *end;

	errno = 0;
	*ret = strtoul(value, &end, base);
	if (!*value || *end || errno || *ret > max || *value == '-')
		return error_set(err, EINVAL, "%s=%.40s: not a number", key, value);
	return 0;
}

static int parse_switch(const char *key, const char *value, bool *ret, struct error *err)
{
	*ret = !value || !strcmp(value, "true") || !strcmp(value, "1");
	if (!*ret && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
		return error_set(err, EINVAL, "%s=%.40s: it must be true or false", key, value);
	return 0;
}

static int parse_sharing(struct run_mount *mount, const char *value, struct error *err)
{
	static const char *const names[] = {"shared", "private", "locked"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], value) != 0)
			continue;
		mount->sharing = (enum mount_sharing)i;
		return 0;
	}
	return error_set(err, EINVAL, "sharing=%.40s: it must be shared, private or locked", value);
}

static int parse_ids(struct run_mount *mount, const char *key, const char *value, struct error *err)
{
	unsigned long number;

	if (!strcmp(key, "mode")) {
		if (parse_number(key, value, 8, 07777, &number, err) < 0)
			return -err->code;
		mount->mode = (mode_t)number;
		mount->has_mode = true;
		return 0;
	}
	if (parse_number(key, value, 10, UINT32_MAX - 1, &number, err) < 0)
		return -err->code;
	if (!strcmp(key, "uid"))
		mount->uid = (uid_t)number;
	else
		mount->gid = (gid_t)number;
	return 0;
}

static int unknown_key(const char *key, struct error *err)
{
	const char *meant = str_suggest(key, keys, ARRAY_SIZE(keys));

	return error_set(err, EINVAL, "--mount has no '%.40s'%s%s%s", key,
			 meant ? "; did you mean " : "", meant ?: "", meant ? "?" : "");
}

static void keep(char **field, char **value)
{
	free(*field);
	*field = *value ? TAKE_PTR(*value) : alloc_string("");
}

static int parse_switches(struct parsing *p, const char *key, const char *value, struct error *err)
{
	bool on;

	if (parse_switch(key, value, &on, err) < 0)
		return -err->code;
	if (!strcmp(key, "required")) {
		p->mount->required = on;
		return 0;
	}
	p->mount->writable = on == (key[0] == 'r' && (key[1] == 'w' || !strcmp(key, "readwrite")));
	p->writable_set = true;
	return 0;
}

static int parse_field(struct parsing *p, const char *key, char *value, struct error *err)
{
	struct run_mount *mount = p->mount;
	_cleanup_free_ char *expanded = NULL;

	if (value && scope_expand(p->build, p->stage, value, &expanded, err) < 0)
		return -err->code;
	if (!strcmp(key, "type"))
		return 0; /* read before all others */
	if (!strcmp(key, "id"))
		keep(&mount->id, &expanded);
	else if (!strcmp(key, "target") || !strcmp(key, "dst") || !strcmp(key, "destination"))
		keep(&mount->target, &expanded);
	else if (!strcmp(key, "source") || !strcmp(key, "src"))
		keep(&mount->path, &expanded);
	else if (!strcmp(key, "from"))
		keep(&mount->from, &expanded);
	else if (!strcmp(key, "env"))
		keep(&mount->env, &expanded);
	else if (!strcmp(key, "sharing"))
		return parse_sharing(mount, expanded ?: "", err);
	else if (!strcmp(key, "mode") || !strcmp(key, "uid") || !strcmp(key, "gid"))
		return parse_ids(mount, key, expanded ?: "", err);
	else if (!strcmp(key, "size")) {
		if (units_parse_bytes(expanded ?: "", &mount->size_bytes) < 0 ||
		    mount->size_bytes < 0)
			return error_set(err, EINVAL, "size=%.40s: not a size", expanded ?: "");
	} else if (!strcmp(key, "readonly") || !strcmp(key, "ro") || !strcmp(key, "readwrite") ||
		   !strcmp(key, "rw") || !strcmp(key, "required"))
		return parse_switches(p, key, expanded, err);
	else
		return unknown_key(key, err);
	return 0;
}

static int find_kind(struct parsing *p, char *const *fields, struct error *err)
{
	const char *meant;

	strv_foreach(field, fields) {
		if (!str_starts_with(field, "type="))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
			if (strcmp(field + 5, kinds[i]) != 0)
				continue;
			p->mount->kind = (enum mount_kind)i;
			return 0;
		}
		meant = str_suggest(field + 5, kinds, ARRAY_SIZE(kinds));
		return error_set(
			err, EINVAL,
			"--mount=%.60s: it must be bind, cache, tmpfs, secret or ssh%s%s%s", field,
			meant ? "; did you mean " : "", meant ?: "", meant ? "?" : "");
	}
	p->mount->kind = MOUNT_BIND;
	return 0;
}

static void make_absolute(struct parsing *p)
{
	const char *cwd = json_string_value(json_object_get(config_of(p->stage), "WorkingDir"));
	char *target = p->mount->target;

	if (!target || *target == '/')
		return;
	p->mount->target = str_printf("%s/%s", cwd && strcmp(cwd, "/") ? cwd : "", target);
	free(target);
}

/* What each kind needs, and what it takes when nothing is said. */
static int complete(struct parsing *p, struct error *err)
{
	struct run_mount *mount = p->mount;

	if (mount->kind == MOUNT_CACHE && !p->writable_set)
		mount->writable = true;
	if (mount->kind == MOUNT_SECRET && !mount->id)
		mount->id = alloc_string(mount->path     ? path_last(mount->path)
					 : mount->target ? path_last(mount->target)
							 : "");
	if (mount->kind == MOUNT_SECRET && !*mount->id)
		return error_set(err, EINVAL, "--mount=type=secret needs an id");
	if (mount->kind == MOUNT_SECRET && !mount->target && !mount->env)
		mount->target = str_printf("/run/secrets/%s", path_last(mount->id));
	if (mount->kind == MOUNT_SSH && !mount->id)
		mount->id = alloc_string("default");
	make_absolute(p);
	if (!mount->target && mount->kind != MOUNT_SSH &&
	    !(mount->kind == MOUNT_SECRET && mount->env))
		return error_set(err, EINVAL, "--mount=type=%s needs a target", kinds[mount->kind]);
	if (mount->target && !strcmp(mount->target, "/"))
		return error_set(err, EINVAL, "--mount: nothing can be mounted on /");
	if (mount->kind == MOUNT_CACHE && !mount->id)
		mount->id = alloc_string(mount->target);
	return 0;
}

static int find_source(struct parsing *p, struct error *err)
{
	struct run_mount *mount = p->mount;

	if (mount->kind != MOUNT_BIND && mount->kind != MOUNT_CACHE)
		return mount->from ? error_set(err, EINVAL,
					       "--mount=type=%s takes no from=", kinds[mount->kind])
				   : 0;
	if (mount->from)
		return stages_find_source(p->build, p->stage, mount->from, &mount->source, err);
	if (mount->kind == MOUNT_CACHE)
		return 0;
	if (p->build->context.dir < 0)
		return error_set(err, EINVAL, "--mount: there is no build context to bind");
	mount->source.kind = SOURCE_CONTEXT;
	mount->source.context = &p->build->context;
	mount->source.name = alloc_string(p->build->context.name);
	return 0;
}

int run_mount_parse(struct build *build, struct build_stage *stage, const char *text,
		    struct run_mount *ret, struct error *err)
{
	_cleanup_strv_ char **fields = strv_split(text, ",");
	struct parsing p = {build, stage, ret};

	*ret = (struct run_mount){0};
	if (find_kind(&p, fields, err) < 0)
		return -err->code;
	strv_foreach(field, fields) {
		char *equals = strchr(field, '=');

		if (equals)
			*equals = '\0';
		if (parse_field(&p, field, equals ? equals + 1 : NULL, err) < 0)
			return -err->code;
	}
	if (complete(&p, err) < 0)
		return -err->code;
	return find_source(&p, err);
}

void run_mount_done(struct run_mount *mount)
{
	free(mount->id);
	free(mount->target);
	free(mount->path);
	free(mount->env);
	free(mount->from);
	free(mount->source.name);
}
