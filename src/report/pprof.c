/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/pprof.h"

#include "report/findings.h"
#include "report/profile.pb-c.h"

#include <string.h>
#include <zlib.h>

/* What is being made. All messages lie in arrays of as many as there can be, which pprof_free
 * releases: protobuf-c wants arrays of pointers to them. */
struct encoder {
	const struct profile *profile;
	const struct profile_form *form;
	Pprof__Profile root;
	Pprof__ValueType types[PROFILE_TYPES_MAX], period;
	Pprof__ValueType *type_pointers[PROFILE_TYPES_MAX];
	Pprof__Mapping mapping, *mapping_pointer;
	char build_id[BUILD_ID_TEXT_MAX];
	int64_t comment;

	Pprof__Sample *samples, **sample_pointers;
	Pprof__Label *labels, **label_pointers; /* one for each sample at most */
	uint64_t *stacks;			/* locations of all samples */

	Pprof__Location *locations, **location_pointers;
	Pprof__Line *lines, **line_pointers;
	size_t line_count;
	size_t *first_lines; /* of each location: its first call, in profile->stacks */

	Pprof__Function *functions, **function_pointers;
	uint32_t *function_of; /* of each string that is a name: its function's id; 0: none yet */

	char **strings;
	size_t string_count;
	uint32_t *string_slots; /* hash: index + 1 */
	size_t string_slot_count;

	uint32_t *location_slots; /* hash of runs of calls: index + 1 */
	size_t location_slot_count;
};

/* --- strings */

static uint64_t hash_text(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (; *text != '\0'; text++)
		hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 31;
}

/* The index of `text`. The table has room for all: see begin. */
static int64_t string_index(struct encoder *encoder, const char *text)
{
	if (text == NULL)
		text = "";
	size_t at = hash_text(text) & (encoder->string_slot_count - 1);
	while (encoder->string_slots[at] != 0 &&
	       strcmp(encoder->strings[encoder->string_slots[at] - 1], text) != 0)
		at = (at + 1) & (encoder->string_slot_count - 1);
	if (encoder->string_slots[at] == 0) {
		encoder->strings[encoder->string_count++] = (char *)text;
		encoder->string_slots[at] = (uint32_t)encoder->string_count;
	}
	return encoder->string_slots[at] - 1;
}

/* --- functions and locations */

static uint64_t function_of(struct encoder *encoder, const struct go_call *call)
{
	int64_t name = string_index(encoder, call->function != NULL ? call->function : "?");
	int64_t file = string_index(encoder, call->file);
	/* By name alone: pprof takes those of one name for one function. */
	uint32_t *known = &encoder->function_of[name];
	if (*known == 0) {
		Pprof__Function *function = &encoder->functions[encoder->root.n_function];
		pprof__function__init(function);
		function->id = ++encoder->root.n_function;
		function->name = function->system_name = name;
		function->filename = file;
		encoder->function_pointers[function->id - 1] = function;
		*known = (uint32_t)function->id;
	}
	return *known;
}

static void add_lines(struct encoder *encoder, Pprof__Location *location, const uint32_t *calls,
		      size_t count)
{
	location->line = &encoder->line_pointers[encoder->line_count];
	location->n_line = count;
	for (size_t i = 0; i < count; i++) {
		const struct go_call *call = &encoder->profile->calls.items[calls[i]];
		Pprof__Line *line = &encoder->lines[encoder->line_count];
		pprof__line__init(line);
		line->function_id = function_of(encoder, call);
		line->line = call->line;
		encoder->line_pointers[encoder->line_count++] = line;
	}
}

static bool same_run(const struct encoder *encoder, const Pprof__Location *location,
		     const uint32_t *calls, size_t count)
{
	const uint32_t *known =
	    encoder->profile->stacks.items + encoder->first_lines[location->id - 1];
	return location->n_line == count && memcmp(known, calls, count * sizeof *calls) == 0;
}

/* The location of a run of calls that were inlined into each other, from `first` of .stacks on. */
static uint64_t location_of(struct encoder *encoder, size_t first, size_t count)
{
	const struct profile *profile = encoder->profile;
	const uint32_t *calls = profile->stacks.items + first;
	uint64_t hash = count;
	for (size_t i = 0; i < count; i++)
		hash = (hash + calls[i]) * UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (hash ^ hash >> 29) & (encoder->location_slot_count - 1);
	while (
	    encoder->location_slots[at] != 0 &&
	    !same_run(encoder, &encoder->locations[encoder->location_slots[at] - 1], calls, count))
		at = (at + 1) & (encoder->location_slot_count - 1);
	if (encoder->location_slots[at] != 0)
		return encoder->location_slots[at];
	Pprof__Location *location = &encoder->locations[encoder->root.n_location];
	pprof__location__init(location);
	encoder->location_pointers[encoder->root.n_location] = location;
	encoder->first_lines[encoder->root.n_location] = first;
	location->id = ++encoder->root.n_location;
	encoder->location_slots[at] = (uint32_t)location->id;
	uint64_t pc = profile->calls.items[calls[0]].pc;
	location->address = pc != 0 ? pc - 1 : 0;
	const struct module *module = profile->module;
	location->mapping_id = module != NULL && pc >= module->start && pc < module->end;
	add_lines(encoder, location, calls, count);
	return location->id;
}

