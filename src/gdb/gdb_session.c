/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gdb/gdb_session.h"

#include "target/signal_kinds.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* More threads than Linux allows by default, of a kilobyte each. */
#define LINES_MAX      (UINT64_C(1) << 22)
#define LINE_MAX_BYTES 65536

struct reading {
	struct gdb_session *session;
	const struct arch *arch;
	struct held_thread *thread; /* whose lines are being read, or NULL */
	size_t section;		    /* of sections[]; its count before the first */
	char *tell;    /* of the inferior's connection, such as "1 (remote :1234)"; or NULL */
	int32_t pid;   /* of the inferior that is selected; 0: none */
	bool is_core;  /* the next line names the core */
	bool is_exe;   /* … the executable */
	bool native;   /* gdb itself traces the process */
	bool decided;  /* which of the two it is */
	bool complete; /* the last line was there */
	bool no_memory;
};

/* --- words of gdb's */

static const char *after(const char *line, const char *words)
{
	const char *found = strstr(line, words);
	return found != NULL ? found + strlen(words) : NULL;
}

static bool begins(const char *line, const char *words)
{
	return strncmp(line, words, strlen(words)) == 0;
}

static void keep(struct reading *reading, const char *from, const char *to, char **text)
{
	free(*text);
	*text = strndup(from, (size_t)(to - from));
	reading->no_memory |= *text == NULL;
}

/* 'The current system root is "/srv/root".' A root on the other side of a connection is none. */
static void read_sysroot(struct reading *reading, const char *line)
{
	const char *from = strchr(line, '"');
	const char *to = from != NULL ? strrchr(line, '"') : NULL;
	if (from == NULL || to <= from + 1 || from[1] != '/' || strcmp(from, "\"/\".") == 0)
		return;
	keep(reading, from + 1, to, &reading->session->sysroot);
}

/* '* 1    process 18140     1 (native)           /tmp/app'. Before gdb 10 no connection is told. */
static void read_inferior(struct reading *reading, const char *line)
{
	const char *number = line[0] == '*' ? after(line, " process ") : NULL;
	if (number == NULL || reading->pid != 0)
		return;
	reading->pid = (int32_t)strtol(number, NULL, 10);
	const char *from = strchr(number, '('), *to = from != NULL ? strchr(from, ')') : NULL;
	if (to != NULL)
		keep(reading, from + 1, to, &reading->tell);
}

/* "\t`/tmp/core', file type elf64-x86-64." */
static void read_file_name(struct reading *reading, const char *line, char **name)
{
	static const char open[] = "\t`", close[] = "', file type ";
	const char *end = line + strlen(line), *to = NULL;
	for (const char *at = line; at < end && (at = strstr(at, close)) != NULL; at++)
		to = at;
	if (begins(line, open) && to != NULL)
		keep(reading, line + strlen(open), to, name);
}

static void read_files(struct reading *reading, const char *line)
{
	if (reading->is_core)
		read_file_name(reading, line, &reading->session->core);
	else if (reading->is_exe)
		read_file_name(reading, line, &reading->session->exe);
	reading->is_core = !reading->decided && begins(line, "Local core dump file:");
	reading->native |= !reading->decided && begins(line, "Native process:");
	reading->decided |= reading->is_core || reading->native;
	reading->is_exe = reading->session->exe == NULL && begins(line, "Local exec file:");
}

/* --- registers */

/* "Thread 2 (Thread 0x7f28d3c166c0 (LWP 15711) "name"):", or "(process 123)" of a program that has
 * one thread. */
static bool read_thread_line(struct reading *reading, const char *line)
{
	const char *open = begins(line, "Thread ") ? strchr(line, '(') : NULL;
	if (open == NULL)
		return false;
	const char *number = after(open, "LWP ");
	if (number == NULL)
		number = after(open, "process ");
	reading->thread = NULL;
	if (number == NULL)
		return true;
	struct held_thread thread = { .tid = (int32_t)strtol(number, NULL, 10) };
	if (!array_push(&reading->session->threads.list, thread))
		reading->no_memory = true;
	else
		reading->thread =
		    &reading->session->threads.list.items[reading->session->threads.list.count - 1];
	return true;
}

/* Numbers in hexadecimal with a space in front of each. Returns how many there were. */
static size_t read_numbers(const char *text, uint64_t *numbers, size_t most)
{
	size_t count = 0;
	while (*text == ' ' && count < most) {
		char *end;
		numbers[count] = strtoull(text + 1, &end, 16);
		if (end == text + 1)
			break;
		text = end;
		count++;
	}
	return *text == '\0' ? count : 0;
}

static void read_general(struct reading *reading, const char *line)
{
	const struct arch *arch = reading->arch;
	uint64_t numbers[ARCH_GENERAL_MAX / 4];
	if (arch->register_count > sizeof numbers / sizeof *numbers ||
	    read_numbers(line, numbers, arch->register_count) != arch->register_count)
		return;
	arch_forget_registers(arch, &reading->thread->registers);
	for (size_t i = 0; i < arch->register_count; i++)
		arch_set_register(arch, &reading->thread->registers, i, numbers[i]);
}

static void put_extended(struct held_thread *thread, uint64_t offset, uint64_t value, size_t size)
{
	if (offset + size > sizeof thread->extended)
		return;
	for (size_t i = 0; i < size; i++)
		thread->extended[offset + i] = (uint8_t)(value >> 8 * i);
	if (thread->registers.extended_size < offset + size)
		thread->registers.extended_size = (uint32_t)(offset + size);
}

