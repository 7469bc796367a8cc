/* corrupt_heap MODE: damages its own heap in one way, and tells which chunk it damaged, its
 * neighbours, and the kind that corescan should find. With "die-…" malloc's own checks then end it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include "truth.h"

#include <gnu/libc-version.h>
#include <malloc.h>

#define CHUNKS 40
#define SMALL  88   /* in chunks of 0x60 bytes */
#define LARGE  2000 /* beyond tcache and fastbins */

static char *chunks[CHUNKS];
static size_t usable;

/* Keeps the compiler from seeing what is done to freed memory. */
static void *launder(void *pointer)
{
	__asm__ volatile("" : "+r"(pointer));
	return pointer;
}

static void put(void *at, uint64_t value)
{
	*(volatile uint64_t *)launder(at) = value;
}

static uint64_t get(void *at)
{
	return *(volatile uint64_t *)launder(at);
}

static void release(void *pointer)
{
	free(launder(pointer));
}

static void make(size_t size)
{
	for (int i = 0; i < CHUNKS; i++) {
		chunks[i] = malloc(size);
		memset(chunks[i], 0, size);
	}
	usable = malloc_usable_size(chunks[0]);
}

static void tell(const char *kind, int number)
{
	truth("{\"kind\":\"%s\",\"damaged\":%lu,\"previous\":%lu,\"next\":%lu,\"usable\":%zu}",
	      kind, (unsigned long)chunks[number],
	      (unsigned long)(number > 0 ? chunks[number - 1] : NULL),
	      (unsigned long)(number + 1 < CHUNKS ? chunks[number + 1] : NULL), usable);
}

/* bin 1 of the arena: its first word is the arena's top, in all layouts. */
static void *arena_top(void)
{
	make(LARGE);
	release(chunks[20]);
	return (void *)get(chunks[20]);
}

/* --- writes past the end */

static void overflow_text(void)
{
	make(SMALL);
	memset(launder(chunks[9]), 'A', usable + 6);
	tell("size", 10);
}

static void overflow_far(void)
{
	make(SMALL);
	memset(launder(chunks[9]), 'B', usable + 3 * (usable + 8) + 8);
	tell("size", 10);
}

static void overflow_words(void)
{
	make(SMALL);
	for (size_t at = 0; at <= usable; at += 8)
		put(chunks[9] + at, 0xdeadbeefcafef00d);
	tell("size", 10);
}

static void smashed_size(void)
{
	make(SMALL);
	put(chunks[10] - 8, 0x1234567812345678);
	tell("size", 10);
}

/* The size leads into the chunk's own memory. */
static void astray(void)
{
	make(SMALL);
	put(chunks[10] - 8, 0x41);
	tell("size", 10);
}

/* The size covers the next chunk, too, to which a variable points: the walk goes on. */
static void covering(void)
{
	make(SMALL);
	memset(chunks[11], 'x', usable);
	put(chunks[10] - 8, 2 * (usable + 8) | 1);
	tell("size", 10);
}

static void covering_cached(void)
{
	make(SMALL);
	release(chunks[11]);
	release(chunks[20]);
	put(chunks[10] - 8, 2 * (usable + 8) | 1);
	tell("size", 10);
}

static void covering_free(void)
{
	make(LARGE);
	release(chunks[11]);
	put(chunks[10] - 8, 2 * (usable + 8) | 1);
	tell("size", 10);
}

static void one_byte(void)
{
	make(0xf8);
	((volatile char *)launder(chunks[9]))[usable] = 0;
	tell("in-use-bit", 10);
}

static void one_byte_size(void)
{
	make(0x108);
	((volatile char *)launder(chunks[9]))[usable] = 0;
	tell("size", 10);
}

/* The damaged chunk is full of what look like headers, as memory is that held smaller chunks. */
static void stale(void)
{
	make(LARGE);
	for (size_t at = 0; at + 0x40 < usable; at += 0x40)
		put(chunks[10] + at + 8, 0x40 | (at / 0x40 % 3 != 1));
	put(chunks[10] - 8, 0x4141414141414141);
	tell("size", 10);
}

/* A damaged free chunk: its list and the chunk after it tell its size. */
static void free_size(void)
{
	make(LARGE);
	release(chunks[10]);
	put(chunks[10] - 8, 0x4141414141414141);
	tell("size", 10);
}

