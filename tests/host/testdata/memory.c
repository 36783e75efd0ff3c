// A host that looks for its keys in its own memory. It imports those of the
// file argv[3], uses them, and counts where copies are: after import, after
// use, after they were opened from the store, in a forked child, after
// C_DestroyObject, C_Logout and C_Finalize. It prints
//
//	STAGE KEY locked=N heap=N other=N
//
// where locked is a mapping that is not dumped and not inherited, heap is other
// memory without a name, and other is what has one. The file has
// every byte of a key inverted, and so does this program, but for the moment in
// which it passes a key on.
#include <fcntl.h>
#include <sys/mman.h>

#include "host.h"

enum { AES, GENERIC, DES3, CHACHA20, RSA_D, RSA_P, EC, ED25519, X25519, KEYS };
static const char *names[KEYS] = {"aes", "generic", "des3", "chacha20", "rsa-d", "rsa-p", "ec", "ed25519", "x25519"};

enum { N, E, D, P, Q, DP, DQ, QINV, EC_D, AES_V, GENERIC_V, DES3_V, CHACHA20_V, ED25519_V, X25519_V, PARTS };
static struct {
  size_t len;
  unsigned char inverted[512];
} part[PARTS];
static const int of[KEYS] = {[AES] = AES_V,           [GENERIC] = GENERIC_V, [DES3] = DES3_V, [CHACHA20] = CHACHA20_V, [RSA_D] = D, [RSA_P] = P, [EC] = EC_D,
                             [ED25519] = ED25519_V, [X25519] = X25519_V};

static CK_FUNCTION_LIST_3_2 *f;
static CK_SESSION_HANDLE h;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static void read_parts(const char *path) {
  int fd = open(path, O_RDONLY);
  CHECK(fd >= 0);
  for (int i = 0; i < PARTS; i++) {
    unsigned char len[2];
    CHECK(read(fd, len, 2) == 2);
    part[i].len = (size_t)(len[0] << 8 | len[1]);
    CHECK(part[i].len <= sizeof part[i].inverted);
    CHECK(read(fd, part[i].inverted, part[i].len) == (ssize_t)part[i].len);
  }
  close(fd);
}

// Where keys are plain for a moment, and what is read of the process.
static unsigned char *plain, *chunk;
enum { PLAIN = 1 << 16, CHUNK = 1 << 20, NEEDLE = 16 };

static CK_ATTRIBUTE value(CK_ATTRIBUTE_TYPE type, int i) {
  static size_t used;
  if (used + part[i].len > PLAIN) used = 0;
  unsigned char *p = plain + used;
  for (size_t j = 0; j < part[i].len; j++) p[j] = (unsigned char)~part[i].inverted[j];
  used += part[i].len;
  return (CK_ATTRIBUTE){type, p, part[i].len};
}

static void forget(void) {
  volatile unsigned char *p = plain;
  for (int i = 0; i < PLAIN; i++) p[i] = 0;
}

// A needle is an end of a key, in its order or backwards, as the words of a
// number lie in memory.
static struct needle {
  int key;
  unsigned char inverted[NEEDLE];
} needle[4 * KEYS];
static unsigned long begins[256]; // which needles begin with a byte

static void make_needles(void) {
  int n = 0;
  for (int k = 0; k < KEYS; k++) {
    for (int which = 0; which < 4; which++, n++) {
      const unsigned char *from = part[of[k]].inverted + (which & 1 ? part[of[k]].len - NEEDLE : 0);
      needle[n].key = k;
      for (int i = 0; i < NEEDLE; i++) needle[n].inverted[i] = from[which & 2 ? NEEDLE - 1 - i : i];
      begins[255 - needle[n].inverted[0]] |= 1ul << n;
    }
  }
}

static void count(const unsigned char *p, size_t n, int found[KEYS]) {
  for (size_t i = 0; i + NEEDLE <= n; i++) {
    for (unsigned long rest = begins[p[i]]; rest != 0; rest &= rest - 1) {
      const struct needle *want = &needle[__builtin_ctzl(rest)];
      int j = 1;
      while (j < NEEDLE && p[i + j] + want->inverted[j] == 255) j++;
      found[want->key] += j == NEEDLE;
    }
  }
}

