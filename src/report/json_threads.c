/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/json_parts.h"

static json_t *variables_array(struct json_document *document,
			       const struct frame_variables *variables)
{
	json_t *array = json_array();
	for (size_t i = 0; i < variables->count; i++) {
		const struct variable *variable = &variables->items[i];
		json_t *object = json_object();
		json_put(document, object, "name", json_words(variable->name));
		json_put(document, object, "type", json_words(variable->type));
		json_put(document, object, "argument", json_boolean(variable->is_argument));
		json_put(document, object, "known", json_boolean(variable->known));
		json_put(document, object, "value", json_words(variable->value));
		json_append(document, array, object);
	}
	return array;
}

static json_t *source_object(struct json_document *document, const struct source_excerpt *source)
{
	json_t *object = json_object(), *lines = json_array();
	for (unsigned i = 0; i < source->count; i++)
		json_append(document, lines, json_words(source->lines[i]));
	json_put(document, object, "path", json_words(source->path));
	json_put(document, object, "first", json_integer(source->first));
	json_put(document, object, "lines", lines);
	json_put(document, object, "doubt", json_words(source->doubt));
	return object;
}

/* `variables` and `source` may be NULL. */
static json_t *frame_object(struct json_document *document, const struct frame *frame,
			    const struct frame_variables *variables,
			    const struct source_excerpt *source)
{
	const char *module = frame->module != NULL ? frame->module->name : NULL;
	json_t *object = json_object();
	json_put(document, object, "pc", json_address(frame->pc));
	json_put(document, object, "sp", json_address(frame->sp));
	json_put(document, object, "function", json_words(frame->function));
	json_put(document, object, "linkage", json_words(frame->linkage));
	json_put(document, object, "offset", json_size(frame->offset));
	json_put(document, object, "module", json_words(module));
	json_put(document, object, "module_address",
		 frame->module != NULL ? json_address(frame->lookup_pc - frame->module->bias)
				       : json_null());
	json_put(document, object, "generated", json_boolean(frame->generated));
	json_put(document, object, "file", json_words(frame->file));
	json_put(document, object, "line",
		 frame->file != NULL && frame->line > 0 ? json_integer(frame->line) : json_null());
	json_put(document, object, "inlined", json_boolean(frame->inlined));
	json_put(document, object, "signal_frame", json_boolean(frame->signal_frame));
	json_put(document, object, "guessed", json_boolean(frame->guessed));
	if (source != NULL)
		json_put(document, object, "source", source_object(document, source));
	if (variables != NULL && variables->examined)
		json_put(document, object, "variables", variables_array(document, variables));
	return object;
}

static json_t *thread_object(struct json_document *document, const struct thread *thread)
{
	json_t *object = json_object(), *frames = json_array();
	const bool live = document->findings->subject->target->kind == TARGET_LIVE;
	const char state[2] = { thread->raw->state, '\0' };
	for (size_t i = 0; i < thread->frame_count; i++)
		json_append(document, frames,
			    frame_object(document, &thread->frames[i],
					 variables_of(document->findings->variables, thread, i),
					 sources_of(document->findings->sources, thread, i)));
	json_put(document, object, "tid", json_integer(thread->tid));
	json_put(document, object, "name", json_words(thread->name));
	json_put(document, object, "main", json_boolean(thread->is_main));
	json_put(document, object, "crashed", json_boolean(thread->crashed));
	json_put(document, object, "killed_from_outside",
		 json_boolean(thread->killed_from_outside));
	json_put(document, object, "inner_tid",
		 thread->raw->inner_tid != 0 ? json_integer(thread->raw->inner_tid) : json_null());
	json_put(document, object, "stopped", json_boolean(thread->raw->stopped));
	json_put(document, object, "looked_at", json_words(thread_look_name(thread->raw, live)));
	json_put(document, object, "state", json_words(state[0] != '\0' ? state : NULL));
	json_put(document, object, "thread_pointer", json_address(thread->thread_pointer));
	json_put(document, object, "stack_start", json_address(thread->stack_start));
	json_put(document, object, "stack_end", json_address(thread->stack_end));
	json_put(document, object, "frames", frames);
	json_put(document, object, "left_out", json_size(thread->left_out));
	json_put(document, object, "left_out_before",
		 thread->left_out > 0 ? json_size(thread->left_out_before) : json_null());
	json_put(document, object, "stop_reason", json_words(thread->stop_reason));
	return object;
}

static json_t *groups_array(struct json_document *document, const struct stack_groups *groups)
{
	json_t *array = json_array();
	for (size_t i = 0; i < groups->count; i++) {
		json_t *tids = json_array();
		for (size_t j = 0; j < groups->items[i].count; j++)
			json_append(document, tids, json_tid(groups->items[i].members[j]));
		json_append(document, array, tids);
	}
	return array;
}

static json_t *registers_object(struct json_document *document, const struct thread *thread)
{
	const struct arch *arch = document->findings->subject->target->arch;
	json_t *object = json_object();
	for (size_t i = 0; i < arch->register_count; i++)
		json_put(document, object, arch->registers[i].name,
			 json_address(arch_register_value(arch, &thread->raw->registers, i)));
	return object;
}

static json_t *instruction_object(struct json_document *document,
				  const struct instruction *instruction)
{
	json_t *object = json_object(), *registers = json_object();
	for (size_t i = 0; i < instruction->register_count; i++)
		json_put(document, registers, instruction->registers[i].name,
			 json_address(instruction->registers[i].value));
	json_put(document, object, "address", json_address(instruction->address));
	json_put(document, object, "text", json_words(instruction->text));
	json_put(document, object, "registers", registers);
	return object;
}

static json_t *crash_object(struct json_document *document, const struct crash *crash)
{
	const struct target_signal *signal = &crash->signal;
	const bool registers =
	    crash->thread != NULL && crash->thread->raw->registers.general_size > 0;
	const bool sent = signal->has_details && signal->code <= 0;
	json_t *object = json_object();
	json_put(document, object, "signal", json_integer(signal->number));
	json_put(document, object, "signal_name", json_words(crash->signal_name));
	json_put(document, object, "code",
		 signal->has_details ? json_integer(signal->code) : json_null());
	json_put(document, object, "sender", sent ? json_integer(signal->sender) : json_null());
	json_put(document, object, "tid", json_tid(crash->thread));
	json_put(document, object, "access", json_words(access_kind_name(crash->access)));
	json_put(document, object, "fault",
		 crash->has_fault ? json_place(document, &crash->fault) : json_null());
	json_put(document, object, "text", json_words(crash->text));
	json_put(document, object, "message", json_words(crash->message));
	json_put(document, object, "instruction",
		 crash->has_instruction ? instruction_object(document, &crash->instruction)
					: json_null());
	json_put(document, object, "registers",
		 registers ? registers_object(document, crash->thread) : json_null());
	return object;
}

void json_threads(struct json_document *document)
{
	const struct findings *findings = document->findings;
	const struct threads *threads = findings->subject->threads;
	const struct crash *crash = findings->crash;
	json_t *array = json_array();
	for (size_t i = 0; threads != NULL && i < threads->count; i++)
		json_append(document, array, thread_object(document, &threads->items[i]));
	json_put(document, document->root, "threads", array);
	if (findings->stacks != NULL)
		json_put(document, document->root, "stack_groups",
			 groups_array(document, findings->stacks));
	json_put(document, document->root, "crash",
		 crash != NULL && crash->signal.number != 0 ? crash_object(document, crash)
							    : json_null());
}
