/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/variables/value.h"

#include "analysis/content_text.h"
#include "analysis/describe.h"
#include "analysis/variables/numbers.h"
#include "modules/type_die.h"

#include <dwarf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TYPE_DEPTH_MAX	  16
#define STRING_CHARACTERS 64
#define ELEMENTS_SHOWN	  8
#define MEMBERS_SHOWN	  12
#define MEMBERS_MAX	  4096 /* looked at: more is no type */

/* --- types */

static void type_words(Dwarf_Die *type, unsigned depth, struct words *words);

static void referred_words(Dwarf_Die *die, unsigned depth, struct words *words)
{
	Dwarf_Attribute attribute;
	Dwarf_Die type;
	if (dwarf_attr_integrate(die, DW_AT_type, &attribute) == NULL)
		words_add(words, "void");
	else if (dwarf_formref_die(&attribute, &type) != NULL)
		type_words(&type, depth + 1, words);
}

static void array_words(Dwarf_Die *type, unsigned depth, struct words *words)
{
	uint64_t count;
	referred_words(type, depth, words);
	if (type_element_count(type, &count))
		words_add(words, "[%" PRIu64 "]", count);
	else
		words_add(words, "[]");
}

static void type_words(Dwarf_Die *type, unsigned depth, struct words *words)
{
	const char *name = dwarf_diename(type);
	if (depth > TYPE_DEPTH_MAX)
		return;
	switch (dwarf_tag(type)) {
	case DW_TAG_pointer_type:
		referred_words(type, depth, words);
		if (words->length > 0 && words->text[words->length - 1] != '*')
			words_add(words, " ");
		words_add(words, "*");
		break;
	case DW_TAG_reference_type:
		referred_words(type, depth, words);
		words_add(words, " &");
		break;
	case DW_TAG_rvalue_reference_type:
		referred_words(type, depth, words);
		words_add(words, " &&");
		break;
	case DW_TAG_const_type:
		words_add(words, "const ");
		referred_words(type, depth, words);
		break;
	case DW_TAG_volatile_type:
		words_add(words, "volatile ");
		referred_words(type, depth, words);
		break;
	case DW_TAG_atomic_type:
	case DW_TAG_restrict_type:
		referred_words(type, depth, words);
		break;
	case DW_TAG_array_type:
		array_words(type, depth, words);
		break;
	case DW_TAG_subroutine_type:
		referred_words(type, depth, words);
		words_add(words, " ()");
		break;
	default:
		words_add(words, "%s", name != NULL ? name : "(unnamed)");
	}
}

void value_type_words(Dwarf_Die *die, struct words *words)
{
	referred_words(die, 0, words);
}

static unsigned encoding_of(Dwarf_Die *type)
{
	Dwarf_Attribute attribute;
	Dwarf_Word encoding;
	if (dwarf_tag(type) != DW_TAG_base_type ||
	    dwarf_formudata(dwarf_attr_integrate(type, DW_AT_encoding, &attribute), &encoding) != 0)
		return 0;
	return (unsigned)encoding;
}

static bool is_character(Dwarf_Die *type)
{
	const unsigned encoding = encoding_of(type);
	return type_size(type) == 1 && (encoding == DW_ATE_signed_char ||
					encoding == DW_ATE_unsigned_char || encoding == DW_ATE_UTF);
}

/* --- strings */

/* What a char * points to. Nothing where that is no memory. */
static void add_string_at(const struct value *value, uint64_t address, uint64_t size,
			  struct words *words)
{
	uint8_t bytes[4 * STRING_CHARACTERS + 1];
	size_t count = 0;
	const uint64_t most = size < sizeof bytes ? size : sizeof bytes;
	while (count < most &&
	       address_space_probe(value->place->space, address + count, &bytes[count], 1) &&
	       bytes[count] != 0)
		count++;
	if (count == 0 && most > 0 && !address_space_probe(value->place->space, address, bytes, 1))
		return;
	words_add(words, " ");
	content_add_quoted(words, bytes, count, STRING_CHARACTERS,
			   size > sizeof bytes && count == sizeof bytes);
}

/* --- pointers */

static void add_place(const struct value *value, uint64_t address, struct words *words)
{
	struct place place;
	describe_address(value->subject, address, &place);
	const char *told = describe_place(value->subject, &place);
	words_add(words, told[0] == '<' ? " %s" : " (%s)", told);
}

static enum location_outcome read_number(const struct value *value, unsigned size, uint64_t *number)
{
	uint8_t bytes[8];
	if (size == 0 || size > sizeof bytes)
		return LOCATION_NOT_EVALUATED;
	enum location_outcome outcome =
	    location_read(value->place, value->location, value->offset, bytes, size);
	if (outcome == LOCATION_FOUND)
		*number = number_decode(value->place->arch, bytes, size);
	return outcome;
}