/* --- samples */

static void add_label(struct encoder *encoder, Pprof__Sample *sample, size_t number)
{
	const struct profile_sample *from = &encoder->profile->samples.items[number];
	Pprof__Label *label = &encoder->labels[number];
	if (from->block_size == 0 && from->wait_reason == NULL)
		return;
	pprof__label__init(label);
	label->key = string_index(encoder, from->wait_reason != NULL ? "waits for" : "bytes");
	label->str = string_index(encoder, from->wait_reason);
	label->num = from->wait_reason != NULL ? 0 : from->block_size;
	encoder->label_pointers[number] = label;
	sample->label = &encoder->label_pointers[number];
	sample->n_label = 1;
}

static void add_sample(struct encoder *encoder, size_t number)
{
	const struct profile *profile = encoder->profile;
	const struct profile_sample *from = &profile->samples.items[number];
	Pprof__Sample *sample = &encoder->samples[number];
	pprof__sample__init(sample);
	sample->location_id = encoder->stacks + from->first;
	for (size_t i = 0; i < from->count;) {
		size_t run = 1;
		while (
		    i + run < from->count &&
		    profile->calls.items[profile->stacks.items[from->first + i + run - 1]].inlined)
			run++;
		sample->location_id[sample->n_location_id++] =
		    location_of(encoder, from->first + i, run);
		i += run;
	}
	sample->n_value = encoder->form->type_count;
	sample->value = (int64_t *)from->values;
	add_label(encoder, sample, number);
	encoder->sample_pointers[number] = sample;
}

/* --- the whole */

static void put_type(struct encoder *encoder, Pprof__ValueType *to, const struct profile_type *from)
{
	pprof__value_type__init(to);
	to->type = string_index(encoder, from->name);
	to->unit = string_index(encoder, from->unit);
}

static void put_mapping(struct encoder *encoder)
{
	const struct module *module = encoder->profile->module;
	Pprof__Mapping *mapping = &encoder->mapping;
	if (module == NULL)
		return;
	pprof__mapping__init(mapping);
	mapping->id = 1;
	mapping->memory_start = module->start;
	mapping->memory_limit = module->end;
	mapping->filename = string_index(encoder, module->path);
	mapping->build_id =
	    string_index(encoder, module_build_id(module, SIZE_MAX, encoder->build_id));
	mapping->has_functions = mapping->has_filenames = true;
	mapping->has_line_numbers = mapping->has_inline_frames = true;
	encoder->mapping_pointer = mapping;
	encoder->root.mapping = &encoder->mapping_pointer;
	encoder->root.n_mapping = 1;
}

static void put_root(struct encoder *encoder, const char *comment, int64_t time_nanos)
{
	Pprof__Profile *root = &encoder->root;
	string_index(encoder, "");
	for (size_t i = 0; i < encoder->form->type_count; i++) {
		put_type(encoder, &encoder->types[i], &encoder->form->types[i]);
		encoder->type_pointers[i] = &encoder->types[i];
	}
	root->sample_type = encoder->type_pointers;
	root->n_sample_type = encoder->form->type_count;
	put_type(encoder, &encoder->period, &encoder->form->period);
	root->period_type = &encoder->period;
	root->period = encoder->profile->period;
	root->time_nanos = time_nanos;
	root->default_sample_type = encoder->types[encoder->profile->type].type;
	put_mapping(encoder);
	if (comment != NULL) {
		encoder->comment = string_index(encoder, comment);
		root->comment = &encoder->comment;
		root->n_comment = 1;
	}
}

static size_t slots_for(size_t count)
{
	size_t slots = 64;
	while (slots < 2 * count)
		slots *= 2;
	return slots;
}

