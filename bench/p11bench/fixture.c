#include "p11bench.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

/* Answers what the module says of itself. */
void command_info(void)
{
	CK_INFO info;
	module_initialize();
	CALL(C_GetInfo, &info);
	int end = sizeof info.libraryDescription;
	while (end > 0 && info.libraryDescription[end - 1] == ' ')
		end--;
	answer("{\"description\":\"%.*s\",\"version\":\"%d.%d\",\"cryptoki\":\"%d.%d\"}", end,
	       (char *)info.libraryDescription, info.libraryVersion.major, info.libraryVersion.minor,
	       info.cryptokiVersion.major, info.cryptokiVersion.minor);
	CALL(C_Finalize, NULL);
}

/* Makes the token in the first free slot, with both PINs. */
void command_init(void)
{
	module_initialize();
	CK_SLOT_ID slots[64], slot;
	CK_ULONG count = LEN(slots), i;
	CALL(C_GetSlotList, CK_FALSE, slots, &count);
	for (i = 0; i < count; i++) {
		CK_TOKEN_INFO info;
		if (p11->C_GetTokenInfo(slots[i], &info) != CKR_OK || !(info.flags & CKF_TOKEN_INITIALIZED))
			break;
	}
	if (i == count)
		fail("no free slot among %lu", (unsigned long)count);
	slot = slots[i];

	CK_UTF8CHAR label[32];
	memset(label, ' ', sizeof label);
	memcpy(label, TOKEN_LABEL, sizeof TOKEN_LABEL - 1);
	CALL(C_InitToken, slot, (CK_UTF8CHAR *)SO_PIN, sizeof SO_PIN - 1, label);
	CK_SESSION_HANDLE session = open_session(slot);
	CALL(C_Login, session, CKU_SO, (CK_UTF8CHAR *)SO_PIN, sizeof SO_PIN - 1);
	CALL(C_InitPIN, session, (CK_UTF8CHAR *)USER_PIN, sizeof USER_PIN - 1);
	CALL(C_Finalize, NULL);
	answer("{}");
}

/* Generates a key pair on the token; extra is the one attribute that chooses curve or size. */
static CK_RV generate_pair(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, const char *label, CK_ATTRIBUTE extra)
{
	static CK_BYTE exponent[] = { 1, 0, 1 };
	CK_MECHANISM mechanism = { type, NULL, 0 };
	CK_ULONG length = strlen(label);
	CK_ATTRIBUTE public[] = {
		{ CKA_TOKEN, &yes, sizeof yes },
		{ CKA_VERIFY, &yes, sizeof yes },
		{ CKA_LABEL, (void *)label, length },
		{ CKA_ID, (void *)label, length },
		extra,
		{ CKA_PUBLIC_EXPONENT, exponent, sizeof exponent },
	};
	CK_ATTRIBUTE private[] = {
		{ CKA_TOKEN, &yes, sizeof yes },
		{ CKA_PRIVATE, &yes, sizeof yes },
		{ CKA_SENSITIVE, &yes, sizeof yes },
		{ CKA_EXTRACTABLE, &no, sizeof no },
		{ CKA_SIGN, &yes, sizeof yes },
		{ CKA_LABEL, (void *)label, length },
		{ CKA_ID, (void *)label, length },
	};
	CK_OBJECT_HANDLE pub, priv;
	CK_ULONG count = LEN(public) - (extra.type == CKA_MODULUS_BITS ? 0 : 1);
	return p11->C_GenerateKeyPair(session, &mechanism, public, count, private, LEN(private), &pub, &priv);
}

