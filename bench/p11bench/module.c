#include "p11bench.h"

#include <dlfcn.h>
#include <string.h>

CK_FUNCTION_LIST *p11;

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
}

void module_initialize(void)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	CALL(C_Initialize, &args);
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

/* A read-write session of the user. */
CK_SESSION_HANDLE login(void)
{
	CK_SESSION_HANDLE session = open_session(slot_of_token());
	CALL(C_Login, session, CKU_USER, (CK_UTF8CHAR *)USER_PIN, sizeof USER_PIN - 1);
	return session;
}

CK_OBJECT_HANDLE find_key(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class, const char *label)
{
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_LABEL, (void *)label, strlen(label) },
	};
	CK_OBJECT_HANDLE found[2];
	CK_ULONG count = 0;
	CALL(C_FindObjectsInit, session, template, LEN(template));
	CALL(C_FindObjects, session, found, LEN(found), &count);
	CALL(C_FindObjectsFinal, session);
	if (count != 1)
		fail("%lu keys are called %s, not one", (unsigned long)count, label);
	return found[0];
}
