#include "p11bench.h"

#include <stdio.h>
#include <string.h>

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

/* How a kind of key comes to be. Some modules know a curve only by its object identifier or only by its name,
 * and some make X25519 keys as if they were Edwards or other EC keys: further rows of one name are tried in their order. */
struct kind {
	const char *name;
	CK_MECHANISM_TYPE generator;
	int pair;
	CK_ATTRIBUTE_TYPE attribute; /* which gives the size */
	CK_ULONG size;               /* its value, or the length of bytes */
	const CK_BYTE *bytes;
	CK_ATTRIBUTE_TYPE private_use[4], public_use[2];
};

#define OID(...) sizeof((const CK_BYTE[]){ __VA_ARGS__ }), (const CK_BYTE[]){ __VA_ARGS__ }
#define TEXT(s) sizeof(s) - 1, (const CK_BYTE *)(s)
#define SECRET { CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP }, { 0 }
#define RSA { CKA_SIGN, CKA_DECRYPT }, { CKA_VERIFY, CKA_ENCRYPT }
#define EC { CKA_SIGN, CKA_DERIVE }, { CKA_VERIFY }
#define SIGNING { CKA_SIGN }, { CKA_VERIFY }
#define DERIVING { CKA_DERIVE }, { 0 }
#define KEM { CKA_DECAPSULATE }, { CKA_ENCAPSULATE }

static const struct kind kinds[] = {
	{ "aes", CKM_AES_KEY_GEN, 0, CKA_VALUE_LEN, 32, NULL, SECRET },
	{ "aes-mac", CKM_AES_KEY_GEN, 0, CKA_VALUE_LEN, 32, NULL, { CKA_SIGN, CKA_VERIFY }, { 0 } },
	{ "des3", CKM_DES3_KEY_GEN, 0, 0, 0, NULL, { CKA_ENCRYPT, CKA_DECRYPT }, { 0 } },
	{ "chacha20", CKM_CHACHA20_KEY_GEN, 0, 0, 0, NULL, { CKA_ENCRYPT, CKA_DECRYPT }, { 0 } },
	{ "generic", CKM_GENERIC_SECRET_KEY_GEN, 0, CKA_VALUE_LEN, 32, NULL, { CKA_SIGN, CKA_VERIFY }, { 0 } },
	{ "rsa2048", CKM_RSA_PKCS_KEY_PAIR_GEN, 1, CKA_MODULUS_BITS, 2048, NULL, RSA },
	{ "rsa3072", CKM_RSA_PKCS_KEY_PAIR_GEN, 1, CKA_MODULUS_BITS, 3072, NULL, RSA },
	{ "rsa4096", CKM_RSA_PKCS_KEY_PAIR_GEN, 1, CKA_MODULUS_BITS, 4096, NULL, RSA },
	{ "p256", CKM_EC_KEY_PAIR_GEN, 1, CKA_EC_PARAMS, OID(6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7), EC },
	{ "p384", CKM_EC_KEY_PAIR_GEN, 1, CKA_EC_PARAMS, OID(6, 5, 0x2b, 0x81, 4, 0, 0x22), EC },
	{ "p521", CKM_EC_KEY_PAIR_GEN, 1, CKA_EC_PARAMS, OID(6, 5, 0x2b, 0x81, 4, 0, 0x23), EC },
	{ "ed25519", CKM_EC_EDWARDS_KEY_PAIR_GEN, 1, CKA_EC_PARAMS, OID(6, 3, 0x2b, 0x65, 0x70), SIGNING },
	{ "ed25519", CKM_EC_EDWARDS_KEY_PAIR_GEN, 1, CKA_EC_PARAMS, TEXT("\x13\x0c" "edwards25519"), SIGNING },
	{ "ed448", CKM_EC_EDWARDS_KEY_PAIR_GEN, 1, CKA_EC_PARAMS, OID(6, 3, 0x2b, 0x65, 0x71), SIGNING },
	{ "ed448", CKM_EC_EDWARDS_KEY_PAIR_GEN, 1, CKA_EC_PARAMS, TEXT("\x13\x0a" "edwards448"), SIGNING },
	{ "x25519", CKM_EC_MONTGOMERY_KEY_PAIR_GEN, 1, CKA_EC_PARAMS, OID(6, 3, 0x2b, 0x65, 0x6e), DERIVING },
	{ "x25519", CKM_EC_EDWARDS_KEY_PAIR_GEN, 1, CKA_EC_PARAMS, TEXT("\x13\x0a" "curve25519"), DERIVING },
	{ "x25519", CKM_EC_EDWARDS_KEY_PAIR_GEN, 1, CKA_EC_PARAMS, OID(6, 3, 0x2b, 0x65, 0x6e), DERIVING },
	{ "x25519", CKM_EC_KEY_PAIR_GEN, 1, CKA_EC_PARAMS, OID(6, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 15, 1), DERIVING },
	{ "x448", CKM_EC_MONTGOMERY_KEY_PAIR_GEN, 1, CKA_EC_PARAMS, OID(6, 3, 0x2b, 0x65, 0x6f), DERIVING },
	{ "x448", CKM_EC_EDWARDS_KEY_PAIR_GEN, 1, CKA_EC_PARAMS, TEXT("\x13\x08" "curve448"), DERIVING },
	{ "mlkem768", CKM_ML_KEM_KEY_PAIR_GEN, 1, CKA_PARAMETER_SET, CKP_ML_KEM_768, NULL, KEM },
	{ "mldsa65", CKM_ML_DSA_KEY_PAIR_GEN, 1, CKA_PARAMETER_SET, CKP_ML_DSA_65, NULL, SIGNING },
	{ "slhdsa128f", CKM_SLH_DSA_KEY_PAIR_GEN, 1, CKA_PARAMETER_SET, CKP_SLH_DSA_SHA2_128F, NULL, SIGNING },
};

