// What every entry point asks before it calls Go.
#ifndef COFFER_GUARD_H
#define COFFER_GUARD_H

#include <pthread.h>
#include <stdatomic.h>

#include "pkcs11.h"

// process is what this library knows about the process that it is in. It lies
// in a page that the kernel zeroes in every forked child, so that there nothing
// is left of the parent's: not the mark, not a lock that another thread held.
struct process {
  atomic_bool loaded_here;                         // the Go runtime in this library lives in this process
  pthread_mutex_t mu;                              // guards the loading of copy
  const CK_FUNCTION_LIST_3_2 *_Atomic copy;        // of the library that this child loaded for itself
};

extern struct process *process;

// ours reports whether calls may go to Go: in a forked child none of its
// threads is left, and the first wait would be for ever.
static inline int ours(void) {
  return __builtin_expect(atomic_load_explicit(&process->loaded_here, memory_order_relaxed), 1);
}

// loaded_copy returns the functions of the child's own copy, or NULL.
static inline const CK_FUNCTION_LIST_3_2 *loaded_copy(void) {
  return atomic_load_explicit(&process->copy, memory_order_acquire);
}

// load_copy returns the functions of the child's own copy, which it loads at
// the first call, or NULL if that fails.
const CK_FUNCTION_LIST_3_2 *load_copy(void);

// keep_own_file opens this library's own file for load_copy.
void keep_own_file(void);

// They see to it that no handler of the host runs on the stack of
// a goroutine.
void repair_handlers(void);        // at C_Initialize, by prepare_process
void repair_handlers_if_due(void); // at C_OpenSession, and when an operation begins

// A fault by a full disk is not the host's end.
void take_bus(void);                     // when the library is loaded
void hold_ballast(int fd, int held);     // a file to give up then, or no more
int in_this_library(unsigned long addr); // code or data

void prepare_process(void);     // at C_Initialize
void spare_address_space(void); // before the Go runtime starts
void hold_low_numbers(void);    // then, and at C_Initialize

#endif