/* Puts the keys there that the measures use, P-256 first: every fixture has that one. */
void command_keys(void)
{
	static CK_BYTE p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
	static CK_BYTE ed25519[] = { 0x06, 0x03, 0x2b, 0x65, 0x70 };
	static CK_BYTE edwards25519[] = "\x13\x0c" "edwards25519";
	CK_ULONG bits = 2048, bytes = 32;
	CK_RV rv;

	module_initialize();
	CK_SESSION_HANDLE session = login();
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ATTRIBUTE aes[] = {
		{ CKA_TOKEN, &yes, sizeof yes },
		{ CKA_PRIVATE, &yes, sizeof yes },
		{ CKA_SENSITIVE, &yes, sizeof yes },
		{ CKA_EXTRACTABLE, &no, sizeof no },
		{ CKA_ENCRYPT, &yes, sizeof yes },
		{ CKA_LABEL, LABEL_AES, sizeof LABEL_AES - 1 },
		{ CKA_ID, LABEL_AES, sizeof LABEL_AES - 1 },
		{ CKA_VALUE_LEN, &bytes, sizeof bytes },
	};
	CK_OBJECT_HANDLE key;
	CALL(C_GenerateKey, session, &mechanism, aes, LEN(aes), &key);

	rv = generate_pair(session, CKM_EC_KEY_PAIR_GEN, LABEL_P256, (CK_ATTRIBUTE){ CKA_EC_PARAMS, p256, sizeof p256 });
	if (rv != CKR_OK)
		fail_rv("C_GenerateKeyPair, P-256", rv);
	rv = generate_pair(session, CKM_RSA_PKCS_KEY_PAIR_GEN, LABEL_RSA2048,
			   (CK_ATTRIBUTE){ CKA_MODULUS_BITS, &bits, sizeof bits });
	if (rv != CKR_OK)
		fail_rv("C_GenerateKeyPair, RSA-2048", rv);
	/* v3.0 allows the object identifier and the curve's name; some modules know only one of them. A module
	 * without Edwards curves still has a token: the measure of Ed25519 then fails, alone. */
	rv = generate_pair(session, CKM_EC_EDWARDS_KEY_PAIR_GEN, LABEL_ED25519,
			   (CK_ATTRIBUTE){ CKA_EC_PARAMS, ed25519, sizeof ed25519 });
	if (rv != CKR_OK)
		rv = generate_pair(session, CKM_EC_EDWARDS_KEY_PAIR_GEN, LABEL_ED25519,
				   (CK_ATTRIBUTE){ CKA_EC_PARAMS, edwards25519, sizeof edwards25519 - 1 });
	CALL(C_Finalize, NULL);
	answer("{\"ed25519\":%s}", rv == CKR_OK ? "true" : "false");
}

int object_name(char *name, unsigned long i)
{
	return snprintf(name, 32, "object-%08lu", i);
}

/* One thread's share of a fill: objects first, first+step, ... below end. */
struct share {
	pthread_t thread;
	CK_SLOT_ID slot;
	unsigned long first, end, step;
};

static void *fill_share(void *arg)
{
	struct share *s = arg;
	CK_SESSION_HANDLE session = open_session(s->slot);
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_BYTE value[16] = { 0 };
	for (unsigned long i = s->first; i < s->end; i += s->step) {
		char name[32];
		int length = object_name(name, i);
		memcpy(value, &i, sizeof i);
		CK_ATTRIBUTE template[] = {
			{ CKA_CLASS, &class, sizeof class },
			{ CKA_KEY_TYPE, &type, sizeof type },
			{ CKA_TOKEN, &yes, sizeof yes },
			{ CKA_PRIVATE, &yes, sizeof yes },
			{ CKA_SENSITIVE, &yes, sizeof yes },
			{ CKA_ENCRYPT, &yes, sizeof yes },
			{ CKA_LABEL, name, length },
			{ CKA_ID, name, length },
			{ CKA_VALUE, value, sizeof value },
		};
		CK_OBJECT_HANDLE object;
		CALL(C_CreateObject, session, template, LEN(template), &object);
	}
	return NULL;
}

/* Creates count private AES keys on the token. */
void command_fill(unsigned long count, unsigned threads)
{
	struct share shares[64];
	if (threads < 1 || threads > LEN(shares))
		fail("%u threads", threads);
	module_initialize();
	CK_SLOT_ID slot = slot_of_token();
	login();
	int64_t start = nanoseconds(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < threads; i++) {
		shares[i] = (struct share){ .slot = slot, .first = i, .end = count, .step = threads };
		if (pthread_create(&shares[i].thread, NULL, fill_share, &shares[i]))
			fail("pthread_create");
	}
	for (unsigned i = 0; i < threads; i++)
		pthread_join(shares[i].thread, NULL);
	int64_t wall = nanoseconds(CLOCK_MONOTONIC) - start;
	CALL(C_Finalize, NULL);
	answer("{\"ops\":%lu,\"wall_ns\":%lld}", count, (long long)wall);
}
