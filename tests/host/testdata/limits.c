// A host under limits: argv[2] says which. The functions say what is checked.
#include "ops.h"

#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>

static const char *lib;

static CK_RV begin(void) {
  f = load(lib);
  return f->C_Initialize(&args);
}

// stored makes objects of the token's, finds and destroys them. It counts
// them, so one thread at a time does it.
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static void stored(int n) {
  pthread_mutex_lock(&counting);
  CK_SESSION_HANDLE h = user(f);
  CK_OBJECT_HANDLE k;
  CK_ULONG had = found(f, h, "stored", &k);
  for (int i = 0; i < n; i++) aes_key(f, h, yes, "stored");
  CHECK(found(f, h, "stored", &k) == had + (CK_ULONG)n);
  for (int i = 0; i < n; i++) {
    CHECK(found(f, h, "stored", &k) > 0);
    WANT(CKR_OK, f->C_DestroyObject(h, k));
  }
  CHECK(found(f, h, "stored", &k) == had);
  WANT(CKR_OK, f->C_CloseSession(h));
  pthread_mutex_unlock(&counting);
}

// stacks: threads of 64 KiB do everything, a fault of the caller's included.
static void *on_small_stack(void *arg) {
  (void)arg;
  CK_INFO info;
  for (int i = 0; i < 3; i++) work(f);
  WANT(CKR_ARGUMENTS_BAD, f->C_GetInfo((CK_INFO *)0x10000));
  WANT(CKR_OK, f->C_GetInfo(&info));
  stored(3);
  return NULL;
}

static void *initialize(void *arg) {
  WANT(CKR_OK, f->C_Initialize(&args));
  return arg;
}

static void stacks(void) {
  WANT(CKR_OK, begin());
  CK_SESSION_HANDLE keep = user(f); // so that the threads stay logged in
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  CHECK(pthread_attr_setstacksize(&attr, 64 << 10) == 0);
  pthread_t t[4];
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], &attr, on_small_stack, NULL) == 0);
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  // C_Initialize, which opens the store, may be on such a stack too.
  WANT(CKR_OK, f->C_CloseSession(keep));
  WANT(CKR_OK, f->C_Finalize(NULL));
  CHECK(pthread_create(&t[0], &attr, initialize, NULL) == 0);
  pthread_join(t[0], NULL);
}

// altstack: a signal stack that the host has stays the one, and its handlers
// run on it.
static __thread stack_t mine;
static volatile int handled, strayed;

static void on_signal(int sig) {
  (void)sig;
  char probe;
  handled++;
  if (&probe < (char *)mine.ss_sp || &probe >= (char *)mine.ss_sp + mine.ss_size) strayed++;
}

static void *with_altstack(void *arg) {
  (void)arg;
  stack_t now;
  CK_INFO info;
  mine = (stack_t){.ss_sp = malloc(16 << 10), .ss_size = 16 << 10};
  CHECK(sigaltstack(&mine, NULL) == 0);
  for (int i = 0; i < 5; i++) {
    work(f);
    WANT(CKR_ARGUMENTS_BAD, f->C_GetInfo((CK_INFO *)0x10000)); // taken on the host's stack
    WANT(CKR_OK, f->C_GetInfo(&info));
    CHECK(sigaltstack(NULL, &now) == 0);
    CHECK(now.ss_sp == mine.ss_sp && now.ss_size == mine.ss_size && now.ss_flags == 0);
    pthread_kill(pthread_self(), SIGUSR1);
  }
  stack_t off = {.ss_flags = SS_DISABLE};
  CHECK(sigaltstack(&off, NULL) == 0);
  use(f); // without one again
  free(mine.ss_sp);
  return NULL;
}

