// A child that uses the library after a fork.
#include "host.h"

int main(int argc, char **argv) {
  (void)argc;
  CK_FUNCTION_LIST_3_2 *f = load(argv[1]);
  WANT(CKR_OK, f->C_Initialize(NULL));
  pid_t p = fork();
  if (p == 0) {
    alarm(60);
    WANT(CKR_OK, f->C_Initialize(NULL));
    use(f);
    _exit(0);
  }
  int st;
  CHECK(waitpid(p, &st, 0) == p && st == 0);
  return 0;
}
