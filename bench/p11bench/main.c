#include "p11bench.h"

#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: p11bench MODULE info | init KEY... | fill COUNT THREADS | serve THREADS MEASURE... | "
			    "startup | newproc | forked | visible ROUNDS WRITER-FIRST | takeover WRITE | "
			    "stream WHAT FAMILY BYTES CHUNK | pause OBJECTS SECONDS";

int main(int argc, char **argv)
{
	int64_t start = nanoseconds(CLOCK_MONOTONIC);
	answer_open();
	if (argc < 3)
		fail("%s", usage);
	const char *path = argv[1], *command = argv[2];
	int more = argc - 3;
	argv += 3;
	/* These measure the loading, or fork before it. */
	if (!strcmp(command, "startup"))
		command_startup(start, path);
	else if (!strcmp(command, "newproc"))
		command_newproc(start, path);
	else if (!strcmp(command, "forked"))
		command_forked(path);
	else if (!strcmp(command, "visible") && more == 2)
		command_visible(path, number(more, argv, 0), atoi(argv[1]));
	else if (!strcmp(command, "takeover") && more == 1)
		command_takeover(path, atoi(argv[0]));
	else {
		module_load(path);
		if (!strcmp(command, "info"))
			command_info();
		else if (!strcmp(command, "init"))
			command_init(more, argv);
		else if (!strcmp(command, "fill") && more == 2)
			command_fill(number(more, argv, 0), number(more, argv, 1));
		else if (!strcmp(command, "serve"))
			command_serve(more, argv);
		else if (!strcmp(command, "stream") && more == 4)
			command_stream(argv[0], argv[1], number(more, argv, 2), number(more, argv, 3));
		else if (!strcmp(command, "pause") && more == 2)
			command_pause(number(more, argv, 0), number(more, argv, 1));
		else
			fail("%s", usage);
	}
	return 0;
}