static void altstack(void) {
  struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
  sigaction(SIGUSR1, &sa, NULL);
  mine = (stack_t){.ss_sp = malloc(16 << 10), .ss_size = 16 << 10};
  CHECK(sigaltstack(&mine, NULL) == 0); // before the library is loaded
  WANT(CKR_OK, begin());
  stack_t now;
  CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == mine.ss_sp && now.ss_size == mine.ss_size);
  CK_SESSION_HANDLE keep = user(f);
  pthread_t t[2];
  for (int i = 0; i < 2; i++) CHECK(pthread_create(&t[i], NULL, with_altstack, NULL) == 0);
  with_altstack(NULL);
  for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
  // A handler that comes when all sessions are open is put right as well.
  sa.sa_flags = 0;
  sigaction(SIGUSR2, &sa, NULL);
  for (long end = ms() + 5000; !(sa.sa_flags & SA_ONSTACK) && ms() < end; sigaction(SIGUSR2, NULL, &sa)) {
    WANT(CKR_OK, f->C_FindObjectsInit(keep, NULL, 0));
    WANT(CKR_OK, f->C_FindObjectsFinal(keep));
  }
  CHECK(sa.sa_flags & SA_ONSTACK);
  WANT(CKR_OK, f->C_CloseSession(keep));
  CHECK(handled == 15 && strayed == 0);
}

// closed: descriptors 0 to 2 are closed before the library is loaded. No file of
// its own gets such a number: what the host writes to them would land in the
// store. Writing goes on to fail as it did, and the host can open them again.
static void not_to_be_written(void) {
  for (int i = 0; i < 3; i++) {
    char c;
    CHECK(write(i, "stray", 5) < 0 && errno == EBADF);
    CHECK(read(i, &c, 1) < 0 && errno == EBADF);
  }
}

static void closed(void) {
  int err = fcntl(2, F_DUPFD, 50);
  close(0), close(1), close(2);
  f = load(lib);
  not_to_be_written();
  CK_INFO info;
  WANT(CKR_CRYPTOKI_NOT_INITIALIZED, f->C_GetInfo(&info)); // the runtime is up, and waits for events
  not_to_be_written();
  WANT(CKR_OK, f->C_Initialize(&args));
  CHECK(dup2(err, 2) == 2); // for what is said; the numbers below are free
  close(2);
  work(f);
  stored(20);
  not_to_be_written();
  WANT(CKR_OK, f->C_Finalize(NULL));
  WANT(CKR_OK, f->C_Initialize(&args));
  stored(20);
  not_to_be_written();
  CHECK(dup2(err, 1) == 1 && dup2(err, 2) == 2);
  WANT(CKR_OK, f->C_Finalize(NULL));
  CHECK(fcntl(1, F_GETFD) >= 0 && fcntl(2, F_GETFD) >= 0); // they are the host's
  WANT(CKR_OK, f->C_Initialize(&args));
}

// files: no more than 32 descriptors. A host that has spent all of them gets
// an error, and goes on when there are some again.
static void files(void) {
  struct rlimit few = {32, 32};
  CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
  WANT(CKR_OK, begin());
  work(f);
  stored(200);
  CK_SESSION_HANDLE keep = user(f); // a login writes
  CHECK(keep != 0);
  int taken[32], n = 0;
  while ((taken[n] = open("/dev/null", O_RDONLY)) >= 0) n++;
  CHECK(n >= 8); // the rest is the library's
  use(f); // needs none; the store may, when its journal is full
  CK_SESSION_HANDLE h = user(f);
  CK_OBJECT_HANDLE k;
  for (int i = 0; i < 500; i++) {
    CK_RV rv = try_aes_key(f, h, yes, "scarce", &k);
    if (rv != CKR_OK) WANT(CKR_DEVICE_ERROR, rv);
  }
  while (n > 0) close(taken[--n]);
  WANT(CKR_OK, try_aes_key(f, h, yes, "plenty", &k)); // nothing broke
  while ((taken[n] = open("/dev/null", O_RDONLY)) >= 0) n++;
  CK_RV end = f->C_Finalize(NULL);
  if (end != CKR_OK) WANT(CKR_GENERAL_ERROR, end);
  while (n < 32 && (taken[n] = open("/dev/null", O_RDONLY)) >= 0) n++;
  CHECK(f->C_Initialize(&args) != CKR_OK);
  CK_INFO info;
  WANT(CKR_CRYPTOKI_NOT_INITIALIZED, f->C_GetInfo(&info));
  while (n > 0) close(taken[--n]);
  WANT(CKR_OK, f->C_Initialize(&args));
  stored(1);
}

// space: an address space of 1 GiB.
static void *in_little_space(void *arg) {
  (void)arg;
  work(f);
  return NULL;
}

