#include "p11bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static FILE *out;

/* Keeps standard output for answers: whatever a module prints goes to standard error. */
void answer_open(void)
{
	int fd = dup(STDOUT_FILENO);
	if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || !(out = fdopen(fd, "w")))
		abort();
}

void answer(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(out, format, args);
	va_end(args);
	fputc('\n', out);
	fflush(out);
}

/* The text goes into a JSON string as it is: formats and arguments hold no quotes or backslashes. */
static void end(const char *what, const char *format, va_list args) __attribute__((noreturn));
static void end(const char *what, const char *format, va_list args)
{
	char text[512];
	vsnprintf(text, sizeof text, format, args);
	answer("{\"%s\":\"%s\"}", what, text);
	_exit(1);
}

void fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	end("error", format, args);
}

void absent(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	end("absent", format, args);
}

void fail_rv(const char *function, unsigned long rv)
{
	fail("%s: 0x%08lx", function, rv);
}

int64_t nanoseconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}
