/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "threads/location.h"

#include <dwarf.h>
#include <string.h>

#define STEPS_MAX 10000
#define STACK_MAX 64

/* x86-64's numbers for the vector registers (System V ABI, "DWARF Register Number Mapping"). */
enum { DWARF_XMM0 = 17, DWARF_XMM15 = 32, XMM_SIZE = 16 };

struct machine {
	const struct location_place *place;
	Dwarf_Attribute *attribute;
	const Dwarf_Op *operations;
	size_t count, at; /* .at: the next one */
	struct location_value stack[STACK_MAX];
	size_t depth;
	struct location *location;
	/* What was told last and is not yet a piece. */
	struct location_piece told;
	bool has_told;
};

const char *location_outcome_words(enum location_outcome outcome)
{
	static const char *const words[] = {
		[LOCATION_FOUND] = "found",
		[LOCATION_OPTIMIZED_OUT] = "optimized out",
		[LOCATION_REGISTER_LOST] = "not known: its register was not saved",
		[LOCATION_MEMORY_MISSING] = "not known: its memory is not there",
		[LOCATION_NOT_SET] = "not yet set: the function has only begun",
		[LOCATION_NOT_EVALUATED] = "not known: its location is not one corescan evaluates",
	};
	return words[outcome];
}

/* --- values */

static uint64_t low_bits(uint64_t bits, unsigned size)
{
	return size >= 8 ? bits : bits & (((uint64_t)1 << 8 * size) - 1);
}

static int64_t as_signed(const struct location_value *value)
{
	const uint64_t sign = (uint64_t)1 << (8 * value->size - 1);
	return (int64_t)((value->bits ^ sign) - sign);
}

static struct location_value generic(const struct machine *machine, uint64_t bits)
{
	const uint8_t size = machine->place->arch->word_size;
	return (struct location_value){ low_bits(bits, size), size, true };
}

static bool push(struct machine *machine, struct location_value value)
{
	if (machine->depth == STACK_MAX)
		return false;
	machine->stack[machine->depth++] = value;
	return true;
}

static bool push_generic(struct machine *machine, uint64_t bits)
{
	return push(machine, generic(machine, bits));
}

static bool pop(struct machine *machine, struct location_value *value)
{
	if (machine->depth == 0)
		return false;
	*value = machine->stack[--machine->depth];
	return true;
}

/* An integer of `size` bytes in the target's byte order. */
static uint64_t decode(const struct arch *arch, const uint8_t *bytes, unsigned size)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < size; i++) {
		const bool big_endian = arch->elf_data == 2; /* ELFDATA2MSB */
		value |= (uint64_t)bytes[big_endian ? size - 1 - i : i] << 8 * i;
	}
	return value;
}

static enum location_outcome load(const struct machine *machine, uint64_t address, unsigned size,
				  uint64_t *value)
{
	uint8_t bytes[8];
	if (size == 0 || size > sizeof bytes)
		return LOCATION_NOT_EVALUATED;
	if (!address_space_probe(machine->place->space, address, bytes, size))
		return LOCATION_MEMORY_MISSING;
	*value = decode(machine->place->arch, bytes, size);
	return LOCATION_FOUND;
}

/* --- registers */

/* A vector register of the innermost frame, from the thread's extended state. */
static bool vector_register(const struct location_place *place, uint64_t number, uint8_t *bytes)
{
	const struct frame_registers *registers = place->registers;
	const struct registers *raw = registers != NULL ? registers->raw : NULL;
	if (place->arch != &arch_x86_64 || raw == NULL || raw->extended == NULL ||
	    number < DWARF_XMM0 || number > DWARF_XMM15)
		return false;
	for (size_t i = 0; i < place->arch->extended_register_count; i++) {
		const struct arch_register_file *row = &place->arch->extended_registers[i];
		if (strcmp(row->name, "xmm") != 0)
			continue;
		const uint64_t offset = row->offset + (number - DWARF_XMM0) * XMM_SIZE;
		if (offset + XMM_SIZE > raw->extended_size)
			return false;
		memcpy(bytes, raw->extended + offset, XMM_SIZE);
		return true;
	}
	return false;
}

