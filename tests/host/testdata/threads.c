// Threads: argv[2] says what they do. The functions say what is checked.
#include "ops.h"

static volatile int stop;
static long counted; // calls that were made
static CK_SLOT_ID slot;

#define COUNT() __atomic_add_fetch(&counted, 1, __ATOMIC_RELAXED)

static int among(CK_RV rv, const CK_RV *codes, size_t n) {
  while (n > 0 && codes[n - 1] != rv) n--;
  return n > 0;
}

// ONE_OF checks that a call's result is CKR_OK or one of those.
#define ONE_OF(rv, ...)                                                                      \
  do {                                                                                       \
    CK_RV got_ = (rv), codes_[] = {CKR_OK, __VA_ARGS__};                                     \
    if (!among(got_, codes_, LEN(codes_))) {                                                 \
      fprintf(stderr, "%s:%d: %s = 0x%lx, want %s\n", __FILE__, __LINE__, #rv, got_, #__VA_ARGS__); \
      _exit(1);                                                                              \
    }                                                                                        \
    COUNT();                                                                                 \
  } while (0)

// own: 16 threads with sessions, keys and data of their own, and a key that
// they share; every result is verified.
static CK_OBJECT_HANDLE shared;
static CK_BYTE expected[64][32]; // digests of 64 texts, made by one thread

static void text(CK_BYTE b[500], int i) { memset(b, i * 3 + 1, 500); }

static void *own(void *arg) {
  unsigned me = (unsigned)(size_t)arg;
  CK_BYTE b[3 * 5016], d[32];
  CK_SESSION_HANDLE h = user(f);
  CK_OBJECT_HANDLE k = aes_key(f, h, no, "own");
  pair ec = ec_pair(f, h);
  for (unsigned i = 0; i < 60; i++) {
    unsigned seed = me * 1000 + i;
    round_trip(f, h, i & 1 ? k : shared, b, b + 5016, b + 2 * 5016, 16 + seed * 7919 % 4984, seed);
    sign_and_verify(f, h, CKM_ECDSA_SHA256, ec, seed);
    text(b, (int)(seed % 64));
    digest(f, h, b, 500, d);
    CHECK(memcmp(d, expected[seed % 64], 32) == 0);
    if (i % 20 == 1) { // an object of the token's that nobody else has
      char label[32];
      snprintf(label, sizeof label, "thread %u", me);
      CK_OBJECT_HANDLE made = aes_key(f, h, yes, label), seen = 0;
      CHECK(found(f, h, label, &seen) == 1 && seen == made);
      WANT(CKR_OK, f->C_DestroyObject(h, made));
      CHECK(found(f, h, label, &seen) == 0);
    }
  }
  return NULL;
}

static void sixteen(void) {
  CK_SESSION_HANDLE h = user(f);
  CK_BYTE b[500];
  shared = aes_key(f, h, no, "shared");
  for (int i = 0; i < 64; i++) text(b, i), digest(f, h, b, 500, expected[i]);
  pthread_t t[16];
  for (size_t i = 0; i < 16; i++) CHECK(pthread_create(&t[i], NULL, own, (void *)i) == 0);
  for (int i = 0; i < 16; i++) pthread_join(t[i], NULL);
}

// abused: eight threads in one session. Of a race one gets
// CKR_OPERATION_ACTIVE or CKR_OPERATION_NOT_INITIALIZED; what succeeds is
// right, since all begin the same operations.
static CK_SESSION_HANDLE one;
static pair one_ec;
static CK_BYTE cipher[64][48]; // of the 64 texts' first 32 bytes

static void *abuse(void *arg) {
  unsigned seed = (unsigned)(size_t)arg;
  CK_MECHANISM sha = {CKM_SHA256, NULL, 0}, ecdsa = {CKM_ECDSA_SHA256, NULL, 0}, ecb = {CKM_AES_ECB, NULL, 0};
  CK_SESSION_HANDLE checker = user(f);
  CK_ATTRIBUTE t[] = {{CKA_LABEL, (void *)"shared", 6}};
  while (!stop) {
    CK_BYTE b[500], out[500], back[48];
    CK_ULONG n = sizeof out, m = sizeof back;
    seed = seed * 1103515245 + 12345;
    int i = seed >> 16 & 63;
    text(b, i);
    switch (seed >> 24 & 3) {
    case 0:
      ONE_OF(f->C_DigestInit(one, &sha), CKR_OPERATION_ACTIVE);
      CK_RV rv = f->C_Digest(one, b, sizeof b, out, &n);
      ONE_OF(rv, CKR_OPERATION_NOT_INITIALIZED);
      if (rv == CKR_OK) CHECK(n == 32 && memcmp(out, expected[i], 32) == 0);
      break;
    case 1:
      ONE_OF(f->C_EncryptInit(one, &ecb, shared), CKR_OPERATION_ACTIVE);
      rv = f->C_Encrypt(one, b, 32, out, &n);
      ONE_OF(rv, CKR_OPERATION_NOT_INITIALIZED);
      if (rv == CKR_OK) CHECK(n == 32 && memcmp(out, cipher[i], 32) == 0);
      ONE_OF(f->C_DecryptInit(one, &ecb, shared), CKR_OPERATION_ACTIVE);
      rv = f->C_Decrypt(one, cipher[i], 32, back, &m);
      ONE_OF(rv, CKR_OPERATION_NOT_INITIALIZED);
      if (rv == CKR_OK) CHECK(m == 32 && memcmp(back, b, 32) == 0);
      break;
    case 2:
      ONE_OF(f->C_SignInit(one, &ecdsa, one_ec.private), CKR_OPERATION_ACTIVE);
      rv = f->C_Sign(one, b, sizeof b, out, &n);
      ONE_OF(rv, CKR_OPERATION_NOT_INITIALIZED);
      if (rv == CKR_OK) {
        WANT(CKR_OK, f->C_VerifyInit(checker, &ecdsa, one_ec.public));
        WANT(CKR_OK, f->C_Verify(checker, b, sizeof b, out, n));
      }
      break;
    case 3: {
      CK_OBJECT_HANDLE all[4];
      ONE_OF(f->C_FindObjectsInit(one, t, 1), CKR_OPERATION_ACTIVE);
      rv = f->C_FindObjects(one, all, 4, &n);
      ONE_OF(rv, CKR_OPERATION_NOT_INITIALIZED);
      if (rv == CKR_OK) CHECK(n <= 1 && (n == 0 || all[0] == shared)); // none if another has them
      ONE_OF(f->C_FindObjectsFinal(one), CKR_OPERATION_NOT_INITIALIZED);
      break;
    }
    }
  }
  return NULL;
}

static void abused(void) {
  CK_BYTE b[500];
  one = user(f);
  shared = aes_key(f, one, no, "shared");
  one_ec = ec_pair(f, one);
  CK_MECHANISM ecb = {CKM_AES_ECB, NULL, 0};
  for (int i = 0; i < 64; i++) {
    CK_ULONG n = 48;
    text(b, i), digest(f, one, b, 500, expected[i]);
    WANT(CKR_OK, f->C_EncryptInit(one, &ecb, shared));
    WANT(CKR_OK, f->C_Encrypt(one, b, 32, cipher[i], &n));
  }
  pthread_t t[8];
  for (size_t i = 0; i < 8; i++) CHECK(pthread_create(&t[i], NULL, abuse, (void *)(i + 1)) == 0);
  usleep(1500000);
  stop = 1;
  for (int i = 0; i < 8; i++) pthread_join(t[i], NULL);
}

// ended: calls of all kinds are under way when another thread ends everything,
// by C_Finalize, C_CloseAllSessions or C_Logout. They end with an error that
// says so, or with what is right.
static pthread_barrier_t begun;
static CK_ULONG longest; // bits of the keys that are generated meanwhile
static int how; // 0 C_Finalize, 1 C_CloseAllSessions, 2 C_Logout
static CK_RV gone[3][4] = {
    {CKR_CRYPTOKI_NOT_INITIALIZED, CKR_CRYPTOKI_NOT_INITIALIZED, CKR_CRYPTOKI_NOT_INITIALIZED, CKR_CRYPTOKI_NOT_INITIALIZED},
    {CKR_SESSION_HANDLE_INVALID, CKR_SESSION_HANDLE_INVALID, CKR_SESSION_HANDLE_INVALID, CKR_SESSION_HANDLE_INVALID},
    {CKR_USER_NOT_LOGGED_IN, CKR_OBJECT_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID, CKR_OPERATION_NOT_INITIALIZED},
};

// IN_TIME ends the thread when the call says that it is over.
#define IN_TIME(call)                                                                                    \
  do {                                                                                                   \
    CK_RV rv_ = (call);                                                                                  \
    COUNT();                                                                                             \
    if (rv_ == CKR_OK) break;                                                                            \
    if (!among(rv_, gone[how], 4)) {                                                                     \
      fprintf(stderr, "%s:%d: %s = 0x%lx while another thread ended all (%d)\n", __FILE__, __LINE__, #call, rv_, how); \
      _exit(1);                                                                                          \
    }                                                                                                    \
    return NULL;                                                                                         \
  } while (0)

static void *until_the_end(void *arg) {
  unsigned me = (unsigned)(size_t)arg;
  CK_SESSION_HANDLE h;
  CK_OBJECT_HANDLE k;
  CK_MECHANISM gen = {CKM_AES_KEY_GEN, NULL, 0}, ecb = {CKM_AES_ECB, NULL, 0}, sha = {CKM_SHA256, NULL, 0};
  CK_BYTE *b = NULL, *out, d[32], first[16] = {0};
  enum { MIB = 1 << 20 };
  CK_ULONG len = 32, n;
  CK_BBOOL token = me % 6 == 2;
  CK_ATTRIBUTE a[] = {{CKA_PRIVATE, &yes, 1}, {CKA_TOKEN, &token, 1}, {CKA_VALUE_LEN, &len, sizeof len}, {CKA_ENCRYPT, &yes, 1}};
  WANT(CKR_OK, f->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &h));
  WANT(CKR_OK, f->C_GenerateKey(h, &gen, a, LEN(a), &k));
  n = sizeof first; // what a wiped key would not give
  WANT(CKR_OK, f->C_EncryptInit(h, &ecb, k));
  WANT(CKR_OK, f->C_Encrypt(h, first, 16, first, &n));
  pthread_barrier_wait(&begun);
  if (me % 6 == 0) { // the longest call
    pair p;
    for (;;) IN_TIME(try_rsa_pair(f, h, longest, &p));
  }
  static CK_BYTE memory[16][2 * MIB]; // not freed while another round begins
  b = memory[me], out = b + MIB;
  for (;;) {
    CK_SESSION_INFO info;
    CK_OBJECT_HANDLE all[8];
    switch (me % 6) {
    case 1:
    case 2:
      n = MIB;
      IN_TIME(f->C_EncryptInit(h, &ecb, k));
      IN_TIME(f->C_Encrypt(h, b, MIB, out, &n));
      CHECK(n == MIB && memcmp(out, first, 16) == 0 && memcmp(out, out + 16, MIB - 16) == 0);
      break;
    case 3:
      IN_TIME(f->C_GenerateKey(h, &gen, a, LEN(a), &k));
      IN_TIME(f->C_DestroyObject(h, k));
      break;
    case 4:
      IN_TIME(f->C_FindObjectsInit(h, a, 1));
      IN_TIME(f->C_FindObjects(h, all, 8, &n));
      IN_TIME(f->C_FindObjectsFinal(h));
      IN_TIME(f->C_EncryptInit(h, &ecb, k));
      n = 16;
      IN_TIME(f->C_Encrypt(h, b, 16, out, &n));
      CHECK(n == 16 && memcmp(out, first, 16) == 0);
      break;
    case 5:
      n = 32;
      IN_TIME(f->C_GetSessionInfo(h, &info));
      IN_TIME(f->C_DigestInit(h, &sha));
      IN_TIME(f->C_DigestUpdate(h, (CK_BYTE *)"ab", 2));
      IN_TIME(f->C_DigestUpdate(h, (CK_BYTE *)"c", 1));
      IN_TIME(f->C_DigestFinal(h, d, &n));
      CHECK(memcmp(d, sha256_of_abc, 32) == 0);
      if (how == 0) {
        CK_SESSION_HANDLE brief;
        IN_TIME(f->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &brief));
        IN_TIME(f->C_CloseSession(brief));
      }
      if (how == 2 && info.state != CKS_RW_USER_FUNCTIONS) return NULL;
      break;
    }
  }
}

