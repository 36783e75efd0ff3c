// Operations with results that are verified, for the programs that make them
// under hard conditions.
#ifndef OPS_H
#define OPS_H

#include "host.h"

#include <fcntl.h>
#include <time.h>

static CK_FUNCTION_LIST_3_2 *f __attribute__((unused));
static CK_BBOOL yes = CK_TRUE, no __attribute__((unused)) = CK_FALSE;

#define LEN(a) (sizeof(a) / sizeof *(a))

static inline long ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// user returns a session of the user's, who is logged in.
static inline CK_SESSION_HANDLE user(CK_FUNCTION_LIST_3_2 *f) {
  CK_SESSION_HANDLE h = session(f);
  CK_RV rv = f->C_Login(h, CKU_USER, (CK_UTF8CHAR *)"123456", 6);
  if (rv == CKR_USER_PIN_NOT_INITIALIZED) {
    WANT(CKR_OK, f->C_Login(h, CKU_SO, (CK_UTF8CHAR *)"12345678", 8));
    WANT(CKR_OK, f->C_InitPIN(h, (CK_UTF8CHAR *)"123456", 6));
    WANT(CKR_OK, f->C_Logout(h));
    rv = f->C_Login(h, CKU_USER, (CK_UTF8CHAR *)"123456", 6);
  }
  if (rv != CKR_USER_ALREADY_LOGGED_IN) WANT(CKR_OK, rv);
  return h;
}

static inline CK_RV try_aes_key(CK_FUNCTION_LIST_3_2 *f, CK_SESSION_HANDLE h, CK_BBOOL token, const char *label,
                                CK_OBJECT_HANDLE *k) {
  CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0};
  CK_ULONG len = 32;
  CK_ATTRIBUTE a[] = {{CKA_TOKEN, &token, 1},        {CKA_PRIVATE, &no, 1},  {CKA_LABEL, (void *)label, strlen(label)},
                      {CKA_VALUE_LEN, &len, sizeof len}, {CKA_ENCRYPT, &yes, 1}, {CKA_DECRYPT, &yes, 1}};
  return f->C_GenerateKey(h, &m, a, LEN(a), k);
}

static inline CK_OBJECT_HANDLE aes_key(CK_FUNCTION_LIST_3_2 *f, CK_SESSION_HANDLE h, CK_BBOOL token, const char *label) {
  CK_OBJECT_HANDLE k = 0;
  WANT(CKR_OK, try_aes_key(f, h, token, label, &k));
  return k;
}

typedef struct {
  CK_OBJECT_HANDLE public, private;
} pair;

static inline CK_RV try_rsa_pair(CK_FUNCTION_LIST_3_2 *f, CK_SESSION_HANDLE h, CK_ULONG bits, pair *p) {
  CK_MECHANISM m = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
  CK_ATTRIBUTE pub[] = {{CKA_MODULUS_BITS, &bits, sizeof bits}, {CKA_VERIFY, &yes, 1}};
  CK_ATTRIBUTE priv[] = {{CKA_PRIVATE, &no, 1}, {CKA_SIGN, &yes, 1}};
  return f->C_GenerateKeyPair(h, &m, pub, LEN(pub), priv, LEN(priv), &p->public, &p->private);
}

static inline pair rsa_pair(CK_FUNCTION_LIST_3_2 *f, CK_SESSION_HANDLE h, CK_ULONG bits) {
  pair p;
  WANT(CKR_OK, try_rsa_pair(f, h, bits, &p));
  return p;
}

static inline pair ec_pair(CK_FUNCTION_LIST_3_2 *f, CK_SESSION_HANDLE h) {
  unsigned char p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
  CK_MECHANISM m = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
  CK_ATTRIBUTE pub[] = {{CKA_EC_PARAMS, p256, sizeof p256}, {CKA_VERIFY, &yes, 1}};
  CK_ATTRIBUTE priv[] = {{CKA_PRIVATE, &no, 1}, {CKA_SIGN, &yes, 1}};
  pair p;
  WANT(CKR_OK, f->C_GenerateKeyPair(h, &m, pub, LEN(pub), priv, LEN(priv), &p.public, &p.private));
  return p;
}

// sign_and_verify also has a wrong signature refused.
static inline void sign_and_verify(CK_FUNCTION_LIST_3_2 *f, CK_SESSION_HANDLE h, CK_MECHANISM_TYPE type, pair k, unsigned seed) {
  CK_MECHANISM m = {type, NULL, 0};
  CK_BYTE data[100], sig[512];
  CK_ULONG n = sizeof sig;
  for (size_t i = 0; i < sizeof data; i++) data[i] = (CK_BYTE)(seed >> (i % 4 * 8));
  WANT(CKR_OK, f->C_SignInit(h, &m, k.private));
  WANT(CKR_OK, f->C_Sign(h, data, sizeof data, sig, &n));
  WANT(CKR_OK, f->C_VerifyInit(h, &m, k.public));
  WANT(CKR_OK, f->C_Verify(h, data, sizeof data, sig, n));
  data[seed % sizeof data] ^= 1;
  WANT(CKR_OK, f->C_VerifyInit(h, &m, k.public));
  WANT(CKR_SIGNATURE_INVALID, f->C_Verify(h, data, sizeof data, sig, n));
}