static enum location_outcome read_register(const struct location_place *place, uint64_t number,
					   uint64_t *value)
{
	if (place->registers == NULL || number >= FRAME_REGISTERS_MAX ||
	    (place->registers->known >> number & 1) == 0)
		return LOCATION_REGISTER_LOST;
	*value = place->registers->values[number];
	return LOCATION_FOUND;
}

static enum location_outcome push_register(struct machine *machine, uint64_t number,
					   uint64_t offset)
{
	uint64_t value;
	enum location_outcome outcome = read_register(machine->place, number, &value);
	if (outcome != LOCATION_FOUND)
		return outcome;
	return push_generic(machine, value + offset) ? LOCATION_FOUND : LOCATION_NOT_EVALUATED;
}

static enum location_outcome push_asked(struct machine *machine,
					enum location_outcome (*ask)(void *, uint64_t *),
					uint64_t offset)
{
	uint64_t base;
	if (ask == NULL)
		return LOCATION_NOT_EVALUATED;
	enum location_outcome outcome = ask(machine->place->context, &base);
	if (outcome != LOCATION_FOUND)
		return outcome;
	return push_generic(machine, base + offset) ? LOCATION_FOUND : LOCATION_NOT_EVALUATED;
}

/* --- types of the file's own */

/* The integer type that `operation` names; 0 as its place is the generic type. */
static bool find_type(const struct machine *machine, const Dwarf_Op *operation,
		      struct location_value *type)
{
	Dwarf_Die die;
	Dwarf_Attribute attribute;
	Dwarf_Word size, encoding;
	if (machine->attribute == NULL ||
	    dwarf_getlocation_die(machine->attribute, operation, &die) != 0 ||
	    dwarf_tag(&die) != DW_TAG_base_type ||
	    dwarf_formudata(dwarf_attr(&die, DW_AT_byte_size, &attribute), &size) != 0 ||
	    dwarf_formudata(dwarf_attr(&die, DW_AT_encoding, &attribute), &encoding) != 0 ||
	    size == 0 || size > 8)
		return false;
	if (encoding != DW_ATE_signed && encoding != DW_ATE_signed_char &&
	    encoding != DW_ATE_unsigned && encoding != DW_ATE_unsigned_char &&
	    encoding != DW_ATE_boolean && encoding != DW_ATE_UTF && encoding != DW_ATE_address)
		return false;
	type->size = (uint8_t)size;
	type->is_signed = encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
	return true;
}

static bool convert(struct machine *machine, const Dwarf_Op *operation, bool reinterpret)
{
	struct location_value value, type = generic(machine, 0);
	if ((operation->number != 0 && !find_type(machine, operation, &type)) ||
	    !pop(machine, &value) || (reinterpret && value.size != type.size))
		return false;
	type.bits = low_bits(value.is_signed ? (uint64_t)as_signed(&value) : value.bits, type.size);
	return push(machine, type);
}

static bool push_typed_constant(struct machine *machine, const Dwarf_Op *operation)
{
	struct location_value type;
	Dwarf_Attribute attribute;
	Dwarf_Block block;
	if (!find_type(machine, operation, &type) ||
	    dwarf_getlocation_attr(machine->attribute, operation, &attribute) != 0 ||
	    dwarf_formblock(&attribute, &block) != 0 || block.length != type.size)
		return false;
	type.bits = decode(machine->place->arch, block.data, type.size);
	return push(machine, type);
}

static enum location_outcome push_typed_register(struct machine *machine, const Dwarf_Op *operation)
{
	struct location_value type;
	enum location_outcome outcome;
	if (!find_type(machine, operation, &type))
		return LOCATION_NOT_EVALUATED;
	outcome = read_register(machine->place, operation->number, &type.bits);
	type.bits = low_bits(type.bits, type.size);
	if (outcome == LOCATION_FOUND && !push(machine, type))
		outcome = LOCATION_NOT_EVALUATED;
	return outcome;
}