/* The first kind of that name whose generator the module has. */
const struct kind *kind_named(const char *name)
{
	int known = 0;
	for (size_t i = 0; i < LEN(kinds); i++) {
		if (strcmp(kinds[i].name, name))
			continue;
		known = 1;
		if (has_mechanism(kinds[i].generator, kinds[i].pair ? CKF_GENERATE_KEY_PAIR : CKF_GENERATE))
			return &kinds[i];
	}
	if (!known)
		fail("unknown kind of key %s", name);
	absent("%s keys", name);
}

struct template {
	CK_ATTRIBUTE rows[16];
	CK_ULONG count;
};

static void add(struct template *t, CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG length)
{
	t->rows[t->count++] = (CK_ATTRIBUTE){ type, (void *)value, length };
}

static CK_RV try_generate(CK_SESSION_HANDLE session, const struct kind *k, int on_token, const char *label,
			  struct pair *made)
{
	static const CK_BYTE exponent[] = { 1, 0, 1 };
	CK_MECHANISM mechanism = { k->generator, NULL, 0 };
	struct template private = { .count = 0 }, public = { .count = 0 };
	CK_BBOOL *token = on_token ? &yes : &no;
	CK_ULONG length = strlen(label);

	add(&private, CKA_TOKEN, token, sizeof yes);
	add(&private, CKA_PRIVATE, &yes, sizeof yes);
	add(&private, CKA_SENSITIVE, &yes, sizeof yes);
	add(&private, CKA_EXTRACTABLE, &no, sizeof no);
	add(&private, CKA_LABEL, label, length);
	add(&private, CKA_ID, label, length);
	for (size_t i = 0; i < LEN(k->private_use) && k->private_use[i]; i++)
		add(&private, k->private_use[i], &yes, sizeof yes);
	add(&public, CKA_TOKEN, token, sizeof yes);
	add(&public, CKA_LABEL, label, length);
	add(&public, CKA_ID, label, length);
	for (size_t i = 0; i < LEN(k->public_use) && k->public_use[i]; i++)
		add(&public, k->public_use[i], &yes, sizeof yes);
	if (k->attribute)
		add(k->pair ? &public : &private, k->attribute, k->bytes ? (const void *)k->bytes : &k->size,
		    k->bytes ? k->size : sizeof k->size);
	if (k->attribute == CKA_MODULUS_BITS)
		add(&public, CKA_PUBLIC_EXPONENT, exponent, sizeof exponent);