static void look(const char *stage) {
  int found[3][KEYS] = {{0}};
  FILE *maps = fopen("/proc/self/smaps", "r");
  int mem = open("/proc/self/mem", O_RDONLY);
  CHECK(maps != NULL && mem >= 0);
  char line[512], perms[8], name[256];
  unsigned long low = 0, high = 0, l, u;
  perms[0] = name[0] = 0;
  while (fgets(line, sizeof line, maps)) {
    if (sscanf(line, "%lx-%lx %7s %*s %*s %*s", &l, &u, perms) == 3) {
      low = l, high = u;
      name[0] = 0;
      sscanf(line, "%*s %*s %*s %*s %*s %255s", name);
      continue;
    }
    if (strncmp(line, "VmFlags:", 8) != 0) continue;
    if (perms[0] != 'r' || strncmp(name, "[v", 2) == 0) continue;
    if ((unsigned char *)low <= plain && plain < (unsigned char *)high) continue; // and chunk beside it
    int where = strstr(line, " wf") && strstr(line, " dd") ? 0 : name[0] == 0 ? 1 : 2;
    for (unsigned long at = low; at < high; at += CHUNK - NEEDLE + 1) {
      ssize_t n = pread(mem, chunk, CHUNK < high - at ? CHUNK : high - at, (off_t)at);
      if (n >= NEEDLE) count(chunk, (size_t)n, found[where]);
    }
  }
  fclose(maps);
  close(mem);
  for (int k = 0; k < KEYS; k++) {
    printf("%s %s locked=%d heap=%d other=%d\n", stage, names[k], found[0][k], found[1][k], found[2][k]);
  }
  fflush(stdout);
}

static CK_OBJECT_CLASS secret = CKO_SECRET_KEY, private = CKO_PRIVATE_KEY;
static CK_KEY_TYPE aes = CKK_AES, generic = CKK_GENERIC_SECRET, rsa = CKK_RSA, ec = CKK_EC, des3 = CKK_DES3, chacha20 = CKK_CHACHA20,
                   edwards = CKK_EC_EDWARDS, montgomery = CKK_EC_MONTGOMERY;
static CK_OBJECT_HANDLE key[KEYS];

#define COMMON(class, type, token)                                                                            \
  {CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}, {CKA_TOKEN, &token, 1},              \
      {CKA_PRIVATE, &yes, 1}, {CKA_SENSITIVE, &yes, 1}, {CKA_SIGN, &yes, 1}, {CKA_LABEL, (void *)"k", 1}

