/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <config.h>

#include "modules/disassemble.h"

#include <dis-asm.h>
#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	uint16_t elf_machine;
	enum bfd_architecture architecture;
	unsigned long machine;
} machines[] = {
	{ EM_X86_64, bfd_arch_i386, bfd_mach_x86_64 },
};

/* What libopcodes writes to; .info.application_data leads back to it. */
struct printer {
	struct disassembled *result;
	size_t length;
	bool failed;
};

__attribute__((format(printf, 2, 0))) static void put(struct printer *printer, const char *format,
						      va_list arguments)
{
	char piece[INSTRUCTION_TEXT_MAX];
	char *text = printer->result->text;
	vsnprintf(piece, sizeof piece, format, arguments);
	for (const char *at = piece; *at != '\0'; at++) {
		const bool again =
		    *at == ' ' && printer->length > 0 && text[printer->length - 1] == ' ';
		if (!again && printer->length < sizeof printer->result->text - 1)
			text[printer->length++] = *at;
	}
	text[printer->length] = '\0';
}

static int print(void *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int print(void *stream, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	put(stream, format, arguments);
	va_end(arguments);
	return 0;
}

#ifdef HAVE_STYLED_DISASSEMBLER
static int print_styled(void *stream, enum disassembler_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int print_styled(void *stream, enum disassembler_style style, const char *format, ...)
{
	va_list arguments;
	(void)style;
	va_start(arguments, format);
	put(stream, format, arguments);
	va_end(arguments);
	return 0;
}
#endif

static void print_address(bfd_vma address, struct disassemble_info *info)
{
	struct printer *printer = info->application_data;
	printer->result->target = address;
	print(printer, "0x%llx", (unsigned long long)address);
}

/* libopcodes itself prints the beginning of an instruction that is cut off, as if it were one. */
static int read_bytes(bfd_vma address, bfd_byte *to, unsigned size, struct disassemble_info *info)
{
	struct printer *printer = info->application_data;
	const int status = buffer_read_memory(address, to, size, info);
	if (status != 0)
		printer->failed = true;
	return status;
}

static void tell_error(int status, bfd_vma address, struct disassemble_info *info)
{
	(void)status;
	(void)address;
	(void)info;
}

static void begin(struct disassemble_info *info, struct printer *printer)
{
#ifdef HAVE_STYLED_DISASSEMBLER
	init_disassemble_info(info, printer, print, print_styled);
#else
	init_disassemble_info(info, printer, print);
#endif
	info->application_data = printer;
	info->print_address_func = print_address;
	info->read_memory_func = read_bytes;
	info->memory_error_func = tell_error;
}

bool disassemble(const struct arch *arch, uint64_t address, const uint8_t *bytes, size_t size,
		 struct disassembled *result)
{
	struct disassembled made = { .length = 0 };
	struct printer printer = { .result = &made };
	struct disassemble_info info;
	size_t row = 0;
	while (row < sizeof machines / sizeof *machines &&
	       machines[row].elf_machine != arch->elf_machine)
		row++;
	if (row == sizeof machines / sizeof *machines || size == 0)
		return false;
	begin(&info, &printer);
	info.arch = machines[row].architecture;
	info.mach = machines[row].machine;
	info.endian = arch->elf_data == ELFDATA2MSB ? BFD_ENDIAN_BIG : BFD_ENDIAN_LITTLE;
	info.buffer = (bfd_byte *)bytes;
	info.buffer_length = (unsigned)size;
	info.buffer_vma = address;
	disassembler_ftype decode =
	    disassembler(info.arch, info.endian == BFD_ENDIAN_BIG, info.mach, NULL);
	if (decode == NULL)
		return false;
	disassemble_init_for_target(&info);
	const int length = decode(address, &info);
	disassemble_free_target(&info);
	if (length <= 0 || printer.failed || strstr(made.text, "(bad)") != NULL)
		return false;
	while (printer.length > 0 && made.text[printer.length - 1] == ' ')
		made.text[--printer.length] = '\0';
	made.length = (unsigned)length;
	*result = made;
	return true;
}
