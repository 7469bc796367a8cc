/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/serve.h"

#include "cli/messages.h"
#include "cli/run_state.h"
#include "gdbserver/gdbserver.h"
#include "gdbserver/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What all answers begin with. */
struct served {
	struct run run;
	unsigned made; /* the parts that do not depend on whether the heap was walked */
	size_t gaps;   /* that were known after them */
};

/* --- answers to monitor commands */

enum { WORDS_MAX = 64 };

static void list_commands(void)
{
	size_t count;
	const struct view *views = view_list(&count);
	for (size_t i = 0; i < count; i++)
		printf("monitor %-9s  %s\n", views[i].name, views[i].summary);
	puts("The options are those of corescan: monitor --help.");
}

/* In a process of its own: whatever befalls it, the server goes on. The target and its threads are
 * as they were opened; the rest is made as it is without a server. */
static enum exit_status answer(struct served *served, char *command)
{
	char name[] = "corescan", option[] = "--from-server";
	char *words[WORDS_MAX + 1] = { name, option };
	int count = 2;
	struct options options;
	struct run *run = &served->run;
	for (char *word = strtok(command, " \t"); word != NULL && count < WORDS_MAX;
	     word = strtok(NULL, " \t"))
		words[count++] = word;
	if (count == 3 && strcmp(words[2], "help") == 0) {
		list_commands();
		return EXIT_COMPLETE;
	}
	options_parse(count, words, &options);
	options.core = run->options->core;
	options.exe = run->options->exe;
	options.pid = run->options->pid;
	options.sysroot = run->options->sysroot;
	run->options = &options;
	run->needs = run_needs(&options);
	run->made = served->made;
	if ((run->needs & NEED_THREADS) == 0) { /* nothing is to be told of them */
		run->made = 0;
		run->subject.threads = NULL;
		run->subject.pthreads = NULL;
		run->findings.stacks = NULL;
		run->findings.crash = NULL;
	}
	while (run->gaps.list.count > served->gaps)
		free(run->gaps.list.items[--run->gaps.list.count].text);
	run->waits = (struct waits){ 0 };
	run->findings.waits = NULL;
	run_make_parts(run);
	return run_show(run);
}

/* The descriptors that belong to the debugger's connection are not the child's. */
static void become_answer(struct served *served, char *command, int output)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	signal(SIGINT, SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	const enum exit_status status = answer(served, command);
	fflush(stdout);
	_exit(status);
}

static struct error *ask(void *context, const char *command, int *output, pid_t *child)
{
	struct served *served = context;
	int ends[2];
	char *words = strdup(command);
	if (words == NULL)
		return error_no_memory();
	if (pipe2(ends, O_CLOEXEC) != 0) {
		free(words);
		return error_os(errno, "no pipe could be made");
	}
	*child = fork();
	if (*child == 0)
		become_answer(served, words, ends[1]);
	const int number = errno;
	free(words);
	close(ends[1]);
	if (*child > 0) {
		*output = ends[0];
		return NULL;
	}
	close(ends[0]);
	return error_os(number, "no process could be made for the answer");
}

/* --- the server */

/* What a debugger may come to ask for: of a live process all of it is copied, and it runs on. */
#define NEED_EVERYTHING (NEED_THREADS | NEED_WAITS | NEED_HEAP | NEED_REACHABILITY)

static struct error *serve_here(const struct gdbserver *server)
{
	return gdbserver_serve(server, STDIN_FILENO, STDOUT_FILENO);
}

/* A core is served to one debugger after the other; a process runs on when the first one leaves. */
static struct error *serve_there(struct run *run, const struct gdbserver *server)
{
	const char *address = run->options->listen;
	char name[LISTEN_NAME_MAX];
	int fd, connection;
	struct error *error = listen_begin(address, &fd, name);
	if (error != NULL)
		return error;
	do {
		message(&run->progress, "listening: (gdb) target remote %s", name);
		error = listen_accept(fd, &connection);
		if (error != NULL)
			break;
		error = gdbserver_serve(server, connection, connection);
		close(connection);
		if (error != NULL && error->code == ERROR_OS) {
			message(&run->progress, "%s", error->message);
			error_free(error);
			error = NULL;
		}
	} while (error == NULL && run->options->core != NULL);
	listen_end(address, fd);
	return error;
}

/* What the debugger is told of a thread rests on these. */
static void make_parts(struct served *served)
{
	struct run *run = &served->run;
	run->needs = NEED_THREADS;
	run_make_parts(run);
	served->made = run->made;
	served->gaps = run->gaps.list.count;
	run->needs = NEED_THREADS | NEED_WAITS;
	run_make_parts(run);
}

/* How often a debugger is told to wait for the core to be opened. */
#define WAIT_US 500000

/* gdb gives up on a server that says nothing for some seconds, and a large core takes longer to be
 * unpacked. Acknowledgements mean nothing to it while it waits for an answer, but begin its time
 * anew. Returns the process that sends them, or -1. */
static pid_t have_debugger_wait(void)
{
	const pid_t parent = getpid(), child = fork();
	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	while (getppid() == parent && write(STDOUT_FILENO, "+", 1) == 1)
		usleep(WAIT_US);
	_exit(EXIT_COMPLETE);
}

static void let_debugger_go_on(pid_t waiter)
{
	if (waiter <= 0)
		return;
	kill(waiter, SIGKILL);
	while (waitpid(waiter, NULL, 0) < 0 && errno == EINTR)
		;
}

static bool open_for_debugger(struct served *served)
{
	const pid_t waiter = served->run.options->listen == NULL ? have_debugger_wait() : -1;
	const bool opened = run_open(&served->run);
	if (opened)
		make_parts(served);
	let_debugger_go_on(waiter);
	return opened;
}

static void tell_gaps(struct run *run)
{
	for (size_t i = 0; i < run->gaps.list.count; i++)
		message(&run->progress, "not examined: %s", run->gaps.list.items[i].text);
}

enum exit_status serve(const struct options *options)
{
	struct served served = { .run = { .options = options,
					  .needs = NEED_THREADS | NEED_WAITS } };
	struct run *run = &served.run;
	enum exit_status status = EXIT_NOTHING;
	progress_line_begin(&run->progress, false);
	if (open_for_debugger(&served)) {
		tell_gaps(run);
		const struct gdbserver server = {
			.subject = &run->subject,
			.waits = run->findings.waits,
			.ask = ask,
			.context = &served,
		};
		struct error *error =
		    options->listen != NULL ? serve_there(run, &server) : serve_here(&server);
		status = error == NULL ? EXIT_COMPLETE : EXIT_NOTHING;
		if (error != NULL)
			message(&run->progress, "%s", error->message);
		error_free(error);
	}
	run_end(run);
	return status;
}
