/* Live chunks, each held by one kind of place alone. Truth, one line each:
 *     {"live":"0x…","size":N,"why":"…","root":"…"}
 * where "root" is corescan's name for the kind of root, "" where several hold it; "kernel":"no"
 * where cores lack the memory, "gcore":"silent" where gcore's does not even tell that it was
 * there. And chunks that only dead places hold:
 *     {"orphan":"0x…","size":N,"why":"…"}
 * Usage: orphans_roots LIBRARY, the path of orphans_library.c built as a shared library.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#define SIZE  72
#define PAGE  4096
#define STACK 65536

static char *chunk(void)
{
	char *bytes = malloc(SIZE);
	memset(bytes, 0x11, SIZE);
	return bytes;
}

static char *told(const char *why, const char *root)
{
	char *bytes = chunk();
	truth("{\"live\":\"%p\",\"size\":%d,\"why\":\"%s\",\"root\":\"%s\"}", bytes, SIZE, why,
	      root);
	return bytes;
}

static char *told_with(const char *why, const char *root, const char *more)
{
	char *bytes = chunk();
	truth("{\"live\":\"%p\",\"size\":%d,\"why\":\"%s\",\"root\":\"%s\",%s}", bytes, SIZE, why,
	      root, more);
	return bytes;
}

static char *told_orphan(const char *why)
{
	char *bytes = chunk();
	truth("{\"orphan\":\"%p\",\"size\":%d,\"why\":\"%s\"}", bytes, SIZE, why);
	return bytes;
}

/* Module data. */

static void *volatile in_data = (void *)1, *volatile in_bss, *volatile interior, *volatile tagged;
static char *volatile *volatile chain;

__attribute__((noinline)) static void plant_data(const char *path)
{
	in_data = told("data", "module data");
	in_bss = told("bss", "module data");
	interior = told("interior pointer", "module data") + SIZE - 1;
	tagged = told("tag in the low bits", "module data") + 3;
	chain = (char *volatile *)told("first of a chain", "module data");
	chain[1] = told("second of a chain", "module data") + 16;
	((char *volatile *)(chain[1]))[0] = told("third of a chain", "module data");

	void *library = dlopen(path, RTLD_NOW);
	if (library == NULL)
		abort();
	*(void **)dlsym(library, "library_data") = told("library's data", "module data");
	*(void **)dlsym(library, "library_bss") = told("library's bss", "module data");
}

/* Mappings. */

/* Between two guard pages: the kernel would join it to a neighbour, which may be another kind. */
static void *map(int protection, int flags, int fd, void *pointer, size_t offset)
{
	char *guards = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (guards == MAP_FAILED)
		abort();
	char *memory = mmap(guards + PAGE, PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);
	if (memory == MAP_FAILED)
		abort();
	*(void **)(memory + offset) = pointer;
	mprotect(memory, PAGE, protection);
	return memory;
}

__attribute__((noinline)) static void plant_mappings(void)
{
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
	map(PROT_READ | PROT_WRITE, anonymous, -1, told("private map", "mapping"), 0);
	map(PROT_READ, anonymous, -1, told("read-only map", "mapping"), 8);
	map(PROT_NONE, anonymous, -1, told("PROT_NONE map", "mapping"), 16);
	map(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	    told("shared anonymous map", "mapping"), 24);
	int fd = memfd_create("cache", 0);
	if (ftruncate(fd, PAGE) != 0)
		abort();
	map(PROT_READ | PROT_WRITE, MAP_SHARED, fd, told("memfd", "mapping"), 32);

	char path[] = "orphans_roots_map.XXXXXX";
	int file = mkstemp(path), shared = mkstemp((char[]){ "orphans_roots_map.XXXXXX" });
	if (ftruncate(file, PAGE) != 0 || ftruncate(shared, PAGE) != 0)
		abort();
	map(PROT_READ, MAP_PRIVATE, file, told("private map of a file", "mapping"), 40);
	map(PROT_READ | PROT_WRITE, MAP_SHARED, shared,
	    told_with("shared map of a file", "mapping", "\"kernel\":\"no\""), 48);
	void *hidden = map(
	    PROT_READ | PROT_WRITE, anonymous, -1,
	    told_with("MADV_DONTDUMP", "mapping", "\"kernel\":\"no\",\"gcore\":\"silent\""), 56);
	madvise(hidden, PAGE, MADV_DONTDUMP);
	void **foreign = sbrk(64);
	foreign[0] = told("memory from sbrk", "mapping");
}

/* What the C library keeps. */

static jmp_buf jump;

