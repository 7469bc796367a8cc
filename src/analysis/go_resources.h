/* What a Go program holds on to besides memory: files, connections, tickers, deferred calls, bodies
 * of responses that were never closed.
 *
 * To add a kind: a function and a line in go_resources_find.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_GO_RESOURCES_H
#define CORESCAN_ANALYSIS_GO_RESOURCES_H

#include "analysis/go_finalizer_cycles.h"
#include "golang/goroutines.h"
#include "golang/heap.h"

/* An os.File or a net.Conn that is open: Go sets a finalizer for each. */
struct go_open_file {
	uint64_t address; /* of the os.file or net.netFD */
	int32_t fd;
	bool connection;
	const char *network;	 /* of a connection: "tcp", "unix" …; in the pool */
	const char *name, *peer; /* path; or local and remote address, NULL where there is none */
};

/* A time.Ticker that runs. */
struct go_ticker {
	uint64_t address;
	int64_t period; /* nanoseconds */
	bool awaited;	/* somebody waits for its next tick at this moment */
};

/* Calls that a running function has deferred: they pile up where a loop defers. */
struct go_defers {
	const struct goroutine *goroutine;
	uint64_t count;
	const char *function; /* one of those that will be called, in the pool; or NULL */
};

/* A response of net/http's client whose body was not read to its end, or not closed: the
 * connection's reader waits for that. */
struct go_body {
	const struct goroutine *reader;
	const char *peer; /* in the pool; NULL: not known */
};

struct go_resources {
	ARRAY(struct go_open_file) files; /* by fd */
	ARRAY(struct go_ticker) tickers;
	ARRAY(struct go_defers) defers; /* most first; those of GO_DEFERS_MIN calls and more */
	ARRAY(struct go_body) bodies;
	struct go_finalizer_cycles cycles;
	uint64_t files_limit; /* so many files may be open at once (RLIMIT_NOFILE); 0: not known */
	size_t long_sleeps;   /* goroutines that sleep for GO_LONG_SLEEP more */
	/* They are kept for ever unless they are stopped: before Go 1.23, and in programs that ask
	 * for the former behaviour (asynctimerchan). */
	bool tickers_are_kept;
};

#define GO_DEFERS_MIN 100
/* From so many percent of the limit on, files are close to it. */
#define GO_FILES_CLOSE 80
#define GO_LONG_SLEEP  (INT64_C(3600) * 1000000000)

/* `heap` may be NULL: files and connections are then not known. ERROR_NO_MEMORY. */
struct error *go_resources_find(const struct go_process *process, struct goroutines *goroutines,
				struct go_heap *heap, struct go_resources *resources);
void go_resources_free(struct go_resources *resources);

#endif
