// The child's own copy of the library. A Go runtime has no threads left in a
// forked child. So the child loads the library a second time, from a copy of
// its file, which brings a fresh runtime; the entry points of the first then
// call those of the second. (From a copy, because the loader knows a file that
// it has loaded by its device and inode.)
//
// Nothing is loaded before the child calls C_Initialize: until then every
// answer is CKR_CRYPTOKI_NOT_INITIALIZED, and a child that only wants to exec
// costs nothing. A child of the child loads from the first library again.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static int own_fd = -1;           // this library's file, open so that it can be read when the path leads nowhere
static dev_t own_dev;             // to know it again: a host that closes all descriptors may have given
static ino_t own_ino;             // the number to another file
static char own_path[PATH_MAX];   // for when the descriptor was closed
static unsigned generation;       // counts loads in the line of ancestors, so that no two copies have one name

static int is_own(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 && st.st_dev == own_dev && st.st_ino == own_ino;
}

void keep_own_file(void) {
  Dl_info me;
  struct stat st;
  if (!dladdr((void *)keep_own_file, &me) || realpath(me.dli_fname, own_path) == NULL) return;
  int fd = open(me.dli_fname, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  // Out of the way of hosts that expect the lowest number next, or that have
  // closed 0 to 2; as far as their limit allows.
  own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 100);
  if (own_fd < 0) own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  close(fd);
  if (own_fd >= 0 && fstat(own_fd, &st) == 0) {
    own_dev = st.st_dev;
    own_ino = st.st_ino;
  }
}

// own_file returns a descriptor of this library's file, which the caller
// closes, or -1.
static int own_file(void) {
  if (own_fd >= 0 && is_own(own_fd)) return fcntl(own_fd, F_DUPFD_CLOEXEC, 3);
  return own_path[0] ? open(own_path, O_RDONLY | O_CLOEXEC) : -1;
}

// fill copies the file from, which is read from its beginning by all
// descriptors at their own pace.
static int fill(int to, int from) {
  struct stat st;
  off_t at = 0;
  if (fstat(from, &st) != 0) return 0;
  while (at < st.st_size) {
    ssize_t n = sendfile(to, from, &at, (size_t)(st.st_size - at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
  }
  return 1;
}

// open_by_fd loads the file that fd is. The name must not be that of an
// ancestor's copy, which the loader would take it for: slashes count the
// generations.
static void *open_by_fd(int fd) {
  char name[512];
  int slashes = (int)(++generation % 400);
  snprintf(name, sizeof name, "/proc/%.*sself/fd/%d", slashes,
           "////////////////////////////////////////////////////////////////////////////////////////////////////"
           "////////////////////////////////////////////////////////////////////////////////////////////////////"
           "////////////////////////////////////////////////////////////////////////////////////////////////////"
           "////////////////////////////////////////////////////////////////////////////////////////////////////",
           fd);
  return dlopen(name, RTLD_NOW | RTLD_LOCAL);
}

static void *load_from_memory(int from) {
  int fd = memfd_create("libcoffer.so", MFD_CLOEXEC | MFD_EXEC);
  if (fd < 0 && errno == EINVAL) fd = memfd_create("libcoffer.so", MFD_CLOEXEC); // before Linux 6.3
  if (fd < 0) return NULL;
  void *h = fill(fd, from) ? open_by_fd(fd) : NULL;
  close(fd);
  return h;
}

// load_from_folder is for systems where memory may not be executed, and for
// roots without /proc: a file that is gone as soon as it is loaded.
static void *load_from_folder(int from, const char *folder) {
  char path[PATH_MAX];
  if (folder == NULL || snprintf(path, sizeof path, "%s/libcoffer-XXXXXX", folder) >= (int)sizeof path) return NULL;
  int fd = mkostemp(path, O_CLOEXEC);
  if (fd < 0) return NULL;
  void *h = fill(fd, from) && fchmod(fd, 0500) == 0 ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  unlink(path);
  close(fd);
  return h;
}

const CK_FUNCTION_LIST_3_2 *load_copy(void) {
  pthread_mutex_lock(&process->mu);
  const CK_FUNCTION_LIST_3_2 *list = loaded_copy();
  int from = list ? -1 : own_file();
  if (from >= 0) {
    const char *folders[] = {"/dev/shm", "/tmp", "/var/tmp"};
    void *h = load_from_memory(from);
    for (size_t i = 0; h == NULL && i < sizeof folders / sizeof *folders; i++) h = load_from_folder(from, folders[i]);
    close(from);
    CK_C_GetInterface get = h ? (CK_C_GetInterface)dlsym(h, "C_GetInterface") : NULL;
    CK_VERSION version = {3, 2};
    CK_INTERFACE *interface;
    if (get && get((CK_UTF8CHAR_PTR) "PKCS 11", &version, &interface, 0) == CKR_OK) {
      list = interface->pFunctionList;
      atomic_store_explicit(&process->copy, list, memory_order_release);
    }
  }
  pthread_mutex_unlock(&process->mu);
  return list;
}
