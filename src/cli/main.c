/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/diff_run.h"
#include "cli/inputs.h"
#include "cli/messages.h"
#include "cli/run.h"
#include "cli/serve.h"
#include "gdb/command_file.h"

#include <locale.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A mapped file that shrinks under its reader raises SIGBUS with BUS_ADRERR (mmap(2)). What the
 * report would rest on is then gone. A process that is held stopped runs on: the kernel lets go of
 * it with us. */
static void end_for_lost_file(int number, siginfo_t *information, void *context)
{
	static const char text[] =
	    "corescan: the core, or a program's file, became shorter while it was read: "
	    "wait until it is whole, or look at a copy\n";
	(void)context;
	if (information->si_code != BUS_ADRERR) {
		signal(number, SIG_DFL); /* the fault repeats, and ends us */
		return;
	}
	const ssize_t written = write(STDERR_FILENO, text, strlen(text));
	(void)written; /* the exit status tells as much */
	_exit(EXIT_NOTHING);
}

static void handle_lost_files(void)
{
	struct sigaction action = { .sa_sigaction = end_for_lost_file, .sa_flags = SA_SIGINFO };
	sigaction(SIGBUS, &action, NULL);
}

static int print_gdb_commands(const char *program)
{
	command_file_write(program, stdout);
	return fflush(stdout) != 0 || ferror(stdout) ? EXIT_NOTHING : EXIT_COMPLETE;
}

static int run_from_gdb(struct options *options)
{
	struct gdb_session session = { 0 };
	int status = EXIT_NOTHING;
	struct error *error = inputs_from_gdb(options, &session);
	if (error == NULL && (options->view->needs & NEED_EXPLANATION) != 0 &&
	    !session.has_address) {
		message(NULL, "the expression comes first: corescan explain EXPRESSION [OPTIONS]");
		status = EXIT_USAGE;
	} else if (error == NULL)
		status = run(options);
	else if (error->message[0] != '\0') /* else gdb itself has said what is wrong */
		message(NULL, "%s", error->message);
	error_free(error);
	gdb_session_end(&session);
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	setlocale(LC_CTYPE, "");
	/* A reader that went away is then an error of the write, which is looked at. */
	signal(SIGPIPE, SIG_IGN);
	handle_lost_files();
	options_parse(argc, argv, &options);
	if (options.gdb_commands != NULL)
		return print_gdb_commands(options.gdb_commands);
	if (options.from_gdb)
		return run_from_gdb(&options);
	if (options.compare)
		return diff_run(&options);
	if (inputs_settle(&options))
		message(NULL, "%s is the core file: read as corescan %s %s", options.core,
			options.exe, options.core);
	return options.serve ? serve(&options) : run(&options);
}
