// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Profiles in Docker's JSON format, as `security_opt: seccomp=FILE` names them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"

#include "runtime/container/confine/seccomp.h"
#include "runtime/container/confine/seccomp_build.h"

#define PROFILE_BYTES_MAX (1 << 20)
#define ARGS_MAX          6

static const struct {
	const char *name;
	uint32_t action;
	bool with_errno;
} actions[] = {
	{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW, false},
	{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), true},
	{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD, false},
	{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD, false},
	{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, false},
	{"SCMP_ACT_LOG", SCMP_ACT_LOG, false},
	{"SCMP_ACT_TRAP", SCMP_ACT_TRAP, false},
	{"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), true},
};

static const struct {
	const char *name;
	enum scmp_compare op;
} comparisons[] = {
	{"SCMP_CMP_NE", SCMP_CMP_NE},
	{"SCMP_CMP_LT", SCMP_CMP_LT},
	{"SCMP_CMP_LE", SCMP_CMP_LE},
	{"SCMP_CMP_EQ", SCMP_CMP_EQ},
	{"SCMP_CMP_GE", SCMP_CMP_GE},
	{"SCMP_CMP_GT", SCMP_CMP_GT},
	{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

static int read_action(const char *name, int64_t number, uint32_t *ret, struct error *err)
{
	array_foreach(row, actions) {
		if (!name || strcmp(row->name, name) != 0)
			continue;
		if (number < 0 || number > 0xffff)
			return error_set(err, EINVAL,
					 "seccomp profile: errnoRet %lld is not an errno",
					 (long long)number);
		*ret = row->action | (row->with_errno ? (uint32_t)number : 0);
		return 0;
	}
	return error_set(err, EINVAL, "seccomp profile: no such action: '%s'", name ?: "");
}

static int read_arg(const json_t *json, struct scmp_arg_cmp *ret, struct error *err)
{
	const char *op = json_get_string(json, "op");
	int64_t index = json_get_int(json, "index", -1);

	if (index < 0 || index >= ARGS_MAX)
		return error_set(err, EINVAL, "seccomp profile: arguments have an index of 0 to 5");
	array_foreach(row, comparisons) {
		if (!op || strcmp(row->name, op) != 0)
			continue;
		*ret = (struct scmp_arg_cmp){
			.arg = (unsigned int)index,
			.op = row->op,
			.datum_a = (scmp_datum_t)json_get_int(json, "value", 0),
			.datum_b = (scmp_datum_t)json_get_int(json, "valueTwo", 0),
		};
		return 0;
	}
	return error_set(err, EINVAL, "seccomp profile: no such comparison: '%s'", op ?: "");
}

/* "amd64" and the like, in the words of Go, that Docker has. */
static bool is_our_arch(const char *name)
{
#if defined(__x86_64__)
	return strcmp(name, "amd64") == 0 || strcmp(name, "x86") == 0 || strcmp(name, "x32") == 0;
#else
	return strcmp(name, "arm64") == 0 || strcmp(name, "arm") == 0;
#endif
}

static bool any_arch(const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach((json_t *)list, i, item)
		if (json_is_string(item) && is_our_arch(json_string_value(item)))
			return true;
	return false;
}

static uint64_t capability_list(const json_t *list)
{
	const json_t *item;
	uint64_t mask = 0;
	size_t i;

	json_array_foreach((json_t *)list, i, item) {
		uint64_t one;

		/* One that this kernel has not cannot be there. */
		if (json_is_string(item) &&
		    capability_from_name(json_string_value(item), &one) == 0)
			mask |= one;
		else
			mask |= UINT64_C(1) << 63;
	}
	return mask;
}

static bool kernel_is_at_least(const char *wanted)
{
	unsigned int major = 0, minor = 0, have_major = 0, have_minor = 0;
	struct utsname name;

	if (!wanted || sscanf(wanted, "%u.%u", &major, &minor) != 2)
		return true;
	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &have_major, &have_minor) != 2)
		return true;
	return have_major > major || (have_major == major && have_minor >= minor);
}

