/*
 * p11bench loads one PKCS #11 module and does one thing with it: makes a token, fills it, or measures.
 * It answers on its standard output with one JSON object a line, and knows nothing of the module it loads.
 */
#ifndef P11BENCH_H
#define P11BENCH_H

#include <stdint.h>
#include <time.h>

#include "../../cshim/pkcs11.h"

/* The token every fixture has, and the labels (and ids) of the keys that `keys` puts there. */
#define TOKEN_LABEL "bench"
#define SO_PIN "bench-so-pin"
#define USER_PIN "bench-user-pin"
#define LABEL_AES "bench-aes"
#define LABEL_P256 "bench-p256"
#define LABEL_ED25519 "bench-ed25519"
#define LABEL_RSA2048 "bench-rsa2048"

/* Number of elements of an array. */
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The loaded module; NULL before module_load. */
extern CK_FUNCTION_LIST *p11;

/* Calls a function of the module; anything but CKR_OK ends the process with an answer that names it. */
#define CALL(fn, ...)                                   \
	do {                                            \
		CK_RV rv_ = p11->fn(__VA_ARGS__);       \
		if (rv_ != CKR_OK)                      \
			fail_rv(#fn, (unsigned long)rv_); \
	} while (0)

/* answer.c: the way out. */
void answer_open(void);
void answer(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void fail_rv(const char *function, unsigned long rv) __attribute__((noreturn));
int64_t nanoseconds(clockid_t clock);

/* module.c: from a path to a logged-in session. */
void module_load(const char *path);
void module_initialize(void);
CK_SLOT_ID slot_of_token(void);
CK_SESSION_HANDLE open_session(CK_SLOT_ID slot);
CK_SESSION_HANDLE login(void);
CK_OBJECT_HANDLE find_key(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class, const char *label);

/* fixture.c: what a token holds before it is measured. */
void command_info(void);
void command_init(void);
void command_keys(void);
void command_fill(unsigned long count, unsigned threads);
/* The label of the i-th object of a fill is also its id; name has room for 32 bytes. */
int object_name(char *name, unsigned long i);

/* measure.c: one measure, in slices, as the driver asks for them. */
void command_serve(int argc, char **argv);

/* process.c: what a new process pays. */
void command_startup(int64_t start, const char *path);
void command_newproc(int64_t start, const char *path);

#endif
