/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <config.h>

#include "cli/options.h"

#include "cli/messages.h"
#include "cli/option_values.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>

enum option_key {
	OPTION_JSON = 256,
	OPTION_SYSROOT,
	OPTION_DEBUG_DIR,
	OPTION_COLOR,
	OPTION_LIMIT,
	OPTION_FAIL_ON,
	OPTION_STATE,
	OPTION_ALL,
	OPTION_DOT,
	OPTION_RETAINED,
	OPTION_STOP,
	OPTION_NO_STOP,
	OPTION_MAX_PAUSE,
	OPTION_LOCALS,
	OPTION_SOURCE,
	OPTION_GROUP,
	OPTION_TYPE,
	OPTION_SAMPLE,
	OPTION_CUMULATIVE,
	OPTION_PPROF,
	OPTION_FROM_GDB,
	OPTION_GDB_COMMANDS,
	OPTION_FROM_SERVER,
	OPTION_LISTEN,
	OPTION_USAGE,
	OPTION_HELP = '?',
	OPTION_VERSION = 'V',
};

static const struct argp_option rows[] = {
	{ "pid", 'p', "PID", 0,
	  "Look at the running process PID. threads, waits and maps first try without stopping it; "
	  "else "
	  "it is stopped for moments.",
	  0 },
	{ "stop", OPTION_STOP, NULL, 0, "With -p: stop the process at once.", 0 },
	{ "no-stop", OPTION_NO_STOP, NULL, 0,
	  "With -p, for threads, waits and maps: never stop it, and report what could be seen.",
	  0 },
	{ "max-pause", OPTION_MAX_PAUSE, "MS", 0,
	  "With -p: let the process run on after MS milliseconds, and report what was read by "
	  "then.",
	  0 },
	{ "json", OPTION_JSON, NULL, 0, "Print one JSON document (report.schema.json).", 0 },
	{ "all", OPTION_ALL, NULL, 0,
	  "For locks: list those too that are held and that nobody waits for, as their form in "
	  "memory shows.",
	  0 },
	{ "dot", OPTION_DOT, NULL, 0,
	  "For report, waits and locks: print who waits for whom as a graph for Graphviz.", 0 },
	{ "sysroot", OPTION_SYSROOT, "DIR", 0, "Look for the process's files below DIR.", 0 },
	{ "debug-dir", OPTION_DEBUG_DIR, "DIR", 0,
	  "Look for debug files in DIR before /usr/lib/debug.", 0 },
	{ "color", OPTION_COLOR, "WHEN", 0,
	  "auto (the default: on a terminal, unless NO_COLOR is set), always, or never.", 0 },
	{ "limit", OPTION_LIMIT, "N", 0, "Show at most N rows of each list; 0 shows all.", 0 },
	{ "fail-on", OPTION_FAIL_ON, "WHAT", 0,
	  "End with status 3 when there is one of these: deadlock,orphans,corruption (of the "
	  "heap).",
	  0 },
	{ "state", OPTION_STATE, "STATES", 0,
	  "For chunks: list only those that are free, reachable, possible or orphaned, with commas "
	  "between.",
	  0 },
	{ "retained", OPTION_RETAINED, NULL, 0,
	  "For heap: which variables, frames and registers hold how much of it alone.", 0 },
	{ "locals", OPTION_LOCALS, NULL, 0,
	  "Show the arguments and locals of frames, as far as debug information tells them.", 0 },
	{ "source", OPTION_SOURCE, NULL, 0,
	  "Show the source lines that frames stand at, where the files are there.", 0 },
	{ "group", OPTION_GROUP, "HOW", 0,
	  "Group orphans by the size of their heads, by their type, or by their shape: size, type "
	  "or shape. Without it, by type and size.",
	  0 },
	{ "type", OPTION_TYPE, "KIND", 0,
	  "For profile: heap (the default), live, goroutine or leaked (goroutines).", 0 },
	{ "sample", OPTION_SAMPLE, "NUMBERS", 0,
	  "For profile: inuse_space (the default of heap), inuse_objects, alloc_space, "
	  "alloc_objects; of leaked goroutines also retained_space.",
	  0 },
	{ "cum", OPTION_CUMULATIVE, NULL, 0,
	  "For profile: sort by what a function and all that it called have together.", 0 },
	{ "pprof", OPTION_PPROF, "FILE", 0,
	  "For profile: write it to FILE too, for \"go tool pprof FILE\" (-: to standard output, "
	  "alone).",
	  0 },
	{ "listen", OPTION_LISTEN, "ADDRESS", 0,
	  "For gdb-server: wait for a debugger on PORT of the loopback address, on HOST:PORT, or "
	  "on a "
	  "Unix socket of that path.",
	  0 },
	/* What the commands in gdb run; see gdb/command_file.h. */
	{ "from-gdb", OPTION_FROM_GDB, NULL, OPTION_HIDDEN, NULL, 0 },
	{ "gdb-commands", OPTION_GDB_COMMANDS, "PROGRAM", OPTION_HIDDEN, NULL, 0 },
	{ "from-server", OPTION_FROM_SERVER, NULL, OPTION_HIDDEN, NULL, 0 },
	{ "verbose", 'v', NULL, 0, "Tell more: full paths, longer lists, evidence.", 0 },
	/* argp's own would not look at whether they could be written. */
	{ "help", OPTION_HELP, NULL, 0, "Give this help list.", -1 },
	{ "usage", OPTION_USAGE, NULL, 0, "Give a short usage message.", -1 },
	{ "version", OPTION_VERSION, NULL, 0, "Print the program's version.", -1 },
	{ 0 },
};