static enum location_outcome pointer_words(const struct value *value, Dwarf_Die *type,
					   struct words *words)
{
	Dwarf_Die to;
	uint64_t address;
	enum location_outcome outcome = read_number(value, value->place->arch->word_size, &address);
	if (outcome != LOCATION_FOUND)
		return outcome;
	if (address == 0) {
		words_add(words, "NULL");
		return LOCATION_FOUND;
	}
	words_add(words, "0x%" PRIx64, address);
	if (type_of_die(type, &to) && is_character(&to) &&
	    address_space_find(value->place->space, address) != NULL)
		add_string_at(value, address, UINT64_MAX, words);
	else
		add_place(value, address, words);
	return LOCATION_FOUND;
}

/* A reference is an address, too; what it refers to is told. */
static enum location_outcome reference_words(const struct value *value, Dwarf_Die *type,
					     struct words *words)
{
	struct location location = { .count = 1 };
	struct value referred = *value;
	struct words inner = { 0 };
	uint64_t address;
	enum location_outcome outcome = read_number(value, value->place->arch->word_size, &address);
	if (outcome != LOCATION_FOUND)
		return outcome;
	words_add(words, "@0x%" PRIx64, address);
	location.pieces[0] = (struct location_piece){ .kind = LOCATION_MEMORY, .number = address };
	referred.location = &location;
	referred.offset = 0;
	referred.depth++;
	if (referred.depth > 2 || !type_of_die(type, &referred.type) ||
	    value_words(&referred, &inner) != LOCATION_FOUND)
		add_place(value, address, words);
	else
		words_add(words, ": %s", inner.text);
	return LOCATION_FOUND;
}

/* --- enumerations */

static bool enumerator_is(Dwarf_Die *enumerator, uint64_t number, unsigned size)
{
	Dwarf_Attribute attribute;
	Dwarf_Sword told_signed;
	Dwarf_Word told;
	if (dwarf_tag(enumerator) != DW_TAG_enumerator ||
	    dwarf_attr(enumerator, DW_AT_const_value, &attribute) == NULL)
		return false;
	if (dwarf_whatform(&attribute) == DW_FORM_sdata &&
	    dwarf_formsdata(&attribute, &told_signed) == 0)
		told = (Dwarf_Word)told_signed;
	else if (dwarf_formudata(&attribute, &told) != 0)
		return false;
	return number_low(told, size) == number;
}

static enum location_outcome enumeration_words(const struct value *value, Dwarf_Die *type,
					       struct words *words)
{
	Dwarf_Die child;
	uint64_t number;
	const unsigned size = (unsigned)type_size(type);
	enum location_outcome outcome = read_number(value, size, &number);
	if (outcome != LOCATION_FOUND)
		return outcome;
	unsigned seen = 0;
	if (dwarf_child(type, &child) == 0) {
		do {
			if (!enumerator_is(&child, number, size))
				continue;
			words_add(words, "%s", dwarf_diename(&child));
			return LOCATION_FOUND;
		} while (++seen < MEMBERS_MAX && dwarf_siblingof(&child, &child) == 0);
	}
	words_add(words, "%" PRIu64 " (none of its names)", number);
	return LOCATION_FOUND;
}

/* --- arrays */

static enum location_outcome characters_words(const struct value *value, uint64_t count,
					      struct words *words)
{
	uint8_t bytes[4 * STRING_CHARACTERS];
	const size_t size = count < sizeof bytes ? (size_t)count : sizeof bytes;
	enum location_outcome outcome =
	    location_read(value->place, value->location, value->offset, bytes, size);
	if (outcome == LOCATION_FOUND)
		content_add_quoted(words, bytes, size, STRING_CHARACTERS,
				   count > size && memchr(bytes, 0, size) == NULL);
	return outcome;
}

/* Something within `value`: "(optimized out)" in its own place where it cannot be told. */
static void add_part(const struct value *part, struct words *words)
{
	struct words inner = { 0 };
	enum location_outcome outcome = value_words(part, &inner);
	if (outcome == LOCATION_FOUND)
		words_add(words, "%s", inner.text);
	else
		words_add(words, "(%s)", location_outcome_words(outcome));
}

static enum location_outcome list_words(const struct value *value, Dwarf_Die *element,
					uint64_t count, struct words *words)
{
	const uint64_t size = type_size(element);
	struct value part = *value;
	uint8_t byte;
	if (size == 0 || count == 0) {
		words_add(words, count == 0 ? "{}" : "{…}");
		return LOCATION_FOUND;
	}
	/* When its first byte cannot be had, the whole is not known. */
	enum location_outcome outcome =
	    location_read(value->place, value->location, value->offset, &byte, 1);
	if (outcome != LOCATION_FOUND)
		return outcome;
	part.type = *element;
	part.depth++;
	words_add(words, "{");
	for (uint64_t i = 0; i < count && i < ELEMENTS_SHOWN; i++) {
		part.offset = value->offset + i * size;
		words_add(words, i == 0 ? "" : ", ");
		add_part(&part, words);
	}
	if (count > ELEMENTS_SHOWN)
		words_add(words, ", … %" PRIu64 " elements", count);
	words_add(words, "}");
	return LOCATION_FOUND;
}

