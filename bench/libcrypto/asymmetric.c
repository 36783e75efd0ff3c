#include "libcrypto.h"

#include <stdio.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/rsa.h>

const char *key_folder;

static EVP_PKEY *key;
static EVP_PKEY_CTX *ctx;
static EVP_MD_CTX *md;
static unsigned char in[1024], out[1024];
static size_t in_len, out_len;
static const char *made;

static EVP_PKEY *generate(const char *name)
{
	unsigned bits;
	if (sscanf(name, "rsa%u", &bits) == 1)
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
	if (!strcmp(name, "p256") || !strcmp(name, "p384") || !strcmp(name, "p521")) {
		char curve[] = "P-xxx";
		memcpy(curve + 2, name + 1, 3);
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve);
	}
	static const char *const others[][2] = {
		{ "ed25519", "ED25519" }, { "ed448", "ED448" }, { "x25519", "X25519" }, { "x448", "X448" },
	};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (!strcmp(name, others[i][0]))
			return EVP_PKEY_Q_keygen(NULL, NULL, others[i][1]);
	absent("%s keys", name);
}

/* The key of that name, up to a "-": from the folder or made now. */
static void take_key(const char *name)
{
	char plain[32], path[512];
	snprintf(plain, sizeof plain, "%.*s", (int)strcspn(name, "-"), name);
	snprintf(path, sizeof path, "%s/%s.pem", key_folder, plain);
	FILE *f = fopen(path, "r");
	if (f) {
		key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
		fclose(f);
	} else
		key = generate(plain);
	check(key != NULL, "the key");
	ctx = EVP_PKEY_CTX_new(key, NULL);
}

static int is_edwards(void)
{
	return EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");
}

static void run_sign(void)
{
	out_len = sizeof out;
	check(EVP_PKEY_sign(ctx, out, &out_len, in, in_len), "EVP_PKEY_sign");
}

static void run_verify(void)
{
	check(EVP_PKEY_verify(ctx, out, out_len, in, in_len), "EVP_PKEY_verify");
}

static void run_sign_message(void)
{
	out_len = sizeof out;
	check(EVP_DigestSignInit(md, NULL, NULL, NULL, key), "EVP_DigestSignInit");
	check(EVP_DigestSign(md, out, &out_len, in, in_len), "EVP_DigestSign");
}

static void run_verify_message(void)
{
	check(EVP_DigestVerifyInit(md, NULL, NULL, NULL, key), "EVP_DigestVerifyInit");
	check(EVP_DigestVerify(md, out, out_len, in, in_len), "EVP_DigestVerify");
}

/* What RSA wants to know of the padding, for the operation that was begun. */
static void padding(const char *name)
{
	if (!EVP_PKEY_is_a(key, "RSA"))
		return;
	int pss = strstr(name, "-pss") != NULL;
	check(EVP_PKEY_CTX_set_rsa_padding(ctx, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING), "padding");
	check(EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()), "signature_md");
	if (pss)
		check(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32), "saltlen");
}

static void (*sign_begin(const char *name, int sign))(void)
{
	take_key(name);
	in_len = EVP_PKEY_is_a(key, "EC") ? (EVP_PKEY_get_bits(key) == 256 ? 32 : EVP_PKEY_get_bits(key) == 384 ? 48 : 64) : 32;
	if (is_edwards()) {
		md = EVP_MD_CTX_new();
		run_sign_message();
		return sign ? run_sign_message : run_verify_message;
	}
	check(EVP_PKEY_sign_init(ctx), "EVP_PKEY_sign_init");
	padding(name);
	run_sign();
	if (sign)
		return run_sign;
	check(EVP_PKEY_verify_init(ctx), "EVP_PKEY_verify_init");
	padding(name);
	return run_verify;
}

static void run_oaep(void)
{
	out_len = sizeof out;
	check(EVP_PKEY_decrypt(ctx, out, &out_len, in, in_len), "EVP_PKEY_decrypt");
}

static void oaep_padding(const char *hash)
{
	const EVP_MD *h = strcmp(hash, "sha256") ? EVP_sha1() : EVP_sha256();
	check(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING), "padding");
	check(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, h), "oaep_md");
	check(EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, h), "mgf1_md");
}

static void (*oaep_begin(const char *name, const char *hash))(void)
{
	take_key(name);
	check(EVP_PKEY_encrypt_init(ctx), "EVP_PKEY_encrypt_init");
	oaep_padding(hash);
	in_len = sizeof in;
	check(EVP_PKEY_encrypt(ctx, in, &in_len, out, 32), "EVP_PKEY_encrypt");
	check(EVP_PKEY_decrypt_init(ctx), "EVP_PKEY_decrypt_init");
	oaep_padding(hash);
	return run_oaep;
}

static void run_derive(void)
{
	out_len = sizeof out;
	check(EVP_PKEY_derive(ctx, out, &out_len), "EVP_PKEY_derive");
}

static void (*derive_begin(const char *name))(void)
{
	take_key(name);
	check(EVP_PKEY_derive_init(ctx), "EVP_PKEY_derive_init");
	check(EVP_PKEY_derive_set_peer(ctx, key), "EVP_PKEY_derive_set_peer");
	return run_derive;
}

static void run_generate(void)
{
	EVP_PKEY *k = generate(made);
	check(k != NULL, "EVP_PKEY_Q_keygen");
	EVP_PKEY_free(k);
}

void (*asymmetric(int argc, char **argv))(void)
{
	const char *what = argv[0];
	if (argc == 2 && (!strcmp(what, "sign") || !strcmp(what, "verify")))
		return sign_begin(argv[1], what[0] == 's');
	if (argc == 3 && !strcmp(what, "oaep"))
		return oaep_begin(argv[1], argv[2]);
	if (argc == 2 && !strcmp(what, "derive"))
		return derive_begin(argv[1]);
	if (argc == 3 && !strncmp(what, "generate", 8) && !strcmp(argv[1], "session")) {
		made = argv[2];
		return run_generate;
	}
	return NULL;
}

void (*measure(int argc, char **argv))(void)
{
	void (*run)(void) = asymmetric(argc, argv);
	if (!run)
		run = symmetric(argc, argv);
	if (!run)
		absent("%s", argv[0]);
	return run;
}