/* A damaged cached chunk with another behind it in its list. */
static void cached_size(void)
{
	make(SMALL);
	release(chunks[12]);
	release(chunks[10]);
	put(chunks[10] - 8, 0x4141414141414141);
	tell("size", 10);
	truth("{\"freed\":%lu}", (unsigned long)chunks[12]);
}

static void mark(void)
{
	make(SMALL);
	put(chunks[10] - 8, get(chunks[10] - 8) | 4);
	tell("arena-mark", 10);
}

/* --- top */

static void top(void)
{
	put(arena_top(), 0x4141414141414140);
	tell("top", 0);
}

static void top_zero(void)
{
	put(arena_top(), 0);
	tell("top", 0);
}

static void top_inside(void)
{
	void *at = arena_top();
	put(at, (uint64_t)chunks[30] + 0x40);
	tell("top", 0);
}

static void top_size(void)
{
	make(SMALL);
	char *last = chunks[CHUNKS - 1];
	memset(launder(last), 0xff, usable + 8);
	chunks[0] = last + usable + 8; /* top's user address, as it were */
	tell("top-size", 0);
	truth("{\"overrun\":%lu}", (unsigned long)last);
}

static void ring(void)
{
	put((char *)arena_top() + 2064, 0x4141414141414140);
	tell("arenas", 0);
}

/* --- free lists */

static void bin_forward(void)
{
	make(LARGE);
	release(chunks[10]);
	release(chunks[20]);
	release(chunks[30]);
	put(chunks[20], 0x4141414141414140);
	tell("bin", 20);
}

static void bin_back(void)
{
	make(LARGE);
	release(chunks[10]);
	release(chunks[20]);
	release(chunks[30]);
	put(chunks[20] + 8, 0x4141414141414140);
	tell("bin", 20);
}

static void prev_size(void)
{
	make(LARGE);
	release(chunks[10]);
	put(chunks[11] - 16, 0x4242424242424242);
	tell("prev-size", 10);
}

/* Two large chunks of different sizes in one large bin, with links between them. */
static void size_links(void)
{
	for (int i = 0; i < CHUNKS; i++)
		chunks[i] = malloc(i == 10 ? 0x5008 : i == 20 ? 0x5108 : 64);
	usable = malloc_usable_size(chunks[10]);
	release(chunks[10]);
	release(chunks[20]);
	launder(malloc(0x8000)); /* sorts them into their bin */
	put(chunks[10] + 16, 0x4141414141414140);
	tell("size-links", 10);
}

static void tcache_twice(void)
{
	make(SMALL);
	release(chunks[10]);
	put(chunks[10] + 8, 0);
	release(chunks[10]);
	tell("double-free", 10);
}

static void tcache_link(void)
{
	make(SMALL);
	release(chunks[12]);
	release(chunks[10]);
	put(chunks[10], 0x4242424242424242);
	tell("freed-chunk", 10);
}

static void tcache_plain(void)
{
	make(SMALL);
	release(chunks[12]);
	release(chunks[10]);
	put(chunks[10], (uint64_t)chunks[3] + 8);
	tell("freed-chunk", 10);
}

static void tcache_key(void)
{
	make(SMALL);
	for (int i = 8; i < 20; i += 2)
		release(chunks[i]);
	put(chunks[10] + 8, 0x4242424242424242);
	tell("freed-chunk", 10);
}

/* The size of a cached chunk grows by the next one's: the walk goes on, the list knows better. */
static void tcache_size(void)
{
	make(SMALL);
	release(chunks[10]);
	put(chunks[10] - 8, 2 * (usable + 8) | 1);
	tell("list-size", 10);
}

/* Up to 2.41 the tcache is the first chunk of the heap, from 2.42 on the first free takes it,
 * behind others. Its counts come first: up to 2.41 how many each list holds, then how many it may
 * yet. */
static uint64_t *tcache(void)
{
	char *at = (char *)((uintptr_t)chunks[0] & -(uintptr_t)4096);
	for (char *end = sbrk(0); at < end; at += 16) {
		const uint64_t size = get(at + 8) & ~(uint64_t)7;
		if (size == 0x290 || size == 0x300)
			return (uint64_t *)(at + 16);
	}
	abort();
}

static void tell_other(const char *kind, void *address)
{
	truth("{\"kind\":\"%s\",\"damaged\":%lu,\"previous\":0,\"next\":0,\"usable\":0}", kind,
	      (unsigned long)address);
}

