/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/json_parts.h"

void json_report(struct json_document *document)
{
	json_waits(document);
	json_leaks(document);
	json_go(document);
	json_modules(document);
}
