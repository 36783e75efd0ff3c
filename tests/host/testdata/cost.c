// What a call costs. Prints nanoseconds; the test that runs it sets no limits.
#include <time.h>

#include "host.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#define TIME(name, n, call)                                             \
  do {                                                                  \
    double best_ = 1e18;                                                \
    for (int r_ = 0; r_ < 5; r_++) {                                    \
      double t_ = now();                                                \
      for (int i_ = 0; i_ < (n); i_++) call;                            \
      double each_ = (now() - t_) / (n);                                \
      if (each_ < best_) best_ = each_;                                 \
    }                                                                   \
    printf("%-24s %8.0f ns\n", name, best_);                            \
  } while (0)

int main(int argc, char **argv) {
  (void)argc;
  double t = now();
  CK_FUNCTION_LIST_3_2 *f = load(argv[1]);
  printf("%-24s %8.0f us\n", "load", (now() - t) / 1e3);
  TIME("before C_Initialize", 200000, f->C_GetInfo(NULL));
  CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK, .pReserved = "store=mem:"};
  t = now();
  WANT(CKR_OK, f->C_Initialize(&args));
  printf("%-24s %8.0f us\n", "C_Initialize", (now() - t) / 1e3);
  CK_SESSION_HANDLE h = session(f);
  CK_SESSION_INFO info;
  CK_BYTE b[32] = {0}, d[32];
  CK_ULONG n;
  CK_MECHANISM sha = {CKM_SHA256, NULL, 0};
  TIME("C_GetFunctionStatus", 200000, f->C_GetFunctionStatus(h));
  TIME("C_GetSessionInfo", 200000, f->C_GetSessionInfo(h, &info));
  TIME("C_GenerateRandom(0)", 200000, f->C_GenerateRandom(h, b, 0));
  WANT(CKR_OK, f->C_DigestInit(h, &sha));
  TIME("C_DigestUpdate(0)", 200000, f->C_DigestUpdate(h, b, 0));
  n = 32;
  f->C_DigestFinal(h, d, &n);
  TIME("C_DigestInit, C_Digest", 100000, (f->C_DigestInit(h, &sha), n = 32, f->C_Digest(h, b, 32, d, &n)));
  CK_SESSION_HANDLE s;
  TIME("C_OpenSession, close", 20000,
       (f->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s), f->C_CloseSession(s)));
  return 0;
}
