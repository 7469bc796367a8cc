/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/abort_message.h"

#include <ctype.h>
#include <string.h>

#define ABORT_MESSAGE_MAX 1024

/* __abort_msg points to a mapping of { unsigned size; char text[]; } where size is the mapping's.
 */
const char *modules_abort_message(struct modules *modules, struct target *target)
{
	struct symbol symbol;
	uint64_t message = 0;
	char text[ABORT_MESSAGE_MAX];
	if (target->arch->word_size != 8 ||
	    !modules_symbol_named(modules, NULL, "__abort_msg", &symbol) ||
	    !address_space_u64(target->space, symbol.address, &message) || message == 0 ||
	    !address_space_string(target->space, message + 4, text, sizeof text))
		return NULL;
	size_t length = strlen(text);
	while (length > 0 && isspace((unsigned char)text[length - 1]))
		text[--length] = '\0';
	return length > 0 ? string_pool_add(modules_strings(modules), text) : NULL;
}
