// Writing to a descriptor that may be a pipe without a reader.
#ifndef COFFER_WRITE_H
#define COFFER_WRITE_H

#include <stddef.h>

// write_quietly writes what it can. No SIGPIPE comes of it.
void write_quietly(int fd, const void *p, size_t n);

#endif
