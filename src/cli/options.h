/* The command line.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_CLI_OPTIONS_H
#define CORESCAN_CLI_OPTIONS_H

#include "report/report.h"

enum exit_status {
	EXIT_COMPLETE = 0,
	EXIT_PARTIAL = 1,   /* something could not be examined: the gaps say what */
	EXIT_NOTHING = 2,   /* nothing could be read, or the result could not be written */
	EXIT_CONDITION = 3, /* --fail-on found what it names */
	EXIT_USAGE = 64,
};

enum color_choice { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

enum fail_condition { FAIL_ON_DEADLOCK = 1, FAIL_ON_ORPHANS = 2, FAIL_ON_CORRUPTION = 4 };

enum stop_choice {
	STOP_IF_NEEDED, /* first try without, where the heap is not looked at */
	STOP_ALWAYS,
	STOP_NEVER,
};

struct options {
	const struct view *view;
	const char *exe;    /* or NULL */
	const char *core;   /* NULL: live */
	bool all;	    /* locks that nobody waits for, too */
	bool dot;	    /* the graph instead of the view */
	int32_t pid;	    /* 0: a core */
	bool serve;	    /* gdb-server, in the place of a view */
	bool compare;	    /* diff, in the place of a view: .old with .core, or with .pid */
	const char *old;    /* for it: a core, or a saved document */
	const char *listen; /* where, for it; NULL: standard input and output */
	bool from_server;   /* a monitor command: the target is open */
	bool from_gdb;	    /* gdb names the target, on standard input */
	const struct held_threads *held; /* of a process that gdb holds, or NULL */
	const char *gdb_commands; /* print gdb's commands for this corescan, and end; or NULL */
	enum stop_choice stop;
	unsigned max_pause_ms; /* 0: no bound */
	const char *sysroot, *debug_dir;
	bool json;
	bool locals; /* arguments and locals of frames */
	bool source; /* their source lines */
	enum color_choice color;
	uint64_t address; /* for explain */
	int limit;	  /* as in struct report_style */
	unsigned verbose;
	unsigned fail_on; /* enum fail_condition */
	bool retained;	  /* of heap: who holds what */
	unsigned states;  /* as in struct report_style */
	enum orphan_grouping grouping;
	enum profile_kind profile; /* of the command profile */
	const char *sample;	   /* which of its numbers; NULL: the usual ones */
	bool cumulative;	   /* sorted by these */
	const char *pprof;	   /* a file to write it to, "-": standard output; or NULL */
};

/* Reads the command line into `*options`, whose strings are those of `argv`. Ends the program for
 * --help and --version, and with EXIT_USAGE and one line on standard error for a wrong one. */
void options_parse(int argc, char **argv, struct options *options);

#endif
