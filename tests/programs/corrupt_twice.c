/* corrupt_twice: a large heap with two writes past a chunk's end, far from each other. Tells the
 * chunks whose size words were overwritten, and some that are whole before the first.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#define CHUNKS 400000
#define SIZE   136
#define FIRST  (CHUNKS / 10)
#define SECOND (FIRST + 75000) /* chunks between that are no accident; before the middle */

static char *volatile kept[CHUNKS];

static void overrun(int number)
{
	memset((char *)kept[number], 'x', SIZE + 8);
	truth("{\"damaged\":%lu}", (unsigned long)(kept[number] + SIZE + 8));
}

int main(void)
{
	for (int i = 0; i < CHUNKS; i++)
		kept[i] = malloc(SIZE);
	for (int i = 0; i < 1000; i++)
		truth("{\"whole\":%lu}", (unsigned long)kept[i]);
	overrun(FIRST);
	overrun(SECOND);
	truth_ready();
	for (;;)
		pause();
}