static void import(CK_BBOOL token) {
  unsigned char p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
  CK_ATTRIBUTE a[] = {COMMON(secret, aes, token), {CKA_EXTRACTABLE, &yes, 1}, {CKA_ENCRYPT, &yes, 1}, {CKA_DECRYPT, &yes, 1}, value(CKA_VALUE, AES_V)};
  WANT(CKR_OK, f->C_CreateObject(h, a, sizeof a / sizeof *a, &key[AES]));
  CK_ATTRIBUTE g[] = {COMMON(secret, generic, token), {CKA_DERIVE, &yes, 1}, value(CKA_VALUE, GENERIC_V)};
  WANT(CKR_OK, f->C_CreateObject(h, g, sizeof g / sizeof *g, &key[GENERIC]));
  CK_ATTRIBUTE r[] = {COMMON(private, rsa, token),       value(CKA_MODULUS, N),     value(CKA_PUBLIC_EXPONENT, E),
                      value(CKA_PRIVATE_EXPONENT, D),    value(CKA_PRIME_1, P),     value(CKA_PRIME_2, Q),
                      value(CKA_EXPONENT_1, DP),         value(CKA_EXPONENT_2, DQ), value(CKA_COEFFICIENT, QINV)};
  WANT(CKR_OK, f->C_CreateObject(h, r, sizeof r / sizeof *r, &key[RSA_D]));
  CK_ATTRIBUTE e[] = {COMMON(private, ec, token), {CKA_EC_PARAMS, p256, sizeof p256}, value(CKA_VALUE, EC_D)};
  WANT(CKR_OK, f->C_CreateObject(h, e, sizeof e / sizeof *e, &key[EC]));
  CK_ATTRIBUTE d[] = {COMMON(secret, des3, token), {CKA_ENCRYPT, &yes, 1}, {CKA_DECRYPT, &yes, 1}, value(CKA_VALUE, DES3_V)};
  WANT(CKR_OK, f->C_CreateObject(h, d, sizeof d / sizeof *d, &key[DES3]));
  CK_ATTRIBUTE c[] = {COMMON(secret, chacha20, token), {CKA_ENCRYPT, &yes, 1}, {CKA_DECRYPT, &yes, 1}, value(CKA_VALUE, CHACHA20_V)};
  WANT(CKR_OK, f->C_CreateObject(h, c, sizeof c / sizeof *c, &key[CHACHA20]));
  unsigned char ed25519[] = {6, 3, 0x2b, 0x65, 0x70}, x25519[] = {6, 3, 0x2b, 0x65, 0x6e};
  CK_ATTRIBUTE w[] = {COMMON(private, edwards, token), {CKA_EC_PARAMS, ed25519, sizeof ed25519}, value(CKA_VALUE, ED25519_V)};
  WANT(CKR_OK, f->C_CreateObject(h, w, sizeof w / sizeof *w, &key[ED25519]));
  CK_ATTRIBUTE x[] = {COMMON(private, montgomery, token), {CKA_DERIVE, &yes, 1}, {CKA_EC_PARAMS, x25519, sizeof x25519}, value(CKA_VALUE, X25519_V)};
  WANT(CKR_OK, f->C_CreateObject(h, x, sizeof x / sizeof *x, &key[X25519]));
  forget();
}

static void encrypt(CK_OBJECT_HANDLE k, CK_MECHANISM_TYPE type, void *param, CK_ULONG len) {
  CK_MECHANISM m = {type, param, len};
  CK_BYTE data[32] = {0}, out[64], back[64];
  CK_ULONG n = sizeof out, got = sizeof back;
  WANT(CKR_OK, f->C_EncryptInit(h, &m, k));
  WANT(CKR_OK, f->C_Encrypt(h, data, sizeof data, out, &n));
  WANT(CKR_OK, f->C_DecryptInit(h, &m, k));
  WANT(CKR_OK, f->C_Decrypt(h, out, n, back, &got));
  CHECK(got == sizeof data && memcmp(back, data, got) == 0);
  n = sizeof out;
  WANT(CKR_OK, f->C_EncryptInit(h, &m, k));
  WANT(CKR_OK, f->C_EncryptUpdate(h, data, 16, out, &n));
  n = sizeof out;
  WANT(CKR_OK, f->C_EncryptFinal(h, out, &n));
}

static void sign(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE k) {
  CK_MECHANISM m = {type, NULL, 0};
  CK_BYTE data[32] = {1}, out[512];
  CK_ULONG n = sizeof out;
  WANT(CKR_OK, f->C_SignInit(h, &m, k));
  WANT(CKR_OK, f->C_Sign(h, data, sizeof data, out, &n));
}