static enum location_outcome push_loaded(struct machine *machine, const Dwarf_Op *operation)
{
	struct location_value address, type = generic(machine, 0);
	unsigned size = type.size;
	const bool typed =
	    operation->atom == DW_OP_deref_type || operation->atom == DW_OP_GNU_deref_type;
	if (operation->atom != DW_OP_deref)
		size = operation->number > 8 ? 0 : (unsigned)operation->number;
	if ((typed && (!find_type(machine, operation, &type) || type.size != size)) ||
	    !pop(machine, &address))
		return LOCATION_NOT_EVALUATED;
	enum location_outcome outcome = load(machine, address.bits, size, &type.bits);
	if (outcome == LOCATION_FOUND && !push(machine, type))
		outcome = LOCATION_NOT_EVALUATED;
	return outcome;
}

/* The value at entry: the operand is an expression that names a register, as compilers write it. */
static enum location_outcome push_entry_value(struct machine *machine, const Dwarf_Op *operation)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *inner;
	size_t count;
	uint64_t value, number;
	if (machine->attribute == NULL || machine->place->entry_register == NULL ||
	    dwarf_getlocation_attr(machine->attribute, operation, &attribute) != 0 ||
	    dwarf_getlocation(&attribute, &inner, &count) != 0 || count != 1)
		return LOCATION_NOT_EVALUATED;
	if (inner->atom >= DW_OP_reg0 && inner->atom <= DW_OP_reg31)
		number = inner->atom - DW_OP_reg0;
	else if (inner->atom == DW_OP_regx)
		number = inner->number;
	else
		return LOCATION_NOT_EVALUATED;
	enum location_outcome outcome = machine->place->entry_register(
	    machine->place->context, (unsigned)(number < 1024 ? number : 1024), &value);
	if (outcome == LOCATION_FOUND && !push_generic(machine, value))
		outcome = LOCATION_NOT_EVALUATED;
	return outcome;
}

/* --- the operations */

static bool one_operand(struct machine *machine, uint8_t atom)
{
	struct location_value value;
	if (!pop(machine, &value))
		return false;
	if (atom == DW_OP_neg || (atom == DW_OP_abs && value.is_signed && as_signed(&value) < 0))
		value.bits = low_bits(-value.bits, value.size);
	else if (atom == DW_OP_not)
		value.bits = low_bits(~value.bits, value.size);
	return push(machine, value);
}

static bool divide(uint8_t atom, const struct location_value *left,
		   const struct location_value *right, bool generic_type, uint64_t *result)
{
	if (right->bits == 0)
		return false;
	/* The generic type divides with a sign, and takes remainders without one. */
	if (!left->is_signed || (atom == DW_OP_mod && generic_type)) {
		*result = atom == DW_OP_div ? left->bits / right->bits : left->bits % right->bits;
		return true;
	}
	const int64_t dividend = as_signed(left), divisor = as_signed(right);
	if (divisor == -1)
		*result = atom == DW_OP_div ? -(uint64_t)dividend : 0;
	else
		*result = (uint64_t)(atom == DW_OP_div ? dividend / divisor : dividend % divisor);
	return true;
}

static uint64_t shift(uint8_t atom, const struct location_value *left, uint64_t by)
{
	const bool too_far = by >= 8u * left->size;
	if (atom == DW_OP_shl)
		return too_far ? 0 : left->bits << by;
	if (atom == DW_OP_shr)
		return too_far ? 0 : left->bits >> by;
	const int64_t value = as_signed(left);
	return (uint64_t)(too_far ? (value < 0 ? -1 : 0) : value >> by);
}

static uint64_t compare(uint8_t atom, const struct location_value *left,
			const struct location_value *right)
{
	const int64_t a = as_signed(left), b = as_signed(right);
	const bool less = left->is_signed ? a < b : left->bits < right->bits;
	const bool equal = left->bits == right->bits;
	switch (atom) {
	case DW_OP_eq:
		return equal;
	case DW_OP_ne:
		return !equal;
	case DW_OP_lt:
		return less;
	case DW_OP_le:
		return less || equal;
	case DW_OP_gt:
		return !less && !equal;
	default: /* DW_OP_ge */
		return !less;
	}
}

