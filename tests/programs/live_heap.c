/* A heap of argv[1] megabytes, all of it reachable, and two threads that sleep.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

struct node {
	struct node *next;
	char bytes[4000];
};

static struct node *list;

static void *sleep_on(void *unused)
{
	for (;;)
		pause();
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	size_t count = (argc > 1 ? strtoul(argv[1], NULL, 10) << 20 : 0) / sizeof(struct node);
	for (size_t i = 0; i < count; i++) {
		struct node *node = malloc(sizeof *node);
		if (node == NULL)
			return 1;
		memset(node, 1, sizeof *node);
		node->next = list;
		list = node;
	}
	pthread_create(&thread, NULL, sleep_on, NULL);
	truth_ready();
	sleep_on(NULL);
}
