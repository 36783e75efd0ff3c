#include "p11bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* C_SignInit is timed alone on so many sessions in a row; ending their operations is not timed. */
#define SIGNINIT_SESSIONS 256
/* A batch takes at least this long, so that reading the clocks does not count. */
#define BATCH_NS 200000

static CK_SESSION_HANDLE session;
static CK_SESSION_HANDLE sessions[SIGNINIT_SESSIONS];
static CK_OBJECT_HANDLE key;
static CK_MECHANISM mechanism;
static CK_GCM_PARAMS gcm;
static CK_BYTE iv[12];
static CK_BYTE *input, *output;
static CK_ULONG input_len, output_size;
static CK_ATTRIBUTE_TYPE attribute;
static unsigned long objects;
static uint64_t random_state = 88172645463325252u;

/* A measure: prepare once, then batch(n) timed, then after() not timed, as long as a slice lasts. A fixed
 * size of batch is for those that need after(). */
struct measure {
	const char *name;
	void (*prepare)(int argc, char **argv);
	void (*batch)(unsigned n);
	void (*after)(void);
	unsigned fixed;
};

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void buffers(CK_ULONG in, CK_ULONG out)
{
	input_len = in;
	output_size = out;
	input = calloc(1, in);
	output = calloc(1, out);
	if (!input || !output)
		fail("no memory");
	memset(input, 0x5a, in);
	memset(output, 0x5a, out);
}

static const char *argument(int argc, char **argv, int i)
{
	if (i >= argc)
		fail("an argument is missing");
	return argv[i];
}

/* null: the price of a call that does almost nothing. */
static void prepare_null(int argc, char **argv)
{
	(void)argc, (void)argv;
}

static void batch_null(unsigned n)
{
	CK_SESSION_INFO info;
	while (n--)
		CALL(C_GetSessionInfo, session, &info);
}

/* gcm SIZE: C_EncryptInit and C_Encrypt with the token's AES-256 key, an iv that counts up, no AAD. */
static void prepare_gcm(int argc, char **argv)
{
	CK_ULONG size = strtoul(argument(argc, argv, 0), NULL, 10);
	buffers(size, size + 16);
	key = find_key(session, CKO_SECRET_KEY, LABEL_AES);
	gcm.pIv = iv;
	gcm.ulIvLen = sizeof iv;
	gcm.ulIvBits = 8 * sizeof iv;
	gcm.ulTagBits = 128;
	mechanism = (CK_MECHANISM){ CKM_AES_GCM, &gcm, sizeof gcm };
}

static void batch_gcm(unsigned n)
{
	while (n--) {
		uint64_t count;
		memcpy(&count, iv, sizeof count);
		count++;
		memcpy(iv, &count, sizeof count);
		CK_ULONG length = output_size;
		CALL(C_EncryptInit, session, &mechanism, key);
		CALL(C_Encrypt, session, input, input_len, output, &length);
	}
}

/* sign KIND: C_SignInit and C_Sign with a token key, of what a caller would have: a SHA-256 digest for ECDSA,
 * its DigestInfo for RSA, a message of 32 bytes for Ed25519. */
static void prepare_sign(int argc, char **argv)
{
	static const CK_BYTE digest_info[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
					       0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };
	const char *kind = argument(argc, argv, 0), *label;
	buffers(32, 512);
	if (!strcmp(kind, "p256")) {
		label = LABEL_P256;
		mechanism.mechanism = CKM_ECDSA;
	} else if (!strcmp(kind, "ed25519")) {
		label = LABEL_ED25519;
		mechanism.mechanism = CKM_EDDSA;
	} else if (!strcmp(kind, "rsa2048")) {
		label = LABEL_RSA2048;
		mechanism.mechanism = CKM_RSA_PKCS;
		buffers(sizeof digest_info + 32, 512);
		memcpy(input, digest_info, sizeof digest_info);
	} else
		fail("unknown kind of key %s", kind);
	key = find_key(session, CKO_PRIVATE_KEY, label);
}

static void sign(CK_SESSION_HANDLE s)
{
	CK_ULONG length = output_size;
	CALL(C_Sign, s, input, input_len, output, &length);
}

static void batch_sign(unsigned n)
{
	while (n--) {
		CALL(C_SignInit, session, &mechanism, key);
		sign(session);
	}
}

/* signinit KIND: C_SignInit alone, after one signature has warmed the key. */
static void prepare_signinit(int argc, char **argv)
{
	prepare_sign(argc, argv);
	CK_SLOT_ID slot = slot_of_token();
	for (unsigned i = 0; i < SIGNINIT_SESSIONS; i++)
		sessions[i] = open_session(slot);
	batch_sign(1);
}

static void batch_signinit(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		CALL(C_SignInit, sessions[i], &mechanism, key);
}

/* Ends every operation. Data too long for PKCS #1 does that without the cost of a signature; modules disagree
 * on the code. */
static void after_signinit(void)
{
	static CK_BYTE too_long[512];
	for (unsigned i = 0; i < SIGNINIT_SESSIONS; i++) {
		if (mechanism.mechanism != CKM_RSA_PKCS) {
			sign(sessions[i]);
			continue;
		}
		CK_ULONG length = output_size;
		CK_RV rv = p11->C_Sign(sessions[i], too_long, sizeof too_long, output, &length);
		if (rv == CKR_OK)
			fail("C_Sign takes too much data");
	}
}

