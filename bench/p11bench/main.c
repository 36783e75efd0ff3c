#include "p11bench.h"

#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: p11bench MODULE info|init|keys|fill COUNT THREADS|serve MEASURE...|startup|newproc";

int main(int argc, char **argv)
{
	int64_t start = nanoseconds(CLOCK_MONOTONIC);
	answer_open();
	if (argc < 3)
		fail("%s", usage);
	const char *path = argv[1], *command = argv[2];
	if (!strcmp(command, "startup")) {
		command_startup(start, path);
		return 0;
	}
	if (!strcmp(command, "newproc")) {
		command_newproc(start, path);
		return 0;
	}
	module_load(path);
	if (!strcmp(command, "info"))
		command_info();
	else if (!strcmp(command, "init"))
		command_init();
	else if (!strcmp(command, "keys"))
		command_keys();
	else if (!strcmp(command, "fill") && argc == 5)
		command_fill(strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
	else if (!strcmp(command, "serve"))
		command_serve(argc - 3, argv + 3);
	else
		fail("%s", usage);
	return 0;
}
