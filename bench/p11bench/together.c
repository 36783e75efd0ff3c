/* Processes that meet: a child of a process that has the module, a reader that waits for what a writer makes, a
 * process that goes on when the one before it is killed. */
#include "p11bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ROUNDS 1000
/* A process that waits for the other one gives up after so long. */
#define PATIENCE_NS (INT64_C(20) * 1000000000)

/* What both processes see. */
static struct shared {
	volatile int ready;
	volatile unsigned created, seen;
	volatile int64_t created_at[MAX_ROUNDS], seen_at[MAX_ROUNDS];
	volatile int64_t child_initialize, child_cpu, child_sign;
	volatile CK_RV child_rv;
} *shared;

static void share(void)
{
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		fail("mmap");
}

static pid_t fork_or_fail(void)
{
	pid_t child = fork();
	if (child < 0)
		fail("fork");
	return child;
}

/* Waits until value is at least that much. */
static void wait_for(volatile unsigned *value, unsigned least)
{
	int64_t end = nanoseconds(CLOCK_MONOTONIC) + PATIENCE_NS;
	while (*value < least) {
		if (nanoseconds(CLOCK_MONOTONIC) > end || getppid() == 1)
			fail("the other process does not answer");
		usleep(100);
	}
}

static CK_RV try_sign(CK_SESSION_HANDLE session)
{
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof class }, { CKA_LABEL, "bench-p256", 10 } };
	CK_OBJECT_HANDLE key;
	CK_ULONG count;
	CK_BYTE digest[32] = { 1 }, signature[512];
	CK_ULONG length = sizeof signature;
	CK_RV rv = p11->C_FindObjectsInit(session, template, LEN(template));
	if (rv != CKR_OK)
		return rv;
	rv = p11->C_FindObjects(session, &key, 1, &count);
	p11->C_FindObjectsFinal(session);
	if (rv != CKR_OK)
		return rv;
	if (!count)
		return CKR_KEY_HANDLE_INVALID;
	rv = p11->C_SignInit(session, &mechanism, key);
	return rv != CKR_OK ? rv : p11->C_Sign(session, digest, sizeof digest, signature, &length);
}

/* forked: C_Initialize in a child of a process that uses the module, then login, find and sign there. */
void command_forked(const char *path)
{
	share();
	module_load(path);
	module_initialize();
	CK_SESSION_HANDLE session = login();
	CK_RV rv = try_sign(session);
	if (rv != CKR_OK)
		fail_rv("signing before fork", rv);
	pid_t child = fork_or_fail();
	if (!child) {
		CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
		int64_t start = nanoseconds(CLOCK_MONOTONIC);
		shared->child_rv = p11->C_Initialize(&args);
		shared->child_initialize = nanoseconds(CLOCK_MONOTONIC) - start;
		shared->child_cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
		if (shared->child_rv == CKR_OK) {
			shared->child_rv = try_sign(login());
			shared->child_sign = nanoseconds(CLOCK_MONOTONIC) - start;
		}
		shared->ready = 1;
		_exit(0);
	}
	waitpid(child, NULL, 0);
	if (shared->child_rv == CKR_CRYPTOKI_ALREADY_INITIALIZED)
		absent("C_Initialize in a forked child");
	if (!shared->ready || shared->child_rv != CKR_OK)
		fail_rv("in the child", shared->child_rv);
	CALL(C_Finalize, NULL);
	answer("{\"wall_ns\":%lld,\"cpu_ns\":%lld,\"child_sign_ns\":%lld}", (long long)shared->child_initialize,
	       (long long)shared->child_cpu, (long long)shared->child_sign);
}

static int visible_name(char *name, unsigned round)
{
	return snprintf(name, 64, "visible-%d-%u", (int)getpgrp(), round);
}

/* Looks for one round's object until it is there. */
static void read_rounds(CK_SESSION_HANDLE session, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		char name[64];
		CK_ATTRIBUTE template = { CKA_LABEL, name, visible_name(name, i) };
		int64_t end = nanoseconds(CLOCK_MONOTONIC) + PATIENCE_NS;
		while (!find(session, &template, 1, NULL, 0))
			if (nanoseconds(CLOCK_MONOTONIC) > end)
				fail("round %u is never seen", i);
		shared->seen_at[i] = nanoseconds(CLOCK_MONOTONIC);
		shared->seen = i + 1;
	}
}

static void write_rounds(CK_SESSION_HANDLE session, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		char name[64];
		int length = visible_name(name, i);
		usleep(1000 + rand() % 2000);
		CK_OBJECT_HANDLE object = create_object(session, name, length, 1);
		shared->created_at[i] = nanoseconds(CLOCK_MONOTONIC);
		shared->created = i + 1;
		wait_for(&shared->seen, i + 1);
		CALL(C_DestroyObject, session, object);
	}
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* visible: from the return of C_CreateObject until another process finds the object. The one that writes opens
 * the store first, or last. */
void command_visible(const char *path, unsigned rounds, int writer_first)
{
	static int64_t took[MAX_ROUNDS];
	if (rounds > MAX_ROUNDS)
		fail("%u rounds", rounds);
	share();
	setpgid(0, 0);
	pid_t child = fork_or_fail();
	int writes = (child == 0) == writer_first; /* the child opens first */
	if (child)
		wait_for((volatile unsigned *)&shared->ready, 1);
	module_load(path);
	module_initialize();
	CK_SESSION_HANDLE session = login();
	if (!child)
		shared->ready = 1;
	else
		shared->ready = 2;
	wait_for((volatile unsigned *)&shared->ready, 2);
	if (writes)
		write_rounds(session, rounds);
	else
		read_rounds(session, rounds);
	wait_for(&shared->seen, rounds);
	CALL(C_Finalize, NULL);
	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	for (unsigned i = 0; i < rounds; i++) {
		took[i] = shared->seen_at[i] - shared->created_at[i];
		if (took[i] < 0)
			took[i] = 0; /* seen before C_CreateObject returned */
	}
	qsort(took, rounds, sizeof took[0], by_size);
	answer("{\"wall_ns\":%lld,\"p99_ns\":%lld}", (long long)took[rounds / 2], (long long)took[rounds * 99 / 100]);
}

/* takeover: the process that opened the store first is killed; how long until this one finds and signs, or
 * writes. */
void command_takeover(const char *path, int write)
{
	share();
	pid_t child = fork_or_fail();
	if (child)
		wait_for((volatile unsigned *)&shared->ready, 1);
	module_load(path);
	module_initialize();
	CK_SESSION_HANDLE session = login();
	CK_RV rv = try_sign(session);
	if (rv != CKR_OK)
		fail_rv("signing", rv);
	if (!child) {
		shared->ready = 1;
		for (;;)
			pause();
	}
	int64_t start = nanoseconds(CLOCK_MONOTONIC), end = start + PATIENCE_NS;
	kill(child, SIGKILL);
	unsigned failures = 0;
	for (;;) {
		if (write) {
			char name[64];
			create_object(session, name, snprintf(name, sizeof name, "after-%d", (int)child), 1);
			rv = CKR_OK;
		} else {
			rv = try_sign(session);
		}
		if (rv == CKR_OK)
			break;
		failures++;
		if (nanoseconds(CLOCK_MONOTONIC) > end)
			fail_rv("after the other process died", rv);
	}
	int64_t took = nanoseconds(CLOCK_MONOTONIC) - start;
	waitpid(child, NULL, 0);
	CALL(C_Finalize, NULL);
	answer("{\"wall_ns\":%lld,\"failures\":%u}", (long long)took, failures);
}
