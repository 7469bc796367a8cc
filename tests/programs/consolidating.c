/* Fills the tcache and the fastbins, then asks for a chunk so large that malloc consolidates the
 * fastbins: the test stops it in the midst of that. Nothing is orphaned, ever.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#define CHUNKS 300

static void *kept[2 * CHUNKS];

int main(void)
{
	for (int i = 0; i < 2 * CHUNKS; i++)
		kept[i] = malloc(40 + 16 * (i % 3));
	/* Every other one, so that none can be merged with a neighbour before. */
	for (int i = 0; i < 2 * CHUNKS; i += 2) {
		free(kept[i]);
		kept[i] = NULL;
	}
	truth("{\"kept\":%d}", CHUNKS);
	kept[0] = malloc(2000);
	truth_ready();
	for (;;)
		pause();
}
