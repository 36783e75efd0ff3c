// Badger writes its files through memory maps. When another program takes the
// last byte of the disk meanwhile, a page has no block: that is SIGBUS, in a
// thread of the Go runtime, and the end of the host. So the store holds a file
// that takes up some space (store/badger, BALLAST). The handler here gives it up
// and has the write tried again. When that too is used up it waits for a while:
// a full disk is often somebody's temporary file. The store writes nothing more
// meanwhile, for it looks for room before.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/vfs.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "guard.h"

enum { most = 8, patience_ms = 10000 };

static atomic_int ballast[most];    // descriptors and one; 0 is none
static atomic_long waiting, faulted; // since when, and the last time, in milliseconds
static atomic_uintptr_t where;       // the last fault for which no disk was full
static atomic_int again;             // how often it has come again

void hold_ballast(int fd, int held) {
  for (int i = 0; i < most; i++) {
    if (atomic_load(&ballast[i]) == fd + 1) {
      if (!held) atomic_store(&ballast[i], 0);
      return;
    }
  }
  for (int i = 0; held && i < most; i++) {
    int none = 0;
    if (atomic_compare_exchange_strong(&ballast[i], &none, fd + 1)) return;
  }
}

static struct sigaction before; // the Go runtime's

static uintptr_t pc_of(void *context) {
  ucontext_t *c = context;
#if defined(__x86_64__)
  return (uintptr_t)c->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
  return (uintptr_t)c->uc_mcontext.pc;
#else
  (void)c;
  return 0; // nothing is done
#endif
}

static long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// room_made makes room on a disk that is full, or waits for it. It returns 0 if
// no disk is full, or has been for too long. It calls what a handler may.
static int room_made(uintptr_t address) {
  int full = 0;
  for (int i = 0; i < most; i++) {
    int fd = atomic_load(&ballast[i]) - 1;
    struct statfs s;
    if (fd < 0 || fstatfs(fd, &s) != 0 || (uint64_t)s.f_bavail * (uint64_t)s.f_bsize >= 64 << 10) continue;
    full = 1;
    off_t held = lseek(fd, 0, SEEK_END);
    if (held > 0 && ftruncate(fd, 0) == 0) return 1;
  }
  long now = now_ms();
  if (now - atomic_exchange(&faulted, now) > 1000) atomic_store(&waiting, now);
  if (now - atomic_load(&waiting) > patience_ms) return 0;
  if (!full) { // Somebody may have made room between the fault and the look.
    if (atomic_exchange(&where, address) != address) atomic_store(&again, 0);
    return atomic_fetch_add(&again, 1) < 3;
  }
  struct timespec pause = {.tv_nsec = 1000000};
  nanosleep(&pause, NULL);
  return 1;
}

static void on_bus(int sig, siginfo_t *info, void *context) {
  int saved = errno;
  if (ours() && info->si_code == BUS_ADRERR && in_this_library(pc_of(context)) &&
      room_made((uintptr_t)info->si_addr)) {
    errno = saved;
    return; // to try again
  }
  errno = saved;
  if (before.sa_flags & SA_SIGINFO) {
    before.sa_sigaction(sig, info, context);
  } else if (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN) {
    signal(sig, SIG_DFL); // and it comes again
  } else {
    before.sa_handler(sig);
  }
}

// take_bus puts the handler before the Go runtime's, as which it is installed.
void take_bus(void) {
  if (sigaction(SIGBUS, NULL, &before) != 0) return;
  struct sigaction a = before;
  a.sa_flags |= SA_SIGINFO | SA_ONSTACK;
  a.sa_sigaction = on_bus;
  sigaction(SIGBUS, &a, NULL);
}
