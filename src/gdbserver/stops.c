/* Where the threads stopped, and what a debugger gets that wants them to run, to let them go or to
 * kill them.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gdbserver/session.h"

#include <signal.h>
#include <string.h>

/* gdb's number for a signal: include/gdb/signals.def. */
static unsigned gdb_signal(int number)
{
	static const struct {
		int number;
		unsigned gdb;
	} rows[] = {
		{ SIGHUP, 1 },	   { SIGINT, 2 },   { SIGQUIT, 3 },  { SIGILL, 4 },
		{ SIGTRAP, 5 },	   { SIGABRT, 6 },  { SIGFPE, 8 },   { SIGKILL, 9 },
		{ SIGBUS, 10 },	   { SIGSEGV, 11 }, { SIGSYS, 12 },  { SIGPIPE, 13 },
		{ SIGALRM, 14 },   { SIGTERM, 15 }, { SIGURG, 16 },  { SIGSTOP, 17 },
		{ SIGTSTP, 18 },   { SIGCONT, 19 }, { SIGCHLD, 20 }, { SIGTTIN, 21 },
		{ SIGTTOU, 22 },   { SIGIO, 23 },   { SIGXCPU, 24 }, { SIGXFSZ, 25 },
		{ SIGVTALRM, 26 }, { SIGPROF, 27 }, { SIGUSR1, 30 }, { SIGUSR2, 31 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].number == number)
			return rows[i].gdb;
	return 0;
}

static void put_stop(struct session *session, const struct target_thread *thread,
		     struct reply *reply)
{
	const struct target_signal *signal = session_signal(session, thread);
	reply_format(reply, "T%02xthread:", signal != NULL ? gdb_signal(signal->number) : 0);
	session_thread_id(session, thread->tid, reply);
	reply_text(reply, ";");
}

void handle_stop(struct session *session, const char *arguments, struct reply *reply)
{
	(void)arguments;
	const struct target_thread *thread = session_thread(session, 0);
	if (thread != NULL)
		put_stop(session, thread, reply);
	else
		reply_text(reply, "W00");
}

/* LLDB asks each thread. */
void handle_thread_stop(struct session *session, const char *arguments, struct reply *reply)
{
	int32_t tid;
	const struct target_thread *thread =
	    session_parse_thread(&arguments, &tid) ? session_thread(session, tid) : NULL;
	if (thread == NULL) {
		reply_text(reply, "E01");
		return;
	}
	put_stop(session, thread, reply);
	reply_text(reply, "hexname:");
	reply_hex_text(reply, session_thread_name(session, thread));
	reply_text(reply, ";");
}

/* An error in answer to a resumption leaves gdb waiting: it gets the stop again, and its user a
 * word. */
void handle_resume(struct session *session, const char *arguments, struct reply *reply)
{
	const bool live = session->served->subject->target->kind == TARGET_LIVE;
	const char *text =
	    live ? "corescan only looks at this process: it runs on when you detach.\n"
		 : "This is a core: nothing in it can run.\n";
	session_say(session, text, strlen(text));
	handle_stop(session, arguments, reply);
}

void handle_resumptions(struct session *session, const char *arguments, struct reply *reply)
{
	(void)session;
	(void)arguments;
	reply_text(reply, "vCont;c;C;s;S");
}

void handle_end(struct session *session, const char *arguments, struct reply *reply)
{
	(void)arguments;
	session->ended = true;
	reply_text(reply, "OK");
}

/* Nothing is killed, and the debugger is not to believe it. */
void handle_kill(struct session *session, const char *arguments, struct reply *reply)
{
	(void)session;
	(void)arguments;
	reply_text(reply, "E01");
}

/* The debugger leaves all the same: gdb does not wait for an answer, LLDB shows it. */
void handle_leave(struct session *session, const char *arguments, struct reply *reply)
{
	(void)arguments;
	session->ended = true;
	reply_text(reply, "E.corescan only reads: nothing is killed");
}
