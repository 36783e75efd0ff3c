/*
 * libcrypto measures what OpenSSL's library does with a kept key: what a module in C could reach. It speaks the
 * protocol of p11bench's serve command:
 *
 *	libcrypto FOLDER MEASURE ARGUMENT...
 *
 * RSA keys are read from FOLDER (rsa2048.pem, ...) where they are, so that nobody waits for their making.
 */
#include "libcrypto.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>

#define BATCH_NS 200000

static void say(const char *what, const char *format, va_list args) __attribute__((noreturn));
static void say(const char *what, const char *format, va_list args)
{
	char text[256];
	vsnprintf(text, sizeof text, format, args);
	printf("{\"%s\":\"%s\"}\n", what, text);
	exit(1);
}

void fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say("error", format, args);
}

void absent(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say("absent", format, args);
}

void check(int ok, const char *function)
{
	if (ok <= 0)
		fail("%s: %s", function, ERR_reason_error_string(ERR_get_error()));
}

static int64_t nanoseconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void slice(void (*run)(void), int64_t length)
{
	static unsigned batch = 1;
	unsigned long ops = 0;
	int64_t cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID), start = nanoseconds(CLOCK_MONOTONIC), last = start, now;
	for (;;) {
		for (unsigned i = 0; i < batch; i++)
			run();
		ops += batch;
		now = nanoseconds(CLOCK_MONOTONIC);
		if (now - start >= length)
			break;
		if (now - last < BATCH_NS && batch < 1u << 20)
			batch *= 2;
		last = now;
	}
	printf("{\"ops\":%lu,\"wall_ns\":%lld,\"cpu_ns\":%lld}\n", ops, (long long)(now - start),
	       (long long)(nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu));
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3)
		fail("usage: libcrypto FOLDER MEASURE ARGUMENT...");
	key_folder = argv[1];
	void (*run)(void) = measure(argc - 2, argv + 2);
	run();
	printf("{\"ready\":true}\n");
	char line[64];
	while (fgets(line, sizeof line, stdin))
		slice(run, strtol(line, NULL, 10) * INT64_C(1000000));
	return 0;
}
