/* The price of calls that do no cryptography. */
#include "p11bench.h"

/* null: a call that does almost nothing. */
static void prepare_nothing(struct context *c, int argc, char **argv)
{
	(void)c, (void)argc, (void)argv;
}

static void run_null(struct context *c, unsigned n)
{
	CK_SESSION_INFO info;
	while (n--)
		CALL(C_GetSessionInfo, c->session, &info);
}

static void run_session(struct context *c, unsigned n)
{
	CK_SESSION_INFO info;
	CALL(C_GetSessionInfo, c->session, &info);
	while (n--)
		CALL(C_CloseSession, open_session(info.slotID));
}

/* attributes: four of a private key on the token. */
static void prepare_attributes(struct context *c, int argc, char **argv)
{
	(void)argc, (void)argv;
	const char *name = has_mechanism(CKM_EC_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR) ? "p256" : "rsa2048";
	c->key = key_on_token(c->session, name).key;
}

static void run_attributes(struct context *c, unsigned n)
{
	while (n--) {
		CK_OBJECT_CLASS class;
		CK_KEY_TYPE type;
		CK_BYTE label[64], id[64];
		CK_ATTRIBUTE template[] = {
			{ CKA_CLASS, &class, sizeof class },
			{ CKA_KEY_TYPE, &type, sizeof type },
			{ CKA_LABEL, label, sizeof label },
			{ CKA_ID, id, sizeof id },
		};
		CALL(C_GetAttributeValue, c->session, c->key, template, LEN(template));
	}
}

/* login: C_Logout and C_Login. */
static void run_login(struct context *c, unsigned n)
{
	while (n--) {
		CALL(C_Logout, c->session);
		log_in(c->session);
	}
}

static void prepare_random(struct context *c, int argc, char **argv)
{
	buffers(c, 1, number(argc, argv, 0));
}

static void run_random(struct context *c, unsigned n)
{
	while (n--)
		CALL(C_GenerateRandom, c->session, c->out, c->out_size);
}

const struct measure call_measures[] = {
	{ "null", prepare_nothing, run_null },
	{ "session", prepare_nothing, run_session },
	{ "attributes", prepare_attributes, run_attributes },
	{ "login", prepare_nothing, run_login },
	{ "random", prepare_random, run_random },
	{ NULL },
};
