/* Ciphers, digests and MACs, in one call and in parts. */
#include "p11bench.h"

#include <string.h>

enum parameter { NONE, IV8, IV16, COUNTER, GCM, CCM, CHACHA };

struct family {
	const char *name;
	CK_MECHANISM_TYPE type;
	const char *key;
	enum parameter parameter;
};

static const struct family ciphers[] = {
	{ "aes-ecb", CKM_AES_ECB, "aes", NONE },
	{ "aes-cbc", CKM_AES_CBC, "aes", IV16 },
	{ "aes-cbc-pad", CKM_AES_CBC_PAD, "aes", IV16 },
	{ "aes-ctr", CKM_AES_CTR, "aes", COUNTER },
	{ "aes-gcm", CKM_AES_GCM, "aes", GCM },
	{ "aes-ccm", CKM_AES_CCM, "aes", CCM },
	{ "des3-cbc", CKM_DES3_CBC, "des3", IV8 },
	{ "chacha20-poly1305", CKM_CHACHA20_POLY1305, "chacha20", CHACHA },
	{ NULL },
};

static const struct family digests[] = {
	{ "sha1", CKM_SHA_1, NULL, NONE },
	{ "sha256", CKM_SHA256, NULL, NONE },
	{ "sha384", CKM_SHA384, NULL, NONE },
	{ "sha512", CKM_SHA512, NULL, NONE },
	{ "sha3-256", CKM_SHA3_256, NULL, NONE },
	{ NULL },
};

static const struct family macs[] = {
	{ "hmac-sha1", CKM_SHA_1_HMAC, "generic", NONE },
	{ "hmac-sha256", CKM_SHA256_HMAC, "generic", NONE },
	{ "hmac-sha512", CKM_SHA512_HMAC, "generic", NONE },
	{ "aes-cmac", CKM_AES_CMAC, "aes-mac", NONE },
	{ NULL },
};

static const struct family *family_named(const struct family *table, const char *name)
{
	for (; table->name; table++)
		if (!strcmp(table->name, name))
			return table;
	fail("unknown mechanism %s", name);
}

static void set_parameter(struct context *c, enum parameter parameter)
{
	switch (parameter) {
	case NONE:
		break;
	case IV8:
	case IV16:
		c->mechanism.pParameter = c->iv;
		c->mechanism.ulParameterLen = parameter == IV8 ? 8 : 16;
		break;
	case COUNTER:
		c->params.ctr.ulCounterBits = 128;
		c->mechanism.ulParameterLen = sizeof c->params.ctr;
		break;
	case GCM:
		c->params.gcm = (CK_GCM_PARAMS){ c->iv, 12, 96, NULL, 0, 128 };
		c->mechanism.ulParameterLen = sizeof c->params.gcm;
		break;
	case CCM:
		c->params.ccm = (CK_CCM_PARAMS){ c->in_len, c->iv, 12, NULL, 0, 16 };
		c->mechanism.ulParameterLen = sizeof c->params.ccm;
		break;
	case CHACHA:
		c->params.chacha = (CK_SALSA20_CHACHA20_POLY1305_PARAMS){ c->iv, 12, NULL, 0 };
		c->mechanism.ulParameterLen = sizeof c->params.chacha;
		break;
	}
	if (parameter >= COUNTER)
		c->mechanism.pParameter = &c->params;
}

/* The mechanism, its parameter and its key. The buffers are there. */
void cipher_begin(struct context *c, const char *name, CK_FLAGS flag)
{
	const struct family *f = family_named(ciphers, name);
	need_mechanism(f->type, flag, name);
	c->mechanism = (CK_MECHANISM){ f->type, NULL, 0 };
	set_parameter(c, f->parameter);
	c->key = key_on_token(c->session, f->key).key;
}

void digest_begin(struct context *c, const char *name, int keyed)
{
	const struct family *f = family_named(keyed ? macs : digests, name);
	need_mechanism(f->type, keyed ? CKF_SIGN : CKF_DIGEST, name);
	c->mechanism = (CK_MECHANISM){ f->type, NULL, 0 };
	if (keyed)
		c->key = key_on_token(c->session, f->key).key;
}

/* encrypt FAMILY SIZE [CHUNK]: a nonce that counts up, no AAD. */
static void prepare_encrypt(struct context *c, int argc, char **argv)
{
	CK_ULONG size = number(argc, argv, 1);
	buffers(c, size + 64, size + 64); /* room for a tag or padding both ways */
	c->in_len = size;
	c->chunk = argc > 2 ? number(argc, argv, 2) : 0;
	c->iv[11] = c->thread;
	cipher_begin(c, argv[0], CKF_ENCRYPT);
}

static void next_iv(struct context *c)
{
	c->count++;
	memcpy(c->iv, &c->count, sizeof c->count);
}

static void run_encrypt(struct context *c, unsigned n)
{
	while (n--) {
		CK_ULONG length = c->out_size;
		next_iv(c);
		CALL(C_EncryptInit, c->session, &c->mechanism, c->key);
		CALL(C_Encrypt, c->session, c->in, c->in_len, c->out, &length);
	}
}

/* One piece of the input after another: `piece` bytes from `at`. */
#define EACH_PIECE(c, total)                                                                        \
	for (CK_ULONG at = 0, piece;                                                                \
	     piece = (total) - at < (c)->chunk ? (total) - at : (c)->chunk, at < (total); at += piece)