static void ended(int by) {
  how = by;
  long worst = 0;
  for (int round = 0; round < 8; round++) {
    WANT(CKR_OK, f->C_Initialize(&args));
    CK_SESSION_HANDLE h = user(f);
    CK_SESSION_INFO info;
    WANT(CKR_OK, f->C_GetSessionInfo(h, &info));
    slot = info.slotID;
    longest = round == 0 ? 3072 : 2048;
    pthread_t t[12];
    pthread_barrier_init(&begun, NULL, 13);
    // Making public keys goes on after a logout: two threads do something else.
    for (size_t i = 0; i < 12; i++) {
      CHECK(pthread_create(&t[i], NULL, until_the_end, (void *)(by == 2 && i % 6 == 0 ? 13 + i / 3 : i)) == 0);
    }
    pthread_barrier_wait(&begun);
    usleep(20000 + round * 15000);
    long begin = ms();
    WANT(CKR_OK, by == 0 ? f->C_Finalize(NULL) : by == 1 ? f->C_CloseAllSessions(slot) : f->C_Logout(h));
    long took = ms() - begin;
    if (took > worst) worst = took;
    if (by == 0) WANT(CKR_CRYPTOKI_NOT_INITIALIZED, f->C_GetSessionInfo(h, &info));
    if (by == 1) WANT(CKR_SESSION_HANDLE_INVALID, f->C_GetSessionInfo(h, &info));
    for (int i = 0; i < 12; i++) pthread_join(t[i], NULL);
    pthread_barrier_destroy(&begun);
    if (by == 0) WANT(CKR_OK, f->C_Initialize(&args));
    use(f);
    WANT(CKR_OK, f->C_Finalize(NULL));
  }
  printf("the longest of 8 took %ld ms; %ld calls\n", worst, counted);
  CHECK(worst < 3000 && counted > 8 * 12);
}

