// Every function with nothing but zeros, before C_Initialize, after it and
// after C_Finalize; then arguments that make no sense.
#include <limits.h>

#include "calls_gen.h"
#include "host.h"

static CK_FUNCTION_LIST_3_2 *f;

static int is_static(const char *name) {
  return strcmp(name, "C_GetFunctionList") == 0 || strcmp(name, "C_GetInterface") == 0 ||
         strcmp(name, "C_GetInterfaceList") == 0;
}

static void before(const char *name, CK_RV rv) {
  if (is_static(name)) {
    CHECK(rv == CKR_ARGUMENTS_BAD);
  } else if (rv != CKR_CRYPTOKI_NOT_INITIALIZED) {
    fprintf(stderr, "%s before C_Initialize = 0x%lx\n", name, rv);
    exit(1);
  }
}

static void after(const char *name, CK_RV rv) {
  switch (rv) {
    case CKR_ARGUMENTS_BAD:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_FUNCTION_NOT_SUPPORTED:
      return;
    case CKR_FUNCTION_NOT_PARALLEL:
      if (strcmp(name, "C_GetFunctionStatus") == 0 || strcmp(name, "C_CancelFunction") == 0) return;
  }
  if (strcmp(name, "C_CloseAllSessions") == 0) return; // slot 0 may be there or not
  fprintf(stderr, "%s after C_Initialize = 0x%lx\n", name, rv);
  exit(1);
}

