/* Signatures, their verification, and decryption with RSA. */
#include "p11bench.h"

#include <string.h>

/* What a caller has in hand to sign: a digest, its DigestInfo for PKCS #1, or a message of 32 bytes. */
struct scheme {
	const char *name, *key;
	CK_MECHANISM_TYPE type;
	unsigned length;
	CK_RSA_PKCS_PSS_PARAMS pss;
};

#define DIGEST_INFO_LENGTH (19 + 32)
#define PSS { CKM_SHA256, CKG_MGF1_SHA256, 32 }

static const struct scheme schemes[] = {
	{ "rsa2048", "rsa2048", CKM_RSA_PKCS, DIGEST_INFO_LENGTH },
	{ "rsa3072", "rsa3072", CKM_RSA_PKCS, DIGEST_INFO_LENGTH },
	{ "rsa4096", "rsa4096", CKM_RSA_PKCS, DIGEST_INFO_LENGTH },
	{ "rsa2048-pss", "rsa2048", CKM_RSA_PKCS_PSS, 32, PSS },
	{ "rsa3072-pss", "rsa3072", CKM_RSA_PKCS_PSS, 32, PSS },
	{ "rsa4096-pss", "rsa4096", CKM_RSA_PKCS_PSS, 32, PSS },
	{ "p256", "p256", CKM_ECDSA, 32 },
	{ "p384", "p384", CKM_ECDSA, 48 },
	{ "p521", "p521", CKM_ECDSA, 64 },
	{ "ed25519", "ed25519", CKM_EDDSA, 32 },
	{ "ed448", "ed448", CKM_EDDSA, 32 },
	{ "mldsa65", "mldsa65", CKM_ML_DSA, 32 },
	{ "slhdsa128f", "slhdsa128f", CKM_SLH_DSA, 32 },
};

/* sign SCHEME: C_SignInit and C_Sign with a key on the token. */
static void prepare_sign(struct context *c, int argc, char **argv)
{
	static const CK_BYTE digest_info[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
					       0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };
	const char *name = argument(argc, argv, 0);
	const struct scheme *s = schemes;
	while (s < schemes + LEN(schemes) && strcmp(s->name, name))
		s++;
	if (s == schemes + LEN(schemes))
		fail("unknown signature %s", name);
	need_mechanism(s->type, CKF_SIGN, name);
	buffers(c, s->length, 20000);
	if (s->type == CKM_RSA_PKCS)
		memcpy(c->in, digest_info, sizeof digest_info);
	c->mechanism = (CK_MECHANISM){ s->type, NULL, 0 };
	if (s->type == CKM_RSA_PKCS_PSS) {
		c->params.pss = s->pss;
		c->mechanism = (CK_MECHANISM){ s->type, &c->params.pss, sizeof c->params.pss };
	}
	struct pair p = key_on_token(c->session, s->key);
	c->key = p.key;
	c->public = p.public;
}

static void run_sign(struct context *c, unsigned n)
{
	while (n--) {
		c->out_len = c->out_size;
		CALL(C_SignInit, c->session, &c->mechanism, c->key);
		CALL(C_Sign, c->session, c->in, c->in_len, c->out, &c->out_len);
	}
}

/* verify SCHEME: one right signature again and again. */
static void prepare_verify(struct context *c, int argc, char **argv)
{
	prepare_sign(c, argc, argv);
	need_mechanism(c->mechanism.mechanism, CKF_VERIFY, argv[0]);
	run_sign(c, 1);
}

static void run_verify(struct context *c, unsigned n)
{
	while (n--) {
		CALL(C_VerifyInit, c->session, &c->mechanism, c->public);
		CALL(C_Verify, c->session, c->in, c->in_len, c->out, c->out_len);
	}
}

/* signinit SCHEME: C_SignInit alone; what ends the operation is not timed. */
static void after_signinit(struct context *c, unsigned n)
{
	(void)n;
	c->out_len = c->out_size;
	CALL(C_Sign, c->session, c->in, c->in_len, c->out, &c->out_len);
}

static void run_signinit(struct context *c, unsigned n)
{
	(void)n;
	CALL(C_SignInit, c->session, &c->mechanism, c->key);
}

/* oaep KEY sha1|sha256: C_DecryptInit and C_Decrypt of 32 bytes. */
static void prepare_oaep(struct context *c, int argc, char **argv)
{
	const char *key = argument(argc, argv, 0), *hash = argument(argc, argv, 1);
	need_mechanism(CKM_RSA_PKCS_OAEP, CKF_DECRYPT, "OAEP");
	buffers(c, 512, 512);
	c->params.oaep = (CK_RSA_PKCS_OAEP_PARAMS){ CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };
	if (!strcmp(hash, "sha256")) {
		c->params.oaep.hashAlg = CKM_SHA256;
		c->params.oaep.mgf = CKG_MGF1_SHA256;
	}
	c->mechanism = (CK_MECHANISM){ CKM_RSA_PKCS_OAEP, &c->params.oaep, sizeof c->params.oaep };
	struct pair p = key_on_token(c->session, key);
	c->key = p.key;
	c->in_len = c->out_size;
	CK_RV rv = p11->C_EncryptInit(c->session, &c->mechanism, p.public);
	if (rv == CKR_ARGUMENTS_BAD || rv == CKR_MECHANISM_PARAM_INVALID)
		absent("OAEP with %s", hash);
	if (rv != CKR_OK)
		fail_rv("C_EncryptInit", rv);
	CALL(C_Encrypt, c->session, c->out, 32, c->in, &c->in_len);
}

static void run_oaep(struct context *c, unsigned n)
{
	while (n--) {
		CK_ULONG length = c->out_size;
		CALL(C_DecryptInit, c->session, &c->mechanism, c->key);
		CALL(C_Decrypt, c->session, c->in, c->in_len, c->out, &length);
	}
}

const struct measure sign_measures[] = {
	{ "sign", prepare_sign, run_sign },
	{ "verify", prepare_verify, run_verify },
	{ "signinit", prepare_sign, run_signinit, NULL, after_signinit, 1 },
	{ "oaep", prepare_oaep, run_oaep },
	{ NULL },
};