static enum location_outcome array_value_words(const struct value *value, Dwarf_Die *type,
					       struct words *words)
{
	Dwarf_Die element;
	uint64_t count;
	if (!type_of_die(type, &element) || !type_element_count(type, &count))
		return LOCATION_NOT_EVALUATED;
	if (is_character(&element))
		return characters_words(value, count, words);
	if (value->depth > 1) {
		words_add(words, "{…}");
		return LOCATION_FOUND;
	}
	return list_words(value, &element, count, words);
}

/* --- structs */

static bool find_member(Dwarf_Die *type, const char *name, Dwarf_Die *member)
{
	unsigned seen = 0;
	if (dwarf_child(type, member) != 0)
		return false;
	do {
		const char *own = dwarf_diename(member);
		if (dwarf_tag(member) == DW_TAG_member && own != NULL && strcmp(own, name) == 0)
			return true;
	} while (++seen < MEMBERS_MAX && dwarf_siblingof(member, member) == 0);
	return false;
}

/* libstdc++'s std::string, by its members: its bytes in quotes. */
static bool string_words(const struct value *value, Dwarf_Die *type, struct words *words)
{
	Dwarf_Die holder, holder_type, pointer, length;
	uint64_t holder_offset, pointer_offset, length_offset, address, size;
	struct value part = *value;
	struct words quoted = { 0 };
	const char *name = dwarf_diename(type);
	if (name == NULL || strncmp(name, "basic_string<char,", 18) != 0 ||
	    !find_member(type, "_M_dataplus", &holder) || !type_of_die(&holder, &holder_type) ||
	    !find_member(&holder_type, "_M_p", &pointer) ||
	    !find_member(type, "_M_string_length", &length) ||
	    !type_member_offset(&holder, &holder_offset) ||
	    !type_member_offset(&pointer, &pointer_offset) ||
	    !type_member_offset(&length, &length_offset))
		return false;
	const unsigned word = value->place->arch->word_size;
	part.offset = value->offset + holder_offset + pointer_offset;
	if (read_number(&part, word, &address) != LOCATION_FOUND)
		return false;
	part.offset = value->offset + length_offset;
	if (read_number(&part, word, &size) != LOCATION_FOUND)
		return false;
	if (size > 0)
		add_string_at(value, address, size, &quoted);
	else
		words_add(&quoted, " \"\"");
	if (quoted.length == 0)
		return false;
	words_add(words, "%s", quoted.text + 1);
	return true;
}

/* A member of some bits. */
static enum location_outcome bits_words(const struct value *value, Dwarf_Die *member, uint64_t base,
					struct words *words)
{
	Dwarf_Attribute attribute;
	Dwarf_Word size, offset;
	Dwarf_Die type;
	uint8_t bytes[9] = { 0 };
	if (value->place->arch->elf_data == 2 || !type_of_die(member, &type) ||
	    dwarf_formudata(dwarf_attr(member, DW_AT_bit_size, &attribute), &size) != 0 ||
	    dwarf_formudata(dwarf_attr(member, DW_AT_data_bit_offset, &attribute), &offset) != 0 ||
	    size == 0 || size > 64 || offset > UINT64_MAX / 2)
		return LOCATION_NOT_EVALUATED;
	const unsigned shift = offset % 8;
	const size_t count = (size_t)(shift + size + 7) / 8;
	enum location_outcome outcome =
	    location_read(value->place, value->location, base + offset / 8, bytes, count);
	if (outcome != LOCATION_FOUND)
		return outcome;
	uint64_t number = number_decode(value->place->arch, bytes, 8) >> shift;
	if (shift > 0)
		number |= (uint64_t)bytes[8] << (64 - shift);
	if (size < 64)
		number &= ((uint64_t)1 << size) - 1;
	number_words(&type, encoding_of(&type), number, (unsigned)size, words);
	return LOCATION_FOUND;
}

