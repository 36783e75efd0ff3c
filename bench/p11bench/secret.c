/* What makes keys: derivation, wrapping, encapsulation, generation. A key that was made is destroyed again; in a
 * measure of token keys, or where keys come in pairs, that is not timed. */
#include "p11bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS secret_key = CKO_SECRET_KEY;
static CK_KEY_TYPE generic_secret = CKK_GENERIC_SECRET;
static CK_ULONG secret_length = 32;

/* The secret that comes out: of the session. Its length is the last row, for mechanisms that take it. */
static CK_ATTRIBUTE secret_template[] = {
	{ CKA_CLASS, &secret_key, sizeof secret_key },
	{ CKA_KEY_TYPE, &generic_secret, sizeof generic_secret },
	{ CKA_TOKEN, &no, sizeof no },
	{ CKA_SENSITIVE, &yes, sizeof yes },
	{ CKA_EXTRACTABLE, &no, sizeof no },
	{ CKA_VALUE_LEN, &secret_length, sizeof secret_length },
};

static void derive_once(struct context *c)
{
	CK_OBJECT_HANDLE made;
	CALL(C_DeriveKey, c->session, &c->mechanism, c->key, secret_template, LEN(secret_template), &made);
	CALL(C_DestroyObject, c->session, made);
}

/* derive KIND: ECDH with the key's own public half, and C_DestroyObject. */
static void prepare_derive(struct context *c, int argc, char **argv)
{
	need_mechanism(CKM_ECDH1_DERIVE, CKF_DERIVE, "ECDH");
	struct pair p = key_on_token(c->session, argument(argc, argv, 0));
	c->key = p.key;
	buffers(c, 512, 1);
	CK_ATTRIBUTE point = { CKA_EC_POINT, c->in, c->in_len };
	CALL(C_GetAttributeValue, c->session, p.public, &point, 1);
	c->in_len = point.ulValueLen;
	/* The point as it is, without the OCTET STRING around it; where the module will not, with it. */
	unsigned header = c->in[0] != 4 ? 0 : c->in[1] == c->in_len - 2 ? 2 : c->in[1] == 0x81 ? 3 : 0;
	c->params.ecdh = (CK_ECDH1_DERIVE_PARAMS){ CKD_NULL, 0, NULL, c->in_len - header, c->in + header };
	c->mechanism = (CK_MECHANISM){ CKM_ECDH1_DERIVE, &c->params.ecdh, sizeof c->params.ecdh };
	CK_OBJECT_HANDLE made;
	if (p11->C_DeriveKey(c->session, &c->mechanism, c->key, secret_template, LEN(secret_template), &made) != CKR_OK) {
		c->params.ecdh.pPublicData = c->in;
		c->params.ecdh.ulPublicDataLen = c->in_len;
		derive_once(c);
		return;
	}
	CALL(C_DestroyObject, c->session, made);
}

static void run_derive(struct context *c, unsigned n)
{
	while (n--)
		derive_once(c);
}

/* wrap SIZE, unwrap SIZE: a secret of so many bytes under AES key wrap (RFC 3394). */
static void prepare_wrap(struct context *c, int argc, char **argv)
{
	CK_ULONG size = number(argc, argv, 0);
	need_mechanism(CKM_AES_KEY_WRAP, CKF_WRAP, "AES key wrap");
	buffers(c, 1, size + 64);
	c->mechanism = (CK_MECHANISM){ CKM_AES_KEY_WRAP, NULL, 0 };
	c->key = key_on_token(c->session, "aes").key;
	c->target = session_secret(c->session, size);
}

static void run_wrap(struct context *c, unsigned n)
{
	while (n--) {
		c->out_len = c->out_size;
		CALL(C_WrapKey, c->session, &c->mechanism, c->key, c->target, c->out, &c->out_len);
	}
}

static void prepare_unwrap(struct context *c, int argc, char **argv)
{
	prepare_wrap(c, argc, argv);
	run_wrap(c, 1);
}

static void run_unwrap(struct context *c, unsigned n)
{
	while (n--) {
		CK_OBJECT_HANDLE made;
		CALL(C_UnwrapKey, c->session, &c->mechanism, c->key, c->out, c->out_len, secret_template,
		     LEN(secret_template) - 1, &made);
		CALL(C_DestroyObject, c->session, made);
	}
}

/* encapsulate KIND, decapsulate KIND; C_DestroyObject is part of it. */
static void prepare_encapsulate(struct context *c, int argc, char **argv)
{
	if (!p11_32)
		absent("PKCS #11 3.2");
	need_mechanism(CKM_ML_KEM, CKF_ENCAPSULATE | CKF_DECAPSULATE, "ML-KEM");
	struct pair p = key_on_token(c->session, argument(argc, argv, 0));
	c->key = p.key;
	c->public = p.public;
	c->mechanism = (CK_MECHANISM){ CKM_ML_KEM, NULL, 0 };
	buffers(c, 1, 2048);
}

static void run_encapsulate(struct context *c, unsigned n)
{
	while (n--) {
		CK_OBJECT_HANDLE made;
		c->out_len = c->out_size;
		CALL_OF(p11_32, C_EncapsulateKey, c->session, &c->mechanism, c->public, secret_template,
			LEN(secret_template) - 1, c->out, &c->out_len, &made);
		CALL(C_DestroyObject, c->session, made);
	}
}

static void prepare_decapsulate(struct context *c, int argc, char **argv)
{
	prepare_encapsulate(c, argc, argv);
	run_encapsulate(c, 1);
}

static void run_decapsulate(struct context *c, unsigned n)
{
	while (n--) {
		CK_OBJECT_HANDLE made;
		CALL_OF(p11_32, C_DecapsulateKey, c->session, &c->mechanism, c->key, secret_template,
			LEN(secret_template) - 1, c->out, c->out_len, &made);
		CALL(C_DestroyObject, c->session, made);
	}
}

/* generate session|token KIND */
static void prepare_generate(struct context *c, int argc, char **argv)
{
	c->target = !strcmp(argument(argc, argv, 0), "token");
	c->row = kind_named(argument(argc, argv, 1));
}

static void run_generate(struct context *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char label[64];
		snprintf(label, sizeof label, "made-%u-%lu", c->thread, c->count++);
		struct pair p = generate(c->session, c->row, c->target != 0, label);
		c->made[0][i] = p.key;
		c->made[1][i] = p.public;
	}
}

static void after_generate(struct context *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		CALL(C_DestroyObject, c->session, c->made[0][i]);
		if (c->made[1][i])
			CALL(C_DestroyObject, c->session, c->made[1][i]);
	}
}

const struct measure secret_measures[] = {
	{ "derive", prepare_derive, run_derive },
	{ "wrap", prepare_wrap, run_wrap },
	{ "unwrap", prepare_unwrap, run_unwrap },
	{ "encapsulate", prepare_encapsulate, run_encapsulate },
	{ "decapsulate", prepare_decapsulate, run_decapsulate },
	{ "generate", prepare_generate, run_generate, NULL, after_generate, 1 },
	{ "generate-many", prepare_generate, run_generate, NULL, after_generate, 16 },
	{ NULL },
};
