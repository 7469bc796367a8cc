/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/memory_profile.h"

#include "golang/code_variables.h"

#include <inttypes.h>
#include <string.h>

#define BUCKET_OF_MEMORY 1 /* bucket.typ */
#define CYCLES		 3 /* in memRecord.future */
/* runtime.maxProfStackDepth, and some more; the number of buckets that are believed in. */
#define DEPTH_MAX   2048
#define BUCKETS_MAX (1u << 24)
#define CYCLE_BYTES 32
#define RATE_MAX    (1ll << 48)

/* A cycle's numbers. */
struct record {
	uint64_t allocated, freed, allocated_bytes, freed_bytes;
};

struct bucket {
	struct go_allocations site; /* its numbers are still those of .active */
	struct record active, future[CYCLES];
	uint64_t next;
};

struct reading {
	const struct go_process *process;
	struct go_memory_profile *profile;
	uint64_t header;     /* bytes of a bucket before its stack */
	uint64_t cycle_size; /* of a memRecordCycle */
	uint64_t stack[DEPTH_MAX];
	ARRAY(struct bucket) buckets;
};

/* --- the runtime's variables */

/* Where a variable is: by its symbol, else by the function that reads it first (or second). */
static bool find_variable(const struct go_process *process, const char *name, const char *function,
			  unsigned number, uint64_t *address)
{
	struct symbol symbol;
	if (!process->stripped &&
	    modules_symbol_named(process->modules, process->module, name, &symbol)) {
		*address = symbol.address;
		return true;
	}
	return go_code_variable(process, function, number, address);
}

/* The linker turns sampling off where nothing can ask for the profile. Its test is whether this
 * function is linked: runtime.MemProfile, and in later versions what that calls. */
static bool is_linked(const struct go_process *process)
{
	struct go_function function;
	return go_function_named(process, "runtime.MemProfile", &function) ||
	       go_function_named(process, "runtime.memProfileInternal", &function);
}

static struct error *find_rate(const struct go_process *process, int64_t *rate)
{
	uint64_t address, value;
	/* profilealloc looks at the first p's cache, and then at the rate. */
	if (!find_variable(process, "runtime.MemProfileRate", "runtime.profilealloc", 2,
			   &address) ||
	    !address_space_u64(process->space, address, &value) || (int64_t)value > RATE_MAX)
		return error_new(ERROR_UNSUPPORTED,
				 "the rate at which the Go runtime samples allocations was not "
				 "found");
	*rate = (int64_t)value;
	return NULL;
}

/* --- buckets */

/* As the runtime computes it. */
static uint64_t hash_of(const uint64_t *stack, size_t count, uint64_t size)
{
	uint64_t hash = 0;
	for (size_t i = 0; i <= count; i++) {
		hash += i < count ? stack[i] : size;
		hash += hash << 10;
		hash ^= hash >> 6;
	}
	hash += hash << 3;
	return hash ^ hash >> 11;
}

static uint64_t member(const struct reading *reading, const uint8_t *cycle, enum go_field field,
		       uint64_t otherwise)
{
	uint64_t offset;
	if (!go_offset(reading->process, field, &offset) || offset + 8 > reading->cycle_size)
		return otherwise;
	return bytes_unsigned(cycle + offset, 8, false);
}

/* Since Go 1.27 the bytes follow from the size. */
static struct record read_record(const struct reading *reading, const uint8_t *cycle, uint64_t size)
{
	uint64_t allocated = member(reading, cycle, GO_MEMRECORDCYCLE_ALLOCS, 0);
	uint64_t freed = member(reading, cycle, GO_MEMRECORDCYCLE_FREES, 0);
	return (struct record){
		.allocated = allocated,
		.freed = freed,
		.allocated_bytes =
		    member(reading, cycle, GO_MEMRECORDCYCLE_ALLOC_BYTES, allocated * size),
		.freed_bytes = member(reading, cycle, GO_MEMRECORDCYCLE_FREE_BYTES, freed * size),
	};
}

