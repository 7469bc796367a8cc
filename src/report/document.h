/* The JSON document of a view, before it is written.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_REPORT_DOCUMENT_H
#define CORESCAN_REPORT_DOCUMENT_H

#include "report/report.h"

#include <jansson.h>

/* The caller's to json_decref. ERROR_NO_MEMORY. */
struct error *report_document(const struct view *view, const struct findings *findings,
			      const struct report_style *style, json_t **document);

/* All that can be compared with another look at the program: no command of its own. */
const struct view *view_for_diff(void);

#endif