static bool two_operands(struct machine *machine, uint8_t atom)
{
	struct location_value left, right, word = generic(machine, 0);
	uint64_t result = 0;
	if (!pop(machine, &right) || !pop(machine, &left))
		return false;
	const bool is_shift = atom == DW_OP_shl || atom == DW_OP_shr || atom == DW_OP_shra;
	const bool generic_type = left.size == word.size && left.is_signed;
	if (left.size != right.size && !is_shift)
		return false;
	switch (atom) {
	case DW_OP_and:
		result = left.bits & right.bits;
		break;
	case DW_OP_or:
		result = left.bits | right.bits;
		break;
	case DW_OP_xor:
		result = left.bits ^ right.bits;
		break;
	case DW_OP_plus:
		result = left.bits + right.bits;
		break;
	case DW_OP_minus:
		result = left.bits - right.bits;
		break;
	case DW_OP_mul:
		result = left.bits * right.bits;
		break;
	case DW_OP_div:
	case DW_OP_mod:
		if (!divide(atom, &left, &right, generic_type, &result))
			return false;
		break;
	case DW_OP_shl:
	case DW_OP_shr:
	case DW_OP_shra:
		result = shift(atom, &left, right.bits);
		break;
	default:
		return push_generic(machine, compare(atom, &left, &right));
	}
	left.bits = low_bits(result, left.size);
	return push(machine, left);
}

static bool rearrange(struct machine *machine, const Dwarf_Op *operation)
{
	struct location_value *top = machine->stack + machine->depth, moved;
	switch (operation->atom) {
	case DW_OP_dup:
		return machine->depth >= 1 && push(machine, top[-1]);
	case DW_OP_drop:
		return pop(machine, &moved);
	case DW_OP_over:
		return machine->depth >= 2 && push(machine, top[-2]);
	case DW_OP_pick:
		return operation->number < machine->depth &&
		       push(machine, machine->stack[machine->depth - 1 - operation->number]);
	case DW_OP_swap:
		if (machine->depth < 2)
			return false;
		moved = top[-1];
		top[-1] = top[-2];
		top[-2] = moved;
		return true;
	default: /* DW_OP_rot */
		if (machine->depth < 3)
			return false;
		moved = top[-1];
		top[-1] = top[-2];
		top[-2] = top[-3];
		top[-3] = moved;
		return true;
	}
}

/* Goes on at the operation that begins so many bytes behind the end of this one. Not at the end of
 * all, which libdw does not tell: no compiler jumps there. */
static bool jump(struct machine *machine, const Dwarf_Op *operation)
{
	const uint64_t own_size = 3;
	const uint64_t to = operation->offset + own_size + operation->number;
	for (size_t i = 0; i < machine->count; i++) {
		if (machine->operations[i].offset == to) {
			machine->at = i;
			return true;
		}
	}
	return false;
}

static void tell(struct machine *machine, enum location_kind kind, uint64_t number)
{
	machine->told = (struct location_piece){ .kind = kind, .number = number };
	machine->has_told = true;
}

/* Ends a piece of `size` bytes: what was told, else the address on the stack, else nowhere. */
static bool end_piece(struct machine *machine, uint64_t size)
{
	struct location *location = machine->location;
	struct location_value address;
	if (location->count == LOCATION_PIECES_MAX)
		return false;
	if (!machine->has_told && pop(machine, &address))
		tell(machine, LOCATION_MEMORY, address.bits);
	if (!machine->has_told)
		tell(machine, LOCATION_NOWHERE, 0);
	machine->told.size = size;
	location->pieces[location->count++] = machine->told;
	machine->has_told = false;
	machine->depth = 0;
	return true;
}

