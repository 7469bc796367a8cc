/* vFile: the files that a debugger reads. These are the program's and its libraries', as far as
 * they were found to be of the same build, and texts in place of /proc/PID's; no other file of this
 * machine is given away.
 *
 * Numbers: gdb's manual, "File-I/O Remote Protocol Extension"; include/gdb/fileio.h's struct stat.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gdbserver/session.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_NOT_THERE = 2, FILE_BAD_NUMBER = 9, FILE_READ_ONLY = 30, FILE_FAULTY = 5 };
/* Escapes may double the largest piece. */
enum { PIECE_MIN = 2048, PIECE_MAX = PACKET_MAX / 2 - 64 };
enum { FILES_MAX = 4096, STAT_SIZE = 64, STAT_MODE_AT = 8, STAT_SIZE_AT = 28 };

static void put_failure(struct reply *reply, unsigned number)
{
	reply_format(reply, "F-1,%x", number);
}

/* A path in digits, up to `last`. */
static bool parse_path(const char **at, char *path, size_t size, char last)
{
	size_t length;
	if (!packet_unhex(at, path, size - 1, &length) || **at != last ||
	    memchr(path, '\0', length) != NULL)
		return false;
	*at += last != '\0';
	return true;
}

/* Whether the loader calls a module so: the second word of struct link_map. */
static bool loader_names(const struct session *session, const struct module *module,
			 const char *path)
{
	const struct subject *subject = session->served->subject;
	const uint64_t link_map = modules_image(subject->modules, module)->link_map;
	uint64_t address;
	char name[4096];
	return link_map != 0 && subject->target->arch->word_size == 8 &&
	       address_space_u64(subject->target->space, link_map + 8, &address) &&
	       address_space_string(subject->target->space, address, name, sizeof name) &&
	       strcmp(name, path) == 0;
}

/* The module of that path, as the kernel or the loader has it, whose file was found. */
static const struct module *module_of(const struct session *session, const char *path)
{
	size_t count;
	const struct module *list = modules_list(session->served->subject->modules, &count);
	for (size_t i = 0; i < count; i++)
		if (list[i].file != NULL &&
		    ((list[i].path != NULL && strcmp(list[i].path, path) == 0) ||
		     loader_names(session, &list[i], path)))
			return &list[i];
	return NULL;
}