/* generate: C_GenerateKey of an AES-256 key on the token, which keeps them all. */
static void prepare_generate(int argc, char **argv)
{
	(void)argc, (void)argv;
	mechanism = (CK_MECHANISM){ CKM_AES_KEY_GEN, NULL, 0 };
}

static void batch_generate(unsigned n)
{
	static CK_BBOOL yes = CK_TRUE;
	CK_ULONG bytes = 32;
	while (n--) {
		char name[32];
		int length = snprintf(name, sizeof name, "generated-%08lu", objects++);
		CK_ATTRIBUTE template[] = {
			{ CKA_TOKEN, &yes, sizeof yes },
			{ CKA_PRIVATE, &yes, sizeof yes },
			{ CKA_SENSITIVE, &yes, sizeof yes },
			{ CKA_ENCRYPT, &yes, sizeof yes },
			{ CKA_LABEL, name, length },
			{ CKA_ID, name, length },
			{ CKA_VALUE_LEN, &bytes, sizeof bytes },
		};
		CALL(C_GenerateKey, session, &mechanism, template, LEN(template), &key);
	}
}

/* find id|label COUNT: one object among COUNT, another one each time. All handles are given out before, as to
 * a host that lists its keys: what a find costs does not depend on how many were made so far. */
static void prepare_find(int argc, char **argv)
{
	const char *what = argument(argc, argv, 0);
	if (!strcmp(what, "id"))
		attribute = CKA_ID;
	else if (!strcmp(what, "label"))
		attribute = CKA_LABEL;
	else
		fail("cannot find by %s", what);
	objects = strtoul(argument(argc, argv, 1), NULL, 10);
	if (!objects)
		fail("no objects to find");
	CK_OBJECT_HANDLE found[256];
	CK_ULONG count, total = 0;
	CALL(C_FindObjectsInit, session, NULL, 0);
	do {
		CALL(C_FindObjects, session, found, LEN(found), &count);
		total += count;
	} while (count);
	CALL(C_FindObjectsFinal, session);
	if (total < objects)
		fail("%lu objects are listed, not %lu", (unsigned long)total, objects);
}

static void batch_find(unsigned n)
{
	while (n--) {
		char name[32];
		int length = object_name(name, next_random() % objects);
		CK_ATTRIBUTE template = { attribute, name, length };
		CK_OBJECT_HANDLE found[2];
		CK_ULONG count = 0;
		CALL(C_FindObjectsInit, session, &template, 1);
		CALL(C_FindObjects, session, found, LEN(found), &count);
		CALL(C_FindObjectsFinal, session);
		if (count != 1)
			fail("%lu objects are called %s, not one", (unsigned long)count, name);
	}
}

static const struct measure measures[] = {
	{ "null", prepare_null, batch_null, NULL, 0 },
	{ "gcm", prepare_gcm, batch_gcm, NULL, 0 },
	{ "sign", prepare_sign, batch_sign, NULL, 0 },
	{ "signinit", prepare_signinit, batch_signinit, after_signinit, SIGNINIT_SESSIONS },
	{ "generate", prepare_generate, batch_generate, NULL, 0 },
	{ "find", prepare_find, batch_find, NULL, 0 },
};

/* Runs batches until the slice is over, one at least, and answers what they took. */
static void slice(const struct measure *m, int64_t length)
{
	static unsigned batch = 1;
	uint64_t ops = 0;
	int64_t wall = 0, cpu = 0, end = nanoseconds(CLOCK_MONOTONIC) + length, now;
	do {
		unsigned n = m->fixed ? m->fixed : batch;
		int64_t cpu_start = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
		int64_t start = nanoseconds(CLOCK_MONOTONIC);
		m->batch(n);
		now = nanoseconds(CLOCK_MONOTONIC);
		cpu += nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
		wall += now - start;
		ops += n;
		if (!m->fixed && now - start < BATCH_NS && batch < 1u << 20)
			batch *= 2;
		if (m->after) {
			m->after();
			now = nanoseconds(CLOCK_MONOTONIC);
		}
	} while (now < end);
	answer("{\"ops\":%" PRIu64 ",\"wall_ns\":%" PRId64 ",\"cpu_ns\":%" PRId64 "}", ops, wall, cpu);
}

/* serve MEASURE [ARGUMENT...]: prepares, says so, then answers each line "MILLISECONDS" with a slice, until
 * standard input ends. */
void command_serve(int argc, char **argv)
{
	const char *name = argument(argc, argv, 0);
	const struct measure *m = NULL;
	for (size_t i = 0; i < LEN(measures); i++)
		if (!strcmp(measures[i].name, name))
			m = &measures[i];
	if (!m)
		fail("unknown measure %s", name);
	module_initialize();
	session = login();
	m->prepare(argc - 1, argv + 1);
	answer("{\"ready\":true}");
	char line[64];
	while (fgets(line, sizeof line, stdin))
		slice(m, strtol(line, NULL, 10) * INT64_C(1000000));
	CALL(C_Finalize, NULL);
}
