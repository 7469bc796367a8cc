/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/exception.h"

#include "analysis/content_text.h"
#include "modules/tls.h"

#include <stdio.h>
#include <string.h>

#define TLS_MAX	   4096 /* bytes of a block that are looked at */
#define NAME_SIZE  512
#define TEXT_SIZE  256
#define TEXT_SHOWN 80

/* struct __cxa_exception on 64-bit architectures. */
enum { EXCEPTION_TYPE = 0, EXCEPTION_CLASS = 80, EXCEPTION_OBJECT = 112 };
enum { TYPE_NAME = 8 };
enum { OBJECT_TEXT = 8 };

/* "GNUCC++\0" as a number: an exception that was thrown, not one that another leads to. */
#define CLASS_PRIMARY UINT64_C(0x474e5543432b2b00)

/* Standard exceptions whose first member is their text. */
static const char *const with_text[] = {
	"std::runtime_error",	"std::logic_error",  "std::invalid_argument", "std::out_of_range",
	"std::length_error",	"std::domain_error", "std::range_error",      "std::overflow_error",
	"std::underflow_error", "std::system_error",
};

static const char *type_name(const struct subject *subject, uint64_t type)
{
	static const char prefix[] = "typeinfo name for ";
	struct address_space *space = subject->target->space;
	char mangled[NAME_SIZE] = "_ZTS";
	uint64_t name;
	if (!address_space_u64(space, type + TYPE_NAME, &name) ||
	    !address_space_string(space, name, mangled + 4, sizeof mangled - 4))
		return NULL;
	if (mangled[4] == '*') /* of a type that is known in one module only */
		memmove(mangled + 4, mangled + 5, strlen(mangled + 5) + 1);
	const char *words = modules_demangle(subject->modules, mangled);
	if (words == NULL || strncmp(words, prefix, sizeof prefix - 1) != 0)
		return NULL;
	return words + sizeof prefix - 1;
}

static bool has_text(const char *name)
{
	for (size_t i = 0; i < sizeof with_text / sizeof *with_text; i++)
		if (strcmp(with_text[i], name) == 0)
			return true;
	return false;
}

/* The text is a NUL-terminated string that the object's first member points to. */
static const char *describe(const struct subject *subject, const char *name, uint64_t object)
{
	struct address_space *space = subject->target->space;
	struct words words = { 0 };
	char text[TEXT_SIZE];
	uint64_t at;
	words_add(&words, "%s", name);
	if (has_text(name) && address_space_u64(space, object + OBJECT_TEXT, &at) &&
	    address_space_string(space, at, text, sizeof text) && text[0] != '\0') {
		words_add(&words, " ");
		content_add_quoted(&words, (const uint8_t *)text, strlen(text), TEXT_SHOWN, false);
	}
	return string_pool_add(modules_strings(subject->modules), words.text);
}

/* The exception whose header is at `header`; NULL: there is none. */
static const char *exception_at(const struct subject *subject, uint64_t header)
{
	struct address_space *space = subject->target->space;
	uint64_t class, type;
	if (header == 0 || header % 8 != 0 || header > UINT64_MAX - EXCEPTION_OBJECT ||
	    !address_space_u64(space, header + EXCEPTION_CLASS, &class) || class != CLASS_PRIMARY ||
	    !address_space_u64(space, header + EXCEPTION_TYPE, &type))
		return NULL;
	const char *name = type_name(subject, type);
	return name != NULL ? describe(subject, name, header + EXCEPTION_OBJECT) : NULL;
}

/* __cxa_eh_globals is a local symbol: the header's class tells the word that leads to it. */
static const char *exception_in(const struct subject *subject, uint64_t block, uint64_t size)
{
	const char *found = NULL;
	uint64_t header;
	for (uint64_t at = 0; at + 8 <= size && at < TLS_MAX && found == NULL; at += 8)
		if (address_space_u64(subject->target->space, block + at, &header))
			found = exception_at(subject, header);
	return found;
}

const char *exception_of(const struct subject *subject, const struct thread *thread)
{
	struct tls_layout layout = { .evidence = LAYOUT_NONE };
	const char *found = NULL;
	size_t count;
	if (subject->target->arch->word_size != 8 || thread->thread_pointer == 0)
		return NULL;
	tls_layout_find(subject->modules, &layout);
	const struct module *modules = modules_list(subject->modules, &count);
	for (size_t i = 0; i < count && found == NULL; i++) {
		uint64_t size = modules_image(subject->modules, &modules[i])->tls_size, block;
		if (size != 0 && tls_block(subject->modules, &layout, &modules[i],
					   thread->thread_pointer, &block))
			found = exception_in(subject, block, size);
	}
	return found;
}
