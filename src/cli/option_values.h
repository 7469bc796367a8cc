/* What stands behind an option, read and checked. Each of these ends the program through
 * argp_error, with EXIT_USAGE and one line, for a value that is none.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_CLI_OPTION_VALUES_H
#define CORESCAN_CLI_OPTION_VALUES_H

#include "cli/options.h"

#include <argp.h>

int32_t option_pid(struct argp_state *state, const char *text);
int option_limit(struct argp_state *state, const char *text);
unsigned option_pause(struct argp_state *state, const char *text); /* milliseconds */
enum color_choice option_color(struct argp_state *state, const char *text);
unsigned option_conditions(struct argp_state *state, const char *text); /* enum fail_condition */
unsigned option_states(struct argp_state *state, const char *text);	/* 1 << enum chunk_state */
char *option_directory(struct argp_state *state, const char *option, char *path); /* path */
uint64_t option_address(struct argp_state *state, const char *text);
enum orphan_grouping option_grouping(struct argp_state *state, const char *text);
enum profile_kind option_profile_kind(struct argp_state *state, const char *text);

/* Whether the profile that was asked for has the numbers that --sample names. */
void option_check_sample(struct argp_state *state, const struct options *options);

#endif
