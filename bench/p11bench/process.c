#include "p11bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What /proc/self/status says of this process's memory. */
struct memory memory_now(void)
{
	struct memory m = { 0 };
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	while (f && fgets(line, sizeof line, f)) {
		sscanf(line, "VmRSS: %ld", &m.resident);
		sscanf(line, "RssAnon: %ld", &m.anonymous);
		sscanf(line, "RssFile: %ld", &m.file);
		sscanf(line, "VmHWM: %ld", &m.peak);
	}
	if (f)
		fclose(f);
	return m;
}

/* Nanoseconds since the last call. */
static long long lap(void)
{
	static int64_t last;
	int64_t now = nanoseconds(CLOCK_MONOTONIC), took = now - last;
	last = now;
	return took;
}

/* startup: what a host pays before it knows which slots there are. */
void command_startup(int64_t start, const char *path)
{
	lap();
	module_load(path);
	long long load = lap();
	module_initialize();
	long long initialize = lap();
	CK_ULONG count = 0;
	CALL(C_GetSlotList, CK_FALSE, NULL, &count);
	CK_SLOT_ID *slots = calloc(count + 1, sizeof *slots);
	CALL(C_GetSlotList, CK_FALSE, slots, &count);
	long long list = lap();
	struct memory m = memory_now();
	int64_t cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
	lap();
	CALL(C_Finalize, NULL);
	long long finalize = lap();
	answer("{\"load_ns\":%lld,\"initialize_ns\":%lld,\"slots_ns\":%lld,\"wall_ns\":%lld,\"cpu_ns\":%lld,"
	       "\"finalize_ns\":%lld,\"exec_ns\":%lld,\"resident_kib\":%ld,\"anonymous_kib\":%ld,\"file_kib\":%ld,"
	       "\"peak_kib\":%ld,\"slots\":%lu}",
	       load, initialize, list, load + initialize + list, (long long)cpu, finalize,
	       (long long)(nanoseconds(CLOCK_MONOTONIC) - start), m.resident, m.anonymous, m.file, m.peak,
	       (unsigned long)count);
}

/* newproc: what a short-lived process pays for its one signature. The key is P-256, or RSA where a module
 * has no elliptic curves. */
void command_newproc(int64_t start, const char *path)
{
	lap();
	module_load(path);
	long long load = lap();
	module_initialize();
	long long initialize = lap();
	CK_SESSION_HANDLE session = open_session(slot_of_token());
	long long open = lap();
	log_in(session);
	long long user = lap();
	CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
	CK_OBJECT_HANDLE key = find_named(session, CKO_PRIVATE_KEY, "bench-p256");
	if (!key) {
		mechanism.mechanism = CKM_RSA_PKCS;
		key = find_named(session, CKO_PRIVATE_KEY, "bench-rsa2048");
	}
	long long find = lap();
	CK_BYTE digest[32] = { 1 }, signature[512];
	CK_ULONG length = sizeof signature;
	CALL(C_SignInit, session, &mechanism, key);
	CALL(C_Sign, session, digest, sizeof digest, signature, &length);
	long long sign = lap();
	struct memory m = memory_now();
	int64_t cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
	lap();
	CALL(C_Finalize, NULL);
	long long finalize = lap();
	answer("{\"load_ns\":%lld,\"initialize_ns\":%lld,\"open_ns\":%lld,\"login_ns\":%lld,\"find_ns\":%lld,"
	       "\"sign_ns\":%lld,\"wall_ns\":%lld,\"cpu_ns\":%lld,\"finalize_ns\":%lld,\"exec_ns\":%lld,"
	       "\"resident_kib\":%ld,\"anonymous_kib\":%ld,\"file_kib\":%ld,\"peak_kib\":%ld}",
	       load, initialize, open, user, find, sign, load + initialize + open + user + find + sign, (long long)cpu,
	       finalize, (long long)(nanoseconds(CLOCK_MONOTONIC) - start), m.resident, m.anonymous, m.file, m.peak);
}
