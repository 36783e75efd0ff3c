// Signals belong to the host. The Go runtime, when it is loaded, takes some and
// opens its threads to others; the constructors here stand before and after
// its own and put that right:
//
//   - its threads block every signal but faults, so that no handler of the host
//     ever runs on one, and no signal that the host waits for is lost on one;
//   - SIGURG and SIGPIPE, which it takes, are the host's again. A host written
//     in Go preempts its goroutines by SIGURG and hangs without it. So nothing
//     in this library may write to a socket without MSG_NOSIGNAL.
//
// Handlers of faults stay with the runtime, but for what bus.c does before it, which passes on what happens outside
// Go: to the host's handler, or to the default action, without a word.
#define _GNU_SOURCE
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "guard.h"

static sigset_t host_mask;
static struct sigaction host[NSIG]; // the handlers before the Go runtime

static int is_fault(int sig) {
  return sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL || sig == SIGTRAP;
}

// segments of this library in memory.
static struct segments {
  uintptr_t data, data_end;
  uintptr_t relro, relro_end;
  uintptr_t all, all_end;
} self;

static int find_self(struct dl_phdr_info *info, size_t size, void *arg) {
  (void)size;
  uintptr_t here = (uintptr_t)arg;
  struct segments s = {.all = UINTPTR_MAX};
  int found = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    uintptr_t begin = info->dlpi_addr + p->p_vaddr, end = begin + p->p_memsz;
    if (p->p_type == PT_GNU_RELRO) s.relro = begin, s.relro_end = end;
    if (p->p_type != PT_LOAD) continue;
    if (begin < s.all) s.all = begin;
    if (end > s.all_end) s.all_end = end;
    if (p->p_flags & PF_W) s.data = begin, s.data_end = begin + p->p_filesz;
    if (begin <= here && here < end) found = 1;
  }
  if (found) self = s;
  return found;
}

// A row of the Go runtime's table of signals (runtime.sigtable).
struct sigrow {
  int32_t flags;
  const char *name;
  intptr_t len;
};

enum { unblock = 1 << 7 }; // runtime._SigUnblock: threads of the runtime, and of the host in a call, unblock it

static int is_row(const struct sigrow *r, const char *name) {
  size_t n = strlen(name);
  return (size_t)r->len == n && (uintptr_t)r->name >= self.all && (uintptr_t)r->name < self.all_end - n &&
         memcmp(r->name, name, n) == 0;
}

// stop_unblocking takes from the runtime's table the order to unblock SIGCHLD
// and SIGPROF. Else a host that blocks SIGCHLD to wait for it, by sigwait or a
// signalfd, loses it to a thread of the runtime, whose default action is to
// ignore it. Nobody but the runtime names the table, so it is looked for by what it
// says. If a version of Go has it otherwise, nothing is changed, and the test
// of the threads' masks fails.
static void stop_unblocking(void) {
  const char *chld = "SIGCHLD: child status has changed", *prof = "SIGPROF: profiling alarm clock";
  for (uintptr_t at = (self.data + 7) & ~(uintptr_t)7; at + 11 * sizeof(struct sigrow) <= self.data_end; at += 8) {
    struct sigrow *r = (struct sigrow *)at;
    if ((r->flags & unblock) == 0 || r->flags >> 16 != 0 || !is_row(r, chld)) continue;
    struct sigrow *p = r + (SIGPROF - SIGCHLD);
    if (!is_row(p, prof) || (at < self.relro_end && (uintptr_t)(p + 1) > self.relro)) return;
    r->flags &= ~unblock;
    p->flags &= ~unblock;
    return;
  }
}

// Runs before the Go runtime's constructor: threads that come of it inherit
// the mask.
__attribute__((constructor(101))) static void before_runtime(void) {
  spare_address_space();
  hold_low_numbers();
  dl_iterate_phdr(find_self, (void *)before_runtime);
  for (int i = 1; i < NSIG; i++) sigaction(i, NULL, &host[i]);
  stop_unblocking();
  sigset_t all;
  sigfillset(&all);
  for (int i = 1; i < NSIG; i++) {
    if (is_fault(i)) sigdelset(&all, i);
  }
  pthread_sigmask(SIG_SETMASK, &all, &host_mask);
}

// Runs after the Go runtime's constructor, which has installed its handlers
// and started its first thread by then.
__attribute__((constructor)) static void after_runtime(void) {
  for (int i = 1; i < NSIG; i++) {
    struct sigaction now;
    if (is_fault(i) || sigaction(i, NULL, &now) != 0) continue;
    if (now.sa_sigaction != host[i].sa_sigaction) sigaction(i, &host[i], NULL);
  }
  take_bus();
  pthread_sigmask(SIG_SETMASK, &host_mask, NULL);
}

int in_this_library(unsigned long addr) { return self.all <= addr && addr < self.all_end; }

// A host's thread that is in a call stands on a goroutine's stack, which a
// handler without SA_ONSTACK would overrun; with it, the handler runs on the
// signal stack that the thread has, or that the Go runtime gave it. The runtime
// adds the flag at load to the handlers that there are; this adds it to those
// that the host (.NET, nginx) has installed since. Between the look and the
// change another thread may install a handler, which is then lost; the window
// is as short as two system calls, and only open if the old handler lacked the
// flag. Until an operation next begins, a handler that comes later is on its own:
// to block signals around every call would make a call five times as dear (two
// system calls of 170 ns to 80).
void repair_handlers(void) {
  for (int i = 1; i < NSIG; i++) {
    struct sigaction now;
    if (i == SIGKILL || i == SIGSTOP || sigaction(i, NULL, &now) != 0) continue;
    if (now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN || now.sa_flags & SA_ONSTACK) continue;
    now.sa_flags |= SA_ONSTACK;
    sigaction(i, &now, NULL);
  }
}

// repair_handlers_if_due does it at most every ten milliseconds: looking at all
// handlers takes 15 microseconds, looking at the clock 10 nanoseconds, and there
// are hosts that open sessions, and begin operations, by the thousand.
void repair_handlers_if_due(void) {
  static atomic_long last;
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  long now = t.tv_sec * 100 + t.tv_nsec / 10000000;
  if (atomic_exchange_explicit(&last, now, memory_order_relaxed) != now) repair_handlers();
}