static void add_member(const struct value *value, Dwarf_Die *member, struct words *words)
{
	struct value part = *value;
	struct words inner = { 0 };
	Dwarf_Attribute attribute;
	uint64_t offset;
	const char *name = dwarf_diename(member);
	if (dwarf_tag(member) == DW_TAG_inheritance)
		words_add(words, "<base> = ");
	else if (name != NULL)
		words_add(words, "%s = ", name);
	if (dwarf_hasattr(member, DW_AT_bit_size)) {
		enum location_outcome outcome = bits_words(value, member, value->offset, &inner);
		if (outcome != LOCATION_FOUND)
			words_add(&inner, "(%s)", location_outcome_words(outcome));
		words_add(words, "%s", inner.text);
		return;
	}
	part.depth++;
	if (dwarf_attr(member, DW_AT_type, &attribute) == NULL ||
	    dwarf_formref_die(&attribute, &part.type) == NULL ||
	    dwarf_hasattr(member, DW_AT_virtuality) || !type_member_offset(member, &offset)) {
		words_add(words, "(%s)", location_outcome_words(LOCATION_NOT_EVALUATED));
		return;
	}
	part.offset = value->offset + offset;
	add_part(&part, words);
}

/* Members that lie in each object: not static ones, which are declarations. */
static bool is_own_member(Dwarf_Die *child)
{
	const int tag = dwarf_tag(child);
	return tag == DW_TAG_inheritance ||
	       (tag == DW_TAG_member && !dwarf_hasattr(child, DW_AT_external) &&
		!dwarf_hasattr(child, DW_AT_declaration));
}

static enum location_outcome struct_words(const struct value *value, Dwarf_Die *type,
					  struct words *words)
{
	Dwarf_Die child;
	unsigned seen = 0, shown = 0;
	uint8_t byte;
	if (string_words(value, type, words))
		return LOCATION_FOUND;
	if (dwarf_hasattr(type, DW_AT_declaration))
		return LOCATION_NOT_EVALUATED;
	if (value->depth > 0) {
		words_add(words, "{…}");
		return LOCATION_FOUND;
	}
	if (value->location->count == 1 && type_size(type) > 0) {
		enum location_outcome outcome =
		    location_read(value->place, value->location, value->offset, &byte, 1);
		if (outcome != LOCATION_FOUND)
			return outcome;
	}
	words_add(words, "{");
	if (dwarf_child(type, &child) == 0) {
		do {
			if (!is_own_member(&child))
				continue;
			if (shown++ == MEMBERS_SHOWN) {
				words_add(words, ", …");
				break;
			}
			words_add(words, shown == 1 ? "" : ", ");
			add_member(value, &child, words);
		} while (++seen < MEMBERS_MAX && dwarf_siblingof(&child, &child) == 0);
	}
	words_add(words, "}");
	return LOCATION_FOUND;
}

/* --- any */

static enum location_outcome base_words(const struct value *value, Dwarf_Die *type,
					struct words *words)
{
	uint8_t bytes[16];
	uint64_t number;
	const uint64_t size = type_size(type);
	const unsigned encoding = encoding_of(type);
	if (size == 0 || size > sizeof bytes)
		return LOCATION_NOT_EVALUATED;
	if (encoding == DW_ATE_float || size > 8) {
		enum location_outcome outcome =
		    location_read(value->place, value->location, value->offset, bytes, size);
		if (outcome != LOCATION_FOUND)
			return outcome;
		return encoding == DW_ATE_float &&
			       float_words(value->place->arch, bytes, (unsigned)size, words)
			   ? LOCATION_FOUND
			   : LOCATION_NOT_EVALUATED;
	}
	enum location_outcome outcome = read_number(value, (unsigned)size, &number);
	if (outcome != LOCATION_FOUND)
		return outcome;
	return number_words(type, encoding, number, (unsigned)size * 8, words)
		   ? LOCATION_FOUND
		   : LOCATION_NOT_EVALUATED;
}

/* `value`'s type without typedefs and qualifiers. */
static bool plain_type(const struct value *value, Dwarf_Die *type)
{
	Dwarf_Die given = value->type;
	const int tag = dwarf_tag(&given);
	*type = given;
	if (tag != DW_TAG_typedef && tag != DW_TAG_const_type && tag != DW_TAG_volatile_type &&
	    tag != DW_TAG_atomic_type && tag != DW_TAG_restrict_type)
		return true;
	return type_of_die(&given, type);
}

enum location_outcome value_words(const struct value *value, struct words *words)
{
	Dwarf_Die type;
	if (!plain_type(value, &type))
		return LOCATION_NOT_EVALUATED;
	switch (dwarf_tag(&type)) {
	case DW_TAG_base_type:
		return base_words(value, &type, words);
	case DW_TAG_pointer_type:
		return pointer_words(value, &type, words);
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		return reference_words(value, &type, words);
	case DW_TAG_enumeration_type:
		return enumeration_words(value, &type, words);
	case DW_TAG_array_type:
		return array_value_words(value, &type, words);
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		return struct_words(value, &type, words);
	default:
		return LOCATION_NOT_EVALUATED;
	}
}
