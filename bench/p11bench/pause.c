/* How long a thread that signs is ever held up, while another one makes objects: a collector's pauses, locks. */
#include "p11bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_SIGNATURES 4000000

static atomic_int stop;
static int64_t *took;
static size_t signatures;

static void *sign_on(void *arg)
{
	struct context *c = arg;
	while (!atomic_load(&stop) && signatures < MAX_SIGNATURES) {
		CK_BYTE digest[32] = { 1 }, signature[512];
		CK_ULONG length = sizeof signature;
		int64_t start = nanoseconds(CLOCK_MONOTONIC);
		CALL(C_SignInit, c->session, &c->mechanism, c->key);
		CALL(C_Sign, c->session, digest, sizeof digest, signature, &length);
		took[signatures++] = nanoseconds(CLOCK_MONOTONIC) - start;
	}
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* Signs while work(arg) runs; the latencies are sorted after. */
static void signing_while(struct context *c, void (*work)(void *), void *arg)
{
	pthread_t thread;
	signatures = 0;
	atomic_store(&stop, 0);
	if (pthread_create(&thread, NULL, sign_on, c))
		fail("pthread_create");
	work(arg);
	atomic_store(&stop, 1);
	pthread_join(thread, NULL);
	if (signatures < 100)
		fail("only %zu signatures were made", signatures);
	qsort(took, signatures, sizeof took[0], by_size);
}

struct load {
	CK_SESSION_HANDLE session;
	unsigned long objects, made;
	int64_t end;
};

/* Keeps a core as busy as the objects will, without the module. */
static void spin(void *arg)
{
	int64_t end = nanoseconds(CLOCK_MONOTONIC) + *(int64_t *)arg;
	while (nanoseconds(CLOCK_MONOTONIC) < end)
		;
}

static void make_objects(void *arg)
{
	struct load *l = arg;
	for (; l->made < l->objects && nanoseconds(CLOCK_MONOTONIC) < l->end; l->made++) {
		char name[64];
		create_object(l->session, name, snprintf(name, sizeof name, "load-%lu", l->made), 1);
	}
}

/* pause OBJECTS SECONDS: the latencies of a signature, alone beside a busy core, then while another thread makes
 * so many token objects, or as many as it can in that time. */
void command_pause(unsigned long objects, unsigned seconds)
{
	took = malloc(MAX_SIGNATURES * sizeof took[0]);
	if (!took)
		fail("no memory");
	module_initialize();
	CK_SLOT_ID slot = slot_of_token();
	struct context c = { .session = open_session(slot), .mechanism = { CKM_ECDSA, NULL, 0 } };
	log_in(c.session);
	need_mechanism(CKM_ECDSA, CKF_SIGN, "ECDSA");
	c.key = key_on_token(c.session, "p256").key;
	int64_t alone = INT64_C(1000000000);
	signing_while(&c, spin, &alone);
	int64_t quiet = took[signatures * 999 / 1000], quiet_max = took[signatures - 1];
	struct load l = { open_session(slot), objects, 0, nanoseconds(CLOCK_MONOTONIC) + seconds * INT64_C(1000000000) };
	signing_while(&c, make_objects, &l);
	answer("{\"wall_ns\":%lld,\"p50_ns\":%lld,\"p99_ns\":%lld,\"max_ns\":%lld,\"quiet_ns\":%lld,\"quiet_max_ns\":%lld,"
	       "\"objects\":%lu,\"signatures\":%zu}",
	       (long long)took[signatures * 999 / 1000], (long long)took[signatures / 2],
	       (long long)took[signatures * 99 / 100], (long long)took[signatures - 1], (long long)quiet,
	       (long long)quiet_max, l.made, signatures);
	CALL(C_Finalize, NULL);
}