enum { FILES_MAX = 3 };

struct parse {
	struct options *options;
	unsigned positional;
	bool has_address;
	const char *files[FILES_MAX]; /* of diff */
	unsigned file_count;
	bool has_states;
	bool has_grouping;
	bool has_profile; /* an option of the command profile */
};

static bool wants_address(const struct view *view)
{
	return (view->needs & NEED_EXPLANATION) != 0;
}

static void take_positional(struct argp_state *state, struct parse *parse, const char *text)
{
	struct options *options = parse->options;
	const struct view *view = parse->positional == 0 ? view_find(text) : NULL;
	const bool first = parse->positional++ == 0;
	if (first && view != NULL) {
		options->view = view;
	} else if (first && strcmp(text, "gdb-server") == 0 && !options->from_server) {
		options->serve = true;
	} else if (first && strcmp(text, "diff") == 0 && !options->from_server &&
		   !options->from_gdb) {
		options->compare = true;
	} else if (options->from_gdb) {
		argp_error(state,
			   "'%s' is neither a command nor an option: within gdb corescan looks at "
			   "what gdb has open",
			   text);
	} else if (wants_address(options->view) && !parse->has_address) {
		options->address = option_address(state, text);
		parse->has_address = true;
	} else if (options->from_server) {
		argp_error(state, "'%s' is no command of corescan's: monitor help lists them",
			   text);
	} else if (options->compare && parse->file_count < FILES_MAX) {
		parse->files[parse->file_count++] = text;
	} else if (options->core == NULL && !options->compare) {
		options->core = text;
	} else if (options->exe == NULL && !options->compare) {
		options->exe = options->core;
		options->core = text;
	} else {
		argp_error(state, "too many arguments, from '%s' on: one EXE and one CORE at most",
			   text);
	}
}

static void check_view(struct argp_state *state, const struct options *options)
{
	if (options->listen != NULL && !options->serve)
		argp_error(state, "--listen belongs to the command gdb-server, not to %s",
			   options->view->name);
	if (options->all && (options->view->needs & NEED_LOCKS) == 0)
		argp_error(state, "--all belongs to the command locks, not to %s",
			   options->view->name);
	if (options->dot && !report_has_graph(options->view))
		argp_error(state, "--dot belongs to report, waits and locks, not to %s",
			   options->view->name);
	if (options->dot && options->json)
		argp_error(state, "either --dot or --json");
}

