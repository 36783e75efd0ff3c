// Timers that fire a thousand times a second while long operations are under
// way, with handlers that a host installs as .NET does: after the library was
// loaded, without SA_ONSTACK and without SA_RESTART.
#include "ops.h"

#include <sys/time.h>

static __thread volatile int mine; // 1 on a thread of the host's
static __thread char *low, *high;  // its own stack
static volatile long ran[3], elsewhere, off_stack;

static void on_timer(int sig) {
  char probe;
  stack_t st;
  if (!mine) {
    elsewhere++;
    return;
  }
  __atomic_add_fetch(&ran[sig == SIGALRM ? 0 : sig == SIGPROF ? 1 : 2], 1, __ATOMIC_RELAXED);
  sigaltstack(NULL, &st);
  int own = &probe >= low && &probe < high;
  int alt = !(st.ss_flags & SS_DISABLE) && &probe >= (char *)st.ss_sp && &probe < (char *)st.ss_sp + st.ss_size;
  if (!own && !alt) off_stack++;
}

static void know_stack(void) {
  pthread_attr_t attr;
  void *stack;
  size_t size;
  pthread_getattr_np(pthread_self(), &attr);
  pthread_attr_getstack(&attr, &stack, &size);
  pthread_attr_destroy(&attr);
  low = stack, high = low + size;
  mine = 1;
}

static volatile int stop;
static long loops;

static void *gcm(void *arg) {
  know_stack();
  pthread_sigmask(SIG_SETMASK, arg, NULL);
  enum { MIB = 1 << 20 };
  CK_SESSION_HANDLE h = user(f);
  CK_OBJECT_HANDLE k = aes_key(f, h, no, "gcm");
  CK_BYTE *b = calloc(3, MIB + 16);
  for (unsigned i = 0; !stop || i < 20; i++) {
    round_trip(f, h, k, b, b + MIB + 16, b + 2 * (MIB + 16), MIB, i * 7919);
    if (i % 50 == 0) aes_key(f, h, yes, "stored"); // writes to the store
    __atomic_add_fetch(&loops, 1, __ATOMIC_RELAXED);
  }
  free(b);
  return NULL;
}

int main(int argc, char **argv) {
  (void)argc;
  know_stack();
  f = load(argv[1]);
  struct sigaction sa = {.sa_handler = on_timer};
  sigaction(SIGALRM, &sa, NULL);
  sigaction(SIGRTMIN + 3, &sa, NULL);
  WANT(CKR_OK, f->C_Initialize(&args));
  sigaction(SIGPROF, &sa, NULL); // later still
  usleep(20000);                 // sessions look after handlers once in a while
  CK_SESSION_HANDLE h = user(f);

  struct itimerval every = {{0, 1000}, {0, 1000}};
  timer_t timer;
  struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3};
  struct itimerspec its = {{0, 1000000}, {0, 1000000}};
  long begin = ms();
  CHECK(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0);
  CHECK(timer_settime(timer, 0, &its, NULL) == 0);
  CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
  CHECK(setitimer(ITIMER_PROF, &every, NULL) == 0);

  pthread_t t;
  sigset_t all, mask; // a thread is open to signals once it knows its stack
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  CHECK(pthread_create(&t, NULL, gcm, &mask) == 0);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  sign_and_verify(f, h, CKM_SHA256_RSA_PKCS, rsa_pair(f, h, 4096), 4096);
  for (unsigned i = 0; ms() - begin < 1500; i++) sign_and_verify(f, h, CKM_ECDSA_SHA256, ec_pair(f, h), i);
  stop = 1;
  pthread_join(t, NULL);
  long took = ms() - begin;

  WANT(CKR_OK, f->C_Finalize(NULL));
  WANT(CKR_OK, f->C_Initialize(&args));
  WANT(CKR_OK, f->C_Finalize(NULL));
  memset(&every, 0, sizeof every);
  setitimer(ITIMER_REAL, &every, NULL);
  setitimer(ITIMER_PROF, &every, NULL);
  timer_delete(timer);
  printf("%ld ms, handlers ran %ld (real), %ld (prof), %ld (posix) times, %ld loops of 1 MiB\n", took, ran[0], ran[1],
         ran[2], loops);
  if (elsewhere || off_stack) {
    fprintf(stderr, "handlers ran %ld times on other threads, %ld on a goroutine's stack\n", elsewhere, off_stack);
    return 1;
  }
  // What is pending is not sent twice, so a busy machine has less than a
  // thousand a second.
  CHECK(ran[0] > took / 20 && ran[2] > took / 20 && ran[1] > 50);
  return 0;
}
