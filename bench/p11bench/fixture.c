#include "p11bench.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

/* Answers what the module says of itself. */
void command_info(void)
{
	CK_INFO info;
	module_initialize();
	CALL(C_GetInfo, &info);
	int end = sizeof info.libraryDescription;
	while (end > 0 && info.libraryDescription[end - 1] == ' ')
		end--;
	answer("{\"description\":\"%.*s\",\"version\":\"%d.%d\",\"cryptoki\":\"%d.%d\"}", end,
	       (char *)info.libraryDescription, info.libraryVersion.major, info.libraryVersion.minor,
	       info.cryptokiVersion.major, info.cryptokiVersion.minor);
	CALL(C_Finalize, NULL);
}

static int is_bench(const CK_TOKEN_INFO *info)
{
	return !memcmp(info->label, TOKEN_LABEL " ", sizeof TOKEN_LABEL);
}

/* Makes the token, with both PINs, in the slot that has it already without PINs (NSS) or else in the first free
 * one; then the keys of the names. P11BENCH_SO_PIN is the PIN that a new token has to be initialised with, if
 * it matters. */
void command_init(int keys, char **names)
{
	module_initialize();
	CK_SLOT_ID slots[64], slot = 0;
	CK_TOKEN_INFO info;
	CK_ULONG count = LEN(slots);
	int chosen = 0, made = 0;
	CALL(C_GetSlotList, CK_FALSE, slots, &count);
	for (CK_ULONG i = 0; i < count && !made; i++) {
		int token = p11->C_GetTokenInfo(slots[i], &info) == CKR_OK;
		made = token && is_bench(&info);
		if (made || (!chosen && (!token || !(info.flags & CKF_TOKEN_INITIALIZED)))) {
			slot = slots[i];
			chosen = 1;
		}
	}
	if (!chosen)
		fail("no free slot among %lu", (unsigned long)count);

	const char *first = getenv("P11BENCH_SO_PIN"), *so = first ? first : SO_PIN;
	if (!made) {
		CK_UTF8CHAR label[32];
		memset(label, ' ', sizeof label);
		memcpy(label, TOKEN_LABEL, sizeof TOKEN_LABEL - 1);
		CALL(C_InitToken, slot, (CK_UTF8CHAR *)so, strlen(so), label);
	}
	CK_SESSION_HANDLE session = open_session(slot);
	CALL(C_Login, session, CKU_SO, (CK_UTF8CHAR *)so, strlen(so));
	CALL(C_GetTokenInfo, slot, &info);
	if (info.flags & CKF_SO_PIN_TO_BE_CHANGED)
		CALL(C_SetPIN, session, (CK_UTF8CHAR *)so, strlen(so), (CK_UTF8CHAR *)SO_PIN, sizeof SO_PIN - 1);
	/* openCryptoki wants a first PIN of the SO's, which the user changes. */
	CALL(C_InitPIN, session, (CK_UTF8CHAR *)"23456781", 8);
	CALL(C_Logout, session);
	CALL(C_Login, session, CKU_USER, (CK_UTF8CHAR *)"23456781", 8);
	CALL(C_SetPIN, session, (CK_UTF8CHAR *)"23456781", 8, (CK_UTF8CHAR *)USER_PIN, sizeof USER_PIN - 1);
	CALL(C_Logout, session);
	log_in(session);
	for (int i = 0; i < keys; i++)
		key_on_token(session, names[i]);
	CALL(C_Finalize, NULL);
	answer("{}");
}

int object_name(char *name, unsigned long i)
{
	return snprintf(name, 32, "object-%08lu", i);
}

/* A private AES key with that label and id. */
CK_OBJECT_HANDLE create_object(CK_SESSION_HANDLE session, const char *name, int length, int on_token)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_BYTE value[16] = { 0 };
	memcpy(value, name + (length > 16 ? length - 16 : 0), length > 16 ? 16 : length);
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_KEY_TYPE, &type, sizeof type },
		{ CKA_TOKEN, on_token ? &yes : &no, sizeof yes },
		{ CKA_PRIVATE, &yes, sizeof yes },
		{ CKA_SENSITIVE, &yes, sizeof yes },
		{ CKA_ENCRYPT, &yes, sizeof yes },
		{ CKA_LABEL, (void *)name, length },
		{ CKA_ID, (void *)name, length },
		{ CKA_VALUE, value, sizeof value },
	};
	CK_OBJECT_HANDLE object;
	CALL(C_CreateObject, session, template, LEN(template), &object);
	return object;
}

/* One thread's share of a fill: objects first, first+step, ... below end. */
struct share {
	pthread_t thread;
	CK_SLOT_ID slot;
	unsigned long first, end, step;
};

static void *fill_share(void *arg)
{
	struct share *s = arg;
	CK_SESSION_HANDLE session = open_session(s->slot);
	for (unsigned long i = s->first; i < s->end; i += s->step) {
		char name[32];
		int length = object_name(name, i);
		create_object(session, name, length, 1);
	}
	return NULL;
}

/* Creates count private AES keys on the token. */
void command_fill(unsigned long count, unsigned threads)
{
	struct share shares[64];
	if (threads < 1 || threads > LEN(shares))
		fail("%u threads", threads);
	module_initialize();
	CK_SLOT_ID slot = slot_of_token();
	login();
	int64_t start = nanoseconds(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < threads; i++) {
		shares[i] = (struct share){ .slot = slot, .first = i, .end = count, .step = threads };
		if (pthread_create(&shares[i].thread, NULL, fill_share, &shares[i]))
			fail("pthread_create");
	}
	for (unsigned i = 0; i < threads; i++)
		pthread_join(shares[i].thread, NULL);
	int64_t wall = nanoseconds(CLOCK_MONOTONIC) - start;
	CALL(C_Finalize, NULL);
	answer("{\"ops\":%lu,\"wall_ns\":%lld}", count, (long long)wall);
}
