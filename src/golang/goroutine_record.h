/* Reading what the runtime notes of one goroutine: its g.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_GOROUTINE_RECORD_H
#define CORESCAN_GOLANG_GOROUTINE_RECORD_H

#include "golang/goroutines.h"

#define GO_REASONS_MAX 64

/* What is the same for all of them. */
struct goroutine_reader {
	const struct go_process *process;
	const char *reasons[GO_REASONS_MAX]; /* in the pool; NULL: the version has fewer */
	size_t g_size;			     /* bytes of a g that are read */
};

/* Owns nothing. */
void goroutine_reader_init(const struct go_process *process, struct goroutine_reader *reader);

/* Reads the g at `address`, all of it but .stack and .wait. False where no goroutine's g is there;
 * `*dead` where the goroutine has ended, or was not begun yet. */
bool goroutine_read(const struct goroutine_reader *reader, uint64_t address,
		    struct goroutine *goroutine, bool *dead);

#endif
