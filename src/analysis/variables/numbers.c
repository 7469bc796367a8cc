/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/variables/numbers.h"

#include <dwarf.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t number_decode(const struct arch *arch, const uint8_t *bytes, unsigned size)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < size; i++) {
		const bool big_endian = arch->elf_data == 2; /* ELFDATA2MSB */
		value |= (uint64_t)bytes[big_endian ? size - 1 - i : i] << 8 * i;
	}
	return value;
}

uint64_t number_low(uint64_t number, unsigned size)
{
	return size >= 8 ? number : number & (((uint64_t)1 << 8 * size) - 1);
}

static int64_t sign_extended(uint64_t number, unsigned bits)
{
	const uint64_t sign = (uint64_t)1 << (bits - 1);
	return (int64_t)((number ^ sign) - sign);
}

static void add_character(uint64_t number, struct words *words)
{
	static const char names[] = "\n\r\t\f\b\\'";
	static const char letters[] = "nrtfb\\'";
	const char *name = number > 0 && number < 128 ? strchr(names, (int)number) : NULL;
	if (number == 0)
		words_add(words, " '\\0'");
	else if (name != NULL)
		words_add(words, " '\\%c'", letters[name - names]);
	else if (number >= 0x20 && number < 0x7f)
		words_add(words, " '%c'", (int)number);
}

bool number_words(Dwarf_Die *type, unsigned encoding, uint64_t number, unsigned bits,
		  struct words *words)
{
	if (dwarf_tag(type) == DW_TAG_enumeration_type)
		encoding = DW_ATE_unsigned;
	switch (encoding) {
	case DW_ATE_boolean:
		if (number > 1)
			words_add(words, "%" PRIu64 " (neither true nor false)", number);
		else
			words_add(words, number == 1 ? "true" : "false");
		return true;
	case DW_ATE_signed:
		words_add(words, "%" PRId64, sign_extended(number, bits));
		return true;
	case DW_ATE_signed_char:
		words_add(words, "%" PRId64, sign_extended(number, bits));
		add_character(number, words);
		return true;
	case DW_ATE_unsigned:
		words_add(words, "%" PRIu64, number);
		return true;
	case DW_ATE_unsigned_char:
	case DW_ATE_UTF:
		words_add(words, "%" PRIu64, number);
		add_character(number, words);
		return true;
	case DW_ATE_address:
		words_add(words, "0x%" PRIx64, number);
		return true;
	default:
		return false;
	}
}

static void add_double(double number, bool single, struct words *words)
{
	char text[40];
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, number);
		if (single ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number)
			break;
	}
	words_add(words, "%s", text);
}

/* x87's: 64 bits with the leading one, then 15 of exponent and the sign. */
static void add_extended(const struct arch *arch, const uint8_t *bytes, struct words *words)
{
	const uint64_t mantissa = number_decode(arch, bytes, 8);
	const unsigned top = (unsigned)number_decode(arch, bytes + 8, 2);
	const int exponent = (int)(top & 0x7fff);
	const char *sign = top & 0x8000 ? "-" : "";
	if (exponent == 0x7fff) {
		words_add(words, "%s%s", sign, mantissa << 1 == 0 ? "inf" : "nan");
		return;
	}
	const long double number = ldexpl((long double)mantissa, exponent - 16383 - 63);
	char text[64];
	for (int digits = 6; digits <= 21; digits++) {
		snprintf(text, sizeof text, "%.*Lg", digits, number);
		if (strtold(text, NULL) == number)
			break;
	}
	words_add(words, "%s%s", sign, text);
}

bool float_words(const struct arch *arch, const uint8_t *bytes, unsigned size, struct words *words)
{
	if (size == 4) {
		const uint32_t raw = (uint32_t)number_decode(arch, bytes, 4);
		float number;
		memcpy(&number, &raw, sizeof number);
		add_double((double)number, true, words);
	} else if (size == 8) {
		const uint64_t raw = number_decode(arch, bytes, 8);
		double number;
		memcpy(&number, &raw, sizeof number);
		add_double(number, false, words);
	} else if (size == 16 && arch == &arch_x86_64) {
		add_extended(arch, bytes, words);
	} else {
		return false;
	}
	return true;
}