// round_trip encrypts and decrypts n bytes of in by AES-GCM, and has a forgery
// refused; out and back have room for a tag more.
static inline void round_trip(CK_FUNCTION_LIST_3_2 *f, CK_SESSION_HANDLE h, CK_OBJECT_HANDLE k, CK_BYTE *in, CK_BYTE *out,
                              CK_BYTE *back, size_t n, unsigned seed) {
  CK_BYTE iv[12] = {0};
  memcpy(iv, &seed, sizeof seed);
  CK_GCM_PARAMS p = {iv, 12, 96, NULL, 0, 128};
  CK_MECHANISM m = {CKM_AES_GCM, &p, sizeof p};
  CK_ULONG c = n + 16, d = n + 16;
  for (size_t i = 0; i < n; i += 64) in[i] = (CK_BYTE)(seed + i / 64);
  memset(back, 0, n);
  WANT(CKR_OK, f->C_EncryptInit(h, &m, k));
  WANT(CKR_OK, f->C_Encrypt(h, in, n, out, &c));
  CHECK(c == n + 16);
  WANT(CKR_OK, f->C_DecryptInit(h, &m, k));
  WANT(CKR_OK, f->C_Decrypt(h, out, c, back, &d));
  CHECK(d == n && memcmp(in, back, n) == 0);
  out[seed % c] ^= 0x10;
  d = n + 16;
  WANT(CKR_OK, f->C_DecryptInit(h, &m, k));
  WANT(CKR_ENCRYPTED_DATA_INVALID, f->C_Decrypt(h, out, c, back, &d));
}

static inline void digest(CK_FUNCTION_LIST_3_2 *f, CK_SESSION_HANDLE h, CK_BYTE *data, size_t n, CK_BYTE out[32]) {
  CK_MECHANISM sha = {CKM_SHA256, NULL, 0};
  CK_ULONG d = 32;
  WANT(CKR_OK, f->C_DigestInit(h, &sha));
  WANT(CKR_OK, f->C_Digest(h, data, n, out, &d));
  CHECK(d == 32);
}

static const CK_BYTE sha256_of_abc[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                          0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                          0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};

// work makes some of everything, in a session of its own.
static inline void work(CK_FUNCTION_LIST_3_2 *f) {
  CK_SESSION_HANDLE h = user(f);
  enum { N = 20000 };
  CK_BYTE *b = calloc(3, N + 16), d[32];
  round_trip(f, h, aes_key(f, h, no, "work"), b, b + N + 16, b + 2 * (N + 16), N, 77);
  sign_and_verify(f, h, CKM_ECDSA_SHA256, ec_pair(f, h), 78);
  sign_and_verify(f, h, CKM_SHA256_RSA_PKCS, rsa_pair(f, h, 2048), 79);
  digest(f, h, (CK_BYTE *)"abc", 3, d);
  CHECK(memcmp(d, sha256_of_abc, 32) == 0);
  free(b);
  WANT(CKR_OK, f->C_CloseSession(h));
}

// use_session opens one, with a search and an operation left open, and closes it.
static inline void use_session(CK_FUNCTION_LIST_3_2 *f) {
  CK_SESSION_HANDLE h = session(f);
  CK_MECHANISM sha = {CKM_SHA256, NULL, 0};
  WANT(CKR_OK, f->C_DigestInit(h, &sha));
  WANT(CKR_OK, f->C_FindObjectsInit(h, NULL, 0));
  WANT(CKR_OK, f->C_CloseSession(h));
}

// found is how many token objects have a label; the first is *k.
static inline CK_ULONG found(CK_FUNCTION_LIST_3_2 *f, CK_SESSION_HANDLE h, const char *label, CK_OBJECT_HANDLE *k) {
  CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1}, {CKA_LABEL, (void *)label, strlen(label)}};
  CK_OBJECT_HANDLE all[512];
  CK_ULONG n = 0;
  WANT(CKR_OK, f->C_FindObjectsInit(h, t, LEN(t)));
  WANT(CKR_OK, f->C_FindObjects(h, all, LEN(all), &n));
  CHECK(n < LEN(all));
  WANT(CKR_OK, f->C_FindObjectsFinal(h));
  if (n) *k = all[0];
  return n;
}

// status is a number of /proc/self/status: VmRSS in KiB, Threads.
static inline long status(const char *name) {
  char line[128];
  long v = -1;
  FILE *s = fopen("/proc/self/status", "r");
  CHECK(s != NULL);
  while (fgets(line, sizeof line, s)) {
    if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') v = atol(line + strlen(name) + 1);
  }
  fclose(s);
  return v;
}

static inline int descriptors(void) {
  int n = 0;
  for (int i = 0; i < 1024; i++) n += fcntl(i, F_GETFD) >= 0;
  return n;
}

static CK_C_INITIALIZE_ARGS args __attribute__((unused)) = {.flags = CKF_OS_LOCKING_OK};

#endif
