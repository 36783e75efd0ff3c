#include "p11bench.h"

#include <stdlib.h>
#include <string.h>

static struct context c;

static void begin(const char *what, const char *family)
{
	if (!strcmp(what, "encrypt")) {
		cipher_begin(&c, family, CKF_ENCRYPT);
		CALL(C_EncryptInit, c.session, &c.mechanism, c.key);
	} else if (!strcmp(what, "digest")) {
		digest_begin(&c, family, 0);
		CALL(C_DigestInit, c.session, &c.mechanism);
	} else if (!strcmp(what, "mac")) {
		digest_begin(&c, family, 1);
		CALL(C_SignInit, c.session, &c.mechanism, c.key);
	} else
		fail("unknown stream %s", what);
}

static void update(const char *what)
{
	c.out_len = c.out_size;
	if (what[0] == 'e')
		CALL(C_EncryptUpdate, c.session, c.in, c.in_len, c.out, &c.out_len);
	else if (what[0] == 'd')
		CALL(C_DigestUpdate, c.session, c.in, c.in_len);
	else
		CALL(C_SignUpdate, c.session, c.in, c.in_len);
}

static void end(const char *what)
{
	c.out_len = c.out_size;
	if (what[0] == 'e')
		CALL(C_EncryptFinal, c.session, c.out, &c.out_len);
	else if (what[0] == 'd')
		CALL(C_DigestFinal, c.session, c.out, &c.out_len);
	else
		CALL(C_SignFinal, c.session, c.out, &c.out_len);
}

/* stream encrypt|digest|mac FAMILY BYTES CHUNK: one operation over all of it. ops are MiB; grown_kib is by how
 * much the resident memory ever was above what it was after the first 16 MiB. */
void command_stream(const char *what, const char *family, unsigned long bytes, unsigned long chunk)
{
	module_initialize();
	c.session = login();
	buffers(&c, chunk, chunk + 64);
	begin(what, family);
	long first = 0, grown = 0;
	int64_t cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID), start = nanoseconds(CLOCK_MONOTONIC);
	unsigned long next = 16 << 20;
	for (unsigned long done = 0; done < bytes;) {
		update(what);
		done += c.in_len;
		if (done < next)
			continue;
		next += 16 << 20;
		long now = memory_now().resident;
		if (!first)
			first = now;
		if (now - first > grown)
			grown = now - first;
	}
	end(what);
	answer("{\"ops\":%lu,\"wall_ns\":%lld,\"cpu_ns\":%lld,\"resident_kib\":%ld,\"grown_kib\":%ld}", bytes >> 20,
	       (long long)(nanoseconds(CLOCK_MONOTONIC) - start),
	       (long long)(nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu), memory_now().resident, grown);
	CALL(C_Finalize, NULL);
}
