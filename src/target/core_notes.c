/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/core_notes.h"

#include "base/bytes.h"
#include "target/elf_notes.h"
#include "target/signal_kinds.h"

#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One note on its way, and where it goes. */
struct reading {
	struct core_notes *notes;
	struct target *target;
	struct gaps *gaps;
	const struct elf_note *note;
	bool big_endian;
};

static uint64_t number_at(const struct reading *reading, uint64_t offset, size_t size)
{
	return bytes_unsigned(reading->note->bytes + offset, size, reading->big_endian);
}

static struct target_thread *last_thread(const struct reading *reading)
{
	size_t count = reading->target->threads.count;
	return count > 0 ? &reading->target->threads.items[count - 1] : NULL;
}

static void tell_damaged(const struct reading *reading, enum gap_kind kind, const char *what)
{
	gaps_add(reading->gaps, kind, 0, 0,
		 "the core's %s note is damaged (%" PRIu32 " bytes): it was passed over", what,
		 reading->note->size);
}

static struct error *read_prstatus(const struct reading *reading)
{
	const struct arch *arch = reading->target->arch;
	if (reading->note->size < arch->prstatus_size) {
		tell_damaged(reading, GAP_THREAD, "thread status (NT_PRSTATUS)");
		return NULL;
	}
	struct target_thread thread = { .stopped = true };
	thread.tid = (int32_t)number_at(reading, arch->prstatus_pid, 4);
	thread.signal.number = (int)number_at(reading, arch->prstatus_cursig, 2);
	thread.registers.general_size = arch->prstatus_registers_size;
	memcpy(thread.registers.general, reading->note->bytes + arch->prstatus_registers,
	       arch->prstatus_registers_size);
	return array_push(&reading->target->threads, thread) ? NULL : error_no_memory();
}

static struct error *read_floating_point(const struct reading *reading)
{
	struct target_thread *thread = last_thread(reading);
	if (thread == NULL || thread->registers.extended != NULL)
		return NULL;
	thread->registers.extended = reading->note->bytes;
	thread->registers.extended_size = reading->note->size;
	return NULL;
}

/* Holds what NT_FPREGSET does, and more. */
static struct error *read_extended(const struct reading *reading)
{
	struct target_thread *thread = last_thread(reading);
	uint32_t wanted = reading->target->arch->extended_note;
	if (thread == NULL || wanted == 0 || reading->note->type != wanted)
		return NULL;
	thread->registers.extended = reading->note->bytes;
	thread->registers.extended_size = reading->note->size;
	return NULL;
}

/* Kernel and gdb write the siginfo right after a thread's other notes. */
static struct error *read_siginfo(const struct reading *reading)
{
	enum { NUMBER = 0, CODE = 8, FIELDS = 16 };
	struct target_thread *thread = last_thread(reading);
	if (reading->note->size < FIELDS + 8) {
		tell_damaged(reading, GAP_THREAD, "signal (NT_SIGINFO)");
		return NULL;
	}
	if (thread == NULL)
		return NULL;
	struct target_signal *signal = &thread->signal;
	/* gdb keeps the SIGSTOP of its own attach here, with cursig 0. */
	if ((int)number_at(reading, NUMBER, 4) != signal->number)
		return NULL;
	signal->code = (int32_t)number_at(reading, CODE, 4);
	signal->has_details = true;
	if (signal_has_sender(signal->code))
		signal->sender = (int32_t)number_at(reading, FIELDS, 4);
	else if (signal->code > 0 && signal_has_address(signal->number))
		signal->address = number_at(reading, FIELDS, reading->target->arch->word_size);
	return NULL;
}

static struct error *read_auxv(const struct reading *reading)
{
	struct target *target = reading->target;
	size_t word = target->arch->word_size, count = reading->note->size / (2 * word);
	if (target->auxv != NULL || count == 0)
		return NULL;
	target->auxv = calloc(count, sizeof *target->auxv);
	if (target->auxv == NULL)
		return error_no_memory();
	for (size_t i = 0; i < count; i++) {
		uint64_t type = number_at(reading, 2 * i * word, word);
		if (type == AT_NULL)
			break;
		target->auxv[i].type = type;
		target->auxv[i].value = number_at(reading, (2 * i + 1) * word, word);
		target->auxv_count++;
	}
	return NULL;
}

