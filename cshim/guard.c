#define _GNU_SOURCE
#include "guard.h"

#include <string.h>
#include <sys/mman.h>

static struct process fallback; // where the kernel cannot wipe a page
struct process *process = &fallback;

static void wipe_in_child(void) { memset(&fallback, 0, sizeof fallback); }

// Runs when the library is loaded, with the constructors of handlers.c around
// the Go runtime's.
__attribute__((constructor)) static void mark_process(void) {
  // Not of the heap: MADV_WIPEONFORK is for whole pages (Linux 4.14). It knows
  // of a fork by any way, clone included, that pthread_atfork is not told of.
  void *page = mmap(NULL, sizeof *process, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page != MAP_FAILED && madvise(page, sizeof *process, MADV_WIPEONFORK) == 0) {
    process = page;
  } else {
    pthread_atfork(NULL, NULL, wipe_in_child);
  }
  atomic_store(&process->loaded_here, 1);
  keep_own_file();
}
