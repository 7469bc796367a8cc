/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/sources.h"

#include "modules/source_file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define COLUMNS_MAX 240 /* of a line that is kept */
#define TAB_WIDTH   8

struct searching {
	const struct subject *subject;
	const char *sysroot;
	/* Files that were looked for; paths are in the pool, where equal means identical. */
	ARRAY(struct known_file {
		const char *path;
		struct source_file file;
	})
	files;
};

/* Where the compiler read the file, or NULL when that is not told from the root on. */
static const char *full_path(struct string_pool *pool, const struct frame *frame)
{
	if (frame->file[0] == '/')
		return string_pool_add(pool, frame->file);
	if (frame->directory == NULL || frame->directory[0] != '/')
		return NULL;
	return string_pool_format(pool, "%s/%s", frame->directory, frame->file);
}

/* NULL when it is not there, or memory ran out. */
static const struct source_file *find_file(struct searching *searching, const char *path)
{
	for (size_t i = 0; i < searching->files.count; i++) {
		const struct known_file *known = &searching->files.items[i];
		if (known->path == path)
			return known->file.bytes != NULL ? &known->file : NULL;
	}
	struct known_file known = { .path = path };
	source_file_read(searching->sysroot, path, &known.file);
	if (!array_push(&searching->files, known)) {
		source_file_free(&known.file);
		return NULL;
	}
	return known.file.bytes != NULL ? &searching->files.items[searching->files.count - 1].file
					: NULL;
}

/* `size` bytes of a line as they look, into the pool. */
static const char *expanded(struct string_pool *pool, const char *line, size_t size)
{
	char text[COLUMNS_MAX + TAB_WIDTH + 1];
	size_t length = 0;
	for (size_t i = 0; i < size && length < COLUMNS_MAX; i++) {
		if (line[i] == '\r' && i + 1 == size)
			break;
		const size_t spaces = line[i] == '\t' ? TAB_WIDTH - length % TAB_WIDTH : 1;
		for (size_t j = 0; j < spaces; j++)
			text[length++] = line[i] == '\t' || line[i] == '\0' ? ' ' : line[i];
	}
	text[length] = '\0';
	return string_pool_add(pool, text);
}

static const char *doubt_of(struct searching *searching, const struct frame *frame,
			    const struct source_file *file)
{
	struct stat program;
	if (frame->module == NULL || frame->module->file == NULL ||
	    stat(frame->module->file, &program) != 0)
		return "the program's own file is not there to compare its age";
	const bool newer = file->seconds != program.st_mtim.tv_sec
			       ? file->seconds > program.st_mtim.tv_sec
			       : file->nanoseconds > program.st_mtim.tv_nsec;
	return newer ? string_pool_format(modules_strings(searching->subject->modules),
					  "it is newer than %s: its lines may have changed",
					  frame->module->name)
		     : NULL;
}

static void excerpt_frame(struct searching *searching, const struct frame *frame, unsigned around,
			  struct source_excerpt *excerpt)
{
	struct string_pool *pool = modules_strings(searching->subject->modules);
	const char *path, *line;
	size_t size;
	if (frame->file == NULL || frame->line == 0 || (path = full_path(pool, frame)) == NULL)
		return;
	const struct source_file *file = find_file(searching, path);
	if (file == NULL || !source_file_line(file, frame->line, &line, &size))
		return;
	excerpt->path = path;
	excerpt->line = frame->line;
	excerpt->first = frame->line > around ? frame->line - around : 1;
	for (unsigned number = excerpt->first; number <= frame->line + around; number++) {
		if (!source_file_line(file, number, &line, &size))
			break;
		excerpt->lines[excerpt->count++] = expanded(pool, line, size);
	}
	excerpt->doubt = doubt_of(searching, frame, file);
}

static bool excerpt_thread(struct searching *searching, const struct thread *thread,
			   struct thread_sources *sources)
{
	bool around = thread->crashed;
	sources->thread = thread;
	sources->frames = calloc(thread->frame_count + 1, sizeof *sources->frames);
	if (sources->frames == NULL)
		return false;
	for (size_t i = 0; i < thread->frame_count; i++) {
		excerpt_frame(searching, &thread->frames[i], around ? SOURCE_AROUND : 0,
			      &sources->frames[i]);
		around = around && sources->frames[i].path == NULL;
	}
	return true;
}

struct error *sources_find(const struct subject *subject, const struct stack_groups *groups,
			   const char *sysroot, struct sources *sources)
{
	struct searching searching = { .subject = subject, .sysroot = sysroot };
	struct sources made = { .items = calloc(groups->count + 1, sizeof *made.items) };
	bool complete = made.items != NULL;
	for (size_t i = 0; complete && i < groups->count; i++) {
		complete = excerpt_thread(&searching, groups->items[i].members[0], &made.items[i]);
		made.count = i + 1;
	}
	for (size_t i = 0; i < searching.files.count; i++)
		source_file_free(&searching.files.items[i].file);
	array_free(&searching.files);
	if (!complete) {
		sources_free(&made);
		return error_no_memory();
	}
	*sources = made;
	return NULL;
}

void sources_free(struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++)
		free(sources->items[i].frames);
	free(sources->items);
	*sources = (struct sources){ 0 };
}

const struct source_excerpt *sources_of(const struct sources *sources, const struct thread *thread,
					size_t frame)
{
	for (size_t i = 0; sources != NULL && i < sources->count; i++)
		if (sources->items[i].thread == thread && frame < thread->frame_count)
			return sources->items[i].frames[frame].path != NULL
				   ? &sources->items[i].frames[frame]
				   : NULL;
	return NULL;
}