/* NT_FILE: count, page size, then start, end and offset in pages of each, then the paths. */
static struct error *read_files(const struct reading *reading)
{
	size_t word = reading->target->arch->word_size;
	const struct elf_note *note = reading->note;
	if (note->size < 2 * word) {
		tell_damaged(reading, GAP_MODULE, "mapped files (NT_FILE)");
		return NULL;
	}
	uint64_t count = number_at(reading, 0, word), page = number_at(reading, word, word);
	uint64_t room = (note->size - 2 * word) / (3 * word);
	bool damaged = count > room;
	if (damaged)
		count = room;
	const char *path = (const char *)note->bytes + (2 + 3 * count) * word;
	const char *end = (const char *)note->bytes + note->size;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t row = (2 + 3 * i) * word, pages = number_at(reading, row + 2 * word, word);
		size_t length = strnlen(path, (size_t)(end - path));
		struct core_mapping mapping = {
			.start = number_at(reading, row, word),
			.end = number_at(reading, row + word, word),
			.path = path,
		};
		if (path + length >= end || mapping.start >= mapping.end ||
		    __builtin_mul_overflow(pages, page, &mapping.file_offset)) {
			damaged = true;
			break;
		}
		path += length + 1;
		if (!array_push(&reading->notes->mappings, mapping))
			return error_no_memory();
	}
	if (damaged)
		gaps_add(reading->gaps, GAP_MODULE, 0, 0,
			 "the core's list of mapped files (NT_FILE) is damaged: %zu of its rows "
			 "could be read",
			 reading->notes->mappings.count);
	return NULL;
}

static struct error *read_prpsinfo(const struct reading *reading)
{
	/* Linux writes the crashed thread first; gdb begins with the process. */
	if (reading->target->threads.count == 0)
		reading->notes->by_debugger = true;
	if (reading->note->size < reading->target->arch->prpsinfo_size)
		tell_damaged(reading, GAP_THREAD, "process (NT_PRPSINFO)");
	else if (reading->notes->prpsinfo == NULL)
		reading->notes->prpsinfo = reading->note->bytes;
	return NULL;
}

static struct error *read_gdb(const struct reading *reading)
{
	reading->notes->by_debugger = true;
	return NULL;
}

/* To read one more note: a function above, and a row here. */
static const struct {
	const char *owner;
	uint32_t type;
	bool any_type;
	struct error *(*read)(const struct reading *reading);
} readers[] = {
	{ .owner = "CORE", .type = NT_PRSTATUS, .read = read_prstatus },
	{ .owner = "CORE", .type = NT_PRPSINFO, .read = read_prpsinfo },
	{ .owner = "CORE", .type = NT_FPREGSET, .read = read_floating_point },
	{ .owner = "LINUX", .any_type = true, .read = read_extended },
	{ .owner = "CORE", .type = NT_SIGINFO, .read = read_siginfo },
	{ .owner = "CORE", .type = NT_AUXV, .read = read_auxv },
	{ .owner = "CORE", .type = NT_FILE, .read = read_files },
	{ .owner = "GDB", .any_type = true, .read = read_gdb },
};

static void tell_what_is_missing(uint64_t size, uint64_t there, uint64_t damaged_at,
				 struct gaps *gaps)
{
	if (there < size)
		gaps_add(gaps, GAP_THREAD, 0, 0,
			 "the core's notes are cut off: %" PRIu64 " of %" PRIu64
			 " bytes are there; threads, registers and mapped files are missing%s",
			 there, size, there == 0 ? " (gdb writes its notes last)" : "");
	else if (damaged_at < size)
		gaps_add(gaps, GAP_THREAD, 0, 0,
			 "the core's notes are damaged at byte %" PRIu64 " of %" PRIu64
			 ": threads, registers or mapped files may be missing",
			 damaged_at, size);
}

