/* The packets: one row each. To add one: its function here, or in a file of its own, and its row in
 * the table below.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gdbserver/registers.h"
#include "gdbserver/session.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put_error(struct reply *reply)
{
	reply_text(reply, "E01");
}

static void put_ok(struct reply *reply)
{
	reply_text(reply, "OK");
}

static void handle_ok(struct session *session, const char *arguments, struct reply *reply)
{
	(void)session;
	(void)arguments;
	put_ok(reply);
}

/* --- what the debugger and we can do */

static void handle_supported(struct session *session, const char *arguments, struct reply *reply)
{
	static const char *const objects[] = { "features",  "auxv",    "threads", "libraries-svr4",
					       "exec-file", "siginfo", "osdata" };
	session->multiprocess = strstr(arguments, "multiprocess+") != NULL;
	/* QStartNoAckMode is not told, though it works: acknowledgements have gdb find its way back
	 * when its user ends a monitor command before that has said all. */
	reply_format(reply, "PacketSize=%x", PACKET_MAX);
	if (session->multiprocess)
		reply_text(reply, ";multiprocess+");
	for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
		reply_format(reply, ";qXfer:%s:read+", objects[i]);
}

/* In effect from the packet after the answer on. */
static void handle_no_ack(struct session *session, const char *arguments, struct reply *reply)
{
	(void)arguments;
	session->no_ack = true;
	put_ok(reply);
}

static void handle_write(struct session *session, const char *arguments, struct reply *reply)
{
	(void)session;
	(void)arguments;
	reply_text(reply, "E.corescan only reads");
}

/* --- threads */

static void handle_select(struct session *session, const char *arguments, struct reply *reply)
{
	int32_t tid;
	const char operation = arguments[0];
	arguments += operation != '\0';
	if (!session_parse_thread(&arguments, &tid) || session_thread(session, tid) == NULL) {
		put_error(reply);
		return;
	}
	if (operation == 'g')
		session->tid = tid;
	put_ok(reply);
}

static void handle_alive(struct session *session, const char *arguments, struct reply *reply)
{
	int32_t tid;
	if (session_parse_thread(&arguments, &tid) && session_thread(session, tid) != NULL)
		put_ok(reply);
	else
		put_error(reply);
}

static void handle_current(struct session *session, const char *arguments, struct reply *reply)
{
	const struct target_thread *thread = session_thread(session, session->tid);
	(void)arguments;
	if (thread == NULL)
		return;
	reply_text(reply, "QC");
	session_thread_id(session, thread->tid, reply);
}

static void handle_more_threads(struct session *session, const char *arguments, struct reply *reply)
{
	const struct target *target = session->served->subject->target;
	const char *before = "m";
	(void)arguments;
	while (session->listed < target->threads.count && reply->bytes.count < PACKET_MAX / 2) {
		reply_text(reply, before);
		session_thread_id(session, target->threads.items[session->listed++].tid, reply);
		before = ",";
	}
	if (reply->bytes.count == 0)
		reply_text(reply, "l");
}

static void handle_first_threads(struct session *session, const char *arguments,
				 struct reply *reply)
{
	session->listed = 0;
	handle_more_threads(session, arguments, reply);
}

static void handle_extra(struct session *session, const char *arguments, struct reply *reply)
{
	int32_t tid;
	const struct target_thread *thread =
	    session_parse_thread(&arguments, &tid) ? session_thread(session, tid) : NULL;
	const struct wait *wait = thread != NULL ? session_wait(session, thread->tid) : NULL;
	if (thread == NULL)
		put_error(reply);
	else if (wait != NULL && wait->text != NULL)
		reply_hex_text(reply, wait->text);
	else
		reply_hex_text(reply, session_thread_name(session, thread));
}

/* "THREAD,OFFSET,LINK_MAP" */
static void handle_tls(struct session *session, const char *arguments, struct reply *reply)
{
	struct modules *modules = session->served->subject->modules;
	uint64_t offset, link_map, block;
	int32_t tid;
	size_t count;
	if (!session_parse_thread(&arguments, &tid) || *arguments++ != ',' ||
	    !packet_number_to(&arguments, &offset, ',') ||
	    !packet_number_to(&arguments, &link_map, '\0')) {
		put_error(reply);
		return;
	}
	if (!session->tls_sought && !tls_layout_find(modules, &session->tls))
		session->tls = (struct tls_layout){ .evidence = LAYOUT_NONE };
	session->tls_sought = true;
	const struct target_thread *thread = session_thread(session, tid);
	const struct module *list = modules_list(modules, &count);
	for (size_t i = 0; thread != NULL && i < count; i++) {
		if (modules_image(modules, &list[i])->link_map != link_map)
			continue;
		if (tls_block(modules, &session->tls, &list[i],
			      arch_thread_pointer(session->arch->arch, &thread->registers),
			      &block)) {
			reply_format(reply, "%" PRIx64, block + offset);
			return;
		}
	}
	put_error(reply);
}

/* --- registers and memory */

static void handle_registers(struct session *session, const char *arguments, struct reply *reply)
{
	const struct target_thread *thread = session_thread(session, session->tid);
	(void)arguments;
	if (thread != NULL)
		wire_registers(session->arch, &thread->registers, reply);
	else
		put_error(reply);
}

static void handle_register(struct session *session, const char *arguments, struct reply *reply)
{
	const struct target_thread *thread = session_thread(session, session->tid);
	uint64_t number;
	if (thread == NULL || !packet_number(&arguments, &number) ||
	    !wire_register(session->arch, &thread->registers, number, reply))
		put_error(reply);
}