static bool tell_bytes(struct machine *machine, const Dwarf_Op *operation)
{
	Dwarf_Block block;
	if (machine->attribute == NULL ||
	    dwarf_getlocation_implicit_value(machine->attribute, operation, &block) != 0)
		return false;
	tell(machine, LOCATION_BYTES, block.length);
	machine->told.bytes = block.data;
	return true;
}

/* An address or constant that stands elsewhere in the file. */
static bool push_indexed(struct machine *machine, const Dwarf_Op *operation)
{
	Dwarf_Attribute attribute;
	Dwarf_Addr address;
	Dwarf_Word constant;
	if (machine->attribute == NULL ||
	    dwarf_getlocation_attr(machine->attribute, operation, &attribute) != 0)
		return false;
	if (operation->atom == DW_OP_addrx || operation->atom == DW_OP_GNU_addr_index)
		return dwarf_formaddr(&attribute, &address) == 0 &&
		       push_generic(machine, address + machine->place->bias);
	return dwarf_formudata(&attribute, &constant) == 0 && push_generic(machine, constant);
}

static enum location_outcome sure(bool done)
{
	return done ? LOCATION_FOUND : LOCATION_NOT_EVALUATED;
}

/* What says where the variable is, rather than computes. */
static enum location_outcome run_description(struct machine *machine, const Dwarf_Op *operation)
{
	struct location_value value;
	switch (operation->atom) {
	case DW_OP_reg0 ... DW_OP_reg31:
		tell(machine, LOCATION_REGISTER, operation->atom - DW_OP_reg0);
		return LOCATION_FOUND;
	case DW_OP_regx:
		tell(machine, LOCATION_REGISTER, operation->number);
		return LOCATION_FOUND;
	case DW_OP_stack_value:
		if (!pop(machine, &value))
			return LOCATION_NOT_EVALUATED;
		tell(machine, LOCATION_VALUE,
		     value.is_signed ? (uint64_t)as_signed(&value) : value.bits);
		return LOCATION_FOUND;
	case DW_OP_implicit_value:
		return sure(tell_bytes(machine, operation));
	case DW_OP_implicit_pointer:
	case DW_OP_GNU_implicit_pointer:
		/* A pointer that was optimized out, though what it points to was not. */
		tell(machine, LOCATION_NOWHERE, 0);
		return LOCATION_FOUND;
	case DW_OP_piece:
		return sure(operation->number > 0 && end_piece(machine, operation->number));
	case DW_OP_bit_piece:
		return sure(operation->number % 8 == 0 && operation->number2 == 0 &&
			    operation->number > 0 && end_piece(machine, operation->number / 8));
	default:
		return LOCATION_NOT_EVALUATED;
	}
}

static enum location_outcome run_constant(struct machine *machine, const Dwarf_Op *operation)
{
	switch (operation->atom) {
	case DW_OP_addr:
		return sure(push_generic(machine, operation->number + machine->place->bias));
	case DW_OP_const1u:
	case DW_OP_const1s:
	case DW_OP_const2u:
	case DW_OP_const2s:
	case DW_OP_const4u:
	case DW_OP_const4s:
	case DW_OP_const8u:
	case DW_OP_const8s:
	case DW_OP_constu:
	case DW_OP_consts:
		return sure(push_generic(machine, operation->number));
	case DW_OP_lit0 ... DW_OP_lit31:
		return sure(push_generic(machine, operation->atom - DW_OP_lit0));
	case DW_OP_breg0 ... DW_OP_breg31:
		return push_register(machine, operation->atom - DW_OP_breg0, operation->number);
	case DW_OP_bregx:
		return push_register(machine, operation->number, operation->number2);
	case DW_OP_fbreg:
		return push_asked(machine, machine->place->frame_base, operation->number);
	case DW_OP_call_frame_cfa:
		return push_asked(machine, machine->place->cfa, 0);
	case DW_OP_addrx:
	case DW_OP_GNU_addr_index:
	case DW_OP_constx:
	case DW_OP_GNU_const_index:
		return sure(push_indexed(machine, operation));
	case DW_OP_const_type:
	case DW_OP_GNU_const_type:
		return sure(push_typed_constant(machine, operation));
	case DW_OP_regval_type:
	case DW_OP_GNU_regval_type:
		return push_typed_register(machine, operation);
	case DW_OP_entry_value:
	case DW_OP_GNU_entry_value:
		return push_entry_value(machine, operation);
	default:
		return run_description(machine, operation);
	}
}

