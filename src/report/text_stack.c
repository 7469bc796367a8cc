/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/text_parts.h"

#include "report/format.h"

#include <inttypes.h>
#include <string.h>

/* The longest round of a recursion that is recognised: functions that call each other, with what
 * was expanded into them. */
#define PERIOD_MAX 16

/* `1234 "main"`, with a space in front. */
static void thread_words(const struct thread *thread, char *buffer, size_t size)
{
	const bool named = thread->name != NULL && thread->name[0] != '\0';
	char inner[32] = "";
	if (thread->raw != NULL && thread->raw->inner_tid != 0)
		snprintf(inner, sizeof inner, " (%" PRId32 " inside)", thread->raw->inner_tid);
	snprintf(buffer, size, " %" PRId32 "%s%s%s%s", thread->tid, inner, named ? " \"" : "",
		 named ? thread->name : "", named ? "\"" : "");
}

void text_thread(struct text *text, const struct thread *thread)
{
	char words[128];
	thread_words(thread, words, sizeof words);
	text_put(text, words + 1);
}

void text_killed(struct text *text, unsigned indent, const struct crash *crash)
{
	char words[96];
	const bool named = crash != NULL && crash->signal_name != NULL;
	snprintf(words, sizeof words, ", killed by %s from outside",
		 named ? crash->signal_name : "a signal");
	text_wrap(text, indent, words);
}

void text_tids(struct text *text, unsigned indent,
	       int32_t (*tid_of)(const void *context, size_t index), const void *context,
	       size_t count)
{
	text_some_tids(text, indent, tid_of, context, count, 40);
}

void text_some_tids(struct text *text, unsigned indent,
		    int32_t (*tid_of)(const void *context, size_t index), const void *context,
		    size_t count, size_t usual)
{
	char item[64];
	size_t left = text_rows(text, count, usual), end;
	for (size_t i = 0; i < count; i = end, left--) {
		if (left == 0) {
			text_wrap(text, indent, " … ");
			text_wrap(text, indent, format_count(count - i, item));
			text_wrap(text, indent, " more");
			return;
		}
		const int32_t first = tid_of(context, i);
		for (end = i + 1;
		     end < count && (int64_t)tid_of(context, end) - first == (int64_t)(end - i);)
			end++;
		if (end - i < 3)
			end = i + 1;
		const char *comma = end < count ? "," : "";
		if (end == i + 1)
			snprintf(item, sizeof item, "%" PRId32 "%s", first, comma);
		else
			snprintf(item, sizeof item, "%" PRId32 "–%" PRId32 "%s", first,
				 tid_of(context, end - 1), comma);
		if (i > 0)
			text_put(text, text_width(text, item) < text_room(text) ? " " : "");
		if (text_width(text, item) > text_room(text)) {
			text_line(text);
			text_column(text, indent);
		}
		text_put(text, item);
	}
}

/* "pool.c:29", or "in libc.so.6": where a frame is, besides its function. */
static void frame_place(const struct text *text, const struct frame *frame, char *buffer,
			size_t size)
{
	bool full = text->style->verbose > 0;
	if (frame->file != NULL) {
		const char *file = full ? frame->file : format_base_name(frame->file);
		snprintf(buffer, size, frame->line > 0 ? "%s:%u" : "%s", file, frame->line);
	} else if (frame->module != NULL && frame->function == NULL && !full) {
		snprintf(buffer, size, "no symbol"); /* the module stands in the function's place */
	} else if (frame->module != NULL && frame->module->name != NULL) {
		snprintf(buffer, size, "in %s", full ? frame->module->path : frame->module->name);
	} else if (frame->generated) {
		snprintf(buffer, size, "JIT or generated code");
	} else {
		snprintf(buffer, size, "in no module");
	}
}

/* What names a frame without a function: its place in its file, as addr2line takes it. */
static void unnamed_function(const struct frame *frame, char *buffer, size_t size)
{
	if (frame->module != NULL && frame->module->name != NULL)
		snprintf(buffer, size, "%s+0x%" PRIx64, frame->module->name,
			 frame->lookup_pc - frame->module->bias);
	else
		snprintf(buffer, size, "0x%" PRIx64, frame->pc);
}

static void frame_function(const struct text *text, const struct frame *frame, char *buffer,
			   size_t size)
{
	if (frame->signal_frame && frame->function == NULL)
		snprintf(buffer, size, "(signal handler called)");
	else if (frame->function == NULL)
		unnamed_function(frame, buffer, size);
	else if (frame->inlined)
		snprintf(buffer, size, "%s (inlined)", frame->function);
	else if (frame->guessed)
		snprintf(buffer, size, "%s (guessed)", frame->function);
	else if (frame->file == NULL || text->style->verbose > 0)
		snprintf(buffer, size, "%s+0x%" PRIx64, frame->function, frame->offset);
	else
		snprintf(buffer, size, "%s", frame->function);
}

