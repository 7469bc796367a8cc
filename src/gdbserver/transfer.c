/* qXfer: objects that are sent in pieces. To add one: its function, its row below, and its name in
 * handle_supported.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gdbserver/registers.h"
#include "gdbserver/session.h"

#include <elf.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Fills `content`, which is empty. False: there is no such object. */
typedef bool builder(struct session *session, const char *annex, struct reply *content);

static bool build_features(struct session *session, const char *annex, struct reply *content)
{
	if (strcmp(annex, "target.xml") != 0)
		return false;
	wire_describe(session->arch, content);
	return true;
}

static void put_word(struct session *session, uint64_t value, struct reply *content)
{
	uint8_t bytes[8];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	reply_bytes(content, bytes, session->arch->arch->word_size);
}

static bool build_auxv(struct session *session, const char *annex, struct reply *content)
{
	const struct target *target = session->served->subject->target;
	(void)annex;
	for (size_t i = 0; i < target->auxv_count; i++) {
		put_word(session, target->auxv[i].type, content);
		put_word(session, target->auxv[i].value, content);
	}
	put_word(session, AT_NULL, content);
	put_word(session, 0, content);
	return true;
}

/* "info threads" shows the text. */
static bool build_threads(struct session *session, const char *annex, struct reply *content)
{
	const struct target *target = session->served->subject->target;
	(void)annex;
	reply_text(content, "<?xml version=\"1.0\"?>\n<threads>\n");
	for (size_t i = 0; i < target->threads.count; i++) {
		const struct target_thread *thread = &target->threads.items[i];
		const struct wait *wait = session_wait(session, thread->tid);
		reply_text(content, "<thread id=\"");
		session_thread_id(session, thread->tid, content);
		reply_text(content, "\" name=\"");
		reply_xml(content, session_thread_name(session, thread));
		reply_text(content, "\">");
		if (wait != NULL && wait->text != NULL)
			reply_xml(content, wait->text);
		reply_text(content, "</thread>\n");
	}
	reply_text(content, "</threads>\n");
	return true;
}

/* Whether the loader's list of what it loaded could be read: in a core that was cut off it is
 * mostly gone, and the mappings alone tell of libraries. */
static bool loader_told(struct modules *modules)
{
	size_t count;
	const struct module *list = modules_list(modules, &count);
	for (size_t i = 0; i < count; i++)
		if (modules_image(modules, &list[i])->link_map != 0)
			return true;
	return false;
}

/* `link_map` only tells libraries apart where the loader did not: gdb takes none without. */
static void put_library(const struct module *library, uint64_t link_map, uint64_t dynamic,
			struct reply *content)
{
	reply_text(content, "<library name=\"");
	reply_xml(content, library->path);
	reply_format(content,
		     "\" lm=\"0x%" PRIx64 "\" l_addr=\"0x%" PRIx64 "\" l_ld=\"0x%" PRIx64
		     "\" lmid=\"0x%x\"/>\n",
		     link_map, library->bias, dynamic,
		     library->link_namespace > 0 ? (unsigned)library->link_namespace : 0);
}

static bool build_libraries(struct session *session, const char *annex, struct reply *content)
{
	struct modules *modules = session->served->subject->modules;
	const struct module *program = modules_executable(modules);
	const bool told = loader_told(modules);
	size_t count;
	const struct module *list = modules_list(modules, &count);
	(void)annex;
	reply_text(content, "<?xml version=\"1.0\"?>\n<library-list-svr4 version=\"1.0\"");
	if (program != NULL && modules_image(modules, program)->link_map != 0)
		reply_format(content, " main-lm=\"0x%" PRIx64 "\"",
			     modules_image(modules, program)->link_map);
	reply_text(content, ">\n");
	for (size_t i = 0; i < count; i++) {
		const struct module_image *image = modules_image(modules, &list[i]);
		const uint64_t link_map = told ? image->link_map : image->dynamic;
		if (&list[i] != program && link_map != 0 && list[i].path != NULL &&
		    list[i].path[0] == '/')
			put_library(&list[i], link_map, image->dynamic, content);
	}
	reply_text(content, "</library-list-svr4>\n");
	return true;
}

static bool build_exec_file(struct session *session, const char *annex, struct reply *content)
{
	const struct subject *subject = session->served->subject;
	const struct module *program = modules_executable(subject->modules);
	const char *path = program != NULL ? program->path : subject->target->exe;
	(void)annex;
	reply_text(content, path != NULL ? path : "");
	return path != NULL;
}

/* include/uapi/asm-generic/siginfo.h */
static bool build_siginfo(struct session *session, const char *annex, struct reply *content)
{
	const struct target_thread *thread = session_thread(session, session->tid);
	const struct target_signal *signal =
	    thread != NULL ? session_signal(session, thread) : NULL;
	siginfo_t info = { 0 };
	(void)annex;
	if (signal == NULL || !signal->has_details)
		return false;
	info.si_signo = signal->number;
	info.si_code = signal->code;
	if (signal->sender != 0)
		info.si_pid = signal->sender;
	else
		info.si_addr = (void *)(uintptr_t)signal->address;
	reply_bytes(content, &info, sizeof info);
	return true;
}

/* --- info os */

struct os_column {
	const char *title, *key, *inside; /* a member of the JSON objects, or of their member */
};

/* A table of "info os": a command's JSON, the path to an array in it, and what of its objects to
 * show. */
