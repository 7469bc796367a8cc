/* What a test program tells of itself: one JSON object a line on standard output, then
 * {"ready":true}. After that it stays as it is until it is killed; SIGABRT makes it dump core in
 * place. The end-to-end tests compare corescan's findings with these lines.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TESTS_TRUTH_H
#define CORESCAN_TESTS_TRUTH_H

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Pointers are told disguised in memory (the caller's buffers hold text only), so that telling
 * the truth never makes a planted orphan reachable: the line is formatted on the stack, written
 * with write(2), and wiped. */
__attribute__((format(printf, 1, 2), noinline, unused)) static void truth(const char *format, ...)
{
	char line[1024];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(line, sizeof line - 1, format, arguments);
	va_end(arguments);
	if (length < 0 || length >= (int)sizeof line - 1)
		abort();
	line[length++] = '\n';
	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		abort();
	explicit_bzero(line, sizeof line);
}

__attribute__((unused)) static void truth_ready(void)
{
	truth("{\"ready\":true}");
}

__attribute__((unused)) static int truth_tid(void)
{
	return (int)syscall(SYS_gettid);
}

__attribute__((unused)) static void truth_name_thread(const char *name)
{
	prctl(PR_SET_NAME, name, 0, 0, 0);
}

#define TRUTH_VECTORS                                                                              \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",   \
	    "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

/* Overwrites dead stack below the caller and the vector registers, so that no stale copy of a
 * pointer keeps an orphan reachable. Call it after the last use of pointers to plant. */
__attribute__((noinline, unused)) static void truth_wipe_stack(void)
{
	volatile char dead[16384];
	for (size_t i = 0; i < sizeof dead; i++)
		dead[i] = 0;
#ifdef __x86_64__
	/* Compilers keep pairs of pointers in there, and no system call changes them. */
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroall" ::: "memory", TRUTH_VECTORS);
#endif
	__asm__ volatile("" ::: "memory");
}

#endif