static bool same_frame(const struct frame *one, const struct frame *other)
{
	return one->pc == other->pc && one->inlined == other->inlined &&
	       one->function == other->function && one->line == other->line;
}

/* How often the `period` frames at `first` come again right behind themselves. */
static size_t repeats(const struct thread *thread, size_t first, size_t period)
{
	const bool before = thread->left_out > 0 && first < thread->left_out_before;
	const size_t end = before ? thread->left_out_before : thread->frame_count;
	size_t at = first + period;
	while (at < end && same_frame(&thread->frames[at], &thread->frames[at - period]))
		at++;
	return (at - first) / period - 1;
}

/* Frames that are shown, and how often they come again behind themselves, which is only told. */
struct shown_frames {
	size_t count, times;
};

/* From frame `first` on: one, or one round of a recursion that begins there. */
static struct shown_frames shown_at(const struct thread *thread, size_t first)
{
	for (size_t period = 1; period <= PERIOD_MAX; period++) {
		const size_t times = repeats(thread, first, period);
		if (times > 0 && times * period >= 4)
			return (struct shown_frames){ period, times };
	}
	return (struct shown_frames){ 1, 0 };
}

/* Columns of the longest "#12 " in front of a frame. */
static unsigned number_width(size_t count)
{
	char label[24];
	return (unsigned)snprintf(label, sizeof label, "#%zu ", count > 0 ? count - 1 : 0);
}

static void text_frame(struct text *text, unsigned indent, unsigned width, size_t number,
		       const struct frame *frame)
{
	char function[1024], place[512], label[24];
	frame_function(text, frame, function, sizeof function);
	frame_place(text, frame, place, sizeof place);
	snprintf(label, sizeof label, "#%zu", number);
	text_column(text, indent - number_width(number + 1));
	text_put(text, label);
	text_column(text, indent);
	text_fold(text, function, width);
	text_column(text, indent + width + 2);
	text_fold(text, place, text_room(text) > 12 ? text_room(text) : 12);
	if (text->style->verbose > 1)
		text_printf(text, "  pc 0x%" PRIx64 " sp 0x%" PRIx64, frame->pc, frame->sp);
}

/* The column for functions: as wide as the widest of them, within what leaves room for places. */
static unsigned function_width(struct text *text, unsigned indent, const struct thread *thread,
			       size_t count, size_t limit)
{
	char function[1024], shorter[1024];
	unsigned widest = 0;
	unsigned room = text->style->width > indent + 40 ? text->style->width - indent - 28 : 40;
	for (size_t at = 0, shown = 0; at < count && shown < limit;) {
		const struct shown_frames next = shown_at(thread, at);
		for (size_t end = at + next.count; at < end; at++, shown++) {
			frame_function(text, &thread->frames[at], function, sizeof function);
			unsigned width = text_width(text, function);
			if (width > room) {
				format_short_name(function, shorter, sizeof shorter);
				width = text_width(text, shorter);
			}
			if (width > widest)
				widest = width;
		}
		at += next.count * next.times;
	}
	return widest < room ? widest : room;
}

/* How many frames there are without those behind main and the start routine of a thread. */
static size_t program_frames(const struct thread *thread)
{
	size_t count = thread->frame_count;
	for (; count > 0; count--) {
		const struct frame *frame = &thread->frames[count - 1];
		const bool start =
		    frame->function != NULL && strcmp(frame->function, "_start") == 0;
		if (!start && (frame->module == NULL || !frame->module->is_libc))
			return count;
	}
	return thread->frame_count;
}

static void text_repetition(struct text *text, unsigned indent, size_t period, size_t times)
{
	char number[FORMAT_MAX];
	text_column(text, indent);
	text_printf(text, "… the same frame%s %s more times", period == 1 ? "" : "s",
		    format_count(times, number));
	text_line(text);
}

/* "… 65,180 frames left out", in front of frame `at`. */
static void text_left_out(struct text *text, unsigned indent, const struct thread *thread,
			  size_t at)
{
	char number[FORMAT_MAX];
	if (thread->left_out == 0 || at != thread->left_out_before)
		return;
	text_column(text, indent);
	text_printf(text, "… %s frames left out: the stack is very deep",
		    format_count(thread->left_out, number));
	text_line(text);
}

/* What the frame at `index` of the kept ones counts as in the whole stack. */
static size_t frame_number(const struct thread *thread, size_t index)
{
	return index + (index >= thread->left_out_before ? thread->left_out : 0);
}

