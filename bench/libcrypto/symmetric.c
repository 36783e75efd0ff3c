#include "libcrypto.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/rand.h>

static EVP_CIPHER_CTX *cipher;
static EVP_MD_CTX *digest;
static EVP_MAC_CTX *mac;
static const EVP_MD *md;
static unsigned char *in, *out, iv[16], tag[16];
static int in_len, authenticated;
static uint64_t count;

static void buffers(const char *size)
{
	in_len = atoi(size);
	in = malloc(in_len + 64);
	out = malloc(in_len + 64);
	if (!in || !out)
		fail("no memory");
	memset(in, 0x5a, in_len + 64);
	memset(out, 0x5a, in_len + 64);
}

static void run_encrypt(void)
{
	int n, last;
	count++;
	memcpy(iv, &count, sizeof count);
	check(EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, iv), "EVP_EncryptInit_ex");
	check(EVP_EncryptUpdate(cipher, out, &n, in, in_len), "EVP_EncryptUpdate");
	check(EVP_EncryptFinal_ex(cipher, out + n, &last), "EVP_EncryptFinal_ex");
	if (authenticated)
		check(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, 16, tag), "EVP_CTRL_AEAD_GET_TAG");
}

static void run_decrypt(void)
{
	int n, last;
	check(EVP_DecryptInit_ex(cipher, NULL, NULL, NULL, iv), "EVP_DecryptInit_ex");
	if (authenticated)
		check(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, 16, tag), "EVP_CTRL_AEAD_SET_TAG");
	check(EVP_DecryptUpdate(cipher, out, &n, in, in_len), "EVP_DecryptUpdate");
	check(EVP_DecryptFinal_ex(cipher, out + n, &last), "EVP_DecryptFinal_ex");
}

/* Key wrap has one update and no more. */
static void run_wrap(void)
{
	int n;
	check(EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, NULL), "EVP_EncryptInit_ex");
	check(EVP_EncryptUpdate(cipher, out, &n, in, in_len), "EVP_EncryptUpdate");
}

static void run_unwrap(void)
{
	int n;
	check(EVP_DecryptInit_ex(cipher, NULL, NULL, NULL, NULL), "EVP_DecryptInit_ex");
	check(EVP_DecryptUpdate(cipher, out, &n, in, in_len + 8), "EVP_DecryptUpdate");
}

static const struct {
	const char *name, *openssl;
	int authenticated, padded;
} ciphers[] = {
	{ "aes-ecb", "AES-256-ECB", 0, 0 },
	{ "aes-cbc", "AES-256-CBC", 0, 0 },
	{ "aes-cbc-pad", "AES-256-CBC", 0, 1 },
	{ "aes-ctr", "AES-256-CTR", 0, 0 },
	{ "aes-gcm", "AES-256-GCM", 1, 0 },
	{ "des3-cbc", "DES-EDE3-CBC", 0, 0 },
	{ "chacha20-poly1305", "ChaCha20-Poly1305", 1, 0 },
};

static void cipher_begin(const char *name, int encrypt)
{
	unsigned char key[32];
	RAND_bytes(key, sizeof key);
	size_t i = 0;
	while (i < sizeof ciphers / sizeof ciphers[0] && strcmp(ciphers[i].name, name))
		i++;
	const EVP_CIPHER *c = i < sizeof ciphers / sizeof ciphers[0] ? EVP_CIPHER_fetch(NULL, ciphers[i].openssl, NULL) : NULL;
	if (!c)
		absent("%s", name);
	authenticated = ciphers[i].authenticated;
	cipher = EVP_CIPHER_CTX_new();
	check(EVP_EncryptInit_ex(cipher, c, NULL, key, iv), "EVP_EncryptInit_ex");
	EVP_CIPHER_CTX_set_padding(cipher, ciphers[i].padded);
	if (encrypt)
		return;
	int n, last;
	check(EVP_EncryptUpdate(cipher, out, &n, in, in_len), "EVP_EncryptUpdate");
	check(EVP_EncryptFinal_ex(cipher, out + n, &last), "EVP_EncryptFinal_ex");
	if (authenticated)
		check(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, 16, tag), "EVP_CTRL_AEAD_GET_TAG");
	in_len = n + last;
	memcpy(in, out, in_len);
	check(EVP_DecryptInit_ex(cipher, c, NULL, key, iv), "EVP_DecryptInit_ex");
	EVP_CIPHER_CTX_set_padding(cipher, ciphers[i].padded);
}