static void tell_cached(int number)
{
	truth("{\"freed\":%lu}", (unsigned long)chunks[number]);
}

static void tcache_count(void)
{
	make(SMALL);
	release(chunks[10]);
	release(chunks[12]);
	((volatile uint16_t *)launder(tcache()))[4] = 60000; /* of 0x60-byte chunks */
	tell_other("tcache", tcache());
	tell_cached(10);
	tell_cached(12);
}

static void tcache_head(void)
{
	make(SMALL);
	release(chunks[10]);
	release(chunks[12]);
	for (int i = 0; i < 100; i++)
		if (tcache()[i] == (uint64_t)chunks[12])
			put(&tcache()[i], 0x4141414141414140);
	tell_other("tcache", tcache());
	tell_cached(10);
	tell_cached(12);
}

static void tcache_whole(void)
{
	make(SMALL);
	for (int i = 8; i < 20; i += 2)
		release(chunks[i]);
	memset(launder(tcache()), 'A', 0x280);
	tell_other("tcache", tcache());
	for (int i = 8; i < 20; i += 2)
		tell_cached(i);
}

static void fill_tcache(void)
{
	make(SMALL);
	for (int i = 30; i < 37; i++)
		release(chunks[i]);
}

static void fastbin_twice(void)
{
	if (strverscmp(gnu_get_libc_version(), "2.43") >= 0) {
		truth("{\"without\":\"fastbins\"}");
		return;
	}
	fill_tcache();
	release(chunks[10]);
	release(chunks[12]);
	release(chunks[10]);
	tell("double-free", 10);
}

static void fastbin_link(void)
{
	fill_tcache();
	release(chunks[12]);
	release(chunks[10]);
	put(chunks[10], 0x4242424242424242);
	tell("freed-chunk", 10);
}

static void bin_end(void)
{
	void *at = arena_top();
	put((char *)at + 40, 0x4141414141414140); /* bk of bin 2, which is empty */
	tell("bin", 0);
}

/* --- mmapped chunks */

#define MAPPED 4

/* Plain ones, and one that memalign moved up; beside each other, as mmap puts them. */
static void map_chunks(void)
{
	make(SMALL);
	for (int i = 0; i < MAPPED; i++)
		chunks[i] = i == 2 ? memalign(1 << 16, 300 << 10) : malloc((200 << 10) + i * 8192);
	usable = malloc_usable_size(chunks[1]);
}

static void map_size(void)
{
	map_chunks();
	put(chunks[1] - 8, 0x4141414141414141);
	tell_other("size", chunks[1]);
}

static void map_header(void)
{
	map_chunks();
	put(chunks[1] - 16, 0x4141414141414141);
	put(chunks[1] - 8, 0x4141414141414141);
	tell_other("size", chunks[1]);
}

static void map_flags(void)
{
	map_chunks();
	put(chunks[1] - 8, get(chunks[1] - 8) | 4);
	tell_other("size", chunks[1]);
}

/* Its size covers the one behind it, which is chunks[0]. */
static void map_grown(void)
{
	map_chunks();
	put(chunks[1] - 8, get(chunks[1] - 8) + malloc_usable_size(chunks[0]) + 16);
	tell_other("size", chunks[1]);
}

static void map_shrunk(void)
{
	map_chunks();
	put(chunks[1] - 8, get(chunks[1] - 8) - 4096);
	tell_other("size", chunks[1]);
}

static void map_aligned(void)
{
	map_chunks();
	put(chunks[2] - 8, 0x4141414141414141);
	tell_other("size", chunks[2]);
}

/* --- in a thread's arena */

static pthread_barrier_t turn;

static void (*thread_damage)(void);

static void *in_thread(void *argument)
{
	(void)argument;
	thread_damage();
	pthread_barrier_wait(&turn);
	for (;;)
		pause();
	return NULL;
}

static void damage_in_thread(void (*damage)(void))
{
	pthread_t id;
	thread_damage = damage;
	launder(malloc(100));
	pthread_barrier_init(&turn, NULL, 2);
	pthread_create(&id, NULL, in_thread, NULL);
	pthread_barrier_wait(&turn);
}

static void thread(void)
{
	damage_in_thread(overflow_text);
}

