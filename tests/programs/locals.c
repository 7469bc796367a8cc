/* Functions that tell their arguments and locals, then wait. Each line of truth is a variable of a
 * function, as corescan shows it: {"function":…,"name":…,"value":…}.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#include <inttypes.h>
#include <stdbool.h>

enum colour { RED, GREEN = 5, BLUE };

struct point {
	int x, y;
	double weight;
	const char *name;
	unsigned low : 3, high : 5;
};

union number {
	int whole;
	unsigned char first;
};

static int table[16];

#define TELL(name, ...) tell(__func__, #name, __VA_ARGS__)

/* Quotes and backslashes in the value are told as JSON has them. */
__attribute__((format(printf, 3, 4))) static void tell(const char *function, const char *name,
						       const char *format, ...)
{
	char value[256], escaped[512];
	size_t length = 0;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(value, sizeof value, format, arguments);
	va_end(arguments);
	for (const char *at = value; *at != '\0'; at++) {
		if (*at == '"' || *at == '\\')
			escaped[length++] = '\\';
		escaped[length++] = *at;
	}
	escaped[length] = '\0';
	truth("{\"function\":\"%s\",\"name\":\"%s\",\"value\":\"%s\"}", function, name, escaped);
}

/* Keeps a variable where the debugger can find it, optimised or not. */
#define KEEP(variable) __asm__ volatile("" : : "g"(variable) : "memory")

__attribute__((noinline)) int innermost(int count, unsigned char small, char letter, bool flag,
					enum colour colour, float single, double twice,
					const char *text, struct point *at, void *nothing)
{
	int64_t negative = -5000000000LL - count;
	char buffer[24] = "tab\tquote\"back\\";
	int list[12] = { 1, -2, 3 };
	struct point copy = *at;
	union number either = { .whole = count + 65536 };
	int *entry = &table[3];
	void *chunk = malloc((size_t)count + 100);
	long double extended = 1.5L;
	int (*function)(const char *) = atoi;
	static int calls = 77;
	TELL(count, "%d", count);
	TELL(small, "%d", small);
	TELL(letter, "%d '%c'", letter, letter);
	TELL(flag, "%s", flag ? "true" : "false");
	TELL(colour, "%s", colour == GREEN ? "GREEN" : "?");
	TELL(single, "%g", (double)single);
	TELL(twice, "%.6g", twice);
	TELL(text, "%p \"%s\"", (const void *)text, text);
	TELL(at, "%p", (void *)at);
	TELL(nothing, "%s", nothing == NULL ? "NULL" : "?");
	TELL(negative, "%" PRId64, negative);
	TELL(buffer, "%s", "\"tab\\tquote\\\"back\\\\\"");
	TELL(list, "%s", "{1, -2, 3, 0, 0, 0, 0, 0, … 12 elements}");
	TELL(copy, "{x = %d, y = %d, weight = %g, name = %p \"%s\", low = %d, high = %d}", copy.x,
	     copy.y, copy.weight, (const void *)copy.name, copy.name, copy.low, copy.high);
	TELL(either, "{whole = %d, first = %d", either.whole, either.first);
	TELL(entry, "%p <table>+12", (void *)entry);
	TELL(chunk, "%p", chunk);
	TELL(extended, "%Lg", extended);
	TELL(function, "%p <atoi>", (void *)function);
	TELL(calls, "%d", calls);
	truth_ready();
	for (;;) {
		pause();
		KEEP(buffer);
		KEEP(list);
		KEEP(copy);
		KEEP(either);
		KEEP(&calls);
		KEEP(chunk);
		KEEP(entry);
		KEEP(negative);
		KEEP(extended);
	}
	return count + calls;
}

static inline __attribute__((always_inline)) int expanded(int seed, struct point *where)
{
	int doubled = seed * 2;
	TELL(seed, "%d", seed);
	TELL(doubled, "%d", doubled);
	TELL(where, "%p", (void *)where);
	doubled +=
	    innermost(doubled, 200, 'x', true, GREEN, 1.5f, 3.14159, "some text", where, NULL);
	KEEP(doubled);
	return doubled + where->x;
}

__attribute__((noinline)) int outer(int seed, const char *word)
{
	struct point here = { seed, -seed, 2.5, word, 5, 9 };
	int result = 0;
	TELL(word, "%p \"%s\"", (const void *)word, word);
	TELL(here, "{x = %d, y = %d", here.x, here.y);
	if (seed > 3) {
		int within = seed + 1;
		TELL(within, "%d", within);
		result = expanded(within, &here);
		KEEP(within);
	}
	KEEP(here);
	return result + word[0];
}

int main(int argc, char **argv)
{
	TELL(argv, "%p", (void *)argv);
	return outer(argc + 20, "pötzlich") + argv[0][0];
}