/* The bucket at `address`, and its stack into reading->stack. False for what is none. */
static bool read_bucket(struct reading *reading, uint64_t address, struct bucket *bucket)
{
	const struct go_process *process = reading->process;
	uint8_t records[(CYCLES + 1) * CYCLE_BYTES], words[DEPTH_MAX * 8];
	uint64_t type, depth, hash;
	if ((address & 7) != 0 || !go_read(process, address, GO_BUCKET_TYP, 8, &type) ||
	    type != BUCKET_OF_MEMORY || !go_read(process, address, GO_BUCKET_NSTK, 8, &depth) ||
	    depth > DEPTH_MAX || !go_read(process, address, GO_BUCKET_HASH, 8, &hash) ||
	    !go_read(process, address, GO_BUCKET_SIZE, 8, &bucket->site.size) ||
	    !go_read(process, address, GO_BUCKET_ALLNEXT, 8, &bucket->next) ||
	    !address_space_probe(process->space, address + reading->header, words, 8 * depth) ||
	    !address_space_probe(process->space, address + reading->header + 8 * depth, records,
				 (CYCLES + 1) * reading->cycle_size))
		return false;
	for (uint64_t i = 0; i < depth; i++)
		reading->stack[i] = bytes_unsigned(words + 8 * i, 8, false);
	if (hash_of(reading->stack, depth, bucket->site.size) != hash)
		return false;
	bucket->site.count = depth;
	bucket->active = read_record(reading, records, bucket->site.size);
	for (unsigned i = 0; i < CYCLES; i++)
		bucket->future[i] = read_record(reading, records + (i + 1) * reading->cycle_size,
						bucket->site.size);
	return true;
}

static bool keep_bucket(struct reading *reading, struct bucket *bucket)
{
	struct go_memory_profile *profile = reading->profile;
	bucket->site.first = profile->pcs.count;
	for (size_t i = 0; i < bucket->site.count; i++)
		if (!array_push(&profile->pcs, reading->stack[i]))
			return false;
	return array_push(&reading->buckets, *bucket);
}

/* The whole list. One that leads back into itself is told by a second reader, which waits at a
 * bucket for as many steps as the first one has taken up to there (Brent). */
static struct error *read_buckets(struct reading *reading, uint64_t first, struct gaps *gaps)
{
	uint64_t waits_at = 0, steps = 0, power = 1;
	struct bucket bucket = { 0 };
	for (uint64_t at = first; at != 0; at = bucket.next) {
		if (at == waits_at || reading->buckets.count >= BUCKETS_MAX ||
		    !read_bucket(reading, at, &bucket)) {
			gaps_add(gaps, GAP_HEAP, at, 0,
				 "the Go runtime's list of allocation sites ends after %zu at "
				 "0x%" PRIx64 ", which %s: sites are missing from the profile",
				 reading->buckets.count, at,
				 at == waits_at ? "came before" : "is none, or cannot be read");
			return NULL;
		}
		if (!keep_bucket(reading, &bucket))
			return error_no_memory();
		if (++steps == power) {
			waits_at = at;
			power *= 2;
			steps = 0;
		}
	}
	return NULL;
}

/* --- what is published */

static void add(struct record *to, const struct record *from)
{
	to->allocated += from->allocated;
	to->freed += from->freed;
	to->allocated_bytes += from->allocated_bytes;
	to->freed_bytes += from->freed_bytes;
}

/* The cycle that belongs to what is published, where it has not been added yet. Before the first
 * collection nothing is published: then all is, as the runtime does when it is asked. */
static void publish(struct reading *reading, unsigned cycle)
{
	bool nothing = true;
	for (size_t i = 0; i < reading->buckets.count; i++) {
		struct bucket *bucket = &reading->buckets.items[i];
		add(&bucket->active, &bucket->future[cycle]);
		nothing = nothing && bucket->active.allocated == 0 && bucket->active.freed == 0;
	}
	for (size_t i = 0; nothing && i < reading->buckets.count; i++) {
		struct bucket *bucket = &reading->buckets.items[i];
		for (unsigned c = 0; c < CYCLES; c++)
			if (c != cycle)
				add(&bucket->active, &bucket->future[c]);
	}
}

static struct error *keep_sites(struct reading *reading)
{
	for (size_t i = 0; i < reading->buckets.count; i++) {
		const struct bucket *bucket = &reading->buckets.items[i];
		struct go_allocations site = bucket->site;
		site.allocated = bucket->active.allocated;
		site.freed = bucket->active.freed;
		site.allocated_bytes = bucket->active.allocated_bytes;
		site.freed_bytes = bucket->active.freed_bytes;
		if (!array_push(&reading->profile->sites, site))
			return error_no_memory();
	}
	return NULL;
}

