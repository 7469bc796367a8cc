/* The source lines that frames stand at, from the files that the debug information names.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_SOURCES_H
#define CORESCAN_ANALYSIS_SOURCES_H

#include "analysis/subject.h"

#define SOURCE_AROUND	 2 /* lines before and behind the one that is meant */
#define SOURCE_LINES_MAX (2 * SOURCE_AROUND + 1)

struct source_excerpt {
	const char *path; /* of the file that was read; NULL: it is not there, or not so long */
	unsigned first;	  /* the number of .lines[0] */
	unsigned line;	  /* the number of the line that is meant */
	unsigned count;	  /* 1, or with what is around it more */
	const char *lines[SOURCE_LINES_MAX]; /* tabs expanded, long ones cut */
	const char *doubt;		     /* why this may not be what was compiled; or NULL */
};

struct sources {
	/* One for each group of stacks, of its first thread. */
	struct thread_sources {
		const struct thread *thread;
		struct source_excerpt *frames; /* as many as the thread's */
	} * items;
	size_t count;
};

/* Opens regular files for reading, nothing else, and looks for them below `sysroot` only when that
 * is not NULL. Of a crashed thread the innermost frame whose file is there gets the lines around,
 * too. ERROR_NO_MEMORY. */
struct error *sources_find(const struct subject *subject, const struct stack_groups *groups,
			   const char *sysroot, struct sources *sources);
void sources_free(struct sources *sources);

/* That of one thread's frame, or NULL when there is none. `sources` may be NULL. */
const struct source_excerpt *sources_of(const struct sources *sources, const struct thread *thread,
					size_t frame);

#endif
