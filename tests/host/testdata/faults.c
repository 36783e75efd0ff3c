// A host with a handler of faults, such as a JVM, that loads the library after
// it: its own faults come to it, those of calls with bad memory do not.
#include <setjmp.h>

#include "host.h"

static sigjmp_buf back;
static volatile int taken;

static void on_segv(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)context;
  taken++;
  if (info->si_addr != (void *)0x1234) _exit(3);
  siglongjmp(back, 1);
}

int main(int argc, char **argv) {
  (void)argc;
  struct sigaction segv = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &segv, NULL);
  CK_FUNCTION_LIST_3_2 *f = load(argv[1]);
  CK_C_INITIALIZE_ARGS args = {.pReserved = "store=mem:"};
  WANT(CKR_OK, f->C_Initialize(&args));
  for (int i = 0; i < 1000; i++) {
    if (sigsetjmp(back, 1) == 0) *(volatile int *)0x1234 = 1;
    if (i % 100 == 0) use(f);
    WANT(CKR_ARGUMENTS_BAD, f->C_GetInfo((CK_INFO *)0x10000));
  }
  CHECK(taken == 1000);
  return 0;
}