static void run_encrypt_parts(struct context *c, unsigned n)
{
	while (n--) {
		CK_ULONG done = 0, length;
		next_iv(c);
		CALL(C_EncryptInit, c->session, &c->mechanism, c->key);
		EACH_PIECE(c, c->in_len) {
			length = c->out_size - done;
			CALL(C_EncryptUpdate, c->session, c->in + at, piece, c->out + done, &length);
			done += length;
		}
		length = c->out_size - done;
		CALL(C_EncryptFinal, c->session, c->out + done, &length);
	}
}

/* decrypt FAMILY SIZE [CHUNK]: the same ciphertext each time. */
static void prepare_decrypt(struct context *c, int argc, char **argv)
{
	prepare_encrypt(c, argc, argv);
	need_mechanism(c->mechanism.mechanism, CKF_DECRYPT, argv[0]);
	c->out_len = c->out_size;
	CALL(C_EncryptInit, c->session, &c->mechanism, c->key);
	CALL(C_Encrypt, c->session, c->in, c->in_len, c->out, &c->out_len);
	memcpy(c->in, c->out, c->out_len);
	c->in_len = c->out_len;
}

static void run_decrypt(struct context *c, unsigned n)
{
	while (n--) {
		CK_ULONG length = c->out_size;
		CALL(C_DecryptInit, c->session, &c->mechanism, c->key);
		CALL(C_Decrypt, c->session, c->in, c->in_len, c->out, &length);
	}
}

static void run_decrypt_parts(struct context *c, unsigned n)
{
	while (n--) {
		CK_ULONG done = 0, length;
		CALL(C_DecryptInit, c->session, &c->mechanism, c->key);
		EACH_PIECE(c, c->in_len) {
			length = c->out_size - done;
			CALL(C_DecryptUpdate, c->session, c->in + at, piece, c->out + done, &length);
			done += length;
		}
		length = c->out_size - done;
		CALL(C_DecryptFinal, c->session, c->out + done, &length);
	}
}

static void prepare_digest(struct context *c, int argc, char **argv)
{
	buffers(c, number(argc, argv, 1), 64);
	c->chunk = argc > 2 ? number(argc, argv, 2) : 0;
	digest_begin(c, argv[0], 0);
}

static void run_digest(struct context *c, unsigned n)
{
	while (n--) {
		CK_ULONG length = c->out_size;
		CALL(C_DigestInit, c->session, &c->mechanism);
		CALL(C_Digest, c->session, c->in, c->in_len, c->out, &length);
	}
}

static void run_digest_parts(struct context *c, unsigned n)
{
	while (n--) {
		CK_ULONG length = c->out_size;
		CALL(C_DigestInit, c->session, &c->mechanism);
		EACH_PIECE(c, c->in_len)
			CALL(C_DigestUpdate, c->session, c->in + at, piece);
		CALL(C_DigestFinal, c->session, c->out, &length);
	}
}

static void prepare_mac(struct context *c, int argc, char **argv)
{
	buffers(c, number(argc, argv, 1), 64);
	c->chunk = argc > 2 ? number(argc, argv, 2) : 0;
	digest_begin(c, argv[0], 1);
}

static void run_mac(struct context *c, unsigned n)
{
	while (n--) {
		CK_ULONG length = c->out_size;
		CALL(C_SignInit, c->session, &c->mechanism, c->key);
		CALL(C_Sign, c->session, c->in, c->in_len, c->out, &length);
	}
}

static void run_mac_parts(struct context *c, unsigned n)
{
	while (n--) {
		CK_ULONG length = c->out_size;
		CALL(C_SignInit, c->session, &c->mechanism, c->key);
		EACH_PIECE(c, c->in_len)
			CALL(C_SignUpdate, c->session, c->in + at, piece);
		CALL(C_SignFinal, c->session, c->out, &length);
	}
}

/* message SIZE: C_EncryptMessage of AES-GCM, after one C_MessageEncryptInit. */
static void prepare_message(struct context *c, int argc, char **argv)
{
	if (!p11_30)
		absent("PKCS #11 3.0");
	prepare_encrypt(c, 2, (char *[]){ "aes-gcm", (char *)argument(argc, argv, 0) });
	c->params.message = (CK_GCM_MESSAGE_PARAMS){ c->iv, 12, 0, CKG_NO_GENERATE, c->tag, 128 };
	c->mechanism = (CK_MECHANISM){ CKM_AES_GCM, &c->params, sizeof c->params.message };
	/* NSS has it and does not say so: it is tried where CKF_MESSAGE_ENCRYPT is missing. */
	CK_RV rv = p11_30->C_MessageEncryptInit(c->session, &c->mechanism, c->key);
	if (rv != CKR_OK && !has_mechanism(CKM_AES_GCM, CKF_MESSAGE_ENCRYPT))
		absent("messages of AES-GCM");
	if (rv != CKR_OK)
		fail_rv("C_MessageEncryptInit", rv);
}

static void run_message(struct context *c, unsigned n)
{
	while (n--) {
		CK_ULONG length = c->out_size;
		next_iv(c);
		CALL_OF(p11_30, C_EncryptMessage, c->session, &c->params.message, sizeof c->params.message, NULL, 0,
			c->in, c->in_len, c->out, &length);
	}
}

const struct measure cipher_measures[] = {
	{ "encrypt", prepare_encrypt, run_encrypt },
	{ "encrypt-parts", prepare_encrypt, run_encrypt_parts },
	{ "decrypt", prepare_decrypt, run_decrypt },
	{ "decrypt-parts", prepare_decrypt, run_decrypt_parts },
	{ "digest", prepare_digest, run_digest },
	{ "digest-parts", prepare_digest, run_digest_parts },
	{ "mac", prepare_mac, run_mac },
	{ "mac-parts", prepare_mac, run_mac_parts },
	{ "message", prepare_message, run_message },
	{ NULL },
};
