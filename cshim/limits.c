// What a host with little to give needs: no descriptors 0 to 2, little address
// space.
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include "guard.h"

// hold_low_numbers puts something on those of the descriptors 0 to 2 that the
// host has closed. Else the next files of the store would get them, and what
// the host says to its standard error would be written there. Reading and
// writing fail as before (O_PATH), dup2 replaces it, an exec closes it.
void hold_low_numbers(void) {
  for (int fd = 0; fd <= 2; fd++) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    int held = open("/dev/null", O_PATH | O_CLOEXEC);
    if (held > 2) close(held); // another thread was quicker
  }
}

void prepare_process(void) {
  hold_low_numbers();
  repair_handlers();
}

// spare_address_space is for a process with a limit on it. The C library
// reserves 64 MiB or more for each of the Go runtime's threads, as an arena of
// malloc that they hardly use. With those a thread finds no room for its stack
// under a limit of 1 GiB, which ends the process.
void spare_address_space(void) {
  struct rlimit space;
#ifdef M_ARENA_MAX
  if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) mallopt(M_ARENA_MAX, 1);
#endif
}
