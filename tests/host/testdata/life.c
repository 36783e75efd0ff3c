// Loading, unloading and loading again; many threads that initialise; calls
// that are under way while another thread finalises; few descriptors; exit
// without a word.
#include <fcntl.h>
#include <sys/resource.h>

#include "host.h"

static CK_FUNCTION_LIST_3_2 *f;
static CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK, .pReserved = "store=mem:"};

static void *initialize(void *arg) {
  *(CK_RV *)arg = f->C_Initialize(&args);
  return NULL;
}

static volatile int stop;
static void *call(void *arg) {
  (void)arg;
  CK_SLOT_ID slots[16];
  while (!stop) {
    CK_ULONG n = 16;
    CK_RV rv = f->C_GetSlotList(CK_FALSE, slots, &n);
    CHECK(rv == CKR_OK || rv == CKR_CRYPTOKI_NOT_INITIALIZED);
    CK_INFO info;
    rv = f->C_GetInfo(&info);
    CHECK(rv == CKR_OK || rv == CKR_CRYPTOKI_NOT_INITIALIZED);
  }
  return NULL;
}

int main(int argc, char **argv) {
  (void)argc;
  alarm(60);

  // No descriptors 0 to 2, and hardly any others.
  pid_t p = fork();
  if (p == 0) {
    struct rlimit few = {12, 12};
    setrlimit(RLIMIT_NOFILE, &few);
    int err = fcntl(2, F_DUPFD, 3);
    close(0), close(1), close(2);
    f = load(argv[1]);
    int lowest = open("/dev/null", O_RDWR);
    CHECK(dup2(err, 2) == 2); // the host may have its number back
    CHECK(lowest > 2);        // the library holds the low numbers (limits.c, closed)
    WANT(CKR_OK, f->C_Initialize(&args));
    use(f);
    _exit(0);
  }
  int st;
  waitpid(p, &st, 0);
  CHECK(st == 0);

  // node's pkcs11js loads, finalises, unloads and loads again in one process.
  for (int i = 0; i < 20; i++) {
    f = load(argv[1]);
    WANT(CKR_OK, f->C_Initialize(&args));
    use(f);
    WANT(CKR_OK, f->C_Finalize(NULL));
    CHECK(dlclose(library) == 0);
  }
  f = load(argv[1]);

  // The environment is read when C_Initialize is called, through the C library.
  setenv("COFFER_LOG", "loud", 1);
  WANT(CKR_GENERAL_ERROR, f->C_Initialize(&args));
  setenv("COFFER_LOG", "off", 1);
  WANT(CKR_OK, f->C_Initialize(&args));
  WANT(CKR_OK, f->C_Finalize(NULL));

  // Of many threads that initialise at once one wins.
  for (int round = 0; round < 20; round++) {
    pthread_t t[8];
    CK_RV rv[8];
    for (int i = 0; i < 8; i++) pthread_create(&t[i], NULL, initialize, &rv[i]);
    int won = 0;
    for (int i = 0; i < 8; i++) {
      pthread_join(t[i], NULL);
      CHECK(rv[i] == CKR_OK || rv[i] == CKR_CRYPTOKI_ALREADY_INITIALIZED);
      won += rv[i] == CKR_OK;
    }
    CHECK(won == 1);
    WANT(CKR_OK, f->C_Finalize(NULL));
    WANT(CKR_CRYPTOKI_NOT_INITIALIZED, f->C_Finalize(NULL));
  }

  pthread_t t[4];
  for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, call, NULL);
  for (int i = 0; i < 50; i++) {
    WANT(CKR_OK, f->C_Initialize(&args));
    usleep(1000);
    WANT(CKR_OK, f->C_Finalize(NULL));
  }
  stop = 1;
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);

  // Thousands of threads come, call and go.
  WANT(CKR_OK, f->C_Initialize(&args));
  stop = 1;
  for (int i = 0; i < 2000; i++) {
    pthread_t one;
    CHECK(pthread_create(&one, NULL, call, NULL) == 0);
    pthread_join(one, NULL);
  }
  // exit with a session open and no C_Finalize
  session(f);
  return 0;
}
