/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/demangle.h"

#include <config.h>

#include <bfd.h>
#include <string.h>

/* libiberty's demangle.h is not among libbfd's installed headers: these are its flags' values. */
#define DMGL_PARAMS (1 << 0)
#define DMGL_ANSI   (1 << 1)
#define DMGL_AUTO   (1 << 8)

/* Longer names are not worth the time that a hostile one could take. */
#define LINKAGE_MAX 16384

char *demangle(const char *linkage, bool parameters)
{
	const char *start = linkage + strspn(linkage, "_.$");
	bool maybe = start != linkage && (*start == 'Z' || *start == 'R');
	if (!maybe || strlen(linkage) > LINKAGE_MAX)
		return NULL;
	return bfd_demangle(NULL, linkage, DMGL_ANSI | DMGL_AUTO | (parameters ? DMGL_PARAMS : 0));
}