// short_lived: ten thousand threads come, call and go, eight at a time.
static void *brief(void *arg) {
  (void)arg;
  CK_SESSION_HANDLE h = 0;
  CK_BYTE d[32];
  WANT(CKR_OK, f->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &h));
  digest(f, h, (CK_BYTE *)"abc", 3, d);
  CHECK(memcmp(d, sha256_of_abc, 32) == 0);
  WANT(CKR_OK, f->C_CloseSession(h));
  return NULL;
}

static void short_lived(void) {
  CK_SESSION_INFO info;
  WANT(CKR_OK, f->C_GetSessionInfo(user(f), &info));
  slot = info.slotID;
  long before = 0, threads = 0;
  for (int i = 0; i < 10000; i += 8) {
    if (i == 2000) before = status("VmRSS"), threads = status("Threads");
    pthread_t t[8];
    for (int j = 0; j < 8; j++) CHECK(pthread_create(&t[j], NULL, brief, NULL) == 0);
    for (int j = 0; j < 8; j++) pthread_join(t[j], NULL);
  }
  long grown = status("VmRSS") - before, more = status("Threads") - threads;
  printf("after 8000 more threads: %ld KiB and %ld threads more\n", grown, more);
  fflush(stdout);
  CHECK(grown < 4096);
  CHECK(more <= 12);
}

