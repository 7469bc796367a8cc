/* Parts that more than one text view shows.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_REPORT_TEXT_PARTS_H
#define CORESCAN_REPORT_TEXT_PARTS_H

#include "report/text.h"

/* The first line of every view: what was opened, and how well it is known. */
void text_header(struct text *text, const struct findings *findings);

/* What died, with the top of its stack: `frame_limit` frames of it as a rule, 0 for none. */
void text_crash(struct text *text, const struct findings *findings, size_t frame_limit);

/* "1234 "main"", or "1234 (7 inside) "main"" of a process in a PID namespace of its own. */
void text_thread(struct text *text, const struct thread *thread);

/* ", killed by SIGABRT from outside", of a thread that .killed_from_outside. */
void text_killed(struct text *text, unsigned indent, const struct crash *crash);

/* "1250–1253, 1260" of the `count` tids that `tid_of` gives; wraps at `indent`. */
void text_tids(struct text *text, unsigned indent,
	       int32_t (*tid_of)(const void *context, size_t index), const void *context,
	       size_t count);

/* The same, `usual` numbers and ranges of them at most as a rule. */
void text_some_tids(struct text *text, unsigned indent,
		    int32_t (*tid_of)(const void *context, size_t index), const void *context,
		    size_t count, size_t usual);

/* The first `count` frames of a stack, a line each, `limit` of them at most; runs of the same
 * frames are told once. What else is known of a frame stands below it. */
void text_frames(struct text *text, const struct findings *findings, unsigned indent,
		 const struct thread *thread, size_t count, size_t limit);

/* "refresh() cache.c:77", with as many of its callers behind it as fit; verbose: below it. `alike`:
 * how many of these calls hold for all whom the line tells of; behind them it says that they
 * differ. SIZE_MAX: all do. */
void text_site(struct text *text, const struct wait *wait, size_t alike);

/* The same with its callers, a line each, `limit` lines at most. */
void text_site_stack(struct text *text, const struct wait *wait, size_t alike, size_t limit);

/* How many calls that text_site tells, from the site on, are the same for all of the waits;
 * SIZE_MAX: all calls of all of them. */
size_t text_calls_alike(const struct wait *const *waits, size_t count);

/* Every deadlock: its threads, each with the place where it waits, or a sentence in their stead;
 * and who waits behind them. */
void text_deadlocks(struct text *text, const struct findings *findings, bool sentences);

/* Who holds up others; what is suspected. Nothing where there is none. */
void text_convoys(struct text *text, const struct findings *findings);
void text_suspicions(struct text *text, const struct findings *findings);

/* "SECTION  " in the heading's colour, with an empty line before. */
void text_heading(struct text *text, enum text_color color, const char *heading);

/* What could not be examined; the last part of every view. */
void text_gaps(struct text *text, const struct findings *findings, size_t usual);

/* Why what nothing leads to is only possible, and what may hold some of it: a sentence or none. */
void text_doubt(struct text *text, const struct reachability *reachability);
void text_caution(struct text *text, const struct reachability *reachability);

/* What is said of a heap in which no orphan was found. */
const char *text_no_orphans(const struct findings *findings);

/* The orphan groups: a line each where `command` tells the whole, else in full. */
void text_orphan_groups(struct text *text, const struct orphans *orphans, size_t usual,
			const char *command);

/* "HEAP CORRUPTION": what is damaged, `usual` findings as a rule, a hexdump for the first `dumps`;
 * nothing where nothing is. */
void text_corruption(struct text *text, const struct findings *findings, size_t usual,
		     size_t dumps);

/* How many contradictions are in flux; with -v which. */
void text_flux(struct text *text, const struct findings *findings);

/* "HEAP  none of C's", of a Go program that has no C in it. True where that is so. */
bool text_go_alone(struct text *text, const struct findings *findings, const char *heading);

/* "HEAP" and its totals, and the state totals. */
void text_heap_totals(struct text *text, const struct findings *findings);

/* "THREADS": how many do what, and those that have not been told of, grouped. */
void text_thread_groups(struct text *text, const struct findings *findings);

/* "RETAINED": the roots by what they hold; nothing where that was not asked for. */
void text_retained(struct text *text, const struct findings *findings);

/* "largest roots: <cache> 7.1 MB · …", a line, where that is known. */
void text_largest_roots(struct text *text, const struct findings *findings);

/* "GO": version and goroutines by state; nothing where there is no Go. The second adds the largest
 * groups. */
void text_go(struct text *text, const struct findings *findings);
void text_go_report(struct text *text, const struct findings *findings);

/* What the commands show between header and gaps. */
void text_report(struct text *text, const struct findings *findings);
void text_threads(struct text *text, const struct findings *findings);
void text_locks(struct text *text, const struct findings *findings);
void text_waits(struct text *text, const struct findings *findings);
void text_heap(struct text *text, const struct findings *findings);
void text_leaks(struct text *text, const struct findings *findings);
void text_goroutines(struct text *text, const struct findings *findings);
void text_profile(struct text *text, const struct findings *findings);
void text_explain(struct text *text, const struct findings *findings);
void text_maps(struct text *text, const struct findings *findings);

#endif