/* diff [EXE] OLD NEW, or diff [EXE] OLD -p PID. */
static void check_compared(struct argp_state *state, struct parse *parse)
{
	struct options *options = parse->options;
	const unsigned wanted = options->pid != 0 ? 1 : 2;
	if (!options->compare)
		return;
	if (parse->file_count < wanted || parse->file_count > wanted + 1)
		argp_error(state, options->pid != 0
				      ? "diff wants one core, or what --json has written, to "
					"compare the process with"
				      : "diff wants two cores, or what --json has written of them: "
					"the old one and the new one");
	const bool has_exe = parse->file_count > wanted;
	options->exe = has_exe ? parse->files[0] : NULL;
	options->old = parse->files[has_exe];
	options->core = options->pid != 0 ? NULL : parse->files[has_exe + 1];
	if (options->dot || options->all || options->retained || options->fail_on != 0 ||
	    options->locals || options->source || parse->has_profile || parse->has_grouping)
		argp_error(state,
			   "diff compares all there is: of the options for commands it takes "
			   "--json and --limit");
}

static void check_whole(struct argp_state *state, const struct parse *parse)
{
	const struct options *options = parse->options;
	if (wants_address(options->view) && !parse->has_address && !options->from_gdb)
		argp_error(state, "no address to explain was named");
	if (parse->has_states && strcmp(options->view->name, "chunks") != 0)
		argp_error(state, "--state is for chunks, not for %s", options->view->name);
	check_view(state, options);
	if (parse->has_grouping && (options->view->needs & NEED_ORPHANS) == 0)
		argp_error(state, "--group is for leaks, not for %s", options->view->name);
	if (parse->has_profile && (options->view->needs & NEED_PROFILE) == 0)
		argp_error(
		    state,
		    "--type, --sample, --cum and --pprof belong to the command profile, not to "
		    "%s",
		    options->view->name);
	option_check_sample(state, options);
	if (options->pprof != NULL && options->from_server)
		argp_error(state, "--pprof writes a file, and a debugger's commands write none");
	if (options->pprof != NULL && options->json && strcmp(options->pprof, "-") == 0)
		argp_error(state, "either --json or --pprof -");
	if (options->pid != 0 && options->core != NULL)
		argp_error(state, "-p %d and '%s': either a process or a core file",
			   (int)options->pid, options->core);
	if (options->retained && strcmp(options->view->name, "heap") != 0)
		argp_error(state, "--retained belongs to the command heap, not to %s",
			   options->view->name);
	if (options->pid != 0 && options->from_gdb)
		argp_error(state, "-p %d: within gdb corescan looks at what gdb has open",
			   (int)options->pid);
	if (options->pid == 0 && options->core == NULL && !options->from_gdb &&
	    !options->from_server && options->gdb_commands == NULL)
		argp_error(state, "no core file and no process (-p PID) was named");
	if (options->pid == 0 && (options->stop != STOP_IF_NEEDED || options->max_pause_ms != 0))
		argp_error(state, "--stop, --no-stop and --max-pause are for a process (-p PID)");
	if (options->stop == STOP_NEVER &&
	    ((options->view->needs & NEED_HEAP) != 0 || (options->fail_on & FAIL_ON_ORPHANS) != 0))
		argp_error(state, "the heap of a process that is not stopped cannot be looked at: "
				  "--no-stop is for threads, waits and maps");
}

static noreturn void end_after_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		exit(EXIT_COMPLETE);
	message(NULL, "cannot write to standard output: %s", strerror(errno));
	exit(EXIT_NOTHING);
}