/* Room for as much as there can be. */
static bool begin(struct encoder *encoder)
{
	const struct profile *profile = encoder->profile;
	const size_t samples = profile->samples.count + 1, calls = profile->calls.count + 1;
	const size_t frames = profile->stacks.count + 1;
	const size_t strings = 2 * calls + samples + 4 * PROFILE_TYPES_MAX;
	pprof__profile__init(&encoder->root);
	encoder->string_slot_count = slots_for(strings);
	encoder->location_slot_count = slots_for(frames);
	return (encoder->samples = calloc(samples, sizeof *encoder->samples)) != NULL &&
	       (encoder->sample_pointers = calloc(samples, sizeof(void *))) != NULL &&
	       (encoder->labels = calloc(samples, sizeof *encoder->labels)) != NULL &&
	       (encoder->label_pointers = calloc(samples, sizeof(void *))) != NULL &&
	       (encoder->stacks = calloc(frames, sizeof *encoder->stacks)) != NULL &&
	       (encoder->locations = calloc(frames, sizeof *encoder->locations)) != NULL &&
	       (encoder->location_pointers = calloc(frames, sizeof(void *))) != NULL &&
	       (encoder->first_lines = calloc(frames, sizeof *encoder->first_lines)) != NULL &&
	       (encoder->lines = calloc(frames, sizeof *encoder->lines)) != NULL &&
	       (encoder->line_pointers = calloc(frames, sizeof(void *))) != NULL &&
	       (encoder->functions = calloc(calls, sizeof *encoder->functions)) != NULL &&
	       (encoder->function_pointers = calloc(calls, sizeof(void *))) != NULL &&
	       (encoder->function_of = calloc(strings, sizeof *encoder->function_of)) != NULL &&
	       (encoder->strings = calloc(strings, sizeof *encoder->strings)) != NULL &&
	       (encoder->string_slots = calloc(encoder->string_slot_count, sizeof(uint32_t))) !=
		   NULL &&
	       (encoder->location_slots = calloc(encoder->location_slot_count, sizeof(uint32_t))) !=
		   NULL;
}

static void end(struct encoder *encoder)
{
	void *const all[] = {
		encoder->samples,	    encoder->sample_pointers, encoder->labels,
		encoder->label_pointers,    encoder->stacks,	      encoder->locations,
		encoder->location_pointers, encoder->first_lines,     encoder->lines,
		encoder->line_pointers,	    encoder->functions,	      encoder->function_pointers,
		encoder->function_of,	    encoder->strings,	      encoder->string_slots,
		encoder->location_slots,
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		free(all[i]);
}

static struct error *compress_all(const uint8_t *bytes, size_t size, struct pprof_file *file)
{
	enum { GZIP = 15 + 16 }; /* the largest window, and gzip's header */
	z_stream stream = { 0 };
	if (size > UINT32_MAX || deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP, 8,
					      Z_DEFAULT_STRATEGY) != Z_OK)
		return error_no_memory();
	size_t room = deflateBound(&stream, size);
	uint8_t *out = room <= UINT32_MAX ? malloc(room) : NULL;
	stream.next_in = (uint8_t *)bytes;
	stream.avail_in = (unsigned)size;
	stream.next_out = out;
	stream.avail_out = (unsigned)room;
	bool complete = out != NULL && deflate(&stream, Z_FINISH) == Z_STREAM_END;
	if (complete)
		*file = (struct pprof_file){ out, stream.total_out };
	else
		free(out);
	deflateEnd(&stream);
	return complete ? NULL : error_no_memory();
}

static struct error *pack(struct encoder *encoder, struct pprof_file *file)
{
	Pprof__Profile *root = &encoder->root;
	root->sample = encoder->sample_pointers;
	root->n_sample = encoder->profile->samples.count;
	root->location = encoder->location_pointers;
	root->function = encoder->function_pointers;
	root->string_table = encoder->strings;
	root->n_string_table = encoder->string_count;
	size_t size = pprof__profile__get_packed_size(root);
	uint8_t *bytes = malloc(size);
	if (bytes == NULL)
		return error_no_memory();
	pprof__profile__pack(root, bytes);
	struct error *error = compress_all(bytes, size, file);
	free(bytes);
	return error;
}

struct error *pprof_encode(const struct profile *profile, const char *comment, int64_t time_nanos,
			   struct pprof_file *file)
{
	struct error *error = NULL;
	struct encoder *encoder = calloc(1, sizeof *encoder);
	if (encoder == NULL)
		return error_no_memory();
	encoder->profile = profile;
	encoder->form = profile_form(profile->kind);
	if (begin(encoder)) {
		put_root(encoder, comment, time_nanos);
		for (size_t i = 0; i < profile->samples.count; i++)
			add_sample(encoder, i);
		error = pack(encoder, file);
	} else {
		error = error_no_memory();
	}
	end(encoder);
	free(encoder);
	return error;
}
