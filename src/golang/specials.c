/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/specials.h"

#define SPECIALS_MAX (1u << 26)

/* _KindSpecialFinalizer and _KindSpecialCleanup. */
static enum go_special_kind kind_of(unsigned minor, uint64_t kind)
{
	const uint64_t finalizer = minor >= 25 ? 2 : 1;
	const uint64_t cleanup = minor >= 25 ? 7 : 6; /* since Go 1.24 */
	if (kind == finalizer)
		return GO_SPECIAL_FINALIZER;
	return kind == cleanup && minor >= 24 ? GO_SPECIAL_CLEANUP : GO_SPECIAL_OTHER;
}

/* Of the object from the span's start. */
static uint64_t offset_of(const struct go_process *process, uint64_t special)
{
	uint64_t offset, kind, value;
	/* Of 16 bits up to Go 1.23. */
	if (!go_offset(process, GO_SPECIAL_OFFSET, &offset) ||
	    !go_offset(process, GO_SPECIAL_KIND, &kind) ||
	    !go_read(process, special, GO_SPECIAL_OFFSET, kind - offset == 8 ? 8 : 2, &value))
		return UINT64_MAX;
	return value;
}

void go_specials_visit(const struct go_heap *heap, go_special_visitor *visit, void *context)
{
	const struct go_process *process = heap->process;
	unsigned seen = 0;
	for (size_t i = 0; i < heap->spans.count; i++) {
		const struct go_span *span = &heap->spans.items[i];
		for (uint64_t at = span->specials; at != 0 && seen < SPECIALS_MAX; seen++) {
			uint64_t kind, offset = offset_of(process, at);
			if (!go_read(process, at, GO_SPECIAL_KIND, 1, &kind) ||
			    offset >= span->size)
				break;
			const struct go_special special = {
				.kind = kind_of(process->minor, kind),
				.address = at,
				.object = span->start + offset,
			};
			visit(context, &special);
			at = go_pointer(process, at, GO_SPECIAL_NEXT);
		}
	}
}