	if (k->pair)
		return p11->C_GenerateKeyPair(session, &mechanism, public.rows, public.count, private.rows,
					      private.count, &made->public, &made->key);
	made->public = 0;
	return p11->C_GenerateKey(session, &mechanism, private.rows, private.count, &made->key);
}

/* Further rows of the kind's name are tried before it fails. */
struct pair generate(CK_SESSION_HANDLE session, const struct kind *kind, int on_token, const char *label)
{
	struct pair made;
	CK_RV rv = try_generate(session, kind, on_token, label, &made), other;
	for (const struct kind *k = kind + 1; rv != CKR_OK && k < kinds + LEN(kinds) && !strcmp(k->name, kind->name); k++) {
		other = try_generate(session, k, on_token, label, &made);
		if (other == CKR_OK)
			return made;
	}
	if (rv == CKR_CURVE_NOT_SUPPORTED || rv == CKR_DOMAIN_PARAMS_INVALID || rv == CKR_ATTRIBUTE_VALUE_INVALID)
		absent("%s keys: 0x%08lx", kind->name, rv);
	if (rv != CKR_OK)
		fail("generating %s: 0x%08lx", kind->name, rv);
	return made;
}

/* The number of objects that match; the handles of the first of them go to found. */
CK_ULONG find(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG attributes, CK_OBJECT_HANDLE *found,
	      CK_ULONG room)
{
	CK_OBJECT_HANDLE some[256];
	CK_ULONG count, total = 0;
	CALL(C_FindObjectsInit, session, template, attributes);
	do {
		CALL(C_FindObjects, session, some, LEN(some), &count);
		for (CK_ULONG i = 0; i < count && total + i < room; i++)
			found[total + i] = some[i];
		total += count;
	} while (count == LEN(some));
	CALL(C_FindObjectsFinal, session);
	return total;
}

/* The one object of that class and label, or 0. */
CK_OBJECT_HANDLE find_named(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class, const char *label)
{
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_LABEL, (void *)label, strlen(label) },
	};
	CK_OBJECT_HANDLE found = 0;
	CK_ULONG count = find(session, template, LEN(template), &found, 1);
	if (count > 1)
		fail("%lu keys are called %s", (unsigned long)count, label);
	return found;
}

struct pair key_on_token(CK_SESSION_HANDLE session, const char *name)
{
	const struct kind *kind = kind_named(name);
	char label[64];
	snprintf(label, sizeof label, "bench-%s", name);
	struct pair p = {
		.key = find_named(session, kind->pair ? CKO_PRIVATE_KEY : CKO_SECRET_KEY, label),
		.public = kind->pair ? find_named(session, CKO_PUBLIC_KEY, label) : 0,
	};
	return p.key ? p : generate(session, kind, 1, label);
}

CK_OBJECT_HANDLE session_secret(CK_SESSION_HANDLE session, CK_ULONG size)
{
	static CK_BYTE value[4096];
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_OBJECT_HANDLE object;
	if (size > sizeof value)
		fail("a secret of %lu bytes", (unsigned long)size);
	CALL(C_GenerateRandom, session, value, size);
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_KEY_TYPE, &type, sizeof type },
		{ CKA_TOKEN, &no, sizeof no },
		{ CKA_SENSITIVE, &yes, sizeof yes },
		{ CKA_EXTRACTABLE, &yes, sizeof yes },
		{ CKA_VALUE, value, size },
	};
	CALL(C_CreateObject, session, template, LEN(template), &object);
	return object;
}
