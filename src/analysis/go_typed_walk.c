/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/go_typed_walk.h"

#include "modules/type_die.h"

#include <dwarf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Elements of an array or slice that are looked at. */
#define ELEMENTS_MAX 16
#define DEPTH_MAX    16

/* --- what is found */

static bool starts_with(const char *text, const char *start)
{
	return text != NULL && strncmp(text, start, strlen(start)) == 0;
}

static bool is_channel(const char *type)
{
	return starts_with(type, "chan ") || starts_with(type, "<-chan ") ||
	       starts_with(type, "chan<- ");
}

/* Whether an object of that kind is what the type says; a writer waits for others in the mutex that
 * an RWMutex begins with. */
static bool fits(enum go_wait_kind kind, const char *type)
{
	switch (kind) {
	case GO_WAIT_CHANNEL:
		return is_channel(type);
	case GO_WAIT_MUTEX:
		return strcmp(type, "sync.Mutex") == 0 || strcmp(type, "sync.RWMutex") == 0;
	case GO_WAIT_RWMUTEX:
		return strcmp(type, "sync.RWMutex") == 0;
	case GO_WAIT_GROUP:
		return strcmp(type, "sync.WaitGroup") == 0;
	case GO_WAIT_CONDITION:
		return strcmp(type, "sync.Cond") == 0;
	default:
		return false;
	}
}

static bool is_lock(const char *type)
{
	return fits(GO_WAIT_MUTEX, type) || fits(GO_WAIT_GROUP, type) ||
	       fits(GO_WAIT_CONDITION, type);
}

static void note(struct go_typed_walk *walk, const char *type, uint64_t address)
{
	struct go_object *object = go_wait_object_at(walk->objects, address);
	if (object == NULL || object->name != NULL || !fits(object->kind, type))
		return;
	object->name = string_pool_format(modules_strings(walk->process->modules), "%s%s",
					  walk->path, walk->where);
	walk->named++;
}

/* --- following */

static bool type_reference(Dwarf_Die *die, Dwarf_Die *type)
{
	Dwarf_Attribute attribute;
	return dwarf_attr_integrate(die, DW_AT_type, &attribute) != NULL &&
	       dwarf_formref_die(&attribute, type) != NULL;
}

/* The path with more behind it; where it does not fit, what it was. */
#define EXTEND(walk, length, ...)                                                                  \
	snprintf((walk)->path + (length), sizeof(walk)->path - (length), __VA_ARGS__)

static void follow(struct go_typed_walk *walk, Dwarf_Die type, uint64_t address, unsigned hops,
		   unsigned depth);

static void follow_elements(struct go_typed_walk *walk, Dwarf_Die *element, uint64_t address,
			    uint64_t count, unsigned hops, unsigned depth)
{
	uint64_t size = type_size(element);
	size_t length = strlen(walk->path);
	if (size == 0)
		return;
	for (uint64_t i = 0; i < count && i < ELEMENTS_MAX; i++) {
		EXTEND(walk, length, "[%" PRIu64 "]", i);
		follow(walk, *element, address + i * size, hops, depth + 1);
	}
	walk->path[length] = '\0';
}

/* A slice is a struct of a pointer to its elements, their number, and its capacity. */
static void follow_slice(struct go_typed_walk *walk, Dwarf_Die *slice, uint64_t address,
			 unsigned hops, unsigned depth)
{
	Dwarf_Die member, pointer, element;
	struct go_slice value;
	if (hops > 0 && dwarf_child(slice, &member) == 0 && type_reference(&member, &pointer) &&
	    type_reference(&pointer, &element) && go_slice_at(walk->process, address, &value) &&
	    value.address != 0)
		follow_elements(walk, &element, value.address, value.count, hops - 1, depth);
}

static void follow_members(struct go_typed_walk *walk, Dwarf_Die *type, uint64_t address,
			   unsigned hops, unsigned depth)
{
	Dwarf_Die member, of;
	uint64_t offset;
	size_t length = strlen(walk->path);
	if (dwarf_child(type, &member) != 0)
		return;
	do {
		const char *name = dwarf_diename(&member);
		if (dwarf_tag(&member) != DW_TAG_member || name == NULL ||
		    !type_member_offset(&member, &offset) || !type_reference(&member, &of))
			continue;
		EXTEND(walk, length, ".%s", name);
		follow(walk, of, address + offset, hops, depth + 1);
		walk->path[length] = '\0';
	} while (walk->steps > 0 && dwarf_siblingof(&member, &member) == 0);
}

static void follow_struct(struct go_typed_walk *walk, Dwarf_Die *type, uint64_t address,
			  unsigned hops, unsigned depth)
{
	const char *name = dwarf_diename(type);
	if (name == NULL || strcmp(name, "string") == 0 || starts_with(name, "runtime."))
		return;
	if (starts_with(name, "[]"))
		follow_slice(walk, type, address, hops, depth);
	else if (is_lock(name))
		note(walk, name, address);
	else
		follow_members(walk, type, address, hops, depth);
}

/* Of a typedef the name tells what it is: channels, maps and interfaces are typedefs of structs of
 * the runtime. */
static void follow_typedef(struct go_typed_walk *walk, Dwarf_Die *type, uint64_t address,
			   unsigned hops, unsigned depth)
{
	const char *name = dwarf_diename(type);
	Dwarf_Die of;
	uint64_t channel;
	if (is_channel(name)) {
		if (address_space_u64(walk->process->space, address, &channel) && channel != 0)
			note(walk, name, channel);
	} else if (!starts_with(name, "map[") && type_reference(type, &of)) {
		follow(walk, of, address, hops, depth + 1);
	}
}

static void follow(struct go_typed_walk *walk, Dwarf_Die type, uint64_t address, unsigned hops,
		   unsigned depth)
{
	Dwarf_Die of;
	uint64_t target, count;
	if (walk->steps == 0 || depth > DEPTH_MAX || strlen(walk->path) + 64 > sizeof walk->path)
		return;
	walk->steps--;
	switch (dwarf_tag(&type)) {
	case DW_TAG_typedef:
		follow_typedef(walk, &type, address, hops, depth);
		return;
	case DW_TAG_structure_type:
		follow_struct(walk, &type, address, hops, depth);
		return;
	case DW_TAG_pointer_type:
		if (hops > 0 && type_reference(&type, &of) &&
		    address_space_u64(walk->process->space, address, &target) && target != 0)
			follow(walk, of, target, hops - 1, depth + 1);
		return;
	case DW_TAG_array_type:
		if (type_reference(&type, &of) && type_element_count(&type, &count))
			follow_elements(walk, &of, address, count, hops, depth);
		return;
	default:
		return;
	}
}

void go_typed_walk(struct go_typed_walk *walk, const char *name, Dwarf_Die *type, uint64_t address,
		   unsigned hops)
{
	snprintf(walk->path, sizeof walk->path, "%s", name);
	follow(walk, *type, address, hops, 0);
}
