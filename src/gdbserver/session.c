/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gdbserver/session.h"

#include "gdbserver/registers.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How long a debugger that leaves has for its last acknowledgement. */
#define LAST_WORD_MS 1000

/* --- out */

static void write_wire(struct session *session)
{
	const char *bytes = session->wire.bytes.items;
	size_t left = session->wire.bytes.count;
	while (left > 0 && session->error == NULL) {
		const ssize_t done = write(session->out, bytes, left);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			session->error = error_os(errno, "the debugger cannot be written to");
			return;
		}
		bytes += done;
		left -= (size_t)done;
	}
}

void session_send(struct session *session, const struct reply *packet)
{
	reply_clear(&session->wire);
	packet_write(packet, &session->wire);
	if (packet->no_memory || session->wire.no_memory) {
		session->error = error_no_memory();
		return;
	}
	write_wire(session);
}

void session_say(struct session *session, const char *text, size_t size)
{
	/* An O packet has two digits for each byte. */
	enum { PIECE = PACKET_MAX / 4 };
	struct reply packet = { 0 };
	for (size_t at = 0; at < size && session->error == NULL; at += PIECE) {
		reply_clear(&packet);
		reply_text(&packet, "O");
		reply_hex(&packet, text + at, size - at < PIECE ? size - at : PIECE);
		session_send(session, &packet);
	}
	reply_free(&packet);
}

/* --- threads */

int32_t session_pid(const struct session *session)
{
	const int32_t pid = session->served->subject->target->pid;
	return pid > 0 ? pid : 1;
}

const struct target_thread *session_thread(const struct session *session, int32_t tid)
{
	const struct target *target = session->served->subject->target;
	for (size_t i = 0; i < target->threads.count; i++)
		if (tid <= 0 || target->threads.items[i].tid == tid)
			return &target->threads.items[i];
	return NULL;
}

const struct wait *session_wait(const struct session *session, int32_t tid)
{
	const struct waits *waits = session->served->waits;
	for (size_t i = 0; waits != NULL && i < waits->count; i++)
		if (waits->items[i].thread->tid == tid)
			return &waits->items[i];
	return NULL;
}

const struct target_signal *session_signal(const struct session *session,
					   const struct target_thread *thread)
{
	const struct target *target = session->served->subject->target;
	if (thread == target->threads.items && target->signal.number != 0)
		return &target->signal;
	return thread->signal.number != 0 ? &thread->signal : NULL;
}

const char *session_thread_name(const struct session *session, const struct target_thread *thread)
{
	const struct threads *threads = session->served->subject->threads;
	const struct thread *known = threads != NULL ? threads_find(threads, thread->tid) : NULL;
	return known != NULL ? known->name : thread->name;
}

void session_thread_id(const struct session *session, int32_t tid, struct reply *reply)
{
	if (session->multiprocess)
		reply_format(reply, "p%x.", (unsigned)session_pid(session));
	reply_format(reply, "%x", (unsigned)tid);
}

/* A number, or "-1" for all: the first one then. */
static bool parse_id(const char **at, int32_t *id)
{
	uint64_t number;
	if ((*at)[0] == '-' && (*at)[1] == '1') {
		*at += 2;
		*id = -1;
		return true;
	}
	if (!packet_number(at, &number) || number > INT32_MAX)
		return false;
	*id = (int32_t)number;
	return true;
}

bool session_parse_thread(const char **at, int32_t *tid)
{
	int32_t pid;
	if (**at != 'p')
		return parse_id(at, tid);
	(*at)++;
	if (!parse_id(at, &pid))
		return false;
	*tid = -1;
	if (**at != '.')
		return true;
	(*at)++;
	return parse_id(at, tid);
}

/* --- in */

static void answer(struct session *session)
{
	const struct handler *row = handler_find(session->reader.bytes);
	struct reply reply = { 0 };
	if (row != NULL)
		row->handle(session, session->reader.bytes + strlen(row->name), &reply);
	if (session->error == NULL)
		session_send(session, &reply);
	reply_free(&reply);
}

void session_acknowledge(struct session *session, const char *sign)
{
	if (!session->no_ack && write(session->out, sign, 1) != 1)
		session->error = error_os(errno, "the debugger cannot be written to");
}

static void take_byte(struct session *session, uint8_t byte)
{
	struct reply reply = { 0 };
	switch (packet_reader_take(&session->reader, byte)) {
	case PACKET_WHOLE:
		session_acknowledge(session, "+");
		if (session->error == NULL)
			answer(session);
		return;
	case PACKET_TOO_LONG:
		session_acknowledge(session, "+");
		reply_text(&reply, "E01");
		session_send(session, &reply);
		reply_free(&reply);
		return;
	case PACKET_DAMAGED:
		session_acknowledge(session, "-");
		return;
	case PACKET_AGAIN:
		if (!session->no_ack)
			write_wire(session);
		return;
	default: /* nothing runs that could be interrupted */
		return;
	}
}

static void take_input(struct session *session)
{
	uint8_t bytes[4096];
	const ssize_t got = read(session->in, bytes, sizeof bytes);
	if (got < 0 && errno == EINTR)
		return;
	if (got < 0 && errno != ECONNRESET)
		session->error = error_os(errno, "the debugger cannot be read from");
	session->ended = got <= 0;
	for (ssize_t i = 0; i < got && !session->ended && session->error == NULL; i++)
		take_byte(session, bytes[i]);
}

/* The debugger acknowledges our last packet, too, and is not to write to nobody: waits for that, or
 * until it leaves. */
static void await_acknowledgement(struct session *session)
{
	struct pollfd ready = { .fd = session->in, .events = POLLIN };
	char byte;
	if (session->no_ack || session->error != NULL || poll(&ready, 1, LAST_WORD_MS) <= 0)
		return;
	const ssize_t got = read(session->in, &byte, 1);
	(void)got; /* whatever it is, it has been sent */
}

static void end(struct session *session)
{
	for (size_t i = 0; i < session->files.count; i++) {
		struct served_file *file = &session->files.items[i];
		if (file->open && file->fd >= 0)
			close(file->fd);
		reply_free(&file->text);
	}
	array_free(&session->files);
	reply_free(&session->content);
	reply_free(&session->wire);
	free(session);
}

struct error *gdbserver_serve(const struct gdbserver *server, int in, int out)
{
	const struct wire_arch *arch = wire_arch_find(server->subject->target->arch);
	if (arch == NULL)
		return error_new(ERROR_UNSUPPORTED, "%s has no registers for a debugger",
				 server->subject->target->arch->name);
	struct session *session = calloc(1, sizeof *session);
	if (session == NULL)
		return error_no_memory();
	session->served = server;
	session->arch = arch;
	session->in = in;
	session->out = out;
	while (!session->ended && session->error == NULL)
		take_input(session);
	await_acknowledgement(session);
	struct error *error = session->error;
	end(session);
	return error;
}