static void space(void) {
  struct rlimit gib = {1 << 30, 1 << 30};
  CHECK(setrlimit(RLIMIT_AS, &gib) == 0);
  WANT(CKR_OK, begin());
  CK_SESSION_HANDLE keep = user(f);
  work(f);
  stored(200);
  pthread_t t[8];
  for (int i = 0; i < 8; i++) CHECK(pthread_create(&t[i], NULL, in_little_space, NULL) == 0);
  for (int i = 0; i < 8; i++) pthread_join(t[i], NULL);
  WANT(CKR_OK, f->C_CloseSession(keep));
  WANT(CKR_OK, f->C_Finalize(NULL));
  WANT(CKR_OK, f->C_Initialize(&args)); // the store a second time
  stored(10);
}

// setuid: root initialises and becomes nobody, of whose group the store is:
// everything goes on. Without the group (argv[2] is "setuid-refused"), what is
// in memory goes on, and what the store refuses is an error and no crash.
static void become_nobody(void) {
  struct group *g = getgrnam("nogroup");
  struct passwd *p = getpwnam("nobody");
  gid_t gid = g ? g->gr_gid : 65534;
  uid_t uid = p ? p->pw_uid : 65534;
  CHECK(setgroups(0, NULL) == 0 && setgid(gid) == 0 && setuid(uid) == 0);
  CHECK(setuid(0) != 0);
}

static void as_nobody(int group) {
  WANT(CKR_OK, begin());
  CK_SESSION_HANDLE h = user(f);
  aes_key(f, h, yes, "root's");
  become_nobody();
  CK_OBJECT_HANDLE k;
  CHECK(found(f, h, "root's", &k) == 1);
  work(f);
  if (group) {
    stored(50);
  } else { // the store looks after its folder before it writes
    CK_RV rv = try_aes_key(f, h, yes, "nobody's", &k);
    CHECK(rv == CKR_OK || rv == CKR_DEVICE_ERROR);
  }
  pid_t p = fork();
  if (p == 0) { // a worker, which opens it as nobody
    CK_RV rv = f->C_Initialize(&args);
    if (group) {
      CHECK(rv == CKR_OK);
      h = user(f);
      CHECK(found(f, h, "root's", &k) == 1);
      stored(5);
    } else {
      CHECK(rv == CKR_GENERAL_ERROR);
    }
    _exit(0);
  }
  int st;
  CHECK(waitpid(p, &st, 0) == p);
  CHECK(st == 0);
  long at = ms();
  CK_RV rv = f->C_Finalize(NULL);
  CHECK(rv == CKR_OK || (!group && rv == CKR_GENERAL_ERROR));
  CHECK(ms() - at < 5000); // it gives up at once on what it cannot write
  rv = f->C_Initialize(&args);
  if (group) {
    CHECK(rv == CKR_OK);
    stored(5);
  } else {
    CHECK(rv == CKR_GENERAL_ERROR);
    _exit(0);
  }
}

// hundred: loaded and unloaded a hundred times, with a store, without growth.
static void hundred(void) {
  long memory = 0, threads = 0;
  int files = 0;
  for (int i = 0; i < 100; i++) {
    if (i == 20) memory = status("VmRSS"), threads = status("Threads"), files = descriptors();
    WANT(CKR_OK, begin());
    use(f);
    if (i % 10 == 0) stored(2);
    WANT(CKR_OK, f->C_Finalize(NULL));
    CHECK(dlclose(library) == 0);
  }
  printf("of the last 80: %ld KiB, %ld threads, %d descriptors more\n", status("VmRSS") - memory,
         status("Threads") - threads, descriptors() - files);
  CHECK(status("VmRSS") - memory < 20 << 10 && status("Threads") - threads <= 4 && descriptors() <= files);
  WANT(CKR_OK, begin());
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  lib = argv[1];
  const char *what = argv[2];
  if (strcmp(what, "stacks") == 0) stacks();
  if (strcmp(what, "altstack") == 0) altstack();
  if (strcmp(what, "closed") == 0) closed();
  if (strcmp(what, "files") == 0) files();
  if (strcmp(what, "space") == 0) space();
  if (strcmp(what, "setuid") == 0) as_nobody(1);
  if (strcmp(what, "setuid-refused") == 0) as_nobody(0);
  if (strcmp(what, "hundred") == 0) hundred();
  WANT(CKR_OK, f->C_Finalize(NULL));
  return 0;
}
