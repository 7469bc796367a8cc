/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/option_values.h"

#include "report/chunk_lines.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int32_t option_pid(struct argp_state *state, const char *text)
{
	char *end;
	errno = 0;
	long pid = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || pid <= 0 || pid > INT32_MAX)
		argp_error(state, "-p wants a process id, not '%s'", text);
	return (int32_t)pid;
}

int option_limit(struct argp_state *state, const char *text)
{
	char *end;
	errno = 0;
	long limit = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || limit < 0 || limit > INT_MAX)
		argp_error(state, "--limit wants a number of rows (0: all), not '%s'", text);
	return (int)limit;
}

unsigned option_pause(struct argp_state *state, const char *text)
{
	char *end;
	errno = 0;
	long pause = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || pause <= 0 || pause > INT_MAX)
		argp_error(state, "--max-pause wants a number of milliseconds, not '%s'", text);
	return (unsigned)pause;
}

enum color_choice option_color(struct argp_state *state, const char *text)
{
	if (strcmp(text, "auto") == 0)
		return COLOR_AUTO;
	if (strcmp(text, "always") == 0)
		return COLOR_ALWAYS;
	if (strcmp(text, "never") != 0)
		argp_error(state, "--color wants auto, always or never, not '%s'", text);
	return COLOR_NEVER;
}

unsigned option_conditions(struct argp_state *state, const char *text)
{
	static const struct {
		const char *name;
		unsigned condition;
	} names[] = { { "deadlock", FAIL_ON_DEADLOCK },
		      { "orphans", FAIL_ON_ORPHANS },
		      { "corruption", FAIL_ON_CORRUPTION } };
	unsigned conditions = 0;
	for (const char *at = text; *at != '\0';) {
		size_t length = strcspn(at, ",");
		unsigned condition = 0;
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			if (length == strlen(names[i].name) &&
			    strncmp(at, names[i].name, length) == 0)
				condition = names[i].condition;
		if (condition == 0)
			argp_error(state,
				   "--fail-on knows deadlock, orphans and corruption, not '%.*s'",
				   (int)length, at);
		conditions |= condition;
		at += length;
		if (*at == ',')
			at++;
	}
	if (conditions == 0)
		argp_error(state, "--fail-on wants deadlock, orphans or corruption, or several "
				  "with commas");
	return conditions;
}

unsigned option_states(struct argp_state *state, const char *text)
{
	unsigned states = 0;
	if (!chunk_states_parse(text, &states))
		argp_error(state, "--state knows free, reachable, possible and orphaned, not '%s'",
			   text);
	return states;
}

/* A directory that is misspelt would look like one that lacks the files. */
char *option_directory(struct argp_state *state, const char *option, char *path)
{
	struct stat found;
	if (stat(path, &found) != 0)
		argp_error(state, "%s: '%s': %s", option, path, strerror(errno));
	else if (!S_ISDIR(found.st_mode))
		argp_error(state, "%s: '%s' is not a directory", option, path);
	return path;
}

/* Decimal, or hexadecimal with 0x in front. */
uint64_t option_address(struct argp_state *state, const char *text)
{
	char *end;
	const bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = text + (hexadecimal ? 2 : 0);
	errno = 0;
	unsigned long long address = strtoull(digits, &end, hexadecimal ? 16 : 10);
	if (!isxdigit((unsigned char)digits[0]) || errno != 0 || end == digits || *end != '\0' ||
	    (hexadecimal && (digits[1] == 'x' || digits[1] == 'X')))
		argp_error(state, "explain wants an address, 0x… or decimal, not '%s'", text);
	return address;
}

enum orphan_grouping option_grouping(struct argp_state *state, const char *text)
{
	if (strcmp(text, "size") == 0)
		return GROUP_BY_SIZE;
	if (strcmp(text, "type") == 0)
		return GROUP_BY_TYPE;
	if (strcmp(text, "shape") != 0)
		argp_error(state, "--group wants size, type or shape, not '%s'", text);
	return GROUP_BY_SHAPE;
}

enum profile_kind option_profile_kind(struct argp_state *state, const char *text)
{
	enum profile_kind kind = PROFILE_HEAP;
	if (!profile_kind_named(text, &kind))
		argp_error(state, "--type wants heap, live, goroutine or leaked, not '%s'", text);
	return kind;
}

void option_check_sample(struct argp_state *state, const struct options *options)
{
	size_t type;
	const struct profile_form *form = profile_form(options->profile);
	char names[160] = "";
	if (options->sample == NULL || profile_type_named(options->profile, options->sample, &type))
		return;
	for (size_t i = 0, length = 0; i < form->type_count && length < sizeof names; i++)
		length += (size_t)snprintf(names + length, sizeof names - length, "%s%s",
					   i == 0 ? "" : ", ", form->types[i].name);
	argp_error(state, "--sample: a profile of type %s has %s, and no '%s'", form->name, names,
		   options->sample);
}