static enum location_outcome run_operation(struct machine *machine, const Dwarf_Op *operation)
{
	struct location_value value;
	switch (operation->atom) {
	case DW_OP_nop:
		return LOCATION_FOUND;
	case DW_OP_dup:
	case DW_OP_drop:
	case DW_OP_over:
	case DW_OP_pick:
	case DW_OP_swap:
	case DW_OP_rot:
		return sure(rearrange(machine, operation));
	case DW_OP_abs:
	case DW_OP_neg:
	case DW_OP_not:
		return sure(one_operand(machine, operation->atom));
	case DW_OP_plus_uconst:
		if (machine->depth == 0)
			return LOCATION_NOT_EVALUATED;
		machine->stack[machine->depth - 1].bits =
		    low_bits(machine->stack[machine->depth - 1].bits + operation->number,
			     machine->stack[machine->depth - 1].size);
		return LOCATION_FOUND;
	case DW_OP_and:
	case DW_OP_div:
	case DW_OP_minus:
	case DW_OP_mod:
	case DW_OP_mul:
	case DW_OP_or:
	case DW_OP_plus:
	case DW_OP_shl:
	case DW_OP_shr:
	case DW_OP_shra:
	case DW_OP_xor:
	case DW_OP_eq:
	case DW_OP_ge:
	case DW_OP_gt:
	case DW_OP_le:
	case DW_OP_lt:
	case DW_OP_ne:
		return sure(two_operands(machine, operation->atom));
	case DW_OP_deref:
	case DW_OP_deref_size:
	case DW_OP_deref_type:
	case DW_OP_GNU_deref_type:
		return push_loaded(machine, operation);
	case DW_OP_skip:
		return sure(jump(machine, operation));
	case DW_OP_bra:
		return sure(pop(machine, &value) && (value.bits == 0 || jump(machine, operation)));
	case DW_OP_convert:
	case DW_OP_GNU_convert:
		return sure(convert(machine, operation, false));
	case DW_OP_reinterpret:
	case DW_OP_GNU_reinterpret:
		return sure(convert(machine, operation, true));
	default:
		return run_constant(machine, operation);
	}
}

static enum location_outcome run_all(struct machine *machine)
{
	for (unsigned steps = 0; machine->at < machine->count; steps++) {
		const Dwarf_Op *operation = &machine->operations[machine->at++];
		const bool ends =
		    operation->atom == DW_OP_piece || operation->atom == DW_OP_bit_piece;
		/* Behind what is told only a piece's end may stand. */
		if (steps == STEPS_MAX || (machine->has_told && !ends))
			return LOCATION_NOT_EVALUATED;
		enum location_outcome outcome = run_operation(machine, operation);
		if (outcome != LOCATION_FOUND)
			return outcome;
	}
	return LOCATION_FOUND;
}

enum location_outcome location_evaluate(const struct location_place *place,
					Dwarf_Attribute *attribute, const Dwarf_Op *operations,
					size_t count, struct location *location)
{
	struct location made = { .count = 0 };
	struct machine machine = { .place = place,
				   .attribute = attribute,
				   .operations = operations,
				   .count = count,
				   .location = &made };
	enum location_outcome outcome = run_all(&machine);
	if (outcome != LOCATION_FOUND)
		return outcome;
	const bool rest = machine.has_told || machine.depth > 0;
	/* Pieces tell the whole; what is left behind them belongs to none. */
	if (made.count > 0 && rest)
		return LOCATION_NOT_EVALUATED;
	if (made.count == 0 && (!rest || !end_piece(&machine, 0)))
		return LOCATION_OPTIMIZED_OUT;
	if (made.count == 1 && made.pieces[0].kind == LOCATION_NOWHERE)
		return LOCATION_OPTIMIZED_OUT;
	*location = made;
	return LOCATION_FOUND;
}

