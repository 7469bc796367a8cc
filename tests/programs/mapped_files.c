/* mapped_files FILE…: maps files to read them, as a debugger does. They are no modules.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

int main(int count, char **arguments)
{
	for (int i = 1; i < count; i++) {
		struct stat about;
		int fd = open(arguments[i], O_RDONLY);
		if (fd < 0 || fstat(fd, &about) != 0)
			abort();
		void *bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (bytes == MAP_FAILED)
			abort();
		truth("{\"mapped\":\"%s\",\"address\":\"%p\"}", arguments[i], bytes);
	}
	truth_ready();
	for (;;)
		pause();
}