static bool open_path(struct session *session, const char *path, struct served_file *file)
{
	const struct module *module = module_of(session, path);
	*file = (struct served_file){ .open = true, .fd = -1 };
	if (module == NULL)
		return process_file(session, path, &file->text);
	file->fd = open(module->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return file->fd >= 0;
}

static void close_file(struct served_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	reply_free(&file->text);
	*file = (struct served_file){ 0 };
}

static void answer_open(struct session *session, const char *at, struct reply *reply)
{
	char path[4096];
	uint64_t flags;
	struct served_file file;
	size_t place = 0;
	if (!parse_path(&at, path, sizeof path, ',') || !packet_number_to(&at, &flags, ',')) {
		put_failure(reply, FILE_FAULTY);
		return;
	}
	while (place < session->files.count && session->files.items[place].open)
		place++;
	if (flags != O_RDONLY || place >= FILES_MAX) {
		put_failure(reply, FILE_READ_ONLY);
		return;
	}
	if (!open_path(session, path, &file)) {
		put_failure(reply, FILE_NOT_THERE);
		return;
	}
	if (place == session->files.count && !array_push(&session->files, file)) {
		close_file(&file);
		put_failure(reply, FILE_FAULTY);
		return;
	}
	session->files.items[place] = file;
	reply_format(reply, "F%zx", place);
}

static struct served_file *file_of(struct session *session, uint64_t number)
{
	return number < session->files.count && session->files.items[number].open
		   ? &session->files.items[number]
		   : NULL;
}

static void answer_close(struct session *session, const char *at, struct reply *reply)
{
	uint64_t number;
	struct served_file *file =
	    packet_number_to(&at, &number, '\0') ? file_of(session, number) : NULL;
	if (file == NULL) {
		put_failure(reply, FILE_BAD_NUMBER);
		return;
	}
	close_file(file);
	reply_text(reply, "F0");
}

/* gdb always asks for as much as a packet holds, goes to and fro in the headers, and takes a while
 * for each byte that comes through a pipe: where a file is not read on from the last piece, it gets
 * a small one. Zero bytes would be the end of the file. */
static size_t next_piece(struct served_file *file, uint64_t offset)
{
	if (file->fd < 0)
		return PIECE_MAX;
	const bool on = offset == file->next && file->piece > 0;
	file->piece = on ? 2 * file->piece : PIECE_MIN;
	if (file->piece > PIECE_MAX)
		file->piece = PIECE_MAX;
	return file->piece;
}

/* "FD,COUNT,OFFSET" */
static void answer_pread(struct session *session, const char *at, struct reply *reply)
{
	uint64_t number, size, offset;
	uint8_t bytes[PIECE_MAX];
	if (!packet_number_to(&at, &number, ',') || !packet_number_to(&at, &size, ',') ||
	    !packet_number_to(&at, &offset, '\0') || file_of(session, number) == NULL ||
	    offset > INT64_MAX) {
		put_failure(reply, FILE_BAD_NUMBER);
		return;
	}
	struct served_file *file = file_of(session, number);
	const size_t piece = next_piece(file, offset);
	size = size < piece ? size : piece;
	const void *from = bytes;
	ssize_t got;
	if (file->fd >= 0) {
		got = pread(file->fd, bytes, size, (off_t)offset);
	} else {
		const uint64_t whole = file->text.bytes.count;
		offset = offset < whole ? offset : whole;
		from = file->text.bytes.items + offset;
		got = (ssize_t)(size < whole - offset ? size : whole - offset);
	}
	if (got < 0) {
		put_failure(reply, FILE_FAULTY);
		return;
	}
	file->next = offset + (uint64_t)got;
	reply_format(reply, "F%zx;", (size_t)got);
	reply_bytes(reply, from, (size_t)got);
}

static void put_big_endian(uint8_t *bytes, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

static void put_stat(uint64_t size, struct reply *reply)
{
	uint8_t bytes[STAT_SIZE] = { 0 };
	put_big_endian(bytes + STAT_MODE_AT, 0100444, 4);
	put_big_endian(bytes + STAT_SIZE_AT, size, 8);
	reply_format(reply, "F%x;", STAT_SIZE);
	reply_bytes(reply, bytes, sizeof bytes);
}

static void answer_fstat(struct session *session, const char *at, struct reply *reply)
{
	uint64_t number;
	struct stat status;
	const struct served_file *file =
	    packet_number_to(&at, &number, '\0') ? file_of(session, number) : NULL;
	if (file == NULL)
		put_failure(reply, FILE_BAD_NUMBER);
	else if (file->fd < 0)
		put_stat(file->text.bytes.count, reply);
	else if (fstat(file->fd, &status) == 0)
		put_stat((uint64_t)status.st_size, reply);
	else
		put_failure(reply, FILE_FAULTY);
}

static void answer_stat(struct session *session, const char *at, struct reply *reply)
{
	char path[4096];
	struct stat status;
	const struct module *module =
	    parse_path(&at, path, sizeof path, '\0') ? module_of(session, path) : NULL;
	if (module != NULL && stat(module->file, &status) == 0)
		put_stat((uint64_t)status.st_size, reply);
	else
		put_failure(reply, FILE_NOT_THERE);
}

static void answer_readlink(struct session *session, const char *at, struct reply *reply)
{
	char path[4096];
	struct reply text = { 0 };
	if (!parse_path(&at, path, sizeof path, '\0') || !process_link(session, path, &text)) {
		put_failure(reply, FILE_NOT_THERE);
	} else {
		reply_format(reply, "F%zx;", text.bytes.count);
		reply_bytes(reply, text.bytes.items, text.bytes.count);
	}
	reply_free(&text);
}

static void answer_setfs(struct session *session, const char *at, struct reply *reply)
{
	(void)session;
	(void)at;
	reply_text(reply, "F0");
}

static void answer_write(struct session *session, const char *at, struct reply *reply)
{
	(void)session;
	(void)at;
	put_failure(reply, FILE_READ_ONLY);
}

static const struct handler operations[] = {
	{ "open:", answer_open },   { "close:", answer_close },	 { "pread:", answer_pread },
	{ "fstat:", answer_fstat }, { "stat:", answer_stat },	 { "readlink:", answer_readlink },
	{ "setfs:", answer_setfs }, { "pwrite:", answer_write }, { "unlink:", answer_write },
};

void handle_file(struct session *session, const char *arguments, struct reply *reply)
{
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
		const size_t length = strlen(operations[i].name);
		if (strncmp(arguments, operations[i].name, length) == 0) {
			operations[i].handle(session, arguments + length, reply);
			return;
		}
	}
}
