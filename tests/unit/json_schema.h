/* A validator for the part of JSON Schema draft-07 that share/corescan/report.schema.json uses.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_TESTS_JSON_SCHEMA_H
#define CORESCAN_TESTS_JSON_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

/* Whether `value` is valid by `schema`, a whole schema document. Where not, `why` says which
 * member and which keyword. A keyword that the validator does not know makes it invalid. */
bool json_schema_valid(json_t *schema, json_t *value, char *why, size_t size);

#endif
