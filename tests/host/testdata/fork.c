// A host that forks: before and after use, from several threads, and whose
// children fork again. A child begins uninitialised and then works.
#include <fcntl.h>

#include "host.h"

static CK_FUNCTION_LIST_3_2 *f;

static int wait_for(pid_t p) {
  int st;
  while (waitpid(p, &st, 0) < 0) {
  }
  return st;
}

// child is what a process does that was forked.
static void child(int initialized) {
  alarm(30); // a hang is the failure to be feared
  CK_INFO info;
  CK_FUNCTION_LIST *list;
  (void)initialized;
  WANT(CKR_CRYPTOKI_NOT_INITIALIZED, f->C_GetInfo(&info));
  WANT(CKR_CRYPTOKI_NOT_INITIALIZED, f->C_Finalize(NULL)); // as pkcs11-provider does first
  WANT(CKR_OK, ((CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList"))(&list));
  CHECK(list->C_GetInfo == f->C_GetInfo); // the one that goes on working
  CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK, .pReserved = "store=mem:"};
  WANT(CKR_OK, f->C_Initialize(&args));
  WANT(CKR_CRYPTOKI_ALREADY_INITIALIZED, f->C_Initialize(&args));
  use(f);
}

static void family(int initialized) {
  pid_t p = fork();
  if (p == 0) {
    child(initialized);
    pid_t q = fork();
    if (q == 0) {
      child(1);
      pid_t r = fork();
      if (r == 0) {
        child(1);
        _exit(0);
      }
      _exit(wait_for(r) != 0);
    }
    CHECK(wait_for(q) == 0);
    use(f); // the fork has not harmed the one that forked
    WANT(CKR_OK, f->C_Finalize(NULL));
    WANT(CKR_OK, f->C_Initialize(NULL));
    exit(0); // with what the library runs at exit: nothing
  }
  CHECK(wait_for(p) == 0);
}

static void *forker(void *arg) {
  (void)arg;
  for (int i = 0; i < 5; i++) {
    pid_t p = fork();
    if (p == 0) {
      child(1);
      _exit(0);
    }
    CHECK(wait_for(p) == 0);
  }
  return NULL;
}

static volatile int stop;

static void *user(void *arg) {
  (void)arg;
  while (!stop) use(f);
  return NULL;
}

int main(int argc, char **argv) {
  (void)argc;
  alarm(120);
  f = load(argv[1]);
  for (int i = 0; i < 3; i++) family(0);
  CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK, .pReserved = "store=mem:"};
  WANT(CKR_OK, f->C_Initialize(&args));
  for (int i = 0; i < 3; i++) family(1);
  use(f);
  for (int i = 0; i < 3; i++) family(1);

  pthread_t u[2], t[4];
  for (int i = 0; i < 2; i++) pthread_create(&u[i], NULL, user, NULL);
  for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, forker, NULL);
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  stop = 1;
  for (int i = 0; i < 2; i++) pthread_join(u[i], NULL);
  use(f);

  // A daemon closes all descriptors; the number is another file's then.
  pid_t p = fork();
  if (p == 0) {
    for (int i = 3; i < 1024; i++) close(i);
    for (int i = 0; i < 200; i++) CHECK(open("/dev/null", O_RDONLY) >= 0);
    child(1);
    _exit(0);
  }
  CHECK(wait_for(p) == 0);

  // A child that cannot load its copy says so and does not hang.
  p = fork();
  if (p == 0) {
    alarm(30);
    for (int i = 3; i < 1024; i++) close(i);
    CHECK(rename(argv[1], argv[2]) == 0);
    WANT(CKR_FUNCTION_FAILED, f->C_Initialize(NULL));
    WANT(CKR_CRYPTOKI_NOT_INITIALIZED, f->C_Finalize(NULL));
    CHECK(rename(argv[2], argv[1]) == 0);
    child(1); // and tries again
    _exit(0);
  }
  CHECK(wait_for(p) == 0);
  return 0;
}
