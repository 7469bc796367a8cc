/* Stacks with an end that takes explaining, by argument: overflow (too deep a recursion), code (a
 * fault below code made at run time), wait (blocked in a mutex), spawn (threads without end).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#include <sys/mman.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile int sink;

__attribute__((noinline)) int descend(int depth)
{
	volatile char frame[100];
	memset((char *)frame, depth, sizeof frame);
	if (depth > 0)
		sink = descend(depth % 1000 + 1) + frame[depth % 100];
	return sink;
}

__attribute__((noinline)) int parse_document(int depth)
{
	return descend(depth) + 1;
}

__attribute__((noinline)) void called_back(void)
{
	int *nothing = NULL;
	__asm__("" : "+r"(nothing));
	*(volatile int *)nothing = 1;
}

/* push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret */
static void run_generated_code(void)
{
	static const unsigned char code[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3 };
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	memcpy(at, code, sizeof code);
	((void (*)(void (*)(void)))at)(called_back);
	sink = 1;
}

static void *hold(void *unused)
{
	pthread_mutex_lock(&lock);
	truth("{\"owner\":%d}", truth_tid());
	truth_ready();
	for (;;)
		pause();
	return unused;
}

static void *nothing(void *unused)
{
	return unused;
}

int main(int count, char **arguments)
{
	const char *how = count > 1 ? arguments[1] : "";
	pthread_t thread;
	if (strcmp(how, "overflow") == 0)
		return parse_document(1);
	if (strcmp(how, "code") == 0)
		run_generated_code();
	if (strcmp(how, "wait") == 0) {
		pthread_create(&thread, NULL, hold, NULL);
		while (pthread_mutex_trylock(&lock) == 0) {
			pthread_mutex_unlock(&lock);
			usleep(1000);
		}
		pthread_mutex_lock(&lock);
	}
	if (strcmp(how, "spawn") == 0)
		truth_ready();
	while (strcmp(how, "spawn") == 0 && pthread_create(&thread, NULL, nothing, NULL) == 0)
		pthread_join(thread, NULL);
	return 1;
}
