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

static void wait_for(pid_t child)
{
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
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
	while ((got = read(output, bytes, sizeof bytes)) > 0 || (got < 0 && errno == EINTR)) {
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

/* Ctrl-C while a command is at work ends that command. True when the debugger went away. */
static bool heed_input(struct session *session, pid_t child)
{
	char byte;
	const ssize_t got = read(session->in, &byte, 1);
	if (got == 1 && byte == 3)
		kill(child, SIGINT);
	if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) {
		kill(child, SIGKILL);
		session->ended = true;
	}
	return session->ended;
}

/* Passes on what the command says, as it says it. */
static void pass_on(struct session *session, int output, pid_t child)
{
	char bytes[8192];
	struct pollfd ready[2] = { { .fd = output, .events = POLLIN },
				   { .fd = session->in, .events = POLLIN } };
	while (session->error == NULL) {
		if (poll(ready, 2, -1) < 0 && errno != EINTR)
			return;
		if ((ready[1].revents & (POLLIN | POLLHUP)) != 0 && heed_input(session, child))
			return;
		if ((ready[0].revents & (POLLIN | POLLHUP)) == 0)
			continue;
		const ssize_t got = read(output, bytes, sizeof bytes);
		if (got == 0 || (got < 0 && errno != EINTR))
			return;
		if (got > 0)
			session_say(session, bytes, (size_t)got);
	}
	kill(child, SIGKILL);
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
	pass_on(session, output, child);
	close(output);
	wait_for(child);
	reply_text(reply, "OK");
}