static void wrap_begin(int wrap)
{
	unsigned char key[32];
	int n;
	RAND_bytes(key, sizeof key);
	const EVP_CIPHER *c = EVP_CIPHER_fetch(NULL, "AES-256-WRAP", NULL);
	if (!c)
		absent("AES key wrap");
	cipher = EVP_CIPHER_CTX_new();
	EVP_CIPHER_CTX_set_flags(cipher, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	check(EVP_EncryptInit_ex(cipher, c, NULL, key, NULL), "EVP_EncryptInit_ex");
	if (wrap)
		return;
	check(EVP_EncryptUpdate(cipher, out, &n, in, in_len), "EVP_EncryptUpdate");
	memcpy(in, out, n);
	check(EVP_DecryptInit_ex(cipher, c, NULL, key, NULL), "EVP_DecryptInit_ex");
}

static const EVP_MD *digest_named(const char *name)
{
	const EVP_MD *found = EVP_MD_fetch(NULL, name, NULL);
	if (!found)
		absent("%s", name);
	return found;
}

static void run_digest(void)
{
	unsigned n;
	check(EVP_DigestInit_ex(digest, md, NULL), "EVP_DigestInit_ex");
	check(EVP_DigestUpdate(digest, in, in_len), "EVP_DigestUpdate");
	check(EVP_DigestFinal_ex(digest, out, &n), "EVP_DigestFinal_ex");
}

static void run_mac(void)
{
	size_t n;
	check(EVP_MAC_init(mac, NULL, 0, NULL), "EVP_MAC_init");
	check(EVP_MAC_update(mac, in, in_len), "EVP_MAC_update");
	check(EVP_MAC_final(mac, out, &n, 64), "EVP_MAC_final");
}

static void mac_begin(const char *name)
{
	unsigned char key[32];
	RAND_bytes(key, sizeof key);
	int cmac = !strcmp(name, "aes-cmac");
	if (!cmac && strncmp(name, "hmac-", 5))
		absent("%s", name);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(cmac ? OSSL_MAC_PARAM_CIPHER : OSSL_MAC_PARAM_DIGEST,
						 cmac ? "AES-256-CBC" : (char *)name + 5, 0),
		OSSL_PARAM_construct_end(),
	};
	mac = EVP_MAC_CTX_new(EVP_MAC_fetch(NULL, cmac ? "CMAC" : "HMAC", NULL));
	check(EVP_MAC_init(mac, key, sizeof key, params), "EVP_MAC_init");
}

static void run_random(void)
{
	check(RAND_bytes(out, in_len), "RAND_bytes");
}

void (*symmetric(int argc, char **argv))(void)
{
	const char *what = argv[0];
	if (argc == 2) {
		buffers(argv[1]);
		if (!strcmp(what, "random"))
			return run_random;
		if (!strcmp(what, "wrap") || !strcmp(what, "unwrap")) {
			int wrap = what[0] == 'w';
			wrap_begin(wrap);
			return wrap ? run_wrap : run_unwrap;
		}
		if (!strcmp(what, "message")) {
			cipher_begin("aes-gcm", 1);
			return run_encrypt;
		}
	}
	if (argc != 3)
		return NULL;
	if (!strcmp(what, "encrypt") || !strcmp(what, "decrypt")) {
		int encrypt = what[0] == 'e';
		buffers(argv[2]);
		cipher_begin(argv[1], encrypt);
		return encrypt ? run_encrypt : run_decrypt;
	}
	if (!strcmp(what, "digest")) {
		buffers(argv[2]);
		md = digest_named(argv[1]);
		digest = EVP_MD_CTX_new();
		return run_digest;
	}
	if (!strcmp(what, "mac")) {
		buffers(argv[2]);
		mac_begin(argv[1]);
		return run_mac;
	}
	return NULL;
}
