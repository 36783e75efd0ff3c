#include "p11bench.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

CK_FUNCTION_LIST *p11;
CK_FUNCTION_LIST_3_0 *p11_30;
CK_FUNCTION_LIST_3_2 *p11_32;

/* A later function list of the module, or NULL. */
static void *interface_of(void *library, CK_BYTE major, CK_BYTE minor)
{
	CK_RV (*get)(CK_UTF8CHAR_PTR, CK_VERSION_PTR, CK_INTERFACE_PTR_PTR, CK_FLAGS);
	*(void **)&get = dlsym(library, "C_GetInterface");
	CK_VERSION version = { major, minor };
	CK_INTERFACE *interface;
	if (!get || get((CK_UTF8CHAR *)"PKCS 11", &version, &interface, 0) != CKR_OK)
		return NULL;
	return interface->pFunctionList;
}

void module_load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		fail("dlopen: %s", dlerror());
	CK_RV (*list)(CK_FUNCTION_LIST **);
	*(void **)&list = dlsym(library, "C_GetFunctionList");
	if (!list)
		fail("no C_GetFunctionList");
	CK_RV rv = list(&p11);
	if (rv != CKR_OK)
		fail_rv("C_GetFunctionList", rv);
	p11_30 = interface_of(library, 3, 0);
	p11_32 = interface_of(library, 3, 2);
}

void module_initialize(void)
{
	/* NSS takes its string where the standard has pReserved, and has a further member after it. */
	struct {
		CK_C_INITIALIZE_ARGS args;
		void *reserved;
	} a = { .args.flags = CKF_OS_LOCKING_OK, .args.pReserved = getenv("P11BENCH_INIT") };
	CALL(C_Initialize, &a);
}

/* The slot of the token that command_init made. */
CK_SLOT_ID slot_of_token(void)
{
	CK_SLOT_ID slots[64];
	CK_ULONG count = LEN(slots);
	CALL(C_GetSlotList, CK_TRUE, slots, &count);
	for (CK_ULONG i = 0; i < count; i++) {
		CK_TOKEN_INFO info;
		CALL(C_GetTokenInfo, slots[i], &info);
		if ((info.flags & CKF_TOKEN_INITIALIZED) && !memcmp(info.label, TOKEN_LABEL " ", sizeof TOKEN_LABEL))
			return slots[i];
	}
	fail("no token " TOKEN_LABEL);
}

CK_SESSION_HANDLE open_session(CK_SLOT_ID slot)
{
	CK_SESSION_HANDLE session;
	CALL(C_OpenSession, slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session);
	return session;
}

void log_in(CK_SESSION_HANDLE session)
{
	CALL(C_Login, session, CKU_USER, (CK_UTF8CHAR *)USER_PIN, sizeof USER_PIN - 1);
}

/* A read-write session of the user. */
CK_SESSION_HANDLE login(void)
{
	CK_SESSION_HANDLE session = open_session(slot_of_token());
	log_in(session);
	return session;
}

/* Whether the module has that mechanism. Any slot counts: NSS names its digests at another one than the token's,
 * and computes them in any session. */
int has_mechanism(CK_MECHANISM_TYPE type, CK_FLAGS flag)
{
	CK_SLOT_ID slots[64];
	CK_ULONG count = LEN(slots);
	CK_MECHANISM_INFO info;
	CALL(C_GetSlotList, CK_TRUE, slots, &count);
	for (CK_ULONG i = 0; i < count; i++)
		if (p11->C_GetMechanismInfo(slots[i], type, &info) == CKR_OK && (info.flags & flag) == flag)
			return 1;
	return 0;
}

void need_mechanism(CK_MECHANISM_TYPE type, CK_FLAGS flag, const char *name)
{
	if (!has_mechanism(type, flag))
		absent("%s", name);
}
