#ifndef LIBCRYPTO_H
#define LIBCRYPTO_H

#include <openssl/evp.h>

/* Each ends the program with an answer. absent says that OpenSSL has no such thing here, which is no fault. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void absent(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void check(int ok, const char *function);

extern const char *key_folder;

/* Makes ready what the arguments name, and returns one operation of it. */
void (*measure(int argc, char **argv))(void);

/* The same for the two families; NULL: not one of theirs. */
void (*symmetric(int argc, char **argv))(void);
void (*asymmetric(int argc, char **argv))(void);

#endif
