/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/render.h"

#include "cli/messages.h"
#include "report/dot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_USUAL = 80, WIDTH_LEAST = 60, WIDTH_MOST = 400 };

static unsigned output_width(void)
{
	struct winsize window;
	unsigned long width = WIDTH_USUAL;
	const char *columns = getenv("COLUMNS");
	if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 &&
	    window.ws_col > 0)
		width = window.ws_col;
	else if (columns != NULL && *columns != '\0')
		width = strtoul(columns, NULL, 10);
	return width < WIDTH_LEAST  ? WIDTH_LEAST
	       : width > WIDTH_MOST ? WIDTH_MOST
				    : (unsigned)width;
}

static bool output_color(enum color_choice choice)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	if (choice != COLOR_AUTO)
		return choice == COLOR_ALWAYS;
	return isatty(STDOUT_FILENO) && (no_color == NULL || *no_color == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

struct report_style render_style(const struct options *options)
{
	return (struct report_style){
		.color = output_color(options->color),
		.utf8 = locale_is_utf8(),
		.width = output_width(),
		.limit = options->limit,
		.verbose = options->verbose,
		.json = options->json,
		.states = options->states,
	};
}

struct error *render(const struct options *options, const struct findings *findings,
		     bool *reader_gone)
{
	const struct report_style style = render_style(options);
	struct error *error = NULL;
	*reader_gone = false;
	errno = 0;
	if (options->dot)
		error = dot_graph(findings, stdout);
	else if (options->json && options->view->stream == NULL)
		error = report_json(options->view, findings, &style, stdout);
	else
		report_text(options->view, findings, &style, stdout);
	if (error == NULL && (fflush(stdout) != 0 || ferror(stdout))) {
		*reader_gone = errno == EPIPE;
		error = error_os(errno != 0 ? errno : EIO, "cannot write to standard output");
	}
	return error;
}