__attribute__((noinline)) static void plant_library(void)
{
	on_exit((void (*)(int, void *))abort, told("argument of on_exit", "module data"));
	register char *saved __asm__("rbx") = told("rbx in a jmp_buf", "module data");
	__asm__ volatile("" : "+r"(saved));
	if (setjmp(jump) != 0)
		abort();
	__asm__ volatile("" : "+r"(saved));
}

static pthread_key_t keys[40];
static __thread void *volatile in_tls;
static void **(*library_tls)(void);

__attribute__((noinline)) static void plant_thread_local(const char *root)
{
	in_tls = told("static TLS", root);
	*library_tls() = told("TLS of a dlopened library", root);
	pthread_setspecific(keys[1], told("key below 32", root));
	pthread_setspecific(keys[39], told("key above 32", root));
}

/* Threads. */

static pthread_barrier_t planted;

static void *hold_thread_local(void *unused)
{
	plant_thread_local("stack");
	truth_wipe_stack();
	pthread_barrier_wait(&planted);
	for (;;)
		pause();
	return unused;
}

static void *hold_on_stack(void *unused)
{
	char *volatile local[2] = { NULL, NULL };
	if (unused == NULL)
		local[0] = told("local variable", "stack");
	else
		local[0] = told("local variable on a stack in a chunk", "");
	truth_wipe_stack();
	pthread_barrier_wait(&planted);
	for (;;)
		pause();
	return local[0] != NULL ? unused : NULL;
}

/* The threads below keep the pointer as its complement until it is where it is to be held alone,
 * and then clear all registers but that one. */
#define CLEAR                                                                                      \
	"xor %%eax, %%eax\n xor %%ecx, %%ecx\n xor %%edx, %%edx\n xor %%esi, %%esi\n"              \
	"xor %%r8d, %%r8d\n xor %%r9d, %%r9d\n xor %%r10d, %%r10d\n xor %%r11d, %%r11d\n"          \
	"xor %%r13d, %%r13d\n xor %%r14d, %%r14d\n xor %%r15d, %%r15d\n xor %%ebp, %%ebp\n"
static uintptr_t hide(char *pointer)
{
	uintptr_t hidden = ~(uintptr_t)pointer;
	__asm__ volatile("" : "+r"(hidden)); /* here, not where it is used */
	return hidden;
}

#define SPIN "1: pause\n jmp 1b\n"

static void *hold_in_register(void *unused)
{
	uintptr_t hidden = hide(told("general register", "register"));
	truth_wipe_stack();
	pthread_barrier_wait(&planted);
	__asm__ volatile("not %0\n mov %0, %%r12\n" CLEAR
			 "xor %%ebx, %%ebx\n xor %%edi, %%edi\n" SPIN
			 :
			 : "D"(hidden));
	return unused;
}

/* In a system call. */
static void *hold_in_saved_register(void *unused)
{
	uintptr_t hidden = hide(told("register of a blocked thread", "register"));
	truth_wipe_stack();
	pthread_barrier_wait(&planted);
	__asm__ volatile("not %0\n mov %0, %%rbx\n" CLEAR "xor %%r12d, %%r12d\n xor %%edi, %%edi\n"
			 "1: mov %1, %%eax\n syscall\n jmp 1b\n"
			 :
			 : "D"(hidden), "i"(SYS_pause));
	return unused;
}

static void *hold_in_xmm(void *unused)
{
	uintptr_t hidden = hide(told("xmm register", "register"));
	truth_wipe_stack();
	pthread_barrier_wait(&planted);
	__asm__ volatile("not %0\n movq %0, %%xmm5\n pslldq $8, %%xmm5\n" CLEAR
			 "xor %%ebx, %%ebx\n xor %%r12d, %%r12d\n xor %%edi, %%edi\n" SPIN
			 :
			 : "D"(hidden)
			 : "xmm5");
	return unused;
}

static void *hold_in_ymm(void *unused)
{
	uintptr_t hidden = hide(told("upper half of a ymm register", "register"));
	truth_wipe_stack();
	pthread_barrier_wait(&planted);
	__asm__ volatile("not %0\n vmovq %0, %%xmm6\n vperm2f128 $1, %%ymm6, %%ymm6, %%ymm6\n" CLEAR
			 "xor %%ebx, %%ebx\n xor %%r12d, %%r12d\n xor %%edi, %%edi\n" SPIN
			 :
			 : "D"(hidden)
			 : "xmm6");
	return unused;
}

static void *hold_in_red_zone(void *unused)
{
	uintptr_t hidden = hide(told("red zone", "red zone"));
	truth_wipe_stack();
	pthread_barrier_wait(&planted);
	__asm__ volatile("not %0\n mov %0, -64(%%rsp)\n" CLEAR
			 "xor %%ebx, %%ebx\n xor %%r12d, %%r12d\n xor %%edi, %%edi\n" SPIN
			 :
			 : "D"(hidden)
			 : "memory");
	return unused;
}