static bool rule_applies(const json_t *rule, uint64_t capabilities)
{
	const json_t *in = json_object_get(rule, "includes"),
		     *out = json_object_get(rule, "excludes");
	const json_t *list = json_object_get(in, "arches");
	uint64_t mask = capability_list(json_object_get(in, "caps"));

	if (json_array_size(list) && !any_arch(list))
		return false;
	if (any_arch(json_object_get(out, "arches")))
		return false;
	if ((capabilities & mask) != mask || !kernel_is_at_least(json_get_string(in, "minKernel")))
		return false;
	if (json_get_string(out, "minKernel") &&
	    kernel_is_at_least(json_get_string(out, "minKernel")))
		return false;
	return !(capabilities & capability_list(json_object_get(out, "caps")));
}

static int add_names(struct seccomp_build *build, const json_t *rule, uint32_t action,
		     const struct scmp_arg_cmp *args, unsigned int count, struct error *err)
{
	const json_t *names = json_object_get(rule, "names"), *item;
	const char *single = json_get_string(rule, "name");
	size_t i;
	int r = 0;

	if (single)
		r = seccomp_build_add(build, single, action, args, count, err);
	json_array_foreach((json_t *)names, i, item) {
		if (r < 0)
			break;
		if (!json_is_string(item))
			return error_set(err, EINVAL, "seccomp profile: names must be strings");
		r = seccomp_build_add(build, json_string_value(item), action, args, count, err);
	}
	return r;
}

/* Several conditions on one argument are alternatives to libseccomp: each is a rule then. */
static bool same_arg_twice(const struct scmp_arg_cmp *args, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		for (unsigned int j = 0; j < i; j++)
			if (args[i].arg == args[j].arg)
				return true;
	return false;
}

static int add_rule(struct seccomp_build *build, const json_t *rule, uint64_t capabilities,
		    struct error *err)
{
	const json_t *list = json_object_get(rule, "args"), *item;
	struct scmp_arg_cmp args[ARGS_MAX];
	unsigned int count = 0;
	uint32_t action;
	size_t i;
	int r;

	if (!rule_applies(rule, capabilities))
		return 0;
	r = read_action(json_get_string(rule, "action"), json_get_int(rule, "errnoRet", EPERM),
			&action, err);
	if (r < 0)
		return r;
	json_array_foreach((json_t *)list, i, item) {
		if (count == ARGS_MAX)
			return error_set(err, EINVAL, "seccomp profile: more than 6 arguments");
		r = read_arg(item, &args[count++], err);
		if (r < 0)
			return r;
	}
	if (!same_arg_twice(args, count))
		return add_names(build, rule, action, args, count, err);
	for (unsigned int a = 0; r == 0 && a < count; a++)
		r = add_names(build, rule, action, &args[a], 1, err);
	return r;
}

int seccomp_profile_program(const char *json, uint64_t capabilities, struct sock_fprog **ret,
			    struct error *err)
{
	_cleanup_(seccomp_build_done) struct seccomp_build build = {0};
	_cleanup_json_ json_t *profile = NULL;
	const json_t *rules, *rule;
	uint32_t otherwise;
	size_t i, size = strlen(json);
	int r;

	if (size > PROFILE_BYTES_MAX)
		return error_set(err, EFBIG, "seccomp profile: more than 1 MiB");
	r = json_parse(json, size, &profile, err);
	if (r < 0)
		return error_wrap(err, "seccomp profile");
	if (!json_is_object(profile))
		return error_set(err, EINVAL, "seccomp profile: must be an object");
	r = read_action(json_get_string(profile, "defaultAction"),
			json_get_int(profile, "defaultErrnoRet", EPERM), &otherwise, err);
	if (r == 0)
		r = seccomp_build_begin(&build, otherwise, err);
	rules = json_object_get(profile, "syscalls");
	json_array_foreach((json_t *)rules, i, rule) {
		if (r < 0)
			return r;
		r = add_rule(&build, rule, capabilities, err);
	}
	return r < 0 ? r : seccomp_build_end(&build, ret, err);
}