#define BEFORE(name, zeros) if (strcmp(#name, "C_Initialize") != 0) before(#name, f->name zeros);
#define AFTER(name, zeros) \
  if (strcmp(#name, "C_Initialize") != 0 && strcmp(#name, "C_Finalize") != 0) after(#name, f->name zeros);

static CK_RV create(void **m) { return *m = NULL, CKR_OK; }
static CK_RV other(void *m) { return (void)m, CKR_OK; }

int main(int argc, char **argv) {
  (void)argc;
  f = load(argv[1]);
  EACH_FUNCTION(BEFORE)

  WANT(CKR_OK, f->C_Initialize(NULL));
  WANT(CKR_CRYPTOKI_ALREADY_INITIALIZED, f->C_Initialize(NULL));
  EACH_FUNCTION(AFTER)
  WANT(CKR_ARGUMENTS_BAD, f->C_Finalize(&f));
  WANT(CKR_OK, f->C_Finalize(NULL));
  EACH_FUNCTION(BEFORE)

  // Arguments of C_Initialize.
  CK_C_INITIALIZE_ARGS a = {0};
  a.CreateMutex = create;
  WANT(CKR_ARGUMENTS_BAD, f->C_Initialize(&a));
  memset(&a, 0, sizeof a);
  a.flags = CKF_LIBRARY_CANT_CREATE_OS_THREADS;
  WANT(CKR_OK, f->C_Initialize(&a));
  WANT(CKR_OK, f->C_Finalize(NULL));
  a.flags = CKF_OS_LOCKING_OK;
  WANT(CKR_OK, f->C_Initialize(&a));
  WANT(CKR_OK, f->C_Finalize(NULL));
  a.flags = 0;
  a.CreateMutex = create, a.DestroyMutex = a.LockMutex = a.UnlockMutex = other;
  WANT(CKR_OK, f->C_Initialize(&a));
  WANT(CKR_OK, f->C_Finalize(NULL));
  memset(&a, 0, sizeof a);
  a.pReserved = "no such setting";
  WANT(CKR_ARGUMENTS_BAD, f->C_Initialize(&a));
  a.pReserved = "store=mem:";
  WANT(CKR_OK, f->C_Initialize(&a));

  CK_SESSION_HANDLE h = session(f);
  unsigned char buf[64], *gone = (unsigned char *)0x10000;
  CK_ULONG n;
  CK_MECHANISM sha = {CKM_SHA256, NULL, 0};

  // Lengths that no memory has.
  const CK_ULONG huge[] = {1UL << 31, 1UL << 62, 1UL << 63, ULONG_MAX, ULONG_MAX - 7};
  for (unsigned i = 0; i < sizeof huge / sizeof *huge; i++) {
    WANT(CKR_OK, f->C_DigestInit(h, &sha));
    n = sizeof buf;
    WANT(CKR_ARGUMENTS_BAD, f->C_Digest(h, NULL, huge[i], buf, &n));
    n = sizeof buf;
    WANT(CKR_OPERATION_NOT_INITIALIZED, f->C_Digest(h, buf, 1, buf, &n)); // the call above has ended it
    if (huge[i] > 1UL << 40) {
      WANT(CKR_OK, f->C_DigestInit(h, &sha));
      WANT(CKR_ARGUMENTS_BAD, f->C_Digest(h, buf, huge[i], buf, &n));
    }
    // An output buffer that is said to be larger than memory is large enough.
    WANT(CKR_OK, f->C_DigestInit(h, &sha));
    n = huge[i];
    WANT(CKR_OK, f->C_Digest(h, buf, 1, buf, &n));
    CHECK(n == 32);
    // Templates.
    CK_ATTRIBUTE t = {CKA_CLASS, buf, huge[i]};
    CK_OBJECT_HANDLE o = 0;
    WANT(CKR_ARGUMENTS_BAD, f->C_FindObjectsInit(h, &t, huge[i]));
    WANT(CKR_ATTRIBUTE_VALUE_INVALID, f->C_CreateObject(h, &t, 1, &o));
    WANT(CKR_ARGUMENTS_BAD, f->C_CreateObject(h, NULL, 1, &o));
    t.pValue = NULL;
    WANT(CKR_ATTRIBUTE_VALUE_INVALID, f->C_CreateObject(h, &t, 1, &o));
    t.type = CKA_WRAP_TEMPLATE, t.pValue = &t, t.ulValueLen = sizeof t; // a template inside itself
    WANT(CKR_ATTRIBUTE_VALUE_INVALID, f->C_CreateObject(h, &t, 1, &o));
    // Mechanisms.
    CK_MECHANISM m = {CKM_AES_CBC, buf, huge[i]};
    WANT(CKR_MECHANISM_PARAM_INVALID, f->C_EncryptInit(h, &m, 1));
    m.pParameter = NULL;
    WANT(CKR_MECHANISM_PARAM_INVALID, f->C_EncryptInit(h, &m, 1));
    WANT(CKR_SESSION_HANDLE_INVALID, f->C_EncryptInit(h + 1000, &m, 1));
    m.mechanism = 0x7fffffff;
    WANT(CKR_MECHANISM_INVALID, f->C_EncryptInit(h, &m, 1));
    WANT(CKR_ARGUMENTS_BAD, f->C_GenerateRandom(h, NULL, huge[i]));
  }

  // The convention of lengths: NULL asks, no bytes are too few.
  WANT(CKR_OK, f->C_DigestInit(h, &sha));
  n = 0;
  WANT(CKR_OK, f->C_Digest(h, buf, 1, NULL, &n));
  CHECK(n == 32);
  n = 0;
  WANT(CKR_BUFFER_TOO_SMALL, f->C_Digest(h, buf, 1, buf, &n));
  CHECK(n == 32);
  WANT(CKR_OK, f->C_Digest(h, NULL, 0, buf, &n));
  WANT(CKR_OK, f->C_DigestInit(h, &sha));
  WANT(CKR_ARGUMENTS_BAD, f->C_Digest(h, buf, 1, buf, NULL));
  WANT(CKR_SESSION_HANDLE_INVALID, f->C_Digest(h + 1000, buf, 1, buf, NULL));
  WANT(CKR_OK, f->C_GenerateRandom(h, NULL, 0));

  // Memory that is not there is an answer, not a crash.
  WANT(CKR_OK, f->C_DigestInit(h, &sha));
  n = sizeof buf;
  WANT(CKR_ARGUMENTS_BAD, f->C_Digest(h, gone, 32, buf, &n));
  WANT(CKR_OK, f->C_DigestInit(h, &sha)); // ended
  WANT(CKR_ARGUMENTS_BAD, f->C_Digest(h, buf, 32, gone, &n));
  WANT(CKR_ARGUMENTS_BAD, f->C_GenerateRandom(h, gone, 32));
  WANT(CKR_ARGUMENTS_BAD, f->C_GetInfo((CK_INFO *)gone));
  WANT(CKR_ARGUMENTS_BAD, f->C_DigestInit(h, (CK_MECHANISM *)gone));
  WANT(CKR_ARGUMENTS_BAD, f->C_FindObjectsInit(h, (CK_ATTRIBUTE *)gone, 3));
  WANT(CKR_ARGUMENTS_BAD, f->C_GenerateRandom(h, (unsigned char *)0x7f0000000000, 32));

  CK_SLOT_ID slot;
  WANT(CKR_OK, f->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL)); // of the token made above
  WANT(CKR_NO_EVENT, f->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL));
  WANT(CKR_FUNCTION_NOT_PARALLEL, f->C_GetFunctionStatus(h));
  WANT(CKR_FUNCTION_NOT_PARALLEL, f->C_CancelFunction(0)); // opencryptoki
  WANT(CKR_OK, f->C_Finalize(NULL));
  return 0;
}