static const struct os_table {
	const char *name, *description, *command, *object, *array;
	struct os_column columns[5];
} os_tables[] = {
	{ "corescan-leaks",
	  "Memory that nothing leads to",
	  "leaks --json --limit 0",
	  "orphans",
	  "groups",
	  { { "Bytes", "bytes", NULL },
	    { "Chunks", "chunks", NULL },
	    { "What", "what", NULL },
	    { "Largest", "head", "largest" } } },
	{ "corescan-waits",
	  "What each thread does or waits for",
	  "waits --json",
	  NULL,
	  "waits",
	  { { "LWP", "tid", NULL },
	    { "Activity", "activity", NULL },
	    { "Owner", "owner", NULL },
	    { "Wait", "text", NULL } } },
};

static void put_column(const char *name, const char *text, struct reply *content)
{
	reply_text(content, "<column name=\"");
	reply_xml(content, name);
	reply_text(content, "\">");
	reply_xml(content, text);
	reply_text(content, "</column>");
}

static void put_value(const char *title, const json_t *value, struct reply *content)
{
	char number[32];
	snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
	put_column(title,
		   json_is_string(value)    ? json_string_value(value)
		   : json_is_integer(value) ? number
					    : "",
		   content);
}

static const json_t *member(const json_t *row, const struct os_column *column)
{
	return json_object_get(column->inside != NULL ? json_object_get(row, column->inside) : row,
			       column->key);
}

static void put_rows(const struct os_table *table, const json_t *document, struct reply *content)
{
	const json_t *object =
	    table->object != NULL ? json_object_get(document, table->object) : document;
	const json_t *rows = json_object_get(object, table->array);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		reply_text(content, "<item>");
		for (size_t j = 0; j < 5 && table->columns[j].title != NULL; j++)
			put_value(table->columns[j].title,
				  member(json_array_get(rows, i), &table->columns[j]), content);
		reply_text(content, "</item>\n");
	}
}

static bool build_os_table(struct session *session, const struct os_table *table,
			   struct reply *content)
{
	struct reply text = { 0 };
	struct error *error = session_ask(session, table->command, &text);
	json_t *document =
	    error == NULL ? json_loadb(text.bytes.items, text.bytes.count, 0, NULL) : NULL;
	error_free(error);
	reply_free(&text);
	reply_format(content, "<?xml version=\"1.0\"?>\n<osdata type=\"%s\">\n", table->name);
	put_rows(table, document, content);
	reply_text(content, "</osdata>\n");
	const bool there = document != NULL;
	json_decref(document);
	return there;
}

static bool build_osdata(struct session *session, const char *annex, struct reply *content)
{
	for (size_t i = 0; i < sizeof os_tables / sizeof *os_tables; i++)
		if (strcmp(annex, os_tables[i].name) == 0)
			return build_os_table(session, &os_tables[i], content);
	if (annex[0] != '\0')
		return false;
	reply_text(content, "<?xml version=\"1.0\"?>\n<osdata type=\"types\">\n");
	for (size_t i = 0; i < sizeof os_tables / sizeof *os_tables; i++) {
		reply_text(content, "<item>");
		put_column("Type", os_tables[i].name, content);
		put_column("Description", os_tables[i].description, content);
		reply_text(content, "</item>\n");
	}
	reply_text(content, "</osdata>\n");
	return true;
}

/* --- pieces */

static const struct {
	const char *name;
	builder *build;
} objects[] = {
	{ "features", build_features },	  { "auxv", build_auxv },
	{ "threads", build_threads },	  { "libraries-svr4", build_libraries },
	{ "exec-file", build_exec_file }, { "siginfo", build_siginfo },
	{ "osdata", build_osdata },
};

static bool build(struct session *session, const char *object, const char *annex)
{
	reply_clear(&session->content);
	for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
		if (strcmp(object, objects[i].name) == 0)
			return objects[i].build(session, annex, &session->content);
	return false;
}

/* "OBJECT:read:ANNEX" in its three parts; they lie in `name`. */
static bool split(char *name, const char **annex)
{
	char *read = strchr(name, ':');
	if (read == NULL || strncmp(read, ":read:", 6) != 0)
		return false;
	*read = '\0';
	*annex = read + 6;
	return true;
}

/* "OBJECT:read:ANNEX:OFFSET,LENGTH" */
void handle_transfer(struct session *session, const char *arguments, struct reply *reply)
{
	const char *last = strrchr(arguments, ':'), *annex;
	const size_t length = last != NULL ? (size_t)(last - arguments) : 0;
	char name[sizeof session->object];
	uint64_t offset, size;
	if (last == NULL || length >= sizeof name) {
		reply_text(reply, "E01");
		return;
	}
	memcpy(name, arguments, length);
	name[length] = '\0';
	last++;
	/* What the debugger begins anew may have changed; the rest is of the same. */
	if (!packet_number_to(&last, &offset, ',') || !packet_number_to(&last, &size, '\0') ||
	    (offset > 0 && strcmp(session->object, name) != 0)) {
		reply_text(reply, "E01");
		return;
	}
	if (offset == 0) {
		strcpy(session->object, name);
		if (!split(name, &annex) || !build(session, name, annex)) {
			session->object[0] = '\0';
			reply_text(reply, "E01");
			return;
		}
	}
	const size_t whole = session->content.bytes.count;
	const size_t from = offset < whole ? (size_t)offset : whole;
	size = size < PACKET_MAX / 4 ? size : PACKET_MAX / 4; /* escapes may double it */
	const size_t part = size < whole - from ? (size_t)size : whole - from;
	reply->no_memory |= session->content.no_memory;
	reply_text(reply, from + part < whole ? "m" : "l");
	reply_bytes(reply, session->content.bytes.items + from, part);
}