enum location_outcome location_number(const struct location_place *place,
				      Dwarf_Attribute *attribute, const Dwarf_Op *operations,
				      size_t count, uint64_t *number)
{
	struct location location;
	enum location_outcome outcome =
	    location_evaluate(place, attribute, operations, count, &location);
	if (outcome != LOCATION_FOUND)
		return outcome;
	const struct location_piece *piece = &location.pieces[0];
	if (location.count != 1 || piece->size != 0)
		return LOCATION_NOT_EVALUATED;
	if (piece->kind == LOCATION_REGISTER)
		return read_register(place, piece->number, number);
	if (piece->kind != LOCATION_MEMORY && piece->kind != LOCATION_VALUE)
		return LOCATION_NOT_EVALUATED;
	*number = piece->number;
	return LOCATION_FOUND;
}

/* Bytes [offset, offset + size) of a number, as the target would store it. */
static bool number_bytes(const struct arch *arch, uint64_t number, uint64_t offset, uint8_t *to,
			 size_t size)
{
	const bool big_endian = arch->elf_data == 2;
	const unsigned width = 8;
	if (big_endian || offset > width || size > width - offset)
		return false;
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(number >> 8 * (offset + i));
	return true;
}

static enum location_outcome register_bytes(const struct location_place *place, uint64_t number,
					    uint64_t offset, uint8_t *to, size_t size)
{
	uint8_t vector[XMM_SIZE];
	uint64_t value;
	if (vector_register(place, number, vector)) {
		if (offset > sizeof vector || size > sizeof vector - offset)
			return LOCATION_NOT_EVALUATED;
		memcpy(to, vector + offset, size);
		return LOCATION_FOUND;
	}
	enum location_outcome outcome = read_register(place, number, &value);
	if (outcome != LOCATION_FOUND)
		return outcome;
	return sure(number_bytes(place->arch, value, offset, to, size));
}

static enum location_outcome piece_bytes(const struct location_place *place,
					 const struct location_piece *piece, uint64_t offset,
					 uint8_t *to, size_t size)
{
	switch (piece->kind) {
	case LOCATION_NOWHERE:
		return LOCATION_OPTIMIZED_OUT;
	case LOCATION_MEMORY:
		return address_space_probe(place->space, piece->number + offset, to, size)
			   ? LOCATION_FOUND
			   : LOCATION_MEMORY_MISSING;
	case LOCATION_REGISTER:
		return register_bytes(place, piece->number, offset, to, size);
	case LOCATION_VALUE:
		return sure(number_bytes(place->arch, piece->number, offset, to, size));
	case LOCATION_BYTES:
		if (offset > piece->number || size > piece->number - offset)
			return LOCATION_NOT_EVALUATED;
		memcpy(to, piece->bytes + offset, size);
		return LOCATION_FOUND;
	}
	return LOCATION_NOT_EVALUATED;
}

enum location_outcome location_read(const struct location_place *place,
				    const struct location *location, uint64_t offset, void *buffer,
				    size_t size)
{
	uint8_t *to = buffer;
	for (size_t i = 0; i < location->count && size > 0; i++) {
		const struct location_piece *piece = &location->pieces[i];
		if (piece->size != 0 && offset >= piece->size) {
			offset -= piece->size;
			continue;
		}
		size_t part = size;
		if (piece->size != 0 && piece->size - offset < part)
			part = (size_t)(piece->size - offset);
		enum location_outcome outcome = piece_bytes(place, piece, offset, to, part);
		if (outcome != LOCATION_FOUND)
			return outcome;
		to += part;
		size -= part;
		offset = 0;
	}
	return size == 0 ? LOCATION_FOUND : LOCATION_OPTIMIZED_OUT;
}

bool location_address(const struct location *location, uint64_t offset, uint64_t *address)
{
	if (location->count != 1 || location->pieces[0].kind != LOCATION_MEMORY)
		return false;
	*address = location->pieces[0].number + offset;
	return true;
}
