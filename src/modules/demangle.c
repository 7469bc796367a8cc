/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "modules/demangle.h"

#include <config.h>

#include <bfd.h>
#include <setjmp.h>
#include <string.h>

/* libiberty's demangle.h is not among libbfd's installed headers: these are its flags' values. */
#define DMGL_PARAMS (1 << 0)
#define DMGL_ANSI   (1 << 1)
#define DMGL_AUTO   (1 << 8)

/* Longer names are not worth the time that a hostile one could take. */
#define LINKAGE_MAX	16384
#define NAME_MAX_LENGTH (256 * 1024)

#ifdef HAVE_DEMANGLE_CALLBACKS
typedef void demangle_callback(const char *text, size_t size, void *context);
int cplus_demangle_v3_callback(const char *linkage, int options, demangle_callback *callback,
			       void *context);
int rust_demangle_callback(const char *linkage, int options, demangle_callback *callback,
			   void *context);

struct budget {
	size_t left;
	jmp_buf overrun;
};

static void spend(const char *text, size_t size, void *context)
{
	struct budget *budget = context;
	(void)text;
	if (size > budget->left)
		longjmp(budget->overrun, 1);
	budget->left -= size;
}

/* A name of 200 characters can stand for 2^40 of them, by substitutions of substitutions. These
 * functions hold no memory, so they can be left in the middle. */
static bool is_short_enough(const char *linkage, int options)
{
	struct budget budget = { .left = NAME_MAX_LENGTH };
	if (setjmp(budget.overrun) != 0)
		return false;
	if (rust_demangle_callback(linkage, options, spend, &budget) == 0)
		cplus_demangle_v3_callback(linkage, options, spend, &budget);
	return true;
}
#else
/* Where that cannot be asked, names with more references than this stay mangled. */
#define REFERENCES_MAX 20

static bool is_short_enough(const char *linkage, int options)
{
	size_t references = 0;
	(void)options;
	for (; *linkage != '\0'; linkage++)
		references += *linkage == 'S' || *linkage == 'T' || *linkage == 'B';
	return references <= REFERENCES_MAX;
}
#endif

char *demangle(const char *linkage, bool parameters)
{
	const char *start = linkage + strspn(linkage, "_.$");
	int options = DMGL_ANSI | DMGL_AUTO | (parameters ? DMGL_PARAMS : 0);
	if (start == linkage || (*start != 'Z' && *start != 'R') || strlen(linkage) > LINKAGE_MAX ||
	    !is_short_enough(linkage, options))
		return NULL;
	return bfd_demangle(NULL, linkage, options);
}
