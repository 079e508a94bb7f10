// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/container/clone.h"

#define ROOM ((size_t)64 << 10)

static void write_and_leave(void *data)
{
	*(volatile int *)data = 42;
	_exit(7);
}

static void execute(void *data)
{
	char *const argv[] = {"true", NULL};

	*(volatile int *)data = 43;
	execve("/bin/true", argv, NULL);
	_exit(1);
}

static int status_of(void (*run)(void *), int *ret_value)
{
	pid_t told = 0, pid;
	struct clone_args args = {
		.flags = CLONE_PARENT_SETTID,
		.exit_signal = SIGCHLD,
		.parent_tid = (uint64_t)(uintptr_t)&told,
		.stack_size = ROOM,
	};
	void *room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int status;

	args.stack = (uint64_t)(uintptr_t)room;
	pid = clone_shared(&args, run, ret_value);
	cr_assert_gt(pid, 0);
	cr_expect_eq(told, pid);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	munmap(room, ROOM);
	return status;
}

/* The child writes where its parent reads, and the parent goes on as if nothing had been. */
Test(clone, shared)
{
	int value = 0, status;

	if (!clone_can_share())
		cr_skip_test("not here");
	status = status_of(write_and_leave, &value);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	cr_expect_eq(value, 42);
	status = status_of(execute, &value);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	cr_expect_eq(value, 43);
}

Test(clone, shared_fails)
{
	/* A stack without a size. */
	struct clone_args args = {.exit_signal = SIGCHLD, .stack = 4096};
	int value = 0;

	cr_expect_eq(clone_shared(&args, write_and_leave, &value), -1);
	cr_expect_eq(errno, clone_can_share() ? EINVAL : ENOSYS);
}
