// Stacks of every shape, each in a thread of its own that stays there: inlined calls, a signal
// handler, a handler on its own stack, deep recursion, code without unwind information. The
// argument says how the main thread ends: "wait", or by a call through a null pointer ("null"), a
// wild one ("wild"), one to data ("data"), a call through null whose handler aborts ("handler"), or
// an overwritten return address ("smash").
//
// Truth: {"thread":TID,"functions":[…]}, innermost first, from below the system call on.
//
// SPDX-License-Identifier: GPL-3.0-or-later
#include "truth.h"

#include <csignal>
#include <functional>
#include <sys/mman.h>

#define NOINLINE __attribute__((noinline))
#define INLINE	 __attribute__((always_inline)) inline

// Keeps the compiler from making the call before it a jump.
#define NO_TAIL_CALL __asm__ volatile("" ::: "memory")

static pthread_barrier_t ready;

static volatile bool stay = true; // never false: keeps the compiler from knowing

static INLINE void wait_for_ever()
{
	pthread_barrier_wait(&ready);
	while (stay)
		pause();
}

namespace shapes
{
template <class T> struct worker {
	T value;
	INLINE void innermost(T more)
	{
		value += more;
		wait_for_ever();
	}
	INLINE void middle(T more)
	{
		innermost(more + 1);
	}
	NOINLINE void run(T more)
	{
		middle(more + 1);
		NO_TAIL_CALL;
	}
};
} // namespace shapes

static void *inlined(void *)
{
	truth("{\"thread\":%d,\"functions\":[\"wait_for_ever\",\"shapes::worker<int>::innermost\","
	      "\"shapes::worker<int>::middle\",\"shapes::worker<int>::run\",\"inlined\"]}",
	      truth_tid());
	shapes::worker<int> worker = { 0 };
	worker.run(1);
	return nullptr;
}

static void handler(int)
{
	wait_for_ever();
}

NOINLINE static void raise_here(int number)
{
	raise(number);
	NO_TAIL_CALL;
}

static void *in_handler(void *)
{
	truth("{\"thread\":%d,\"functions\":[\"wait_for_ever\",\"handler\",\"__restore_rt\","
	      "\"raise_here\",\"in_handler\"]}",
	      truth_tid());
	signal(SIGUSR1, handler);
	raise_here(SIGUSR1);
	NO_TAIL_CALL;
	return nullptr;
}

static void *in_handler_on_its_own_stack(void *)
{
	static char memory[65536];
	truth("{\"thread\":%d,\"functions\":[\"wait_for_ever\",\"handler\",\"__restore_rt\","
	      "\"raise_here\",\"in_handler_on_its_own_stack\"]}",
	      truth_tid());
	stack_t stack = {};
	stack.ss_sp = memory;
	stack.ss_size = sizeof memory;
	struct sigaction action = {};
	action.sa_handler = handler;
	action.sa_flags = SA_ONSTACK;
	if (sigaltstack(&stack, nullptr) != 0 || sigaction(SIGUSR2, &action, nullptr) != 0)
		abort();
	raise_here(SIGUSR2);
	NO_TAIL_CALL;
	return nullptr;
}

NOINLINE static int descend(int levels)
{
	if (levels == 0) {
		wait_for_ever();
		return 0;
	}
	int below = descend(levels - 1);
	NO_TAIL_CALL;
	return below + 1;
}

static void *deep(void *)
{
	truth("{\"deep\":%d,\"levels\":1000}", truth_tid());
	descend(1000);
	NO_TAIL_CALL;
	return nullptr;
}

NOINLINE static void called_from_generated_code()
{
	wait_for_ever();
}

// push %rbp; mov %rsp,%rbp; movabs $…,%rax; call *%rax; pop %rbp; ret
static void *generated(void *)
{
	unsigned char code[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0xb8, 0,	   0,	 0,
				 0,    0,    0,	   0,	 0,    0xff, 0xd0, 0x5d, 0xc3 };
	void (*function)() = called_from_generated_code;
	memcpy(code + 6, &function, sizeof function);
	void *memory =
	    mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(memory, code, sizeof code);
	mprotect(memory, 4096, PROT_READ | PROT_EXEC);
	truth("{\"thread\":%d,\"functions\":[\"wait_for_ever\",\"called_from_generated_code\","
	      "null,\"generated\"]}",
	      truth_tid());
	reinterpret_cast<void (*)()>(memory)();
	NO_TAIL_CALL;
	return nullptr;
}

static void (*volatile nowhere)(int);

NOINLINE static int call_nowhere(int argument)
{
	nowhere(argument);
	NO_TAIL_CALL;
	return argument + 1;
}

NOINLINE static void overwrite_return_address()
{
	volatile long *local = static_cast<long *>(__builtin_frame_address(0));
	for (int i = -1; i < 30; i++)
		local[i] = 0x4141414141414141;
}

static void end(const char *how)
{
	static char data[16];
	if (strcmp(how, "null") == 0 || strcmp(how, "handler") == 0) {
		if (strcmp(how, "handler") == 0)
			signal(SIGSEGV, [](int) { abort(); });
		call_nowhere(1);
	} else if (strcmp(how, "wild") == 0) {
		nowhere = reinterpret_cast<void (*)(int)>(0x123456789abc);
		call_nowhere(1);
	} else if (strcmp(how, "data") == 0) {
		nowhere = reinterpret_cast<void (*)(int)>(data);
		call_nowhere(1);
	} else if (strcmp(how, "smash") == 0) {
		overwrite_return_address();
	} else {
		for (;;)
			pause();
	}
}

int main(int count, char **arguments)
{
	void *(*const shapes[])(void *) = { inlined, in_handler, in_handler_on_its_own_stack, deep,
					    generated };
	constexpr unsigned shape_count = sizeof shapes / sizeof *shapes;
	pthread_barrier_init(&ready, nullptr, shape_count + 1);
	for (auto shape : shapes) {
		pthread_t thread;
		if (pthread_create(&thread, nullptr, shape, nullptr) != 0)
			abort();
	}
	pthread_barrier_wait(&ready);
	usleep(200000);
	truth_ready();
	end(count > 1 ? arguments[1] : "wait");
	NO_TAIL_CALL;
	return 0;
}
