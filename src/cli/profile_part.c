/* The command profile: which profile it is, and the file that it is written to.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <config.h>

#include "cli/run_state.h"
#include "report/pprof.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What is alive, in the place of what the runtime did not note. */
static bool find_live(struct run *run, const char *missing)
{
	run_find_goroutines(run);
	if (run->findings.goroutines == NULL || run->go_heap.process == NULL ||
	    !run_part_made(run,
			   profile_live(run->go, &run->goroutines, &run->go_heap, &run->profile),
			   GAP_HEAP, "what is alive was not found"))
		return false;
	run->profile.missing = missing;
	return true;
}

static bool find_heap(struct run *run)
{
	if (!run_part_made(run, go_memory_profile_read(run->go, &run->gaps, &run->memory_profile),
			   GAP_HEAP, "the heap profile was not read"))
		return false;
	if (run->memory_profile.missing != NULL)
		return find_live(run, run->memory_profile.missing);
	return run_part_made(run, profile_heap(run->go, &run->memory_profile, &run->profile),
			     GAP_HEAP, "the heap profile was not made");
}

static bool find_goroutines(struct run *run, bool leaked)
{
	run_find_goroutines(run);
	if (run->findings.goroutines == NULL || (leaked && run->findings.goroutine_leaks == NULL))
		return false;
	return run_part_made(run,
			     profile_goroutines(run->go, &run->goroutines,
						leaked ? &run->goroutine_leaks : NULL,
						&run->profile),
			     GAP_THREAD, "the profile of goroutines was not made");
}

static bool find_kind(struct run *run)
{
	switch (run->options->profile) {
	case PROFILE_LIVE:
		return find_live(run, NULL);
	case PROFILE_GOROUTINES:
		return find_goroutines(run, false);
	case PROFILE_LEAKED:
		return find_goroutines(run, true);
	default:
		return find_heap(run);
	}
}

void run_find_profile(struct run *run)
{
	const char *sample = run->options->sample;
	size_t type;
	if (!run_open_go(run) || !find_kind(run))
		return;
	if (sample != NULL && profile_type_named(run->profile.kind, sample, &type))
		run->profile.type = type;
	else if (sample != NULL)
		gaps_add(&run->gaps, GAP_HEAP, 0, 0, "%s is not known of what is alive", sample);
	if (!run_part_made(run, profile_tabulate(&run->profile, &run->profile_table), GAP_HEAP,
			   "the functions of the profile were not added up"))
		return;
	profile_table_sort(&run->profile_table, run->profile.type, run->options->cumulative);
	run->findings.profile = &run->profile;
	run->findings.profile_table = &run->profile_table;
}

/* --- writing it */

bool run_pprof_is_output(const struct run *run)
{
	return run->options->pprof != NULL && strcmp(run->options->pprof, "-") == 0;
}

/* When the core was written. Of a process: now is as good as never. */
static int64_t time_of(const struct run *run)
{
	struct stat found;
	if (run->options->core == NULL || stat(run->options->core, &found) != 0)
		return 0;
	return (int64_t)found.st_mtim.tv_sec * 1000000000 + found.st_mtim.tv_nsec;
}

static struct error *write_file(const char *path, const struct pprof_file *file)
{
	FILE *out = fopen(path, "wbe");
	if (out == NULL)
		return error_os(errno, "%s", path);
	fwrite(file->bytes, 1, file->size, out);
	bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed)
		return error_os(errno, "%s", path);
	return NULL;
}

struct error *run_write_pprof(struct run *run)
{
	const char *path = run->options->pprof;
	struct pprof_file file = { 0 };
	if (path == NULL)
		return NULL;
	if (run->findings.profile == NULL)
		return error_new(ERROR_NOT_FOUND, "%s was not written: there is no such profile",
				 run_pprof_is_output(run) ? "the profile" : path);
	struct error *error =
	    pprof_encode(&run->profile, "corescan " PACKAGE_VERSION, time_of(run), &file);
	if (error == NULL && !run_pprof_is_output(run))
		error = write_file(path, &file);
	else if (error == NULL && fwrite(file.bytes, 1, file.size, stdout) != file.size)
		error = error_os(errno, "cannot write to standard output");
	if (error == NULL && run_pprof_is_output(run) && fflush(stdout) != 0)
		error = error_os(errno, "cannot write to standard output");
	free(file.bytes);
	return error;
}
