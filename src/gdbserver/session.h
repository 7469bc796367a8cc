/* One debugger's session. Private to gdbserver/.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GDBSERVER_SESSION_H
#define CORESCAN_GDBSERVER_SESSION_H

#include "gdbserver/gdbserver.h"
#include "gdbserver/packet.h"
#include "modules/tls.h"

/* A file that the debugger opened: one of the program's, or text that stands for one in /proc. */
struct served_file {
	bool open;
	int fd; /* -1: the text */
	struct reply text;
	/* What is sent at once: more and more while it is read on and on. */
	uint64_t next; /* where the last piece ended */
	size_t piece;
};

struct session {
	const struct gdbserver *served;
	const struct wire_arch *arch;
	int in, out;
	struct packet_reader reader;
	bool no_ack;	   /* neither side tells that packets arrived */
	bool multiprocess; /* thread ids have a process's in front */
	bool ended;
	struct error *error; /* that ends it */
	int32_t tid;	     /* that registers are asked of */
	size_t listed;	     /* threads that qfThreadInfo has told */
	struct reply wire;   /* the last packet, for when it is wanted again */
	/* What qXfer sends in pieces. */
	char object[128]; /* its name and annex */
	struct reply content;
	ARRAY(struct served_file) files;
	struct tls_layout tls;
	bool tls_sought;
};

/* A packet: its name, and what answers it. */
struct handler {
	const char *name;
	/* `arguments` is what follows the name. What is put into `reply` is sent; nothing means
	 * that the packet is not known. */
	void (*handle)(struct session *session, const char *arguments, struct reply *reply);
};

/* The row for a packet; NULL for one that is not known. */
const struct handler *handler_find(const char *packet);

/* Sends a packet at once, before the answer to the one that is being handled. */
void session_send(struct session *session, const struct reply *packet);

/* Sends "+" or "-", unless the debugger wants none. */
void session_acknowledge(struct session *session, const char *sign);

/* Text for the debugger's user, as it is or by printf. */
void session_say(struct session *session, const char *text, size_t size);

/* The process's id, or 1 where it is not known: 0 has another meaning here. */
int32_t session_pid(const struct session *session);

/* The thread with `tid`; of 0 or -1 the first one; NULL when there is none. */
const struct target_thread *session_thread(const struct session *session, int32_t tid);

/* What is known of the thread's wait, or NULL. */
const struct wait *session_wait(const struct session *session, int32_t tid);

/* The signal that the thread stopped at, or NULL: of the first one what killed the process. */
const struct target_signal *session_signal(const struct session *session,
					   const struct target_thread *thread);

/* A thread's name as the debugger shows it. */
const char *session_thread_name(const struct session *session, const struct target_thread *thread);

void session_thread_id(const struct session *session, int32_t tid, struct reply *reply);
bool session_parse_thread(const char **at, int32_t *tid);

/* The rows of further packets. */
void handle_transfer(struct session *session, const char *arguments, struct reply *reply);
void handle_file(struct session *session, const char *arguments, struct reply *reply);
void handle_monitor(struct session *session, const char *arguments, struct reply *reply);
void handle_stop(struct session *session, const char *arguments, struct reply *reply);
void handle_thread_stop(struct session *session, const char *arguments, struct reply *reply);
void handle_resume(struct session *session, const char *arguments, struct reply *reply);
void handle_resumptions(struct session *session, const char *arguments, struct reply *reply);
void handle_end(struct session *session, const char *arguments, struct reply *reply);
void handle_leave(struct session *session, const char *arguments, struct reply *reply);
void handle_kill(struct session *session, const char *arguments, struct reply *reply);

/* All that a command of corescan's prints. ERROR_OS, ERROR_NO_MEMORY; ERROR_BAD_DATA: too much. */
struct error *session_ask(struct session *session, const char *command, struct reply *text);

/* Text in place of a file of /proc/PID. False: there is none of that name. */
bool process_file(const struct session *session, const char *path, struct reply *text);
bool process_link(const struct session *session, const char *path, struct reply *text);

#endif
