// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/container/clone.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

pid_t clone_copy(struct clone_args *args)
{
	return (pid_t)syscall(SYS_clone3, args, sizeof(*args));
}

/*
 * The sanitizers would take the child's frames for the caller's, and those of one that ended by
 * execve for frames that are still there.
 */
#if defined(__SANITIZE_ADDRESS__)
#	define SHARES 0
#elif defined(__x86_64__) || defined(__aarch64__)
#	define SHARES 1
#else
#	define SHARES 0
#endif

bool clone_can_share(void)
{
	return SHARES;
}

#if SHARES
/* On its new stack the child has nothing to return to: it makes its call right here. */
static long clone_and_call(struct clone_args *args, void (*run)(void *data), void *data)
{
#	if defined(__x86_64__)
	long result;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "mov %[data], %%rdi\n\t"
			 "call *%[run]\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(result)
			 : "a"(SYS_clone3), "D"(args),
			   "S"(sizeof(*args)), [run] "r"(run), [data] "r"(data)
			 : "rcx", "r11", "cc", "memory");
	return result;
#	else
	register long x8 __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)args;
	register long x1 __asm__("x1") = sizeof(*args);

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x0, %[data]\n\t"
			 "blr %[run]\n\t"
			 "brk #0\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), [run] "r"(run), [data] "r"(data)
			 : "x30", "cc", "memory");
	return x0;
#	endif
}
#endif

pid_t clone_shared(struct clone_args *args, void (*run)(void *data), void *data)
{
	long result = -ENOSYS;

#if SHARES
	args->flags |= CLONE_VM | CLONE_VFORK;
	result = clone_and_call(args, run, data);
#endif
	if (result >= 0)
		return (pid_t)result;
	errno = (int)-result;
	return -1;
}
