/* A thread that waits below generated code, in much executable memory that was all written to.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "waits_truth.h"

#include <sys/mman.h>

#define CODE_SIZE ((size_t)100 << 20)

/* push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret */
static const unsigned char calls[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3 };

typedef void caller(void (*called)(void));

static void __attribute__((noinline)) wait_below(void)
{
	for (;;)
		pause();
}

static void run(void *argument)
{
	caller *generated = NULL;
	memcpy(&generated, &argument, sizeof generated);
	generated(wait_below);
}

int main(void)
{
	static struct planted planted;
	unsigned char *code = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED)
		abort();
	memset(code, 0xcc, CODE_SIZE);
	unsigned char *function = code + CODE_SIZE / 2;
	memcpy(function, calls, sizeof calls);
	int tid = plant_asleep(&planted, "generated", run, function);
	truth("{\"waits\":%d,\"megabytes\":%zu}", tid, CODE_SIZE >> 20);
	plant_done();
}
