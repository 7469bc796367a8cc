/* pthread_dump CORE|PID: glibc's struct pthreads of a target, as JSON, for the tests that compare
 * them with what programs tell of themselves.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "threads/glibc_pthread.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void must(struct error *error)
{
	if (error == NULL)
		return;
	fprintf(stderr, "pthread_dump: %s\n", error->message);
	exit(2);
}

static json_t *pthread_json(const struct glibc_pthread *pthread)
{
	static const char *const states[] = {
		[GLIBC_STACK_RUNNING] = "running",
		[GLIBC_STACK_EXITED] = "exited",
		[GLIBC_STACK_CACHED] = "cached",
	};
	return json_pack("{s:I,s:i,s:s,s:I,s:I,s:I,s:b,s:I}", "address", pthread->address, "tid",
			 (int)pthread->tid, "state", states[pthread->state], "stack_start",
			 pthread->stack_start, "stack_end", pthread->stack_end, "guard_size",
			 pthread->guard_size, "detached", pthread->detached, "result",
			 pthread->result);
}

int main(int count, char **arguments)
{
	struct gaps gaps = { 0 };
	struct target_options target_options = { 0 };
	struct modules_options modules_options = { .debug_dir = getenv("DEBUG_DIR") };
	struct target *target;
	struct modules *modules;
	struct glibc_pthreads pthreads;
	if (count != 2)
		return 64;
	bool is_pid = strspn(arguments[1], "0123456789") == strlen(arguments[1]);
	must(is_pid ? target_open_live(atoi(arguments[1]), &target_options, &gaps, &target)
		    : target_open_core(arguments[1], &target_options, &gaps, &target));
	must(modules_open(target, &modules_options, &gaps, &modules));
	must(glibc_pthreads_open(target, modules, &gaps, &pthreads));
	json_t *list = json_array();
	for (size_t i = 0; i < pthreads.count; i++)
		json_array_append_new(list, pthread_json(&pthreads.items[i]));
	json_t *document =
	    json_pack("{s:s,s:o}", "evidence", layout_evidence_name(pthreads.layout.evidence),
		      "pthreads", list);
	json_dumpf(document, stdout, JSON_INDENT(1));
	puts("");
	json_decref(document);
	glibc_pthreads_free(&pthreads);
	modules_free(modules);
	target_close(target);
	gaps_free(&gaps);
	return 0;
}
