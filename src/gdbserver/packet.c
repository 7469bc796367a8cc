/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gdbserver/packet.h"

#include "report/format.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- in */

static int digit(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	if (character >= 'a' && character <= 'f')
		return character - 'a' + 10;
	if (character >= 'A' && character <= 'F')
		return character - 'A' + 10;
	return -1;
}

static void begin(struct packet_reader *reader)
{
	reader->state = READER_INSIDE;
	reader->escaped = reader->too_long = reader->bad_digit = false;
	reader->sum = 0;
	reader->size = 0;
}

static void take_inside(struct packet_reader *reader, uint8_t byte)
{
	if (byte == '#') { /* never escaped: it always ends */
		reader->state = READER_FIRST_DIGIT;
		return;
	}
	reader->sum = (uint8_t)(reader->sum + byte);
	if (byte == '}' && !reader->escaped) {
		reader->escaped = true;
		return;
	}
	if (reader->size >= PACKET_MAX)
		reader->too_long = true;
	else
		reader->bytes[reader->size++] = (char)(reader->escaped ? byte ^ 0x20 : byte);
	reader->escaped = false;
}

static enum packet_event end(struct packet_reader *reader, int low)
{
	reader->state = READER_BETWEEN;
	reader->bytes[reader->size] = '\0';
	if (low < 0 || reader->bad_digit || (reader->claimed | low) != reader->sum)
		return PACKET_DAMAGED;
	return reader->too_long ? PACKET_TOO_LONG : PACKET_WHOLE;
}

enum packet_event packet_reader_take(struct packet_reader *reader, uint8_t byte)
{
	int value;
	switch (reader->state) {
	case READER_BETWEEN:
		if (byte == '$')
			begin(reader);
		return byte == 3 ? PACKET_INTERRUPT : byte == '-' ? PACKET_AGAIN : PACKET_NONE;
	case READER_INSIDE:
		if (byte == '$') /* the rest of the one before was lost */
			begin(reader);
		else
			take_inside(reader, byte);
		return PACKET_NONE;
	case READER_FIRST_DIGIT:
		value = digit((char)byte);
		reader->bad_digit = value < 0;
		reader->claimed = (uint8_t)((value & 15) << 4);
		reader->state = READER_SECOND_DIGIT;
		return PACKET_NONE;
	default:
		return end(reader, digit((char)byte));
	}
}

bool packet_number(const char **at, uint64_t *number)
{
	uint64_t value = 0;
	const char *from = *at;
	int next;
	for (; (next = digit(**at)) >= 0; (*at)++) {
		if (value >> 60 != 0)
			return false;
		value = value << 4 | (unsigned)next;
	}
	*number = value;
	return *at != from;
}

bool packet_number_to(const char **at, uint64_t *number, char last)
{
	if (!packet_number(at, number) || **at != last)
		return false;
	if (last != '\0')
		(*at)++;
	return true;
}

bool packet_unhex(const char **at, char *bytes, size_t size, size_t *count)
{
	*count = 0;
	for (; digit((*at)[0]) >= 0; *at += 2) {
		if (digit((*at)[1]) < 0 || *count >= size)
			return false;
		bytes[(*count)++] = (char)(digit((*at)[0]) << 4 | digit((*at)[1]));
	}
	if (*count < size)
		bytes[*count] = '\0';
	return true;
}

/* --- out */

void reply_clear(struct reply *reply)
{
	reply->bytes.count = 0;
	reply->no_memory = false;
}

void reply_free(struct reply *reply)
{
	array_free(&reply->bytes);
}

void reply_bytes(struct reply *reply, const void *bytes, size_t size)
{
	if (size == 0)
		return;
	if (!array_reserve(&reply->bytes, size)) {
		reply->no_memory = true;
		return;
	}
	memcpy(reply->bytes.items + reply->bytes.count, bytes, size);
	reply->bytes.count += size;
}

void reply_text(struct reply *reply, const char *text)
{
	reply_bytes(reply, text, strlen(text));
}

void reply_format(struct reply *reply, const char *format, ...)
{
	char *text;
	va_list arguments;
	va_start(arguments, format);
	const int length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0) {
		reply->no_memory = true;
		return;
	}
	reply_bytes(reply, text, (size_t)length);
	free(text);
}

void reply_hex(struct reply *reply, const void *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *from = bytes;
	if (!array_reserve(&reply->bytes, 2 * size)) {
		reply->no_memory = true;
		return;
	}
	for (size_t i = 0; i < size; i++) {
		reply->bytes.items[reply->bytes.count++] = digits[from[i] >> 4];
		reply->bytes.items[reply->bytes.count++] = digits[from[i] & 15];
	}
}

void reply_hex_text(struct reply *reply, const char *text)
{
	reply_hex(reply, text, strlen(text));
}

void reply_xml(struct reply *reply, const char *text)
{
	char printed[FORMAT_CHARACTER_MAX];
	while (*text != '\0') {
		format_character(&text, true, printed);
		if (strcmp(printed, "&") == 0)
			reply_text(reply, "&amp;");
		else if (strcmp(printed, "<") == 0)
			reply_text(reply, "&lt;");
		else if (strcmp(printed, ">") == 0)
			reply_text(reply, "&gt;");
		else if (strcmp(printed, "\"") == 0)
			reply_text(reply, "&quot;");
		else
			reply_text(reply, printed);
	}
}

void packet_write(const struct reply *reply, struct reply *wire)
{
	uint8_t sum = 0;
	reply_text(wire, "$");
	for (size_t i = 0; i < reply->bytes.count; i++) {
		uint8_t byte = (uint8_t)reply->bytes.items[i];
		if (byte == '$' || byte == '#' || byte == '}' || byte == '*') {
			const uint8_t escaped[2] = { '}', byte ^ 0x20 };
			reply_bytes(wire, escaped, 2);
			sum = (uint8_t)(sum + escaped[0] + escaped[1]);
		} else {
			reply_bytes(wire, &byte, 1);
			sum = (uint8_t)(sum + byte);
		}
	}
	reply_format(wire, "#%02x", sum);
}
