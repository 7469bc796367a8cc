/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/word_scan.h"

#include "base/bytes.h"

#include <elf.h>
#include <string.h>

struct scan {
	uint64_t low, size;
	word_visitor *visit;
	void *context;
};

static bool native(const struct arch *arch)
{
	bool big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	return arch->word_size == 8 && (arch->elf_data == ELFDATA2MSB) == big_endian;
}

static bool scan_native(const struct scan *scan, const uint8_t *bytes, uint64_t count, uint64_t at)
{
	for (uint64_t i = 0; i + 8 <= count; i += 8) {
		uint64_t word;
		memcpy(&word, bytes + i, sizeof word);
		if (word - scan->low < scan->size && !scan->visit(scan->context, at + i, word))
			return false;
	}
	return true;
}

static bool scan_span(const struct arch *arch, const struct scan *scan, const uint8_t *bytes,
		      uint64_t count, uint64_t at)
{
	if (native(arch))
		return scan_native(scan, bytes, count, at);
	for (uint64_t i = 0; i + arch->word_size <= count; i += arch->word_size) {
		uint64_t word =
		    bytes_unsigned(bytes + i, arch->word_size, arch->elf_data == ELFDATA2MSB);
		if (word - scan->low < scan->size && !scan->visit(scan->context, at + i, word))
			return false;
	}
	return true;
}

bool word_scan_memory(const struct target *target, uint64_t start, uint64_t end, uint64_t low,
		      uint64_t size, word_visitor *visit, void *context)
{
	const struct scan scan = { low, size, visit, context };
	const uint64_t word = target->arch->word_size, page = target->arch->page_size;
	if (start > UINT64_MAX - page || end > UINT64_MAX - page)
		return true;
	for (uint64_t at = (start + word - 1) / word * word; at < end;) {
		const uint8_t *bytes;
		uint64_t got = address_space_span(target->space, at, end - at, &bytes);
		if (got < word) {
			at = (at / page + 1) * page;
			continue;
		}
		if (!scan_span(target->arch, &scan, bytes, got, at))
			return false;
		at += got / word * word;
	}
	return true;
}

bool word_scan_bytes(const struct target *target, const uint8_t *bytes, uint64_t count,
		     uint64_t low, uint64_t size, word_visitor *visit, void *context)
{
	const struct scan scan = { low, size, visit, context };
	return scan_span(target->arch, &scan, bytes, count, 0);
}
