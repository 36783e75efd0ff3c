// Two copies of the library in one process, argv[1] and argv[2], and how they
// are loaded: by argv[3], local, global, deepbind, lazy or all in turn. They
// are two modules with one store.
#include "ops.h"

static CK_FUNCTION_LIST_3_2 *load_by(const char *path, int flags) {
  void *l = dlopen(path, flags);
  if (l == NULL) fprintf(stderr, "%s\n", dlerror());
  CHECK(l != NULL);
  CK_C_GetInterface get = (CK_C_GetInterface)dlsym(l, "C_GetInterface");
  CK_C_GetFunctionList list = (CK_C_GetFunctionList)dlsym(l, "C_GetFunctionList");
  CK_VERSION v = {3, 2};
  CK_INTERFACE *i;
  CK_FUNCTION_LIST *old;
  CHECK(get != NULL && list != NULL);
  WANT(CKR_OK, get((CK_UTF8CHAR *)"PKCS 11", &v, &i, 0));
  WANT(CKR_OK, list(&old));
  CK_FUNCTION_LIST_3_2 *f = i->pFunctionList;
  // Everything in the lists is of this copy.
  Dl_info a, b, c;
  CHECK(dladdr((void *)f->C_Sign, &a) && dladdr((void *)old->C_Sign, &b) && dladdr((void *)get, &c));
  CHECK(strcmp(a.dli_fname, path) == 0 && strcmp(b.dli_fname, path) == 0 && strcmp(c.dli_fname, path) == 0);
  CHECK(f->C_Initialize == (CK_C_Initialize)dlsym(l, "C_Initialize"));
  return f;
}

static void *busy(void *f) {
  CK_BYTE b[3 * 1016];
  CK_SESSION_HANDLE h = user(f);
  CK_OBJECT_HANDLE k = aes_key(f, h, no, "busy");
  for (unsigned i = 0; i < 300; i++) round_trip(f, h, k, b, b + 1016, b + 2032, 1000, i);
  for (int i = 0; i < 10; i++) WANT(CKR_OK, ((CK_FUNCTION_LIST_3_2 *)f)->C_DestroyObject(h, aes_key(f, h, yes, "brief")));
  return NULL;
}

#ifdef EXPORTED
// A host that has functions of these names itself, as p11-kit and proxies do,
// and names that the library might use inside.
#define TRAP(name)                                                \
  CK_RV trap_##name(void) __asm__(#name);                         \
  CK_RV trap_##name(void) {                                       \
    static const char text[] = #name " of the host was called\n"; \
    CHECK(write(2, text, sizeof text - 1) > 0);                   \
    _exit(4);                                                     \
  }
TRAP(C_Initialize) TRAP(C_Finalize) TRAP(C_Sign) TRAP(C_GetFunctionList) TRAP(C_GetInterface) TRAP(C_OpenSession)
TRAP(goC_Initialize) TRAP(goC_Sign) TRAP(load_copy) TRAP(keep_own_file) TRAP(repair_handlers)
TRAP(repair_handlers_if_due) TRAP(crosscall2) TRAP(_cgo_wait_runtime_init_done) TRAP(x_cgo_init)
long process = 1, list_3_2 = 2, list_2_40 = 3;
#endif

int main(int argc, char **argv) {
  CHECK(argc == 4);
  alarm(100);
  int flags = strcmp(argv[3], "global") == 0     ? RTLD_NOW | RTLD_GLOBAL
              : strcmp(argv[3], "deepbind") == 0 ? RTLD_NOW | RTLD_DEEPBIND
              : strcmp(argv[3], "all") == 0      ? RTLD_LAZY | RTLD_GLOBAL | RTLD_DEEPBIND
                                                 : RTLD_LAZY | RTLD_LOCAL;
  CK_FUNCTION_LIST_3_2 *a = load_by(argv[1], flags), *b = load_by(argv[2], flags);
  CHECK(a != b && a->C_Initialize != b->C_Initialize);

  // One is initialised, the other is not.
  CK_INFO info;
  WANT(CKR_OK, a->C_Initialize(&args));
  WANT(CKR_CRYPTOKI_NOT_INITIALIZED, b->C_GetInfo(&info));
  CK_SESSION_HANDLE h = user(a);
  WANT(CKR_OK, b->C_Initialize(&args));
  WANT(CKR_CRYPTOKI_ALREADY_INITIALIZED, a->C_Initialize(&args));
  CK_SESSION_HANDLE g = session(b);

  // Logging in to one is not logging in to the other.
  CK_SESSION_INFO in;
  WANT(CKR_OK, a->C_GetSessionInfo(h, &in));
  CHECK(in.state == CKS_RW_USER_FUNCTIONS);
  WANT(CKR_OK, b->C_GetSessionInfo(g, &in));
  CHECK(in.state == CKS_RW_PUBLIC_SESSION);
  user(b);

  // What one creates the other finds and uses; what one destroys is gone.
  CK_OBJECT_HANDLE made = aes_key(a, h, yes, "one"), seen = 0;
  CHECK(found(b, g, "one", &seen) == 1);
  CK_BYTE data[16] = "sixteen bytes .", x[16], y[16];
  CK_MECHANISM ecb = {CKM_AES_ECB, NULL, 0};
  CK_ULONG n = 16, m = 16;
  WANT(CKR_OK, a->C_EncryptInit(h, &ecb, made));
  WANT(CKR_OK, a->C_Encrypt(h, data, 16, x, &n));
  WANT(CKR_OK, b->C_DecryptInit(g, &ecb, seen));
  WANT(CKR_OK, b->C_Decrypt(g, x, 16, y, &m));
  CHECK(memcmp(data, y, 16) == 0);
  aes_key(b, g, yes, "two");
  CHECK(found(a, h, "two", &made) == 1);
  WANT(CKR_OK, a->C_DestroyObject(h, made));
  CHECK(found(b, g, "two", &seen) == 0);

  pthread_t t[4];
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, busy, i & 1 ? a : b) == 0);
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);

  // Each has its child's copy after a fork.
  pid_t p = fork();
  if (p == 0) {
    alarm(60);
    WANT(CKR_CRYPTOKI_NOT_INITIALIZED, a->C_GetInfo(&info));
    WANT(CKR_OK, a->C_Initialize(&args));
    WANT(CKR_CRYPTOKI_NOT_INITIALIZED, b->C_GetInfo(&info));
    WANT(CKR_OK, b->C_Initialize(&args));
    CHECK(found(a, session(a), "one", &made) == 1);
    CHECK(found(b, session(b), "one", &made) == 1);
    _exit(0);
  }
  int st;
  CHECK(waitpid(p, &st, 0) == p);
  CHECK(st == 0);

  // The one that serves the store goes; the other goes on.
  WANT(CKR_OK, a->C_Finalize(NULL));
  CHECK(found(b, g, "one", &seen) == 1);
  aes_key(b, g, yes, "three");
  WANT(CKR_OK, a->C_Initialize(&args));
  h = user(a);
  CHECK(found(a, h, "three", &made) == 1);
  WANT(CKR_OK, b->C_Finalize(NULL));
  CHECK(found(a, h, "one", &made) == 1);
  WANT(CKR_OK, a->C_DestroyObject(h, made));
  WANT(CKR_OK, a->C_Finalize(NULL));
  return 0;
}
