/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "threads/frame_place.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#define CALL_DEPTH_MAX 64 /* of blocks around a call site */

/* --- the frame's own */

/* The index of the frame that the machine entered, into which `index` was expanded. */
static bool find_physical(const struct thread *thread, size_t index, size_t *physical)
{
	const struct frame *frame = &thread->frames[index];
	for (size_t i = index; i < thread->frame_count; i++) {
		const struct frame *other = &thread->frames[i];
		/* Where frames were left out, it may be among them. */
		if (other->pc != frame->pc || other->registers != frame->registers)
			return false;
		if (!other->inlined) {
			*physical = i;
			return true;
		}
	}
	return false;
}

/* Picks the scopes of the frame and its physical one: inlined calls count from the outside. */
static bool pick_scopes(struct scopes *scopes, size_t depth, struct frame_place *place)
{
	size_t inlined = 0;
	bool found = false;
	for (unsigned i = 0; i < scopes->count; i++) {
		if (dwarf_tag(&scopes->dies[i]) == DW_TAG_subprogram) {
			place->function = scopes->dies[i];
			inlined = 0;
			found = depth == 0;
			place->scope = scopes->dies[i];
		} else if (++inlined == depth) {
			place->scope = scopes->dies[i];
			found = true;
		} else if (depth == 0) {
			break;
		}
	}
	return found && place->function.addr != NULL;
}

/* --- what locations are relative to */

static enum location_outcome frame_cfa(void *context, uint64_t *cfa)
{
	struct frame_place *place = context;
	const struct frame *frame = &place->thread->frames[place->index];
	Dwfl_Module *module = frame->module != NULL ? frame->module->dwfl : NULL;
	Dwarf_Addr bias = 0;
	Dwarf_Frame *rules = NULL;
	Dwarf_Op *operations;
	size_t count;
	if (module == NULL)
		return LOCATION_NOT_EVALUATED;
	Dwarf_CFI *information = dwfl_module_eh_cfi(module, &bias);
	if (information == NULL ||
	    dwarf_cfi_addrframe(information, frame->lookup_pc - bias, &rules) != 0) {
		information = dwfl_module_dwarf_cfi(module, &bias);
		if (information == NULL ||
		    dwarf_cfi_addrframe(information, frame->lookup_pc - bias, &rules) != 0)
			return LOCATION_NOT_EVALUATED;
	}
	/* It may not ask for itself. */
	struct location_place plain = place->place;
	plain.cfa = plain.frame_base = NULL;
	plain.entry_register = NULL;
	plain.bias = bias;
	enum location_outcome outcome = LOCATION_NOT_EVALUATED;
	if (dwarf_frame_cfa(rules, &operations, &count) == 0 && count > 0)
		outcome = location_number(&plain, NULL, operations, count, cfa);
	free(rules);
	return outcome;
}

static enum location_outcome frame_base(void *context, uint64_t *base)
{
	struct frame_place *place = context;
	Dwarf_Attribute attribute;
	Dwarf_Op *operations;
	size_t count;
	if (dwarf_attr_integrate(&place->function, DW_AT_frame_base, &attribute) == NULL ||
	    dwarf_getlocation_addr(&attribute, place->pc, &operations, &count, 1) != 1)
		return LOCATION_NOT_EVALUATED;
	struct location_place plain = place->place;
	plain.frame_base = NULL;
	return location_number(&plain, &attribute, operations, count, base);
}

/* --- what the caller says of its arguments */

static bool is_call_site(Dwarf_Die *die)
{
	return dwarf_tag(die) == DW_TAG_call_site || dwarf_tag(die) == DW_TAG_GNU_call_site;
}

static bool is_tail_call(Dwarf_Die *site)
{
	return dwarf_hasattr(site, DW_AT_call_tail_call) ||
	       dwarf_hasattr(site, DW_AT_GNU_tail_call);
}

/* The call site that returns to `address`; also one of any tail call, where `tail` asks for it. */
static bool find_call_site(Dwarf_Die *parent, Dwarf_Addr address, bool tail, unsigned depth,
			   Dwarf_Die *found)
{
	Dwarf_Die child;
	if (depth > CALL_DEPTH_MAX || dwarf_child(parent, &child) != 0)
		return false;
	do {
		Dwarf_Attribute attribute;
		Dwarf_Addr returns;
		if (is_call_site(&child)) {
			const bool placed =
			    dwarf_formaddr(dwarf_attr(&child, DW_AT_call_return_pc, &attribute),
					   &returns) == 0 ||
			    dwarf_formaddr(dwarf_attr(&child, DW_AT_low_pc, &attribute),
					   &returns) == 0;
			if (tail ? is_tail_call(&child)
				 : placed && returns == address && !is_tail_call(&child)) {
				*found = child;
				return true;
			}
		} else if (scope_holds_code(dwarf_tag(&child)) &&
			   dwarf_tag(&child) != DW_TAG_subprogram &&
			   find_call_site(&child, address, tail, depth + 1, found)) {
			return true;
		}
	} while (dwarf_siblingof(&child, &child) == 0);
	return false;
}

