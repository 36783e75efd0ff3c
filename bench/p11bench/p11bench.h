/*
 * p11bench loads one PKCS #11 module and does one thing with it: makes a token, fills it, or measures.
 * It answers on its standard output with one JSON object a line, and knows nothing of the module it loads:
 * what it lacks it is asked for (C_GetMechanismInfo), and the answer says so.
 */
#ifndef P11BENCH_H
#define P11BENCH_H

#include <stdint.h>
#include <time.h>

#include "../../cshim/pkcs11.h"

/* The token every fixture has. The PINs are no longer than openCryptoki takes, and not its first ones. */
#define TOKEN_LABEL "bench"
#define SO_PIN "76543210"
#define USER_PIN "13572468"

/* Number of elements of an array. */
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The loaded module; NULL before module_load. The later lists are NULL where the module has none. */
extern CK_FUNCTION_LIST *p11;
extern CK_FUNCTION_LIST_3_0 *p11_30;
extern CK_FUNCTION_LIST_3_2 *p11_32;

/* Calls a function of the module; anything but CKR_OK ends the process with an answer that names it. */
#define CALL_OF(list, fn, ...)                            \
	do {                                              \
		CK_RV rv_ = (list)->fn(__VA_ARGS__);      \
		if (rv_ != CKR_OK)                        \
			fail_rv(#fn, (unsigned long)rv_); \
	} while (0)
#define CALL(fn, ...) CALL_OF(p11, fn, __VA_ARGS__)

/* answer.c: the way out. absent says that the module has no such thing, which is no fault. */
void answer_open(void);
void answer(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void fail_rv(const char *function, unsigned long rv) __attribute__((noreturn));
void absent(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
int64_t nanoseconds(clockid_t clock);

/* module.c: from a path to a logged-in session. P11BENCH_INIT, where it is set, is the string for
 * C_Initialize. */
void module_load(const char *path);
void module_initialize(void);
CK_SLOT_ID slot_of_token(void);
CK_SESSION_HANDLE open_session(CK_SLOT_ID slot);
void log_in(CK_SESSION_HANDLE session);
CK_SESSION_HANDLE login(void);
int has_mechanism(CK_MECHANISM_TYPE type, CK_FLAGS flag);
void need_mechanism(CK_MECHANISM_TYPE type, CK_FLAGS flag, const char *name);

/* keys.c: keys by name, made on the token when they are asked for first. */
struct kind;
struct pair {
	CK_OBJECT_HANDLE key;    /* the secret or private key */
	CK_OBJECT_HANDLE public; /* 0: the kind has none */
};
const struct kind *kind_named(const char *name);
struct pair key_on_token(CK_SESSION_HANDLE session, const char *name);
struct pair generate(CK_SESSION_HANDLE session, const struct kind *kind, int on_token, const char *label);
/* A secret key of the session: extractable, with that many random bytes. */
CK_OBJECT_HANDLE session_secret(CK_SESSION_HANDLE session, CK_ULONG size);
CK_ULONG find(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG attributes, CK_OBJECT_HANDLE *found,
	      CK_ULONG room);
CK_OBJECT_HANDLE find_named(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class, const char *label);

/* fixture.c: what a token holds before it is measured. */
void command_info(void);
void command_init(int keys, char **names);
void command_fill(unsigned long count, unsigned threads);
/* The label of the i-th object of a fill is also its id; name has room for 32 bytes. */
int object_name(char *name, unsigned long i);
CK_OBJECT_HANDLE create_object(CK_SESSION_HANDLE session, const char *name, int length, int on_token);

/* What one thread of a measure has. */
struct context {
	unsigned thread;
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key, public, target;
	CK_MECHANISM mechanism;
	CK_MECHANISM_TYPE generator;
	union {
		CK_GCM_PARAMS gcm;
		CK_AES_CTR_PARAMS ctr;
		CK_CCM_PARAMS ccm;
		CK_SALSA20_CHACHA20_POLY1305_PARAMS chacha;
		CK_RSA_PKCS_PSS_PARAMS pss;
		CK_RSA_PKCS_OAEP_PARAMS oaep;
		CK_ECDH1_DERIVE_PARAMS ecdh;
		CK_GCM_MESSAGE_PARAMS message;
	} params;
	CK_BYTE iv[16], tag[16];
	CK_BYTE *in, *out;
	CK_ULONG in_len, out_size, out_len, chunk;
	const void *row;                /* of the table of the measure */
	CK_OBJECT_HANDLE made[2][64];   /* not destroyed yet, halves of pairs beside each other */
	unsigned long count;
	uint64_t random;
};

/* A measure: prepare once a thread, then before(n), run(n) timed, after(n), as long as a slice lasts; before and
 * after may be NULL. A fixed size of batch is for those that need them. */
struct measure {
	const char *name;
	void (*prepare)(struct context *c, int argc, char **argv);
	void (*run)(struct context *c, unsigned n);
	void (*before)(struct context *c, unsigned n);
	void (*after)(struct context *c, unsigned n);
	unsigned fixed;
};

/* The tables of measures, each ended by a row without a name. */
extern const struct measure call_measures[], cipher_measures[], sign_measures[], secret_measures[], object_measures[];

/* measure.c */
void command_serve(int argc, char **argv);
const char *argument(int argc, char **argv, int i);
unsigned long number(int argc, char **argv, int i);
uint64_t next_random(struct context *c);
void buffers(struct context *c, CK_ULONG in, CK_ULONG out);

/* cipher.c */
void cipher_begin(struct context *c, const char *family, CK_FLAGS flag);
void digest_begin(struct context *c, const char *name, int keyed);

/* process.c: what a new process pays. */
void command_startup(int64_t start, const char *path);
void command_newproc(int64_t start, const char *path);
struct memory {
	long resident, anonymous, file, peak; /* KiB */
};
struct memory memory_now(void);

/* together.c: processes that meet. */
void command_forked(const char *path);
void command_visible(const char *path, unsigned rounds, int writer_first);
void command_takeover(const char *path, int write);

/* stream.c, pause.c */
void command_stream(const char *what, const char *family, unsigned long bytes, unsigned long chunk);
void command_pause(unsigned long objects, unsigned seconds);

#endif
