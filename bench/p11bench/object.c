/* Objects on the token: found, listed, made, destroyed. */
#include "p11bench.h"

#include <stdio.h>
#include <string.h>

static CK_ULONG list(struct context *c)
{
	return find(c->session, NULL, 0, NULL, 0);
}

/* find id|label COUNT: one object among COUNT, another one each time. All handles are given out before, as to
 * a host that lists its keys: what a find costs does not depend on how many were made so far. */
static void prepare_find(struct context *c, int argc, char **argv)
{
	const char *what = argument(argc, argv, 0);
	if (strcmp(what, "id") && strcmp(what, "label"))
		fail("cannot find by %s", what);
	c->generator = what[0] == 'i' ? CKA_ID : CKA_LABEL;
	c->count = number(argc, argv, 1);
	CK_ULONG total = list(c);
	if (total < c->count)
		fail("%lu objects are listed, not %lu", (unsigned long)total, c->count);
}

static CK_OBJECT_HANDLE find_one(struct context *c)
{
	char name[32];
	int length = object_name(name, next_random(c) % c->count);
	CK_ATTRIBUTE template = { c->generator, name, length };
	CK_OBJECT_HANDLE found;
	CK_ULONG count = find(c->session, &template, 1, &found, 1);
	if (count != 1)
		fail("%lu objects are called %s, not one", (unsigned long)count, name);
	return found;
}

static void run_find(struct context *c, unsigned n)
{
	while (n--)
		find_one(c);
}

/* find-miss id|label COUNT: nothing has that name. */
static void run_find_miss(struct context *c, unsigned n)
{
	while (n--) {
		char name[40];
		int length = snprintf(name, sizeof name, "absent-%lu", (unsigned long)next_random(c));
		CK_ATTRIBUTE template = { c->generator, name, length };
		if (find(c->session, &template, 1, NULL, 0))
			fail("%s is found", name);
	}
}

/* find-class: the one private key among the secret keys. */
static void prepare_find_class(struct context *c, int argc, char **argv)
{
	(void)argc, (void)argv;
	list(c);
}

static void run_find_class(struct context *c, unsigned n)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE template = { CKA_CLASS, &class, sizeof class };
	while (n--) {
		CK_ULONG count = find(c->session, &template, 1, NULL, 0);
		if (count != 1)
			fail("%lu private keys are found, not one", (unsigned long)count);
	}
}

static void run_enumerate(struct context *c, unsigned n)
{
	while (n--)
		list(c);
}

/* find-sign KIND: find the key by its label, sign with it. What a process does that looks its key up each time. */
static void prepare_find_sign(struct context *c, int argc, char **argv)
{
	const char *key = argument(argc, argv, 0);
	need_mechanism(CKM_ECDSA, CKF_SIGN, "ECDSA");
	buffers(c, 32, 256);
	key_on_token(c->session, key);
	snprintf((char *)c->out, c->out_size, "bench-%s", key);
	c->row = strdup((char *)c->out);
	c->mechanism = (CK_MECHANISM){ CKM_ECDSA, NULL, 0 };
}

static void run_find_sign(struct context *c, unsigned n)
{
	while (n--) {
		CK_ULONG length = c->out_size;
		c->key = find_named(c->session, CKO_PRIVATE_KEY, c->row);
		CALL(C_SignInit, c->session, &c->mechanism, c->key);
		CALL(C_Sign, c->session, c->in, c->in_len, c->out, &length);
	}
}

/* create [session]: C_CreateObject of an AES key; destroy: C_DestroyObject. Only the one is timed. */
static void prepare_objects(struct context *c, int argc, char **argv)
{
	c->target = argc < 1 || strcmp(argv[0], "session");
	c->count = nanoseconds(CLOCK_MONOTONIC);
}

static void create(struct context *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char name[64];
		int length = snprintf(name, sizeof name, "created-%u-%lu", c->thread, c->count++);
		c->made[0][i] = create_object(c->session, name, length, c->target != 0);
	}
}

static void destroy(struct context *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		CALL(C_DestroyObject, c->session, c->made[0][i]);
}

const struct measure object_measures[] = {
	{ "find", prepare_find, run_find },
	{ "find-miss", prepare_find, run_find_miss },
	{ "find-class", prepare_find_class, run_find_class },
	{ "enumerate", prepare_find_class, run_enumerate },
	{ "find-sign", prepare_find_sign, run_find_sign },
	{ "create", prepare_objects, create, NULL, destroy, 4 },
	{ "destroy", prepare_objects, destroy, create, NULL, 4 },
	{ NULL },
};
