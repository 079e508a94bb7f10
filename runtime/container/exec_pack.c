// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/container/exec_pack.h"

#include <linux/filter.h>
#include <string.h>

#include "common/alloc.h"

#include "runtime/container/cgroup/cgroup.h"

/* Then: the limits, the filter's instructions, and all strings, each with its NUL. */
struct header {
	uint64_t size; /* of everything */
	uint64_t capabilities;
	uint32_t args, env, groups, rlimits, instructions;
	int32_t oom_score_adj;
	uint8_t set_oom_score_adj, no_new_privileges, time_namespace, terminal;
	uint8_t confined; /* there is a filter */
	uint8_t apparmor, selinux, cgroup;
};

static uint32_t list_length(const char *const *list)
{
	return (uint32_t)strv_length((char *const *)list);
}

static void add_string(struct strbuf *buffer, const char *s)
{
	strbuf_add_n(buffer, s, strlen(s) + 1);
}

static void add_list(struct strbuf *buffer, const char *const *list)
{
	for (; list && *list; list++)
		add_string(buffer, *list);
}

void exec_pack(const struct container_spec *spec, struct strbuf *buffer)
{
	const struct sock_fprog *program = spec->seccomp_program;
	size_t begin = buffer->length;
	struct header header = {
		.capabilities = spec->capabilities,
		.args = list_length(spec->args),
		.env = list_length(spec->env),
		.groups = list_length(spec->groups),
		.rlimits = (uint32_t)spec->rlimit_count,
		.instructions = program ? program->len : 0,
		.oom_score_adj = spec->oom_score_adj,
		.set_oom_score_adj = spec->set_oom_score_adj,
		.no_new_privileges = spec->no_new_privileges,
		.time_namespace = spec->time_namespace,
		.terminal = spec->terminal,
		.confined = program != NULL,
		.apparmor = spec->apparmor_profile != NULL,
		.selinux = spec->selinux_label != NULL,
		.cgroup = spec->cgroup_handle != NULL,
	};

	strbuf_add_n(buffer, &header, sizeof(header));
	if (spec->rlimit_count)
		strbuf_add_n(buffer, spec->rlimits, spec->rlimit_count * sizeof(*spec->rlimits));
	if (program)
		strbuf_add_n(buffer, program->filter, program->len * sizeof(*program->filter));
	add_string(buffer, spec->id);
	add_string(buffer, spec->cwd ?: "");
	add_string(buffer, spec->user ?: "");
	add_string(buffer, spec->apparmor_profile ?: "");
	add_string(buffer, spec->selinux_label ?: "");
	add_list(buffer, spec->args);
	add_list(buffer, spec->env);
	add_list(buffer, spec->groups);
	if (spec->cgroup_handle)
		cgroup_pack(spec->cgroup_handle, buffer);
	header.size = buffer->length - begin;
	memcpy(buffer->data + begin, &header, sizeof(header));
}

/* What is left of the bytes. */
struct rest {
	const char *at;
	size_t size;
	bool bad;
};

static const void *take(struct rest *rest, size_t size)
{
	const char *at = rest->at;

	if (rest->bad || size > rest->size) {
		rest->bad = true;
		return NULL;
	}
	rest->at += size;
	rest->size -= size;
	return at;
}

static const char *take_string(struct rest *rest)
{
	const char *end = rest->size ? memchr(rest->at, '\0', rest->size) : NULL;

	if (!end)
		rest->bad = true;
	return end ? take(rest, (size_t)(end - rest->at) + 1) : NULL;
}

static const char *const *take_list(struct rest *rest, size_t count, const char ***slots)
{
	const char **list = *slots;

	for (size_t i = 0; i < count; i++)
		list[i] = take_string(rest);
	list[count] = NULL;
	*slots += count + 1;
	return list;
}

static const char *if_given(const char *s, bool given)
{
	return given ? s : NULL;
}

int exec_unpack(const char *bytes, size_t size, struct exec_unpacked *ret, struct error *err)
{
	struct rest rest = {.at = bytes, .size = size};
	struct container_spec *spec = &ret->spec;
	struct sock_fprog *program;
	const char **slots;
	struct header header;

	*ret = (struct exec_unpacked){0};
	if (size < sizeof(header))
		return error_set(err, EBADMSG, "the order to run a program is cut short");
	memcpy(&header, take(&rest, sizeof(header)), sizeof(header));
	/* Each string has a byte at least. */
	if (header.size != size || (uint64_t)header.args + header.env + header.groups > size ||
	    header.instructions > BPF_MAXINSNS)
		return error_set(err, EBADMSG, "the order to run a program makes no sense");
	ret->memory =
		alloc_zero(1, sizeof(*program) + ((size_t)header.args + header.env + header.groups +
						  3) * sizeof(*slots));
	program = ret->memory;
	slots = (const char **)(program + 1);
	*spec = (struct container_spec){
		.stdin_fd = -EBADF,
		.stdout_fd = -EBADF,
		.stderr_fd = -EBADF,
		.shm_fd = -EBADF,
		.capabilities = header.capabilities,
		.oom_score_adj = header.oom_score_adj,
		.set_oom_score_adj = header.set_oom_score_adj,
		.no_new_privileges = header.no_new_privileges,
		.time_namespace = header.time_namespace,
		.terminal = header.terminal,
		.rlimit_count = header.rlimits,
		.rlimits = take(&rest, header.rlimits * sizeof(*spec->rlimits)),
	};
	*program = (struct sock_fprog){
		.len = (unsigned short)header.instructions,
		.filter = (void *)take(&rest, header.instructions * sizeof(*program->filter)),
	};
	spec->seccomp_program = header.confined ? program : NULL;
	spec->id = take_string(&rest);
	spec->cwd = take_string(&rest);
	spec->user = take_string(&rest);
	spec->apparmor_profile = if_given(take_string(&rest), header.apparmor);
	spec->selinux_label = if_given(take_string(&rest), header.selinux);
	spec->args = take_list(&rest, header.args, &slots);
	spec->env = take_list(&rest, header.env, &slots);
	spec->groups = take_list(&rest, header.groups, &slots);
	if (!rest.bad && header.cgroup &&
	    cgroup_unpack(rest.at, rest.size, &ret->cgroup, err) < 0) {
		exec_unpacked_done(ret);
		return -err->code;
	}
	spec->cgroup_handle = ret->cgroup;
	if (!rest.bad)
		return 0;
	exec_unpacked_done(ret);
	return error_set(err, EBADMSG, "the order to run a program makes no sense");
}

void exec_unpacked_done(struct exec_unpacked *unpacked)
{
	cgroup_free(unpacked->cgroup);
	free(unpacked->memory);
	*unpacked = (struct exec_unpacked){0};
}