/* "mov 0x18(%rax),%rdx     rax = 0": behind the frame where it fits, else below. */
static void text_instruction(struct text *text, unsigned indent,
			     const struct instruction *instruction)
{
	char words[512];
	size_t length = (size_t)snprintf(words, sizeof words, "%s", instruction->text);
	for (size_t i = 0; i < instruction->register_count && length < sizeof words; i++) {
		const uint64_t value = instruction->registers[i].value;
		length += (size_t)snprintf(words + length, sizeof words - length,
					   value == 0 ? "%s%s = 0" : "%s%s = 0x%" PRIx64,
					   i == 0 ? "     " : ", ", instruction->registers[i].name,
					   value);
	}
	if (text_width(text, words) + 5 > text_room(text)) {
		text_line(text);
		text_column(text, indent + 2);
	} else {
		text_column(text, text->column + 5);
	}
	text_fold(text, words, text_room(text));
}

static bool is_faulting(const struct findings *findings, const struct thread *thread, size_t index)
{
	const struct crash *crash = findings->crash;
	return crash != NULL && crash->has_instruction && crash->thread == thread && index == 0;
}

static void text_variables(struct text *text, unsigned indent,
			   const struct frame_variables *variables)
{
	char number[FORMAT_MAX];
	for (size_t i = 0; variables != NULL && i < variables->count; i++) {
		const struct variable *variable = &variables->items[i];
		text_column(text, indent + 2);
		text_put(text, variable->name);
		text_put(text, variable->known ? " = " : ": ");
		if (!variable->known)
			text_color(text, TEXT_DIM);
		text_wrap(text, indent + 6, variable->value);
		if (!variable->known)
			text_color(text, TEXT_PLAIN);
		text_line(text);
	}
	if (variables != NULL && variables->left_out > 0) {
		text_column(text, indent + 2);
		text_printf(text, "… %s more variables", format_count(variables->left_out, number));
		text_line(text);
	}
}

/* A line each, the one that is meant marked where there are others. */
static void text_source(struct text *text, unsigned indent, const struct source_excerpt *source)
{
	char label[24];
	for (unsigned i = 0; source != NULL && i < source->count; i++) {
		const bool meant = source->first + i == source->line;
		snprintf(label, sizeof label, "%s%6u  ", meant && source->count > 1 ? ">" : " ",
			 source->first + i);
		text_column(text, indent);
		text_color(text, meant ? TEXT_PLAIN : TEXT_DIM);
		text_put(text, label);
		text_cut(text, source->lines[i], text_room(text));
		text_color(text, TEXT_PLAIN);
		text_line(text);
	}
	if (source != NULL && source->doubt != NULL) {
		text_column(text, indent + 2);
		text_color(text, TEXT_WARN);
		text_wrap(text, indent + 4, source->doubt);
		text_color(text, TEXT_PLAIN);
		text_line(text);
	}
}

void text_frames(struct text *text, const struct findings *findings, unsigned indent,
		 const struct thread *thread, size_t count, size_t limit)
{
	const unsigned functions = indent + number_width(count + thread->left_out);
	const unsigned width = function_width(text, functions, thread, count, limit);
	size_t shown = 0, at = 0;
	while (at < count && shown < limit) {
		text_left_out(text, functions, thread, at);
		const struct shown_frames next = shown_at(thread, at);
		for (size_t end = at + next.count; at < end; at++, shown++) {
			text_frame(text, functions, width, frame_number(thread, at),
				   &thread->frames[at]);
			if (is_faulting(findings, thread, at))
				text_instruction(text, functions, &findings->crash->instruction);
			text_line(text);
			text_source(text, functions, sources_of(findings->sources, thread, at));
			text_variables(text, functions,
				       variables_of(findings->variables, thread, at));
		}
		if (next.times > 0)
			text_repetition(text, functions, next.count, next.times);
		at += next.times * next.count;
	}
	if (at < count) {
		text_more(text, indent, at, count, "frames", "threads");
	} else if (at >= thread->frame_count && thread->stop_reason != NULL) {
		text_column(text, indent);
		text_put(text, "the stack ends here: ");
		text_wrap(text, indent + 2, thread->stop_reason);
		text_line(text);
	}
}

/* "refresh() cache.c:77" into `buffer`. */
static void call_words(const struct text *text, const struct frame *frame, char *buffer,
		       size_t size)
{
	char name[256], place[256];
	if (frame->function != NULL)
		format_short_name(frame->function, name, sizeof name);
	else
		unnamed_function(frame, name, sizeof name);
	frame_place(text, frame, place, sizeof place);
	bool plain = frame->function == NULL || strchr(name, '(') != NULL;
	snprintf(buffer, size, "%s%s %s", name, plain ? "" : "()", place);
}

static const struct frame *site_frame(const struct wait *wait)
{
	return wait->site != NULL || wait->thread->frame_count == 0 ? wait->site
								    : wait->thread->frames;
}

