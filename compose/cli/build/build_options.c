// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/build/build_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/registry/config_proxies.h"
#include "compose/cli/view/output.h"

char *build_inputs_own(struct build_inputs *inputs, char *s)
{
	strv_take(&inputs->owned, s);
	return s;
}

int build_inputs_args(struct build_inputs *inputs, char *const *list, struct error *err)
{
	strv_foreach(row, list) {
		const char *equals = strchr(row, '='), *value;
		_cleanup_free_ char *name =
			alloc_string_n(row, equals ? (size_t)(equals - row) : strlen(row));

		if (!*name)
			return error_set(err, EINVAL, "--build-arg '%s': a name is missing", row);
		value = equals ? equals + 1 : getenv(name);
		if (value)
			strv_env_set(&inputs->args, name, value);
	}
	strv_foreach(row, config_proxies()) {
		const char *equals = strchr(row, '=');
		_cleanup_free_ char *name = alloc_string_n(row, (size_t)(equals - row));

		if (!strv_env_get(inputs->args, name))
			strv_env_set(&inputs->args, name, equals + 1);
	}
	/* As buildx has it: whoever set it wants the same bytes of every tool. */
	if (getenv("SOURCE_DATE_EPOCH") && !strv_env_get(inputs->args, "SOURCE_DATE_EPOCH"))
		strv_env_set(&inputs->args, "SOURCE_DATE_EPOCH", getenv("SOURCE_DATE_EPOCH"));
	return 0;
}

static int one_secret(struct build_inputs *inputs, const char *text, struct error *err)
{
	_cleanup_strv_ char **fields = strv_split(text, ",");
	struct build_secret *secret = array_add(inputs->secrets, inputs->secret_count);

	strv_foreach(field, fields) {
		char *equals = strchr(field, '='), *value;

		if (!equals)
			return error_set(err, EINVAL, "--secret %s: '%s' must be KEY=VALUE", text,
					 field);
		*equals = '\0';
		value = build_inputs_own(inputs, alloc_string(equals + 1));
		if (!strcmp(field, "id"))
			secret->id = value;
		else if (!strcmp(field, "src") || !strcmp(field, "source"))
			secret->path = value;
		else if (!strcmp(field, "env")) {
			secret->value = getenv(value);
			if (!secret->value)
				return error_set(err, ENOENT, "--secret %s: %s is not set", text,
						 value);
		} else if (strcmp(field, "type") != 0) {
			return error_set(err, EINVAL, "--secret %s: there is no '%s'", text, field);
		}
	}
	if (!secret->id)
		return error_set(err, EINVAL, "--secret %s: it needs an id", text);
	if (!secret->path && !secret->value) {
		secret->value = getenv(secret->id);
		secret->path = secret->value ? NULL : secret->id;
	}
	return 0;
}

int build_inputs_secrets(struct build_inputs *inputs, char *const *list, struct error *err)
{
	strv_foreach(row, list)
		if (one_secret(inputs, row, err) < 0)
			return -err->code;
	return 0;
}

int build_inputs_ssh(struct build_inputs *inputs, char *const *list, struct error *err)
{
	strv_foreach(row, list) {
		struct build_ssh *ssh = array_add(inputs->ssh, inputs->ssh_count);
		char *equals = strchr(row, '=');
		struct stat st;

		ssh->id = build_inputs_own(
			inputs, alloc_string_n(row, equals ? (size_t)(equals - row) : strlen(row)));
		ssh->socket = equals ? build_inputs_own(inputs, alloc_string(equals + 1))
				     : getenv("SSH_AUTH_SOCK");
		if (!ssh->socket || !*ssh->socket)
			return error_set(err, ENOENT,
					 "ssh %s: there is no agent (SSH_AUTH_SOCK is not set)",
					 ssh->id);
		if (stat(ssh->socket, &st) < 0)
			return error_errno(err, "ssh %s: %s", ssh->id, ssh->socket);
		if (!S_ISSOCK(st.st_mode))
			return error_set(
				err, EINVAL,
				"ssh %s: %s is not an agent's socket: add keys to an agent "
				"with ssh-add",
				ssh->id, ssh->socket);
	}
	return 0;
}

/* "[::1]" as "::1". */
static char *plain_address(const char *text)
{
	size_t n = strlen(text);

	return n > 2 && *text == '[' && text[n - 1] == ']' ? alloc_string_n(text + 1, n - 2)
							   : alloc_string(text);
}

static bool is_address(const char *text)
{
	unsigned char binary[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, text, binary) == 1 || inet_pton(AF_INET6, text, binary) == 1;
}

int build_inputs_hosts(struct build_inputs *inputs, char *const *list, struct error *err)
{
	strv_foreach(row, list) {
		size_t n = strcspn(row, "=:");

		_cleanup_free_ char *address = NULL;

		if (!n || !row[n] || !row[n + 1])
			return error_set(err, EINVAL, "host '%s' must be NAME:ADDRESS", row);
		address = plain_address(row + n + 1);
		if (!is_address(address) && strcmp(address, "host-gateway") != 0)
			return error_set(err, EINVAL, "host '%s': \"%s\" is no IP address", row,
					 address);
		strv_take(&inputs->hosts, str_printf("%s\t%.*s", address, (int)n, row));
	}
	return 0;
}

