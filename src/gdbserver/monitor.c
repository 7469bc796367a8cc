/* Monitor commands: corescan's own, answered by a process of their own.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gdbserver/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a command prints at most, as far as it is kept. */
#define ANSWER_MAX (UINT64_C(256) << 20)

/* How often a debugger hears of a command that says nothing. */
#define TICK_MS 500

static void wait_for(pid_t child)
{
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

/* As read. A debugger that waits for an answer gives up after some seconds, which begin anew with
 * each acknowledgement. */
static ssize_t read_while_waited_for(struct session *session, int output, char *bytes, size_t size)
{
	struct pollfd ready = { .fd = output, .events = POLLIN };
	while (session->error == NULL && poll(&ready, 1, TICK_MS) == 0)
		session_acknowledge(session, "+");
	return read(output, bytes, size);
}

struct error *session_ask(struct session *session, const char *command, struct reply *text)
{
	int output;
	pid_t child;
	char bytes[65536];
	ssize_t got;
	struct error *error =
	    session->served->ask(session->served->context, command, &output, &child);
	if (error != NULL)
		return error;
	while ((got = read_while_waited_for(session, output, bytes, sizeof bytes)) > 0 ||
	       (got < 0 && errno == EINTR)) {
		if (got < 0)
			continue;
		reply_bytes(text, bytes, (size_t)got);
		if (text->no_memory || text->bytes.count > ANSWER_MAX) {
			kill(child, SIGKILL);
			error = text->no_memory ? error_no_memory()
						: error_new(ERROR_BAD_DATA, "too long an answer");
			break;
		}
	}
	close(output);
	wait_for(child);
	return error;
}

/* Ends the command when the debugger wants no more of it: it sends Ctrl-C, or its next packet
 * (gdb's Ctrl-C only has it leave off reading, and throw away what comes until that one is
 * acknowledged), or it went away. True: nobody reads on. */
static bool heed_input(struct session *session, pid_t child)
{
	char byte;
	const ssize_t got = read(session->in, &byte, 1);
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	session->ended = got <= 0;
	if (got == 1 && byte == 3)
		kill(child, SIGINT);
	if (got == 1 && byte == '$') /* its other bytes are read when this one has been answered */
		packet_reader_take(&session->reader, (uint8_t)byte);
	return session->ended || byte == '$';
}

/* Text of no length: it shows a debugger that we are there, and lets it heed its user's Ctrl-C. */
static void tick(struct session *session)
{
	struct reply packet = { 0 };
	reply_text(&packet, "O");
	session_send(session, &packet);
	reply_free(&packet);
}

/* Passes on what the command says, as it says it. True: all of it. */
static bool pass_on(struct session *session, int output, pid_t child)
{
	char bytes[8192];
	struct pollfd ready[2] = { { .fd = output, .events = POLLIN },
				   { .fd = session->in, .events = POLLIN } };
	while (session->error == NULL) {
		const int count = poll(ready, 2, TICK_MS);
		if (count < 0 && errno != EINTR)
			return false;
		if (count < 0)
			continue;
		if (count == 0)
			tick(session);
		if ((ready[1].revents & (POLLIN | POLLHUP)) != 0 && heed_input(session, child))
			return false;
		if ((ready[0].revents & (POLLIN | POLLHUP)) == 0)
			continue;
		const ssize_t got = read(output, bytes, sizeof bytes);
		if (got == 0 || (got < 0 && errno != EINTR))
			return got == 0;
		if (got > 0)
			session_say(session, bytes, (size_t)got);
	}
	return false;
}

void handle_monitor(struct session *session, const char *arguments, struct reply *reply)
{
	char command[4096];
	size_t size;
	int output;
	pid_t child;
	if (!packet_unhex(&arguments, command, sizeof command - 1, &size) || *arguments != '\0' ||
	    memchr(command, '\0', size) != NULL) {
		reply_text(reply, "E01");
		return;
	}
	struct error *error =
	    session->served->ask(session->served->context, command, &output, &child);
	if (error != NULL) {
		session_say(session, error->message, strlen(error->message));
		session_say(session, "\n", 1);
		error_free(error);
		reply_text(reply, "E01");
		return;
	}
	if (!pass_on(session, output, child))
		kill(child, SIGKILL);
	close(output);
	wait_for(child);
	reply_text(reply, "OK");
}
