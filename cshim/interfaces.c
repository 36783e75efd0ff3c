#include "interfaces.h"

#include <string.h>

// The interfaces, the one that a caller gets who asks for none first. A list
// of version 3.1 has the functions of 3.0.
//
// CKF_INTERFACE_FORK_SAFE: after a fork each process may go on using the
// interface, with C_Initialize first in the child. Clients ask for the flag
// (opencryptoki's tests do) and mean that.
static CK_INTERFACE interfaces[] = {
    {(CK_UTF8CHAR_PTR) "PKCS 11", (CK_VOID_PTR)&list_3_2, CKF_INTERFACE_FORK_SAFE},
    {(CK_UTF8CHAR_PTR) "PKCS 11", (CK_VOID_PTR)&list_3_1, CKF_INTERFACE_FORK_SAFE},
    {(CK_UTF8CHAR_PTR) "PKCS 11", (CK_VOID_PTR)&list_3_0, CKF_INTERFACE_FORK_SAFE},
    {(CK_UTF8CHAR_PTR) "PKCS 11", (CK_VOID_PTR)&list_2_40, CKF_INTERFACE_FORK_SAFE},
};

enum { count = sizeof interfaces / sizeof *interfaces };

// The list of C_GetFunctionList says 2.40, which is what it is: a list that
// says 3.x has callers read beyond its end.
CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR ppFunctionList) {
  if (ppFunctionList == NULL) return CKR_ARGUMENTS_BAD;
  *ppFunctionList = (CK_FUNCTION_LIST_PTR)&list_2_40;
  return CKR_OK;
}

CK_RV C_GetInterfaceList(CK_INTERFACE_PTR pInterfacesList, CK_ULONG_PTR pulCount) {
  if (pulCount == NULL) return CKR_ARGUMENTS_BAD;
  CK_ULONG room = *pulCount;
  *pulCount = count;
  if (pInterfacesList == NULL) return CKR_OK;
  if (room < count) return CKR_BUFFER_TOO_SMALL;
  memcpy(pInterfacesList, interfaces, sizeof interfaces);
  return CKR_OK;
}

CK_RV C_GetInterface(CK_UTF8CHAR_PTR pInterfaceName, CK_VERSION_PTR pVersion, CK_INTERFACE_PTR_PTR ppInterface,
                     CK_FLAGS flags) {
  if (ppInterface == NULL) return CKR_ARGUMENTS_BAD;
  for (int i = 0; i < count; i++) {
    const CK_VERSION *version = interfaces[i].pFunctionList; // every list begins with it
    if (pInterfaceName != NULL && strcmp((char *)pInterfaceName, (char *)interfaces[i].pInterfaceName) != 0) continue;
    if (pVersion != NULL && (pVersion->major != version->major || pVersion->minor != version->minor)) continue;
    if ((flags & interfaces[i].flags) != flags) continue;
    *ppInterface = &interfaces[i];
    return CKR_OK;
  }
  return CKR_FUNCTION_FAILED;
}