static const struct {
	const char *name;
	int resource;
} limits[] = {
	{"as", RLIMIT_AS},           {"core", RLIMIT_CORE},     {"cpu", RLIMIT_CPU},
	{"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},   {"locks", RLIMIT_LOCKS},
	{"memlock", RLIMIT_MEMLOCK}, {"nice", RLIMIT_NICE},     {"nofile", RLIMIT_NOFILE},
	{"nproc", RLIMIT_NPROC},     {"rtprio", RLIMIT_RTPRIO}, {"stack", RLIMIT_STACK},
};

static rlim_t limit_value(int64_t value)
{
	return value < 0 ? RLIM_INFINITY : (rlim_t)value;
}

int build_inputs_limit(struct build_inputs *inputs, const char *name, int64_t soft, int64_t hard,
		       struct error *err)
{
	const char *names[ARRAY_SIZE(limits)], *meant;

	array_foreach(row, limits) {
		struct rlimit_spec *limit;

		names[row - limits] = row->name;
		if (!str_equal(row->name, name))
			continue;
		limit = array_add(inputs->rlimits, inputs->rlimit_count);
		limit->resource = row->resource;
		limit->limit.rlim_cur = limit_value(soft);
		limit->limit.rlim_max = limit_value(hard);
		return 0;
	}
	meant = str_suggest(name, names, ARRAY_SIZE(names));
	return error_set(err, EINVAL, "there is no limit '%s'%s%s%s", name,
			 meant ? "; did you mean '" : "", meant ?: "", meant ? "'?" : "");
}

static int one_limit(struct build_inputs *inputs, const char *text, struct error *err)
{
	size_t n = strcspn(text, "=");
	_cleanup_free_ char *name = alloc_string_n(text, n);
	long long soft, hard;
	char *end;

	if (!n || !text[n])
		return error_set(err, EINVAL, "--ulimit %s: it must be NAME=SOFT[:HARD]", text);
	soft = hard = strtoll(text + n + 1, &end, 10);
	if (end != text + n + 1 && *end == ':') {
		const char *second = end + 1;

		hard = strtoll(second, &end, 10);
		end = end == second ? (char *)text + n + 1 : end;
	}
	if (end == text + n + 1 || *end || soft < -1 || hard < -1)
		return error_set(err, EINVAL, "--ulimit %s: it must be NAME=SOFT[:HARD], -1: none",
				 text);
	if (hard >= 0 && (soft > hard || soft < 0))
		return error_set(err, EINVAL, "--ulimit %s: the soft limit is above the hard one",
				 text);
	return build_inputs_limit(inputs, name, soft, hard, err) < 0
		       ? error_wrap(err, "--ulimit %s", text)
		       : 0;
}

int build_inputs_limits(struct build_inputs *inputs, char *const *list, struct error *err)
{
	strv_foreach(row, list)
		if (one_limit(inputs, row, err) < 0)
			return -err->code;
	return 0;
}

void build_inputs_put(const struct build_inputs *inputs, struct build_options *options)
{
	options->args = inputs->args;
	options->extra_hosts = inputs->hosts;
	options->secrets = inputs->secrets;
	options->secret_count = inputs->secret_count;
	options->ssh = inputs->ssh;
	options->ssh_count = inputs->ssh_count;
	options->rlimits = inputs->rlimits;
	options->rlimit_count = inputs->rlimit_count;
	if (inputs->labels)
		options->labels = inputs->labels;
	if (inputs->tags)
		options->tags = inputs->tags;
	if (inputs->contexts)
		options->contexts = inputs->contexts;
}

void build_inputs_done(struct build_inputs *inputs)
{
	strv_free(inputs->args);
	strv_free(inputs->hosts);
	strv_free(inputs->labels);
	strv_free(inputs->tags);
	strv_free(inputs->contexts);
	free(inputs->secrets);
	free(inputs->ssh);
	free(inputs->rlimits);
	strv_free(inputs->owned);
}

int build_check_builder(const char *builder, struct error *err)
{
	if (!builder || !*builder || !strcmp(builder, "default"))
		return 0;
	return error_set(err, ENOENT,
			 "--builder %s: there are no other builders than this machine's", builder);
}

int build_set_progress(struct project_args *args, const char *progress, struct error *err)
{
	static const char *const ways[] = {"auto",    "tty",   "plain", "json",
					   "rawjson", "quiet", "none"};

	if (!progress)
		return 0;
	array_foreach(way, ways)
		if (!strcmp(progress, *way)) {
			args->progress = *way;
			return 0;
		}
	return error_set(err, EINVAL, "unsupported --progress value \"%s\"", progress);
}

int build_fail(const struct project_args *args, const struct build_job *job,
	       const struct error *err)
{
	/* The report says it at length. */
	if (job && job->report && *job->report)
		fprintf(stderr, "%s%s", job->report, str_ends_with(job->report, "\n") ? "" : "\n");
	if (!job || !job->report || !strstr(job->report, err->message))
		output_fail(args, err);
	return err->code == ECANCELED ? 130 : 1;
}
