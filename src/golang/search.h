/* Looking through a module's data for the runtime's variables, for programs without symbols.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_SEARCH_H
#define CORESCAN_GOLANG_SEARCH_H

#include "golang/golang.h"

/* A walk over the aligned words of the runtime's module that are not code. */
struct go_search {
	const struct go_process *process;
	const struct module_image *image;
	size_t segment;
	uint64_t at; /* 0: at the segment's start */
};

void go_search_begin(struct go_search *search, const struct go_process *process);

/* The next words that can be read in one piece, from search->at on, which the caller moves behind
 * what it has seen; NULL at the end. */
const uint8_t *go_search_words(struct go_search *search, size_t *count);

/* The next word that equals `value`; false at the end. */
bool go_search_word(struct go_search *search, uint64_t value, uint64_t *address);

/* The version by a string of the program that can be nothing else ("go1.26.5"), into `text`; the first
 * one that there is. */
bool go_find_version_text(const struct go_process *process, char *text, size_t size);

/* Fills what symbols would tell: goroutines, processors, heap, wait reasons. What is not found
 * stays zero. */
void go_find_by_content(struct go_process *process);

#endif