/* Fewer bytes than were asked for where the others cannot be read. */
static void handle_memory(struct session *session, const char *arguments, struct reply *reply)
{
	struct address_space *space = session->served->subject->target->space;
	uint64_t address, size;
	if (!packet_number_to(&arguments, &address, ',') ||
	    !packet_number_to(&arguments, &size, '\0')) {
		put_error(reply);
		return;
	}
	if (size > PACKET_MAX / 2)
		size = PACKET_MAX / 2;
	const uint64_t wanted = size;
	while (size > 0) {
		const uint8_t *bytes;
		const size_t got = address_space_span(space, address, size, &bytes);
		if (got == 0)
			break;
		reply_hex(reply, bytes, got);
		address += got;
		size -= got;
	}
	if (size == wanted && wanted > 0)
		put_error(reply);
}

/* LLDB: the mapping at an address, or the hole. */
static void handle_region(struct session *session, const char *arguments, struct reply *reply)
{
	uint64_t address;
	size_t count, next = 0;
	const struct segment *segments =
	    address_space_segments(session->served->subject->target->space, &count);
	if (!packet_number(&arguments, &address)) {
		put_error(reply);
		return;
	}
	while (next < count && segments[next].end <= address)
		next++;
	if (next == count || segments[next].start > address) {
		const uint64_t end = next < count ? segments[next].start : UINT64_MAX;
		reply_format(reply, "start:%" PRIx64 ";size:%" PRIx64 ";", address, end - address);
		return;
	}
	const struct segment *segment = &segments[next];
	reply_format(reply, "start:%" PRIx64 ";size:%" PRIx64 ";permissions:%s%s%s;",
		     segment->start, segment->end - segment->start,
		     segment->permissions & SEGMENT_READ ? "r" : "",
		     segment->permissions & SEGMENT_WRITE ? "w" : "",
		     segment->permissions & SEGMENT_EXECUTE ? "x" : "");
	if (segment->name != NULL) {
		reply_text(reply, "name:");
		reply_hex_text(reply, segment->name);
		reply_text(reply, ";");
	}
}

/* --- the process */

static void handle_attached(struct session *session, const char *arguments, struct reply *reply)
{
	(void)session;
	(void)arguments;
	reply_text(reply, "1");
}

static void put_triple(struct session *session, struct reply *reply)
{
	reply_text(reply, "triple:");
	reply_hex_text(reply, session->arch->triple);
	reply_format(reply, ";endian:little;ptrsize:%u;", session->arch->arch->word_size);
}

static void handle_host(struct session *session, const char *arguments, struct reply *reply)
{
	(void)arguments;
	put_triple(session, reply);
}

static void handle_process(struct session *session, const char *arguments, struct reply *reply)
{
	(void)arguments;
	reply_format(reply, "pid:%x;ostype:linux;", (unsigned)session_pid(session));
	put_triple(session, reply);
}

/* LLDB else takes main-lm of the libraries for that place, and loads no library. */
static void handle_loader(struct session *session, const char *arguments, struct reply *reply)
{
	uint64_t place;
	(void)arguments;
	if (modules_loader_place(session->served->subject->modules, &place))
		reply_format(reply, "%" PRIx64, place);
}

/* --- the table */

/* A name of one letter is followed by its arguments at once; others end where no letter or digit
 * follows. Known ones that are not here have the answer of unknown ones: X, for example, after
 * which gdb uses M. */
static const struct handler handlers[] = {
	{ "?", handle_stop },
	{ "C", handle_resume },
	{ "D", handle_end },
	{ "G", handle_write },
	{ "H", handle_select },
	{ "M", handle_write },
	{ "P", handle_write },
	{ "QStartNoAckMode", handle_no_ack },
	{ "S", handle_resume },
	{ "T", handle_alive },
	{ "c", handle_resume },
	{ "g", handle_registers },
	{ "k", handle_leave },
	{ "m", handle_memory },
	{ "p", handle_register },
	{ "qAttached", handle_attached },
	{ "qC", handle_current },
	{ "qGetTLSAddr:", handle_tls },
	{ "qHostInfo", handle_host },
	{ "qMemoryRegionInfo:", handle_region },
	{ "qProcessInfo", handle_process },
	{ "qRcmd,", handle_monitor },
	{ "qShlibInfoAddr", handle_loader },
	{ "qSupported", handle_supported },
	{ "qSymbol", handle_ok },
	{ "qThreadExtraInfo,", handle_extra },
	{ "qThreadStopInfo", handle_thread_stop },
	{ "qXfer:", handle_transfer },
	{ "qfThreadInfo", handle_first_threads },
	{ "qsThreadInfo", handle_more_threads },
	{ "s", handle_resume },
	{ "vCont;", handle_resume },
	{ "vCont?", handle_resumptions },
	{ "vFile:", handle_file },
	{ "vKill", handle_kill },
};

static bool names(const struct handler *row, const char *packet)
{
	const size_t length = strlen(row->name);
	if (strncmp(row->name, packet, length) != 0)
		return false;
	/* qThreadStopInfo has its thread right behind it. */
	return length == 1 || !isalnum((unsigned char)row->name[length - 1]) ||
	       row->handle == handle_thread_stop || !isalnum((unsigned char)packet[length]);
}

const struct handler *handler_find(const char *packet)
{
	for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
		if (names(&handlers[i], packet))
			return &handlers[i];
	return NULL;
}
