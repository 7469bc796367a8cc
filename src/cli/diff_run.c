/* Each side of a comparison is a document of corescan --json: one that was saved is read, and of a
 * core or a process one is made. Never are two targets open at once.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/diff_run.h"

#include "cli/inputs.h"
#include "cli/messages.h"
#include "cli/render.h"
#include "cli/run_state.h"
#include "report/diff.h"
#include "report/document.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A document of the core or process that the options name. What stands in the way was told. */
static json_t *make_document(const struct options *options)
{
	const struct report_style style = { .limit = 0, .json = true };
	struct run run = { .options = options, .needs = run_needs(options) };
	struct error *error = NULL;
	json_t *document = NULL;
	progress_line_begin(&run.progress, isatty(STDERR_FILENO) != 0);
	if (run_open(&run)) {
		run_make_parts(&run);
		target_resume(run.target);
		run_settle(&run);
		error = report_document(options->view, &run.findings, &style, &document);
		if (error != NULL)
			message(&run.progress, "%s", error->message);
	}
	error_free(error);
	run_end(&run);
	return document;
}

static json_t *load_document(const char *path)
{
	json_t *document = NULL;
	struct error *error = diff_load(path, &document);
	if (error != NULL)
		message(NULL, "%s", error->message);
	error_free(error);
	return document;
}

/* NULL: what stands in the way was told. */
static json_t *document_of(const struct options *options, const char *path)
{
	struct options one = *options;
	one.view = view_for_diff();
	one.core = path;
	if (path == NULL)
		return make_document(&one);
	one.pid = 0;
	one.max_pause_ms = 0;
	one.stop = STOP_IF_NEEDED;
	if (access(path, R_OK) != 0) {
		message(NULL, "%s: %s", path, strerror(errno));
		return NULL;
	}
	return input_kind(path) == INPUT_CORE ? make_document(&one) : load_document(path);
}

static enum exit_status show(const struct options *options, const struct diff *diff)
{
	const struct report_style style = render_style(options);
	struct error *error = NULL;
	errno = 0;
	if (options->json)
		error = diff_json(diff, &style, stdout);
	else
		diff_text(diff, &style, stdout);
	if (error == NULL && fflush(stdout) == 0 && !ferror(stdout))
		return diff_exit_status(diff) == 0 ? EXIT_COMPLETE : EXIT_PARTIAL;
	if (error != NULL)
		message(NULL, "%s", error->message);
	else if (errno != EPIPE)
		message(NULL, "cannot write to standard output: %s", strerror(errno));
	error_free(error);
	return EXIT_NOTHING;
}

enum exit_status diff_run(const struct options *options)
{
	char process[32];
	enum exit_status status = EXIT_NOTHING;
	json_t *documents[DIFF_SIDES] = { NULL };
	const char *names[DIFF_SIDES] = { options->old, options->core };
	struct diff diff;
	snprintf(process, sizeof process, "process %d", (int)options->pid);
	if (options->pid != 0)
		names[DIFF_NEW] = process;
	documents[DIFF_OLD] = document_of(options, options->old);
	if (documents[DIFF_OLD] != NULL)
		documents[DIFF_NEW] = document_of(options, options->core);
	if (documents[DIFF_NEW] != NULL) {
		struct error *error = diff_make(documents, names, &diff);
		if (error == NULL) {
			status = show(options, &diff);
			diff_free(&diff);
		} else {
			message(NULL, "%s", error->message);
		}
		error_free(error);
	}
	json_decref(documents[DIFF_OLD]);
	json_decref(documents[DIFF_NEW]);
	return status;
}