/* The caller to tell behind `frame`; NULL for none. What libc calls on its own behalf, as
 * start_thread, tells nothing; nor does recursion. */
static const struct frame *next_caller(const struct thread *thread, const struct frame *frame)
{
	const struct frame *end = thread->frames + thread->frame_count;
	for (frame++; frame < end; frame++) {
		const struct module *module = frame->module;
		/* A static program is libc, too; its own functions have source lines. */
		if (module != NULL && module->is_libc &&
		    (!module->is_executable || frame->file == NULL))
			return NULL;
		if (frame->function != frame[-1].function || frame->line != frame[-1].line)
			return frame;
	}
	return NULL;
}

static void put_call(struct text *text, const struct frame *frame)
{
	char words[1024];
	call_words(text, frame, words, sizeof words);
	text_fold(text, words, text_room(text) > 20 ? text_room(text) : 20);
}

static bool same_call(const struct frame *one, const struct frame *other)
{
	return one->module == other->module && one->function == other->function &&
	       one->file == other->file && one->line == other->line &&
	       (one->function != NULL || one->pc == other->pc);
}

size_t text_calls_alike(const struct wait *const *waits, size_t count)
{
	size_t least = SIZE_MAX;
	for (size_t i = 1; i < count; i++) {
		const struct frame *one = site_frame(waits[0]), *other = site_frame(waits[i]);
		size_t calls = 0;
		for (; one != NULL && other != NULL && same_call(one, other); calls++) {
			one = next_caller(waits[0]->thread, one);
			other = next_caller(waits[i]->thread, other);
		}
		if ((one != NULL || other != NULL) && calls < least)
			least = calls;
	}
	return least;
}

void text_site_stack(struct text *text, const struct wait *wait, size_t alike, size_t limit)
{
	const unsigned indent = text->column;
	size_t shown = 0, left = 0;
	const struct frame *frame = site_frame(wait);
	text_color(text, TEXT_DIM);
	for (; frame != NULL && shown < limit && shown < alike;
	     frame = next_caller(wait->thread, frame)) {
		if (shown++ > 0) {
			text_line(text);
			text_column(text, indent);
		}
		put_call(text, frame);
	}
	for (; frame != NULL; frame = next_caller(wait->thread, frame))
		left++;
	if (left > 0 || shown == alike) {
		text_line(text);
		text_column(text, indent);
	}
	if (shown == alike)
		text_put(text, "… from where differs: corescan threads");
	else if (left > 0)
		text_printf(text, "… %zu more frame%s: corescan threads", left,
			    left == 1 ? "" : "s");
	text_color(text, TEXT_PLAIN);
}

void text_site(struct text *text, const struct wait *wait, size_t alike)
{
	char words[1024];
	size_t shown = 1;
	const struct frame *frame = site_frame(wait);
	if (frame == NULL)
		return;
	if (text->style->verbose > 0) {
		text_site_stack(text, wait, alike, 12);
		return;
	}
	text_color(text, TEXT_DIM);
	put_call(text, frame);
	for (; shown < alike && (frame = next_caller(wait->thread, frame)) != NULL; shown++) {
		call_words(text, frame, words, sizeof words);
		if (text_width(text, words) + 3 > text_room(text))
			break;
		text_put(text, " ← ");
		text_put(text, words);
	}
	if (shown >= alike && text_room(text) >= text_width(text, " (callers differ)"))
		text_put(text, " (callers differ)");
	text_color(text, TEXT_PLAIN);
}

/* --- what died */

void text_crash(struct text *text, const struct findings *findings, size_t frame_limit)
{
	static const char *const unsignalled[] = {
		[WITHOUT_SIGNAL_RUNS] = "NOT CRASHED",
		[WITHOUT_SIGNAL_STOPPED] = "STOPPED",
		[WITHOUT_SIGNAL_UNKNOWN] = "NOT KNOWN",
	};
	char thread[128];
	const struct crash *crash = findings->crash;
	if (crash == NULL)
		return;
	if (crash->signal.number == 0)
		text_heading(text, TEXT_HEADING, unsignalled[crash->without_signal]);
	else
		text_heading(text, TEXT_BAD, crash->signal_name);
	text_wrap(text, 2, crash->text);
	if (crash->thread != NULL) {
		thread_words(crash->thread, thread, sizeof thread);
		text_wrap(text, 2, ", in thread");
		text_wrap(text, 2, thread);
	}
	text_line(text);
	if (crash->message != NULL) {
		text_put(text, "  \"");
		text_wrap(text, 3, crash->message);
		text_put(text, "\"");
		text_line(text);
	}
	if (crash->thread != NULL && frame_limit > 0) {
		const size_t count = program_frames(crash->thread);
		text_frames(text, findings, 2, crash->thread, count,
			    text_rows(text, count, frame_limit));
	}
}
