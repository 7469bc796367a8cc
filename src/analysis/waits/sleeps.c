/* Sleeps.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/examine.h"

#include <time.h>

#define MILLISECOND INT64_C(1000000)

/* clock_nanosleep's flag TIMER_ABSTIME. */
#define ABSOLUTE 1

/* The kernel writes the time that is left to `rest` when it takes a thread out of a relative
 * sleep, be it for a tracer's stop or a core dump. sleep() passes one timespec as both, so then
 * what was asked for is lost. Of a sleep that nothing interrupted, only that is there. */
static void relative_sleep(struct examined *examined, uint64_t request, uint64_t rest)
{
	int64_t time;
	examined->wait->timed = true;
	if (examined_uninterrupted(examined)) {
		if (examined_timespec(examined, request, &time))
			examined->wait->timeout_ns = time;
		return;
	}
	if (rest != request && examined_timespec(examined, request, &time))
		examined->wait->timeout_ns = time;
	if (rest != 0 && examined_timespec(examined, rest, &time)) {
		/* It was written when the sleep was last interrupted. */
		if (examined->thread->raw->asleep)
			words_add(&examined->detail, "at most ");
		words_add_duration(&examined->detail, time / MILLISECOND * MILLISECOND);
		words_add(&examined->detail, " left");
		examined->told_time = true;
	}
}

static void examine_nanosleep(struct examined *examined)
{
	relative_sleep(examined, examined->arguments[0], examined->arguments[1]);
}

static void examine_clock_nanosleep(struct examined *examined)
{
	int clock = (int)examined->arguments[0];
	if ((examined->arguments[1] & ABSOLUTE) != 0) {
		examined_deadline_at(examined, examined->arguments[2], clock);
		return;
	}
	relative_sleep(examined, examined->arguments[2], examined->arguments[3]);
	/* The others run as time does. */
	if (clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID) {
		words_separate(&examined->detail, ", ");
		words_add(&examined->detail, "by %s", examined_clock_name(clock));
	}
}

const struct wait_row sleep_rows[] = {
	{ "nanosleep", WAIT_SLEEP, examine_nanosleep },
	{ "clock_nanosleep", WAIT_SLEEP, examine_clock_nanosleep },
	{ NULL, WAIT_NONE, NULL },
};