static noreturn void print_help(const struct argp_state *state, unsigned flags)
{
	argp_state_help(state, stdout, flags & ~(unsigned)ARGP_HELP_EXIT_OK);
	end_after_output();
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	struct options *options = parse->options;
	switch (key) {
	case 'p':
		options->pid = option_pid(state, argument);
		return 0;
	case 'v':
		options->verbose++;
		return 0;
	case OPTION_JSON:
		options->json = true;
		return 0;
	case OPTION_ALL:
		options->all = true;
		return 0;
	case OPTION_DOT:
		options->dot = true;
		return 0;
	case OPTION_SYSROOT:
		options->sysroot = option_directory(state, "--sysroot", argument);
		return 0;
	case OPTION_DEBUG_DIR:
		options->debug_dir = option_directory(state, "--debug-dir", argument);
		return 0;
	case OPTION_COLOR:
		options->color = option_color(state, argument);
		return 0;
	case OPTION_LIMIT:
		options->limit = option_limit(state, argument);
		return 0;
	case OPTION_FAIL_ON:
		options->fail_on |= option_conditions(state, argument);
		return 0;
	case OPTION_RETAINED:
		options->retained = true;
		return 0;
	case OPTION_STOP:
		options->stop = STOP_ALWAYS;
		return 0;
	case OPTION_NO_STOP:
		options->stop = STOP_NEVER;
		return 0;
	case OPTION_MAX_PAUSE:
		options->max_pause_ms = option_pause(state, argument);
		return 0;
	case OPTION_STATE:
		options->states = option_states(state, argument);
		parse->has_states = true;
		return 0;
	case OPTION_LOCALS:
		options->locals = true;
		return 0;
	case OPTION_SOURCE:
		options->source = true;
		return 0;
	case OPTION_FROM_GDB:
		options->from_gdb = true;
		return 0;
	case OPTION_FROM_SERVER:
		options->from_server = true;
		return 0;
	case OPTION_LISTEN:
		options->listen = argument;
		return 0;
	case OPTION_GDB_COMMANDS:
		options->gdb_commands = argument;
		return 0;
	case OPTION_GROUP:
		options->grouping = option_grouping(state, argument);
		parse->has_grouping = true;
		return 0;
	case OPTION_TYPE:
		options->profile = option_profile_kind(state, argument);
		parse->has_profile = true;
		return 0;
	case OPTION_SAMPLE:
		options->sample = argument;
		parse->has_profile = true;
		return 0;
	case OPTION_CUMULATIVE:
		options->cumulative = true;
		parse->has_profile = true;
		return 0;
	case OPTION_PPROF:
		options->pprof = argument;
		parse->has_profile = true;
		return 0;
	case OPTION_HELP:
		print_help(state, ARGP_HELP_STD_HELP);
	case OPTION_USAGE:
		print_help(state, ARGP_HELP_USAGE);
	case OPTION_VERSION:
		puts(PACKAGE_STRING);
		end_after_output();
	case ARGP_KEY_ARG:
		take_positional(state, parse, argument);
		return 0;
	case ARGP_KEY_END:
		check_compared(state, parse);
		check_whole(state, parse);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The commands' part of --help, from the views themselves. */
static char *help_text(int key, const char *text, void *input)
{
	static const char before[] =
	    "Says in one screen what died, who waits for whom, and where the memory is, of a core "
	    "file or of a running process.\n\nCommands:\n";
	char *help = NULL;
	size_t size = 0, count;
	(void)input;
	if (key != ARGP_KEY_HELP_PRE_DOC)
		return (char *)text;
	FILE *out = open_memstream(&help, &size);
	if (out == NULL)
		return (char *)text;
	fputs(before, out);
	const struct view *views = view_list(&count);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "  %-9s %s\n", views[i].name, views[i].summary);
	fputs("  gdb-server  serve gdb or LLDB: target remote | corescan gdb-server [EXE] CORE\n",
	      out);
	fputs("  diff      what grew from one look at a program to the next: diff [EXE] OLD NEW\n",
	      out);
	fprintf(out, "A file named like a command is written ./%s.\n\nOptions:", views[0].name);
	fclose(out);
	return help;
}

static const char after_options[] =
    "\vExamples:\n"
    "  corescan ./app core.1234         what happened, in one screen\n"
    "  corescan core.1234               the same: the core names its program\n"
    "  corescan -p 1234                 the same of a running process\n"
    "  corescan leaks --limit 0 core.1234   every group of orphans\n"
    "  corescan waits --json -p 1234 | jq '.deadlocks[].sentence'\n"
    "  corescan waits --dot -p 1234 | dot -Tsvg >waits.svg\n"
    "  corescan --fail-on=deadlock,orphans core.1234\n"
    "\n"
    "Exit status:\n"
    "  0   complete\n"
    "  1   partial: the report lists what could not be examined\n"
    "  2   nothing could be read, or the result could not be written\n"
    "  3   --fail-on found what it names (whether partial or not)\n"
    "  64  wrong command line";

void options_parse(int argc, char **argv, struct options *options)
{
	const struct argp argp = {
		.options = rows,
		.parser = parse_option,
		.args_doc = "[EXE] CORE\n-p PID\nexplain ADDR [EXE] CORE\ndiff [EXE] OLD NEW",
		.doc = after_options,
		.help_filter = help_text,
	};
	size_t count;
	struct parse parse = { .options = options };
	*options = (struct options){ .view = &view_list(&count)[0], .limit = -1, .states = ~0u };
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, &parse);
}