static const char *linkage_or_name(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	const char *linkage = NULL;
	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) != NULL)
		linkage = dwarf_formstring(&attribute);
	return linkage != NULL ? linkage : dwarf_diename(die);
}

/* Whether the call at `site` is known to be one of `function`: only then what it passed is what
 * that got. Through a tail call another function may have been between them. */
static bool calls(Dwarf_Die *site, Dwarf_Die *function)
{
	Dwarf_Attribute attribute;
	Dwarf_Die origin;
	Dwarf_Addr from, to;
	if ((dwarf_attr(site, DW_AT_call_origin, &attribute) == NULL &&
	     dwarf_attr(site, DW_AT_abstract_origin, &attribute) == NULL) ||
	    dwarf_formref_die(&attribute, &origin) == NULL)
		return false;
	if (origin.addr == function->addr)
		return true;
	if (dwarf_lowpc(&origin, &to) == 0 && dwarf_lowpc(function, &from) == 0)
		return origin.cu == function->cu && from == to;
	const char *called = linkage_or_name(&origin), *own = linkage_or_name(function);
	return called != NULL && own != NULL && strcmp(called, own) == 0;
}

/* The parameter of `site` that was passed in register `number`. */
static bool find_parameter(Dwarf_Die *site, unsigned number, Dwarf_Attribute *value)
{
	Dwarf_Die child;
	if (dwarf_child(site, &child) != 0)
		return false;
	do {
		Dwarf_Attribute attribute;
		Dwarf_Op *operations;
		size_t count;
		const int tag = dwarf_tag(&child);
		if ((tag != DW_TAG_call_site_parameter && tag != DW_TAG_GNU_call_site_parameter) ||
		    dwarf_attr(&child, DW_AT_location, &attribute) == NULL ||
		    dwarf_getlocation(&attribute, &operations, &count) != 0 || count != 1)
			continue;
		const bool same = operations->atom == DW_OP_regx
				      ? operations->number == number
				      : number < 32 && operations->atom == DW_OP_reg0 + number;
		if (same)
			return dwarf_attr(&child, DW_AT_call_value, value) != NULL ||
			       dwarf_attr(&child, DW_AT_GNU_call_site_value, value) != NULL;
	} while (dwarf_siblingof(&child, &child) == 0);
	return false;
}

/* The frame that called the physical one, if it is known and did call. */
static bool find_caller(const struct frame_place *place, size_t *caller)
{
	const struct thread *thread = place->thread;
	const size_t next = place->physical + 1;
	if (next >= thread->frame_count ||
	    (thread->left_out > 0 && next == thread->left_out_before))
		return false;
	const struct frame *frame = &thread->frames[next];
	if (frame->lookup_pc == frame->pc || frame->guessed || frame->registers == NULL)
		return false; /* it was interrupted, it did not call */
	return find_physical(thread, next, caller);
}

static enum location_outcome entry_register(void *context, unsigned number, uint64_t *value)
{
	struct frame_place *place = context, caller;
	Dwarf_Die site, tail;
	Dwarf_Attribute attribute;
	Dwarf_Op *operations;
	size_t index, count;
	if (!find_caller(place, &index) ||
	    !frame_place_open(place->target, place->modules, place->thread, index, &caller))
		return LOCATION_REGISTER_LOST;
	const uint64_t returns = place->thread->frames[index].pc - caller.place.bias;
	if (!find_call_site(&caller.function, returns, false, 0, &site) ||
	    !calls(&site, &place->function) ||
	    find_call_site(&place->function, 0, true, 0, &tail) ||
	    !find_parameter(&site, number, &attribute) ||
	    dwarf_getlocation(&attribute, &operations, &count) != 0)
		return LOCATION_REGISTER_LOST;
	/* One step up is enough, and has an end. */
	caller.place.entry_register = NULL;
	enum location_outcome outcome =
	    location_number(&caller.place, &attribute, operations, count, value);
	return outcome == LOCATION_FOUND ? LOCATION_FOUND : LOCATION_REGISTER_LOST;
}

