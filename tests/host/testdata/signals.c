// Signals are the host's: its handlers, its masks, its waits.
#include <fcntl.h>
#include <setjmp.h>
#include <sys/resource.h>

#include "host.h"

static CK_FUNCTION_LIST_3_2 *f;
static pid_t host_tid;
static volatile int here, elsewhere, small_stack;
static char *low; // the host's thread's own stack
static size_t size;

static void on_signal(int sig) {
  (void)sig;
  char probe;
  stack_t st;
  if (syscall(SYS_gettid) == host_tid) {
    here++;
  } else {
    elsewhere++;
  }
  // On the thread's own stack, or on its signal stack: never on a goroutine's.
  sigaltstack(NULL, &st);
  int own = &probe >= low && &probe < low + size;
  int alt = !(st.ss_flags & SS_DISABLE) && &probe >= (char *)st.ss_sp && &probe < (char *)st.ss_sp + st.ss_size;
  if (!own && !alt) small_stack++;
}

// threads reads what signals the other threads of the process leave open.
static unsigned long long open_to(int *threads) {
  unsigned long long open = 0;
  char path[64], line[128];
  *threads = 0;
  for (pid_t t = host_tid + 1; t < host_tid + 200; t++) {
    snprintf(path, sizeof path, "/proc/self/task/%d/status", t);
    FILE *s = fopen(path, "r");
    if (s == NULL) continue;
    (*threads)++;
    while (fgets(line, sizeof line, s)) {
      if (strncmp(line, "SigBlk:", 7) == 0) open |= ~strtoull(line + 7, NULL, 16);
    }
    fclose(s);
  }
  return open;
}

#define BIT(sig) (1ULL << ((sig)-1))

static volatile int stop;
static void *work(void *arg) {
  (void)arg;
  while (!stop) use(f);
  return NULL;
}

static sigjmp_buf back;
static void on_segv(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)context;
  if (info->si_addr != (void *)0x1234) _exit(3);
  siglongjmp(back, 1);
}

static int dies_by(int sig) {
  pid_t p = fork();
  if (p == 0) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    f = NULL;
    if (sig == SIGSEGV) *(volatile int *)0x1234 = 1;
    if (sig == SIGFPE) kill(getpid(), SIGFPE);
    if (sig == SIGPIPE) {
      int fd[2];
      CHECK(pipe(fd) == 0 && close(fd[0]) == 0);
      CHECK(write(fd[1], "x", 1) == 1);
    }
    _exit(0);
  }
  int st;
  waitpid(p, &st, 0);
  return WIFSIGNALED(st) && WTERMSIG(st) == sig;
}

int main(int argc, char **argv) {
  (void)argc;
  host_tid = (pid_t)syscall(SYS_gettid);
  pthread_attr_t attr;
  void *stack;
  pthread_getattr_np(pthread_self(), &attr);
  pthread_attr_getstack(&attr, &stack, &size);
  low = stack;
  struct sigaction before[NSIG], now;
  struct sigaction sa = {.sa_handler = on_signal}; // without SA_ONSTACK, as .NET and nginx install them
  sigaction(SIGUSR1, &sa, NULL);
  for (int i = 1; i < NSIG; i++) sigaction(i, NULL, &before[i]);
  sigset_t mask, want;
  sigemptyset(&want);
  int blocked[] = {SIGCHLD, SIGPROF, SIGURG, SIGUSR2, SIGTERM};
  for (int i = 0; i < 5; i++) sigaddset(&want, blocked[i]);
  sigprocmask(SIG_SETMASK, &want, NULL);

  f = load(argv[1]);

  // Right after loading, handlers are as before, but for faults and SA_ONSTACK.
  for (int i = 1; i < NSIG; i++) {
    if (sigaction(i, NULL, &now) != 0 || i == SIGSEGV || i == SIGBUS || i == SIGFPE) continue;
    if (now.sa_handler != before[i].sa_handler) fprintf(stderr, "signal %d\n", i);
    CHECK(now.sa_handler == before[i].sa_handler);
  }

  sigaction(SIGUSR2, &sa, NULL); // installed later, without the flag
  CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK, .pReserved = "store=mem:"};
  WANT(CKR_OK, f->C_Initialize(&args));
  sigaction(SIGUSR2, NULL, &now);
  CHECK(now.sa_handler == on_signal && now.sa_flags & SA_ONSTACK);
  sigaction(SIGALRM, &sa, NULL);
  usleep(20000); // sessions look after handlers once in a while, not each
  use(f); // opens a session
  sigaction(SIGALRM, NULL, &now);
  CHECK(now.sa_handler == on_signal && now.sa_flags & SA_ONSTACK);

  // The mask of a host's thread is as it was, also after its first calls.
  sigprocmask(SIG_SETMASK, NULL, &mask);
  for (int i = 1; i < NSIG; i++) {
    if (sigismember(&mask, i) != sigismember(&want, i)) fprintf(stderr, "signal %d\n", i);
    CHECK(sigismember(&mask, i) == sigismember(&want, i));
  }

  // The runtime's threads take no signal but faults.
  int threads;
  unsigned long long unblocked = open_to(&threads);
  CHECK(threads >= 3);
  unblocked &= ~(BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGSTKFLT) | BIT(SIGKILL) |
            BIT(SIGSTOP) | BIT(32) | BIT(33) | BIT(34)); // the last are the C library's own
  if (unblocked != 0) fprintf(stderr, "unblocked: %llx\n", unblocked);
  CHECK(unblocked == 0);

  // Nothing is lost for a host that waits for what it blocks.
  sigset_t chld;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  for (int i = 0; i < 20; i++) {
    pid_t p = fork();
    if (p == 0) _exit(0);
    usleep(1000); // it is pending before it is waited for
    struct timespec second = {5, 0};
    CHECK(sigtimedwait(&chld, NULL, &second) == SIGCHLD);
    waitpid(p, NULL, 0);
  }

  // A storm of signals while threads are in calls: all handlers run on the one
  // thread that is open to them, on a stack that is theirs.
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &all, NULL); // for the threads to inherit
  pthread_t w[2];
  for (int i = 0; i < 2; i++) pthread_create(&w[i], NULL, work, NULL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  pid_t sender = fork();
  if (sender == 0) {
    for (int i = 0; i < 2000; i++) {
      kill(getppid(), i & 1 ? SIGUSR1 : SIGUSR2);
      usleep(100);
    }
    _exit(0);
  }
  int st;
  do use(f);
  while (waitpid(sender, &st, WNOHANG) == 0);
  stop = 1;
  for (int i = 0; i < 2; i++) pthread_join(w[i], NULL);
  if (here < 100 || elsewhere || small_stack) {
    fprintf(stderr, "handlers ran %d times here, %d elsewhere, %d on a goroutine's stack\n", here, elsewhere, small_stack);
    _exit(1);
  }

  // A fault of the host's ends it as it would have, and without a word.
  int err = dup(2);
  int pipefd[2];
  CHECK(pipe(pipefd) == 0);
  dup2(pipefd[1], 2);
  CHECK(dies_by(SIGSEGV));
  CHECK(dies_by(SIGFPE));
  CHECK(dies_by(SIGPIPE));
  dup2(err, 2);
  close(pipefd[1]);
  char word[64];
  CHECK(read(pipefd[0], word, sizeof word) == 0);

  // A handler of faults that was installed later has them all.
  struct sigaction segv = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  sigaction(SIGSEGV, &segv, NULL);
  if (sigsetjmp(back, 1) == 0) *(volatile int *)0x1234 = 1;
  use(f);
  return 0;
}
