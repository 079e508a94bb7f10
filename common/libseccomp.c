// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/libseccomp.h"

#include "common/cleanup.h"
#include "common/dl.h"

/* They get a filter that seccomp_init() made. */
#define ROWS(X)                                                                                  \
	X(int, seccomp_arch_add, (scmp_filter_ctx ctx, uint32_t token), (ctx, token))            \
	X(int, seccomp_attr_set,                                                                 \
	  (scmp_filter_ctx ctx, enum scmp_filter_attr attr, uint32_t value), (ctx, attr, value)) \
	X(int, seccomp_export_bpf, (const scmp_filter_ctx ctx, int fd), (ctx, fd))               \
	X(int, seccomp_load, (const scmp_filter_ctx ctx), (ctx))                                 \
	X(int, seccomp_rule_add_array,                                                           \
	  (scmp_filter_ctx ctx, uint32_t action, int call, unsigned int count,                   \
	   const struct scmp_arg_cmp *args),                                                     \
	  (ctx, action, call, count, args))

static scmp_filter_ctx (*init_at)(uint32_t action);
static void (*release_at)(scmp_filter_ctx ctx);
static int (*resolve_at)(const char *name);
static int (*resolve_arch_at)(uint32_t token, const char *name);

ROWS(DL_DEFINE)

int libseccomp_load(struct error *err)
{
	static void *handle;
	static const struct dl_symbol symbols[] = {
		{"seccomp_init", &init_at},
		{"seccomp_release", &release_at},
		{"seccomp_syscall_resolve_name", &resolve_at},
		{"seccomp_syscall_resolve_name_arch", &resolve_arch_at},
		ROWS(DL_DEFINED)};

	return dl_load("libseccomp.so.2", &handle, symbols, ARRAY_SIZE(symbols), err);
}

static bool is_open(void)
{
	struct error ignored = ERROR_INIT;

	return libseccomp_load(&ignored) == 0;
}

scmp_filter_ctx seccomp_init(uint32_t action)
{
	return is_open() ? init_at(action) : NULL;
}

void seccomp_release(scmp_filter_ctx ctx)
{
	if (ctx)
		release_at(ctx);
}

int seccomp_syscall_resolve_name(const char *name)
{
	return is_open() ? resolve_at(name) : __NR_SCMP_ERROR;
}

int seccomp_syscall_resolve_name_arch(uint32_t token, const char *name)
{
	return is_open() ? resolve_arch_at(token, name) : __NR_SCMP_ERROR;
}