/* The heap_info of the thread's heap. */
static uint64_t *heap_info(void)
{
	make(SMALL);
	return (uint64_t *)((uintptr_t)chunks[0] & -((uintptr_t)64 << 20));
}

static void overwrite_owner(void)
{
	put(heap_info(), 0x4141414141414141);
	tell_other("arenas", chunks[0]);
}

static void overwrite_size(void)
{
	put(heap_info() + 2, get(heap_info() + 2) - 4096);
	tell_other("arenas", chunks[0]);
}

static void overwrite_info(void)
{
	memset(launder(heap_info()), 'A', 32);
	tell_other("arenas", chunks[0]);
}

static void heap_owner(void)
{
	damage_in_thread(overwrite_owner);
}

static void heap_size(void)
{
	damage_in_thread(overwrite_size);
}

static void heap_whole(void)
{
	damage_in_thread(overwrite_info);
}

/* --- until malloc sees it */

static void die_top(void)
{
	top_size();
	truth_ready();
	launder(malloc(1 << 16));
}

/* An assertion of malloc's own, with the arena locked. */
static void die_assert(void)
{
	top_size();
	put(chunks[0] - 8, 0);
	truth_ready();
	launder(malloc(1 << 16));
}

static void die_double(void)
{
	make(SMALL);
	release(chunks[10]);
	tell("double-free", 10);
	truth_ready();
	release(chunks[10]);
}

static void die_next(void)
{
	make(LARGE);
	memset(launder(chunks[9]), 'A', usable + 8);
	tell("size", 10);
	truth_ready();
	release(chunks[9]);
}

static void die_prev(void)
{
	make(LARGE);
	release(chunks[10]);
	put(chunks[11] - 16, 0x4242424242424240);
	tell("prev-size", 10);
	truth_ready();
	release(chunks[11]);
}

static void die_unaligned(void)
{
	tcache_link();
	truth_ready();
	launder(malloc(SMALL));
	launder(malloc(SMALL));
}

static void *die_thread(void *argument)
{
	die_next();
	return argument;
}

static void die_in_thread(void)
{
	pthread_t id;
	launder(malloc(100));
	pthread_create(&id, NULL, die_thread, NULL);
	pthread_join(id, NULL);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*damage)(void);
	} modes[] = {
		{ "overflow-text", overflow_text },
		{ "overflow-far", overflow_far },
		{ "overflow-words", overflow_words },
		{ "smashed-size", smashed_size },
		{ "astray", astray },
		{ "covering", covering },
		{ "covering-cached", covering_cached },
		{ "covering-free", covering_free },
		{ "one-byte", one_byte },
		{ "one-byte-size", one_byte_size },
		{ "stale", stale },
		{ "free-size", free_size },
		{ "cached-size", cached_size },
		{ "mark", mark },
		{ "top", top },
		{ "top-zero", top_zero },
		{ "top-inside", top_inside },
		{ "top-size", top_size },
		{ "ring", ring },
		{ "bin-forward", bin_forward },
		{ "bin-back", bin_back },
		{ "prev-size", prev_size },
		{ "size-links", size_links },
		{ "tcache-twice", tcache_twice },
		{ "tcache-link", tcache_link },
		{ "tcache-plain", tcache_plain },
		{ "tcache-key", tcache_key },
		{ "tcache-size", tcache_size },
		{ "fastbin-twice", fastbin_twice },
		{ "fastbin-link", fastbin_link },
		{ "thread", thread },
		{ "tcache-count", tcache_count },
		{ "tcache-head", tcache_head },
		{ "tcache-whole", tcache_whole },
		{ "bin-end", bin_end },
		{ "map-size", map_size },
		{ "map-header", map_header },
		{ "map-flags", map_flags },
		{ "map-grown", map_grown },
		{ "map-shrunk", map_shrunk },
		{ "map-aligned", map_aligned },
		{ "heap-owner", heap_owner },
		{ "heap-size", heap_size },
		{ "heap-whole", heap_whole },
		{ "die-top", die_top },
		{ "die-assert", die_assert },
		{ "die-double", die_double },
		{ "die-next", die_next },
		{ "die-prev", die_prev },
		{ "die-unaligned", die_unaligned },
		{ "die-in-thread", die_in_thread },
	};
	for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++) {
		if (strcmp(argv[1], modes[i].name) != 0)
			continue;
		modes[i].damage();
		truth_ready();
		for (;;)
			pause();
	}
	return 64;
}