/* "INDEX LOW HIGH LOW HIGH …" */
static void read_extended(struct reading *reading, const char *line)
{
	const struct arch *arch = reading->arch;
	char *end;
	uint64_t numbers[64];
	size_t index = strtoul(line, &end, 10);
	size_t count = read_numbers(end, numbers, sizeof numbers / sizeof *numbers);
	if (end == line || index >= arch->extended_register_count)
		return;
	const struct arch_register_file *file = &arch->extended_registers[index];
	for (size_t i = 0; i < count && i < 2u * file->count; i++)
		put_extended(reading->thread, file->offset + i / 2 * file->size + i % 2 * 8,
			     numbers[i], 8);
}

/* "st3            0                   (raw 0x00000000000000000000)" */
static void read_x87(struct reading *reading, const char *line)
{
	unsigned number = (unsigned)(line[2] - '0');
	const char *raw = after(line, "(raw 0x");
	char low[17] = "", high[5] = "";
	const struct arch_register_file *file = &reading->arch->extended_registers[0];
	if (raw == NULL || number >= file->count || strspn(raw, "0123456789abcdef") != 20)
		return;
	memcpy(high, raw, 4);
	memcpy(low, raw + 4, 16);
	uint64_t offset = file->offset + (uint64_t)number * file->size;
	put_extended(reading->thread, offset, strtoull(low, NULL, 16), 8);
	put_extended(reading->thread, offset + 8, strtoull(high, NULL, 16), 2);
}

static void read_signal(struct reading *reading, const char *line)
{
	struct target_signal *signal = &reading->thread->signal;
	int number, code, sender;
	uint64_t address;
	if (sscanf(line, "%d %d %" SCNx64 " %d", &number, &code, &address, &sender) != 4)
		return;
	*signal = (struct target_signal){ .number = number, .code = code, .has_details = true };
	if (signal_has_sender(code))
		signal->sender = sender;
	else if (code > 0 && signal_has_address(number))
		signal->address = address;
}

static void read_thread(struct reading *reading, const char *line)
{
	static const char general[] = "@general", extended[] = "@extended ", signal[] = "@signal ";
	if (read_thread_line(reading, line) || reading->thread == NULL)
		return;
	if (begins(line, general))
		read_general(reading, line + strlen(general));
	else if (begins(line, extended))
		read_extended(reading, line + strlen(extended));
	else if (begins(line, signal))
		read_signal(reading, line + strlen(signal));
	else if (begins(line, "st") && line[2] >= '0' && line[2] <= '9')
		read_x87(reading, line);
}

/* --- the whole */

static void read_address(struct reading *reading, const char *line)
{
	char *end;
	uint64_t address = strtoull(line, &end, 16);
	if (end == line || *end != '\0')
		return;
	reading->session->address = address;
	reading->session->has_address = true;
}

static void read_style(struct reading *reading, const char *line)
{
	reading->session->plain = strstr(line, "disabled") != NULL;
}

static const struct {
	const char *name;
	void (*read)(struct reading *reading, const char *line);
} sections[] = {
	{ "@address", read_address },	 { "@style", read_style }, { "@sysroot", read_sysroot },
	{ "@inferiors", read_inferior }, { "@files", read_files }, { "@threads", read_thread },
};

#define SECTION_COUNT (sizeof sections / sizeof *sections)

static void read_line(struct reading *reading, const char *line)
{
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		if (strcmp(line, sections[i].name) == 0) {
			reading->section = i;
			return;
		}
	}
	if (reading->section < SECTION_COUNT)
		sections[reading->section].read(reading, line);
	reading->complete = strcmp(line, "@end") == 0;
}

static void read_lines(struct reading *reading, FILE *in)
{
	char line[LINE_MAX_BYTES];
	for (uint64_t i = 0; i < LINES_MAX && !reading->no_memory; i++) {
		if (fgets(line, sizeof line, in) == NULL)
			return;
		line[strcspn(line, "\n")] = '\0';
		read_line(reading, line);
	}
}

/* The threads have come to rest in memory: their registers may point at their own bytes. */
static void point_at_extended(struct held_threads *threads)
{
	for (size_t i = 0; i < threads->list.count; i++) {
		struct held_thread *thread = &threads->list.items[i];
		if (thread->registers.extended_size > 0)
			thread->registers.extended = thread->extended;
	}
}

static struct error *settle(struct reading *reading)
{
	struct gdb_session *session = reading->session;
	if (reading->no_memory)
		return error_no_memory();
	if (!reading->complete)
		return error_new(ERROR_BAD_DATA, "%s", "");
	if (session->core != NULL)
		return NULL;
	if (reading->pid == 0)
		return error_new(ERROR_UNSUPPORTED, "gdb has neither a core nor a process open: "
						    "core FILE, attach PID, or run");
	if (!reading->native || (reading->tell != NULL && strcmp(reading->tell, "native") != 0))
		return error_new(
		    ERROR_UNSUPPORTED,
		    "gdb reaches process %" PRId32 " by another program (%s), which corescan "
		    "cannot: generate-core-file FILE, then corescan FILE; of corescan gdb-server "
		    "itself: monitor report",
		    reading->pid, reading->tell != NULL ? reading->tell : "a remote target");
	session->pid = reading->pid;
	point_at_extended(&session->threads);
	return NULL;
}

struct error *gdb_session_read(FILE *in, struct gdb_session *result)
{
	struct gdb_session session = { 0 };
	struct reading reading = { .session = &session,
				   .arch = &arch_x86_64,
				   .section = SECTION_COUNT };
	read_lines(&reading, in);
	struct error *error = settle(&reading);
	free(reading.tell);
	if (error != NULL)
		gdb_session_end(&session);
	else
		*result = session;
	return error;
}

void gdb_session_end(struct gdb_session *session)
{
	free(session->core);
	free(session->exe);
	free(session->sysroot);
	array_free(&session->threads.list);
	*session = (struct gdb_session){ 0 };
}
