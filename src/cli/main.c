/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/inputs.h"
#include "cli/messages.h"
#include "cli/run.h"

#include <locale.h>
#include <signal.h>

int main(int argc, char **argv)
{
	struct options options;
	setlocale(LC_CTYPE, "");
	/* A reader that went away is then an error of the write, which is looked at. */
	signal(SIGPIPE, SIG_IGN);
	options_parse(argc, argv, &options);
	if (inputs_settle(&options))
		message(NULL, "%s is the core file: read as corescan %s %s", options.core,
			options.exe, options.core);
	return run(&options);
}
