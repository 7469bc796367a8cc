/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/kernel_held.h"

#include "analysis/waits/syscalls.h"
#include "base/bytes.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

/* Entries that are looked at of an array: more than any event loop asks for. */
#define EVENTS_MAX 65536

/* struct epoll_event of the kernel's include/uapi/linux/eventpoll.h: a __u32 and a __u64. */
enum { EVENT_DATA = 8, EVENT_SIZE = 16 };
enum { PACKED_DATA = 4, PACKED_SIZE = 12 };

struct collecting {
	const struct subject *subject;
	struct kernel_held *held;
	ARRAY(uint64_t) values; /* of held->words */
};

static bool add_word(struct collecting *collecting, struct kernel_held_word word, uint64_t value)
{
	return array_push(&collecting->values, value) && array_push(&collecting->held->words, word);
}

static bool add_registered(struct collecting *collecting)
{
	const struct target *target = collecting->subject->target;
	for (size_t i = 0; i < target->kernel_words.count; i++) {
		const struct target_kernel_word *word = &target->kernel_words.items[i];
		const struct kernel_held_word kept = {
			.kind =
			    word->kind == KERNEL_WORD_EPOLL ? KERNEL_HELD_EPOLL : KERNEL_HELD_TIMER,
			.holder = word->holder,
			.watched = word->watched,
		};
		if (!add_word(collecting, kept, word->value))
			return false;
	}
	return true;
}

static bool waits_in_epoll(const struct arch *arch, const struct thread *thread)
{
	int64_t number;
	if (thread->raw == NULL || thread->raw->registers.general_size == 0 ||
	    !arch_syscall(arch, &thread->raw->registers, &number))
		return false;
	const char *name = syscall_name(arch, number);
	return name != NULL &&
	       (strcmp(name, "epoll_wait") == 0 || strcmp(name, "epoll_pwait") == 0 ||
		strcmp(name, "epoll_pwait2") == 0);
}

/* The events that epoll_wait's arguments 1 and 2 are the array of. */
static bool add_events(struct collecting *collecting, const struct thread *thread)
{
	const struct target *target = collecting->subject->target;
	const struct arch *arch = target->arch;
	const bool packed = arch->epoll_event_packed;
	const uint64_t size = packed ? PACKED_SIZE : EVENT_SIZE;
	uint64_t at = arch_syscall_argument(arch, &thread->raw->registers, 1);
	uint64_t count = (uint32_t)arch_syscall_argument(arch, &thread->raw->registers, 2), value;
	if (count > EVENTS_MAX)
		count = EVENTS_MAX;
	if (at > UINT64_MAX - (count + 1) * size)
		return true;
	at += packed ? PACKED_DATA : EVENT_DATA;
	for (; count > 0 && address_space_u64(target->space, at, &value); count--, at += size) {
		const struct kernel_held_word word = { .kind = KERNEL_HELD_EVENT,
						       .holder = -1,
						       .watched = -1,
						       .thread = thread,
						       .address = at };
		if (value != 0 && !add_word(collecting, word, value))
			return false;
	}
	return true;
}

static bool add_all_events(struct collecting *collecting)
{
	const struct subject *subject = collecting->subject;
	const bool told = subject->target->kind == TARGET_LIVE;
	for (size_t i = 0; subject->threads != NULL && i < subject->threads->count; i++) {
		const struct thread *thread = &subject->threads->items[i];
		if (!waits_in_epoll(subject->target->arch, thread))
			continue;
		if (!told && collecting->held->unseen == NULL)
			collecting->held->unseen = thread;
		if (!add_events(collecting, thread))
			return false;
	}
	return true;
}

/* As the scans read words. */
static bool put_in_target_order(struct collecting *collecting)
{
	const struct arch *arch = collecting->subject->target->arch;
	const size_t size = arch->word_size;
	struct kernel_held *held = collecting->held;
	if (held->words.count == 0)
		return true;
	held->bytes = malloc(held->words.count * size);
	for (size_t i = 0; held->bytes != NULL && i < held->words.count; i++)
		bytes_put_unsigned(held->bytes + i * size, size, arch->elf_data == ELFDATA2MSB,
				   collecting->values.items[i]);
	return held->bytes != NULL;
}

/* By their rings. */
static bool makes_requests(const struct subject *subject)
{
	size_t count;
	const struct segment *segments = address_space_segments(subject->target->space, &count);
	for (size_t i = 0; i < count; i++)
		if (segments[i].name != NULL &&
		    (strcmp(segments[i].name, "anon_inode:[io_uring]") == 0 ||
		     strncmp(segments[i].name, "/[aio]", 6) == 0))
			return true;
	return false;
}

struct error *kernel_held_find(const struct subject *subject, struct kernel_held *held)
{
	struct kernel_held found = { .requests = makes_requests(subject) };
	struct collecting collecting = { .subject = subject, .held = &found };
	bool fits = add_registered(&collecting) && add_all_events(&collecting) &&
		    put_in_target_order(&collecting);
	array_free(&collecting.values);
	if (!fits) {
		kernel_held_free(&found);
		return error_no_memory();
	}
	*held = found;
	return NULL;
}

void kernel_held_free(struct kernel_held *held)
{
	array_free(&held->words);
	free(held->bytes);
	*held = (struct kernel_held){ 0 };
}