// pass has the AES key copied, changed, searched by its value, and wrapped and
// unwrapped.
static void pass(void) {
  CK_ATTRIBUTE label = {CKA_LABEL, (void *)"changed", 7};
  CK_OBJECT_HANDLE other, kek;
  WANT(CKR_OK, f->C_CopyObject(h, key[AES], NULL, 0, &other));
  WANT(CKR_OK, f->C_SetAttributeValue(h, other, &label, 1));
  WANT(CKR_OK, f->C_DestroyObject(h, other));
  WANT(CKR_OK, f->C_SetAttributeValue(h, key[AES], &label, 1));
  CK_ATTRIBUTE wanted = value(CKA_VALUE, AES_V);
  CK_ULONG n = 0;
  WANT(CKR_OK, f->C_FindObjectsInit(h, &wanted, 1));
  forget();
  WANT(CKR_OK, f->C_FindObjects(h, &other, 1, &n));
  WANT(CKR_OK, f->C_FindObjectsFinal(h));
  CHECK(n == 0); // a sensitive value finds nothing

  CK_ULONG len = 32;
  CK_ATTRIBUTE t[] = {{CKA_VALUE_LEN, &len, sizeof len}, {CKA_WRAP, &yes, 1}, {CKA_UNWRAP, &yes, 1}};
  CK_MECHANISM gen = {CKM_AES_KEY_GEN, NULL, 0};
  WANT(CKR_OK, f->C_GenerateKey(h, &gen, t, 3, &kek));
  CK_BYTE iv[16] = {0}, wrapped[64];
  CK_GCM_PARAMS gcm = {iv, 12, 96, NULL, 0, 128};
  CK_MECHANISM with[] = {{CKM_AES_KEY_WRAP, NULL, 0}, {CKM_AES_KEY_WRAP_KWP, NULL, 0}, {CKM_AES_CBC_PAD, iv, 16},
                         {CKM_AES_CBC, iv, 16}, {CKM_AES_GCM, &gcm, sizeof gcm}};
  for (int i = 0; i < 5; i++) {
    CK_ATTRIBUTE u[] = {{CKA_CLASS, &secret, sizeof secret}, {CKA_KEY_TYPE, &aes, sizeof aes}};
    n = sizeof wrapped;
    WANT(CKR_OK, f->C_WrapKey(h, &with[i], kek, key[AES], wrapped, &n));
    WANT(CKR_OK, f->C_UnwrapKey(h, &with[i], kek, wrapped, n, u, 2, &other));
    WANT(CKR_OK, f->C_DestroyObject(h, other));
  }
  WANT(CKR_OK, f->C_DestroyObject(h, kek));
}

static void digest(void) {
  CK_MECHANISM m = {CKM_SHA256, NULL, 0};
  CK_BYTE out[32];
  CK_ULONG n = sizeof out;
  WANT(CKR_OK, f->C_DigestInit(h, &m));
  WANT(CKR_OK, f->C_DigestKey(h, key[GENERIC]));
  WANT(CKR_OK, f->C_DigestFinal(h, out, &n));
}

static void derive(void) {
  CK_HKDF_PARAMS p = {CK_TRUE, CK_TRUE, CKM_SHA256, CKF_HKDF_SALT_NULL, NULL, 0, 0, NULL, 0};
  CK_MECHANISM m = {CKM_HKDF_DERIVE, &p, sizeof p};
  CK_ULONG len = 32;
  CK_ATTRIBUTE t[] = {{CKA_VALUE_LEN, &len, sizeof len}};
  CK_OBJECT_HANDLE derived;
  WANT(CKR_OK, f->C_DeriveKey(h, &m, key[GENERIC], t, 1, &derived));
  WANT(CKR_OK, f->C_DestroyObject(h, derived));
}

// agree is X25519 with the base point.
static void agree(void) {
  CK_BYTE nine[32] = {9};
  CK_ECDH1_DERIVE_PARAMS p = {CKD_NULL, 0, NULL, sizeof nine, nine};
  CK_MECHANISM m = {CKM_ECDH1_DERIVE, &p, sizeof p};
  CK_ATTRIBUTE t[] = {{CKA_CLASS, &secret, sizeof secret}, {CKA_KEY_TYPE, &generic, sizeof generic}};
  CK_OBJECT_HANDLE derived;
  WANT(CKR_OK, f->C_DeriveKey(h, &m, key[X25519], t, 2, &derived));
  WANT(CKR_OK, f->C_DestroyObject(h, derived));
}