static struct error *read_one(const struct reading *reading)
{
	for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
		if (!elf_note_is_of(reading->note, readers[i].owner) ||
		    (!readers[i].any_type && reading->note->type != readers[i].type))
			continue;
		struct error *error = readers[i].read(reading);
		if (error != NULL)
			return error;
	}
	return NULL;
}

struct error *core_notes_read(struct core_notes *notes, struct target *target, const uint8_t *bytes,
			      uint64_t size, uint64_t there, uint32_t align, struct gaps *gaps)
{
	struct elf_note note;
	struct reading reading = { notes, target, gaps, &note,
				   target->arch->elf_data == ELFDATA2MSB };
	struct elf_notes all = {
		.bytes = bytes, .size = there, .align = align, .big_endian = reading.big_endian
	};
	notes->any = true;
	while (elf_notes_next(&all, &note)) {
		struct error *error = read_one(&reading);
		if (error != NULL)
			return error;
	}
	tell_what_is_missing(size, there, all.damaged ? all.at : size, gaps);
	return NULL;
}

static int compare_mappings(const void *left, const void *right)
{
	const struct core_mapping *a = left, *b = right;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->end < b->end ? -1 : a->end > b->end;
}

/* A copy of a fixed text field, or NULL when it is empty. */
static struct error *copy_field(const uint8_t *field, size_t size, const char **copy)
{
	size_t length = strnlen((const char *)field, size);
	while (length > 0 && field[length - 1] == ' ')
		length--;
	if (length == 0)
		return NULL;
	*copy = strndup((const char *)field, length);
	return *copy != NULL ? NULL : error_no_memory();
}

static struct error *read_process(const struct core_notes *notes, struct target *target)
{
	enum { FNAME_SIZE = 16, PSARGS_SIZE = 80 };
	const struct arch *arch = target->arch;
	if (notes->prpsinfo == NULL)
		return NULL;
	target->pid = (int32_t)bytes_unsigned(notes->prpsinfo + arch->prpsinfo_pid, 4,
					      arch->elf_data == ELFDATA2MSB);
	struct error *error =
	    copy_field(notes->prpsinfo + arch->prpsinfo_fname, FNAME_SIZE, &target->comm);
	if (error == NULL)
		error = copy_field(notes->prpsinfo + arch->prpsinfo_psargs, PSARGS_SIZE,
				   &target->command);
	return error;
}

/* Linux gives all threads the signal of the one that crashed, which is the first. */
static void settle_signals(const struct core_notes *notes, struct target *target)
{
	for (size_t i = 0; i < target->threads.count; i++) {
		struct target_signal *signal = &target->threads.items[i].signal;
		if (i > 0 || (notes->by_debugger && !signal_is_crash(signal->number)))
			*signal = (struct target_signal){ 0 };
	}
	if (target->threads.count > 0)
		target->signal = target->threads.items[0].signal;
}

/* Linux takes pr_fname from the main thread's name, gdb from the command line. */
static void name_main_thread(const struct core_notes *notes, struct target *target)
{
	if (notes->by_debugger || target->comm == NULL)
		return;
	for (size_t i = 0; i < target->threads.count; i++) {
		struct target_thread *thread = &target->threads.items[i];
		if (thread->tid != target->pid)
			continue;
		snprintf(thread->name, sizeof thread->name, "%s", target->comm);
		return;
	}
}

struct error *core_notes_end(struct core_notes *notes, struct target *target)
{
	if (notes->mappings.count > 0)
		qsort(notes->mappings.items, notes->mappings.count, sizeof *notes->mappings.items,
		      compare_mappings);
	target->from_gcore = notes->by_debugger;
	struct error *error = read_process(notes, target);
	if (error != NULL)
		return error;
	settle_signals(notes, target);
	name_main_thread(notes, target);
	return NULL;
}

const struct core_mapping *core_notes_mapping(const struct core_notes *notes, uint64_t address)
{
	size_t low = 0, high = notes->mappings.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (notes->mappings.items[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || notes->mappings.items[low - 1].end <= address)
		return NULL;
	return &notes->mappings.items[low - 1];
}

void core_notes_free(struct core_notes *notes)
{
	array_free(&notes->mappings);
}
