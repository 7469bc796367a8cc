/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/word_scan.h"

#include "analysis/span_walk.h"

struct scan {
	struct word_form form;
	uint64_t low, size;
	word_visitor *visit;
	void *context;
};

static inline __attribute__((always_inline)) bool scan_words(const struct scan *scan,
							     const struct word_form *form,
							     const uint8_t *bytes, uint64_t count,
							     uint64_t at)
{
	for (uint64_t i = 0; i + form->size <= count; i += form->size) {
		const uint64_t word = word_form_load(form, bytes + i);
		if (word - scan->low < scan->size && !scan->visit(scan->context, at + i, word))
			return false;
	}
	return true;
}

static bool scan_span(const struct scan *scan, const uint8_t *bytes, uint64_t count, uint64_t at)
{
	return scan->form.native ? scan_words(scan, &word_form_native, bytes, count, at)
				 : scan_words(scan, &scan->form, bytes, count, at);
}

bool word_scan_memory(const struct target *target, uint64_t start, uint64_t end, uint64_t low,
		      uint64_t size, word_visitor *visit, void *context)
{
	const struct scan scan = { word_form_of(target->arch), low, size, visit, context };
	struct span_walk walk = span_walk_over(target, start, end);
	const uint8_t *bytes;
	uint64_t at;
	for (size_t got; (got = span_walk_next(&walk, UINT64_MAX, &at, &bytes)) != 0;)
		if (!scan_span(&scan, bytes, got, at))
			return false;
	return true;
}

bool word_scan_bytes(const struct target *target, const uint8_t *bytes, uint64_t count,
		     uint64_t low, uint64_t size, word_visitor *visit, void *context)
{
	const struct scan scan = { word_form_of(target->arch), low, size, visit, context };
	return scan_span(&scan, bytes, count, 0);
}
