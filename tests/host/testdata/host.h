// What the programs of this folder share: loading the library, and checks that
// say what failed and where.
#ifndef HOST_H
#define HOST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkcs11.h"

#define CHECK(cond)                                                         \
  do {                                                                      \
    if (!(cond)) {                                                          \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #cond);  \
      _exit(1);                                                             \
    }                                                                       \
  } while (0)

// WANT checks the result of a call.
#define WANT(rv, call)                                                                                     \
  do {                                                                                                     \
    CK_RV got_ = (call);                                                                                   \
    if (got_ != (rv)) {                                                                                    \
      fprintf(stderr, "%s:%d: %s = 0x%lx, want %s\n", __FILE__, __LINE__, #call, got_, #rv);               \
      _exit(1);                                                                                            \
    }                                                                                                      \
  } while (0)

static void *library;

static inline CK_FUNCTION_LIST_3_2 *load(const char *path) {
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  CK_C_GetInterface get = (CK_C_GetInterface)dlsym(library, "C_GetInterface");
  CHECK(get != NULL);
  CK_VERSION v = {3, 2};
  CK_INTERFACE *i = NULL;
  WANT(CKR_OK, get((CK_UTF8CHAR *)"PKCS 11", &v, &i, 0));
  return i->pFunctionList;
}

// session returns a session on the first slot.
static inline CK_SESSION_HANDLE session(CK_FUNCTION_LIST_3_2 *f) {
  CK_SLOT_ID slots[16];
  CK_ULONG n = 16;
  CK_SESSION_HANDLE h = 0;
  WANT(CKR_OK, f->C_GetSlotList(CK_FALSE, NULL, &n));
  n = 16;
  WANT(CKR_OK, f->C_GetSlotList(CK_FALSE, slots, &n));
  CHECK(n > 0);
  CK_RV rv = f->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &h);
  if (rv == CKR_TOKEN_NOT_RECOGNIZED || rv == CKR_TOKEN_NOT_INITIALIZED) {
    CK_UTF8CHAR label[32];
    memset(label, ' ', sizeof label);
    memcpy(label, "host", 4);
    WANT(CKR_OK, f->C_InitToken(slots[0], (CK_UTF8CHAR *)"12345678", 8, label));
    rv = f->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &h);
  }
  CHECK(rv == CKR_OK);
  return h;
}

// use makes calls that need a runtime which is alive: goroutines, allocations.
static inline void use(CK_FUNCTION_LIST_3_2 *f) {
  CK_INFO info;
  WANT(CKR_OK, f->C_GetInfo(&info));
  CK_SESSION_HANDLE h = session(f);
  CK_MECHANISM sha = {CKM_SHA256, NULL, 0};
  unsigned char data[4096] = {0}, digest[32];
  for (int i = 0; i < 100; i++) {
    CK_ULONG n = sizeof digest;
    WANT(CKR_OK, f->C_DigestInit(h, &sha));
    WANT(CKR_OK, f->C_Digest(h, data, sizeof data, digest, &n));
    CHECK(n == 32);
  }
  WANT(CKR_OK, f->C_CloseSession(h));
}

#endif