// million: a million operations.
static void million(void) {
  CK_SESSION_HANDLE h = user(f);
  CK_OBJECT_HANDLE k = aes_key(f, h, no, "million");
  CK_MECHANISM sha = {CKM_SHA256, NULL, 0}, ecb = {CKM_AES_ECB, NULL, 0};
  CK_BYTE b[64] = "abc", d[64], c[64];
  long first = 1 << 30, last = 1 << 30, begin = ms(); // the least of either half: the collector has its tides
  int files = 0;
  for (int i = 0; i < 1000000; i++) {
    if (i == 100000) files = descriptors();
    if (i % 5000 == 0 && i >= 100000) {
      long rss = status("VmRSS"), *least = i < 550000 ? &first : &last;
      if (rss < *least) *least = rss;
    }
    CK_ULONG n = sizeof d;
    if (i & 1) {
      WANT(CKR_OK, f->C_DigestInit(h, &sha));
      WANT(CKR_OK, f->C_Digest(h, b, 3, d, &n));
      CHECK(memcmp(d, sha256_of_abc, 32) == 0);
    } else {
      WANT(CKR_OK, f->C_EncryptInit(h, &ecb, k));
      WANT(CKR_OK, f->C_Encrypt(h, b, 64, d, &n));
      if (i == 0) memcpy(c, d, 64);
      CHECK(n == 64 && memcmp(c, d, 64) == 0);
    }
    if (i % 100 == 0) WANT(CKR_OK, f->C_DestroyObject(h, aes_key(f, h, no, "brief")));
    if (i % 100 == 50) use_session(f);
    if (i % 2000 == 0) WANT(CKR_OK, f->C_DestroyObject(h, aes_key(f, h, yes, "stored")));
  }
  long grown = last - first;
  printf("a million operations in %ld ms; of the second half: %ld KiB more\n", ms() - begin, grown);
  fflush(stdout);
  CHECK(grown < 4096);
  CHECK(descriptors() <= files);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  f = load(argv[1]);
  const char *what = argv[2];
  if (strcmp(what, "finalize") == 0) return ended(0), 0;
  if (strcmp(what, "closeall") == 0) return ended(1), 0;
  if (strcmp(what, "logout") == 0) return ended(2), 0;
  WANT(CKR_OK, f->C_Initialize(&args));
  if (strcmp(what, "own") == 0) sixteen();
  if (strcmp(what, "abused") == 0) abused();
  if (strcmp(what, "short") == 0) short_lived();
  if (strcmp(what, "million") == 0) million();
  WANT(CKR_OK, f->C_Finalize(NULL));
  return 0;
}