/* Where the caller's frame is not the one above in the array, its SP tells nothing. */
static enum location_outcome cfa_by_sp(void *context, uint64_t *cfa)
{
	struct frame_place *place = context;
	const struct thread *thread = place->thread;
	const size_t next = place->physical + 1;
	if (next >= thread->frame_count ||
	    (thread->left_out > 0 && next == thread->left_out_before) ||
	    thread->frames[next].sp <= thread->frames[place->physical].sp)
		return LOCATION_NOT_EVALUATED;
	*cfa = thread->frames[next].sp;
	return LOCATION_FOUND;
}

static bool place_open(struct target *target, struct modules *modules, const struct thread *thread,
		       size_t index, struct frame_place *place)
{
	struct scopes scopes;
	const struct frame *frame = &thread->frames[index];
	*place = (struct frame_place){
		.target = target, .modules = modules, .thread = thread, .index = index
	};
	if (!find_physical(thread, index, &place->physical) ||
	    !scopes_find(modules, frame->lookup_pc, &scopes) ||
	    !pick_scopes(&scopes, place->physical - index, place))
		return false;
	place->pc = frame->lookup_pc - scopes.bias;
	place->place = (struct location_place){
		.arch = target->arch,
		.space = target->space,
		.registers = frame->registers,
		.bias = scopes.bias,
		.context = place,
		.frame_base = frame_base,
		.cfa = frame_cfa,
		.entry_register = entry_register,
	};
	return true;
}

bool frame_place_open(struct target *target, struct modules *modules, const struct thread *thread,
		      size_t index, struct frame_place *place)
{
	return thread->frames[index].registers != NULL &&
	       place_open(target, modules, thread, index, place);
}

bool frame_place_open_by_sp(struct target *target, struct modules *modules,
			    const struct thread *thread, size_t index, struct frame_place *place)
{
	if (!place_open(target, modules, thread, index, place))
		return false;
	place->place.registers = NULL;
	place->place.cfa = cfa_by_sp;
	place->place.entry_register = NULL;
	return true;
}

/* --- variables */

/* Whether the innermost frame stands before the end of its function's prologue, where what is
 * passed in registers is not yet stored to its place in the frame. */
static bool has_only_begun(struct frame_place *place)
{
	const struct frame *frame = &place->thread->frames[place->physical];
	Dwarf_Addr *ends, low;
	if (frame->lookup_pc != frame->pc)
		return false;
	int count = dwarf_entry_breakpoints(&place->function, &ends);
	if (count <= 0)
		return false;
	bool begun =
	    dwarf_lowpc(&place->function, &low) == 0 && place->pc >= low && place->pc < ends[0];
	free(ends);
	return begun;
}

/* A constant that the compiler found to be the variable's value. */
static enum location_outcome constant(Dwarf_Attribute *attribute, struct location *location)
{
	Dwarf_Block block;
	Dwarf_Word word;
	Dwarf_Sword number;
	const char *string;
	struct location_piece *piece = &location->pieces[0];
	*piece = (struct location_piece){ .kind = LOCATION_VALUE };
	location->count = 1;
	if (dwarf_whatform(attribute) == DW_FORM_sdata ||
	    dwarf_whatform(attribute) == DW_FORM_implicit_const) {
		if (dwarf_formsdata(attribute, &number) != 0)
			return LOCATION_NOT_EVALUATED;
		piece->number = (uint64_t)number;
	} else if (dwarf_formudata(attribute, &word) == 0) {
		piece->number = word;
	} else if (dwarf_formblock(attribute, &block) == 0) {
		piece->kind = LOCATION_BYTES;
		piece->number = block.length;
		piece->bytes = block.data;
	} else if ((string = dwarf_formstring(attribute)) != NULL) {
		piece->kind = LOCATION_BYTES;
		piece->number = strlen(string) + 1;
		piece->bytes = (const uint8_t *)string;
	} else {
		return LOCATION_NOT_EVALUATED;
	}
	return LOCATION_FOUND;
}

enum location_outcome frame_place_locate(struct frame_place *place, Dwarf_Die *die,
					 struct location *location)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *operations;
	size_t count;
	if (dwarf_attr_integrate(die, DW_AT_const_value, &attribute) != NULL)
		return constant(&attribute, location);
	if (dwarf_attr_integrate(die, DW_AT_location, &attribute) == NULL)
		return LOCATION_OPTIMIZED_OUT;
	const int found = dwarf_getlocation_addr(&attribute, place->pc, &operations, &count, 1);
	if (found < 0)
		return LOCATION_NOT_EVALUATED;
	if (found == 0 || count == 0)
		return LOCATION_OPTIMIZED_OUT;
	if (operations->atom == DW_OP_fbreg && dwarf_whatform(&attribute) == DW_FORM_exprloc &&
	    has_only_begun(place))
		return LOCATION_NOT_SET;
	return location_evaluate(&place->place, &attribute, operations, count, location);
}