static struct error *read_published(struct reading *reading, uint64_t first, unsigned cycle,
				    struct gaps *gaps)
{
	uint64_t last;
	if (!go_offset(reading->process, GO_BUCKET_NSTK, &last) ||
	    !go_offset(reading->process, GO_MEMRECORD_FUTURE, &reading->cycle_size) ||
	    reading->cycle_size > CYCLE_BYTES)
		return error_new(ERROR_UNSUPPORTED,
				 "the layout of this Go's heap profile is not known");
	reading->header = last + 8;
	struct error *error = read_buckets(reading, first, gaps);
	if (error != NULL)
		return error;
	publish(reading, cycle % CYCLES);
	return keep_sites(reading);
}

struct error *go_buckets_read(const struct go_process *process, uint64_t first, unsigned cycle,
			      struct gaps *gaps, struct go_memory_profile *profile)
{
	struct go_memory_profile found = { .rate = profile->rate };
	struct reading *reading = calloc(1, sizeof *reading);
	if (reading == NULL)
		return error_no_memory();
	reading->process = process;
	reading->profile = &found;
	struct error *error = read_published(reading, first, cycle, gaps);
	array_free(&reading->buckets);
	free(reading);
	if (error != NULL)
		go_memory_profile_free(&found);
	else
		*profile = found;
	return error;
}

static struct error *read_list(const struct go_process *process, struct gaps *gaps,
			       struct go_memory_profile *profile)
{
	uint64_t list, cycle_at, first;
	uint32_t cycle;
	struct error *error = find_rate(process, &profile->rate);
	if (error != NULL)
		return error;
	if (!find_variable(process, "runtime.mbuckets", "runtime.mProf_FlushLocked", 1, &list) ||
	    !find_variable(process, "runtime.mProfCycle", "runtime.mProf_PostSweep", 1,
			   &cycle_at) ||
	    !address_space_u64(process->space, list, &first) ||
	    !address_space_u32(process->space, cycle_at, &cycle))
		return error_new(ERROR_UNSUPPORTED,
				 "the Go runtime's list of allocation sites was not found");
	/* Bit 0 tells whether it was added already; then there is nothing left of it. */
	return go_buckets_read(process, first, cycle >> 1, gaps, profile);
}

struct error *go_memory_profile_read(const struct go_process *process, struct gaps *gaps,
				     struct go_memory_profile *profile)
{
	struct go_memory_profile found = { 0 };
	struct error *error = NULL;
	if (!is_linked(process))
		found.missing = "nothing in the program can ask for a heap profile "
				"(runtime.MemProfile is not linked in), so the runtime sampled no "
				"allocations";
	else
		error = read_list(process, gaps, &found);
	if (error != NULL)
		return error;
	if (found.missing == NULL && found.rate <= 0 && found.sites.count == 0)
		found.missing = "the program turned the sampling of allocations off "
				"(runtime.MemProfileRate is 0)";
	*profile = found;
	return NULL;
}

void go_memory_profile_free(struct go_memory_profile *profile)
{
	array_free(&profile->sites);
	array_free(&profile->pcs);
}

/* --- calls */

bool go_return_call(const struct go_process *process, uint64_t pc, struct go_call *call)
{
	struct go_call calls[GO_INLINE_MAX];
	struct go_function function;
	if (!go_function_at(process, pc, &function))
		return false;
	go_calls_at(process, &function, pc, pc > function.entry ? pc - 1 : pc, calls);
	*call = calls[0];
	return true;
}

bool go_runtime_call(const struct go_process *process, uint64_t pc)
{
	struct go_call calls[GO_INLINE_MAX];
	struct go_function function;
	if (!go_function_at(process, pc, &function))
		return false;
	/* At the return address itself: so does runtime.FuncForPC. */
	go_calls_at(process, &function, pc, pc, calls);
	const char *name = calls[0].function;
	return name != NULL &&
	       (strncmp(name, "runtime.", 8) == 0 ||
		(process->minor >= 24 && strncmp(name, "internal/runtime/", 17) == 0));
}
