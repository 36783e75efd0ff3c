#include "p11bench.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_THREADS 64
/* A batch takes at least this long, so that reading the clocks does not count. */
#define BATCH_NS 200000

/* A pseudo-random number, another one in each thread. */
uint64_t next_random(struct context *c)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return c->random;
}

/* Gives the thread its buffers, every page of them its own. */
void buffers(struct context *c, CK_ULONG in, CK_ULONG out)
{
	free(c->in);
	free(c->out);
	c->in_len = in;
	c->out_size = out;
	c->in = malloc(in);
	c->out = malloc(out);
	if (!c->in || !c->out)
		fail("no memory");
	memset(c->in, 0x5a, in);
	memset(c->out, 0x5a, out);
}

const char *argument(int argc, char **argv, int i)
{
	if (i >= argc)
		fail("an argument is missing");
	return argv[i];
}

unsigned long number(int argc, char **argv, int i)
{
	unsigned long n = strtoul(argument(argc, argv, i), NULL, 10);
	if (!n)
		fail("%s is not a number above 0", argv[i]);
	return n;
}

static const struct measure *measure_named(const char *name)
{
	static const struct measure *const tables[] = { call_measures, cipher_measures, sign_measures, secret_measures,
							object_measures };
	for (size_t i = 0; i < LEN(tables); i++)
		for (const struct measure *m = tables[i]; m->name; m++)
			if (!strcmp(m->name, name))
				return m;
	fail("unknown measure %s", name);
}

static struct context contexts[MAX_THREADS];

/* One thread's part of a slice. */
struct part {
	pthread_t thread;
	const struct measure *measure;
	struct context *context;
	int64_t length;
	uint64_t ops;
	int64_t wall, cpu; /* of the timed part alone; cpu: of the whole process */
};

/* Runs batches until the slice is over, one at least. */
static void *run_part(void *arg)
{
	struct part *p = arg;
	const struct measure *m = p->measure;
	static _Thread_local unsigned batch = 1;
	int64_t end = nanoseconds(CLOCK_MONOTONIC) + p->length, now;
	do {
		unsigned n = m->fixed ? m->fixed : batch;
		if (m->before)
			m->before(p->context, n);
		int64_t cpu_start = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
		int64_t start = nanoseconds(CLOCK_MONOTONIC);
		m->run(p->context, n);
		now = nanoseconds(CLOCK_MONOTONIC);
		p->cpu += nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
		p->wall += now - start;
		p->ops += n;
		if (!m->fixed && now - start < BATCH_NS && batch < 1u << 20)
			batch *= 2;
		if (m->after)
			m->after(p->context, n);
		now = nanoseconds(CLOCK_MONOTONIC);
	} while (now < end);
	return NULL;
}

/* A slice of one thread is the time of its batches; of more, the time that passed until the last was done. */
static void slice(const struct measure *m, unsigned threads, int64_t length)
{
	static struct part parts[MAX_THREADS];
	for (unsigned i = 0; i < threads; i++)
		parts[i] = (struct part){ .measure = m, .context = &contexts[i], .length = length };
	if (threads == 1) {
		run_part(&parts[0]);
		answer("{\"ops\":%" PRIu64 ",\"wall_ns\":%" PRId64 ",\"cpu_ns\":%" PRId64 "}", parts[0].ops,
		       parts[0].wall, parts[0].cpu);
		return;
	}
	uint64_t ops = 0;
	int64_t cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID), start = nanoseconds(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&parts[i].thread, NULL, run_part, &parts[i]))
			fail("pthread_create");
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(parts[i].thread, NULL);
		ops += parts[i].ops;
	}
	answer("{\"ops\":%" PRIu64 ",\"wall_ns\":%" PRId64 ",\"cpu_ns\":%" PRId64 "}", ops,
	       nanoseconds(CLOCK_MONOTONIC) - start, nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

/* serve THREADS MEASURE [ARGUMENT...]: prepares, says so, then answers each line "MILLISECONDS" with a slice,
 * until standard input ends. */
void command_serve(int argc, char **argv)
{
	unsigned threads = number(argc, argv, 0);
	const struct measure *m = measure_named(argument(argc, argv, 1));
	if (threads > MAX_THREADS)
		fail("%u threads", threads);
	module_initialize();
	CK_SLOT_ID slot = slot_of_token();
	for (unsigned i = 0; i < threads; i++) {
		contexts[i].thread = i;
		contexts[i].random = UINT64_C(88172645463325252) + i;
		contexts[i].session = open_session(slot);
		if (i == 0)
			log_in(contexts[i].session);
		m->prepare(&contexts[i], argc - 2, argv + 2);
	}
	answer("{\"ready\":true}");
	char line[64];
	while (fgets(line, sizeof line, stdin))
		slice(m, threads, strtol(line, NULL, 10) * INT64_C(1000000));
	CALL(C_Finalize, NULL);
}