static void work(void) {
  CK_BYTE iv[16] = {0};
  CK_GCM_PARAMS gcm = {iv, 12, 96, NULL, 0, 128};
  CK_AES_CTR_PARAMS ctr = {.ulCounterBits = 64};
  encrypt(key[AES], CKM_AES_ECB, NULL, 0);
  encrypt(key[AES], CKM_AES_CBC, iv, 16);
  encrypt(key[AES], CKM_AES_CBC_PAD, iv, 16);
  encrypt(key[AES], CKM_AES_CTR, &ctr, sizeof ctr);
  encrypt(key[AES], CKM_AES_GCM, &gcm, sizeof gcm);
  gcm.ulTagBits = 96;
  encrypt(key[AES], CKM_AES_GCM, &gcm, sizeof gcm);
  encrypt(key[DES3], CKM_DES3_CBC_PAD, iv, 8);
  encrypt(key[DES3], CKM_DES3_ECB, NULL, 0);
  CK_CHACHA20_PARAMS stream = {iv, 32, iv, 96};
  CK_SALSA20_CHACHA20_POLY1305_PARAMS aead = {iv, 12, NULL, 0};
  encrypt(key[CHACHA20], CKM_CHACHA20, &stream, sizeof stream);
  encrypt(key[CHACHA20], CKM_CHACHA20_POLY1305, &aead, sizeof aead);
  sign(CKM_AES_CMAC, key[AES]);
  sign(CKM_SHA256_HMAC, key[GENERIC]);
  sign(CKM_SHA512_HMAC, key[GENERIC]);
  sign(CKM_SHA256_RSA_PKCS, key[RSA_D]);
  sign(CKM_RSA_X_509, key[RSA_D]);
  sign(CKM_ECDSA_SHA256, key[EC]);
  sign(CKM_EDDSA, key[ED25519]);
  agree();
  pass();
  digest();
  derive();
}

static void login(CK_USER_TYPE who, const char *pin) {
  WANT(CKR_OK, f->C_Login(h, who, (CK_UTF8CHAR *)pin, strlen(pin)));
}

static void find(void) {
  struct {
    CK_KEY_TYPE *type;
    int key;
  } all[] = {{&aes, AES}, {&generic, GENERIC}, {&des3, DES3}, {&chacha20, CHACHA20},
             {&rsa, RSA_D}, {&ec, EC}, {&edwards, ED25519}, {&montgomery, X25519}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    CK_ATTRIBUTE t[] = {{CKA_KEY_TYPE, all[i].type, sizeof *all[i].type}, {CKA_TOKEN, &yes, 1}};
    CK_ULONG n = 0;
    WANT(CKR_OK, f->C_FindObjectsInit(h, t, 2));
    WANT(CKR_OK, f->C_FindObjects(h, &key[all[i].key], 1, &n));
    WANT(CKR_OK, f->C_FindObjectsFinal(h));
    CHECK(n == 1);
  }
}

int main(int argc, char **argv) {
  CHECK(argc == 4);
  plain = mmap(NULL, PLAIN + CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(plain != MAP_FAILED);
  madvise(plain, PLAIN + CHUNK, MADV_DONTFORK);
  chunk = plain + PLAIN;
  read_parts(argv[3]);
  make_needles();
  f = load(argv[1]);
  WANT(CKR_OK, f->C_Initialize(NULL));
  h = session(f);
  login(CKU_SO, "12345678");
  WANT(CKR_OK, f->C_InitPIN(h, (CK_UTF8CHAR *)"123456", 6));
  WANT(CKR_OK, f->C_Logout(h));

  // Session objects, until the user logs out.
  login(CKU_USER, "123456");
  look("before");
  import(no);
  look("imported");
  work();
  look("used");
  pid_t p = fork();
  if (p == 0) {
    plain = mmap(NULL, PLAIN + CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    chunk = plain + PLAIN;
    look("child");
    _exit(0);
  }
  int st;
  CHECK(waitpid(p, &st, 0) == p && st == 0);
  WANT(CKR_OK, f->C_Logout(h));
  look("loggedout");

  // Token objects, opened from the store, until they are destroyed.
  login(CKU_USER, "123456");
  import(yes);
  WANT(CKR_OK, f->C_Logout(h));
  look("stored");
  login(CKU_USER, "123456");
  find();
  work();
  look("opened");
  for (int i = 0; i < KEYS; i++) {
    if (i != RSA_P) WANT(CKR_OK, f->C_DestroyObject(h, key[i]));
  }
  look("destroyed");

  // Until C_Finalize.
  import(yes);
  work();
  import(no);
  work();
  WANT(CKR_OK, f->C_Finalize(NULL));
  look("finalized");
  return 0;
}