static char *volatile *volatile alternate_frame;

static void handle(int number)
{
	(void)number;
	pthread_barrier_wait(&planted);
	for (;;)
		pause();
}

__attribute__((noinline)) static void be_interrupted(void)
{
	char *volatile local[64] = { told("frame interrupted by a signal", "stack"), NULL };
	alternate_frame = local;
	truth_wipe_stack();
	alternate_frame = NULL;
	raise(SIGUSR1);
}

/* The alternate stack lies in this very stack, above the frames that the signal interrupts. */
static void *hold_below_alternate_stack(void *unused)
{
	char alternate[STACK];
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK };
	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	be_interrupted();
	return unused;
}

static void *end_with_result(void *unused)
{
	char *volatile dead[64] = { told_orphan("stack of an exited thread"), NULL };
	(void)unused;
	return dead[0] != NULL ? told("result of an exited thread", "exited thread") : NULL;
}

static void *end_with_dead_stack(void *unused)
{
	char *volatile dead[64] = { told_orphan("stack of a joined thread"), NULL };
	return dead[0] != NULL ? unused : NULL;
}

static void *volatile own_stack;

__attribute__((noinline)) static void plant_threads(void)
{
	static void *(*const holders[])(void *) = {
		hold_thread_local, hold_on_stack,    hold_in_register, hold_in_saved_register,
		hold_in_xmm,	   hold_in_red_zone, hold_in_ymm,
	};
	const unsigned count =
	    sizeof holders / sizeof *holders - (__builtin_cpu_supports("avx") ? 0 : 1);
	pthread_t thread;
	pthread_barrier_init(&planted, NULL, count + 3);
	for (unsigned i = 0; i < count; i++)
		pthread_create(&thread, NULL, holders[i], NULL);
	pthread_create(&thread, NULL, hold_below_alternate_stack, NULL);
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	own_stack = malloc(STACK);
	truth("{\"live\":\"%p\",\"size\":%d,\"why\":\"stack in a chunk\",\"root\":\"\"}", own_stack,
	      STACK);
	pthread_attr_setstack(&attributes, (void *)(((uintptr_t)own_stack + 63) & ~63UL),
			      STACK - 64);
	pthread_create(&thread, &attributes, hold_on_stack, own_stack);
	pthread_attr_destroy(&attributes);
	pthread_barrier_wait(&planted);
	/* Only now, so that no later thread takes the dead stacks. */
	pthread_create(&thread, NULL, end_with_result, NULL);
	pthread_create(&thread, NULL, end_with_dead_stack, NULL);
	pthread_join(thread, NULL);
}

/* Coroutines that are switched out. */

static ucontext_t here, on_heap, on_map;

static void wait_with(ucontext_t *context, const char *why, const char *root)
{
	char *volatile local[2] = { told(why, root), NULL };
	truth_wipe_stack();
	swapcontext(context, &here);
	if (local[0] != NULL)
		abort();
}

static void coroutine_on_heap(void)
{
	wait_with(&on_heap, "coroutine on a heap stack", "module data");
}

static void coroutine_on_map(void)
{
	wait_with(&on_map, "coroutine on a mapped stack", "mapping");
}

static void *volatile heap_stack;

static void start(ucontext_t *context, void *stack, void (*function)(void))
{
	getcontext(context);
	context->uc_stack.ss_sp = stack;
	context->uc_stack.ss_size = STACK;
	makecontext(context, function, 0);
	swapcontext(&here, context);
}

__attribute__((noinline)) static void plant_coroutines(void)
{
	heap_stack = malloc(STACK);
	truth(
	    "{\"live\":\"%p\",\"size\":%d,\"why\":\"coroutine's stack\",\"root\":\"module data\"}",
	    heap_stack, STACK);
	start(&on_heap, heap_stack, coroutine_on_heap);
	start(&on_map,
	      mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	      coroutine_on_map);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 64;
	char *volatile local[2] = { NULL, NULL };
	for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
		pthread_key_create(&keys[i], NULL);
	plant_data(argv[1]);
	*(void **)&library_tls = dlsym(dlopen(argv[1], RTLD_NOW), "library_tls");
	plant_mappings();
	plant_library();
	plant_thread_local("thread-local storage");
	plant_threads();
	plant_coroutines();
	local[0] = told("main's local variable", "stack");
	truth_wipe_stack();
	truth_ready();
	for (;;)
		pause();
	return local[0] != NULL;
}
