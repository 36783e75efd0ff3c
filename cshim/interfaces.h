// The function lists (stubs_gen.c) and what gives them out (interfaces.c).
#ifndef COFFER_INTERFACES_H
#define COFFER_INTERFACES_H

#include "pkcs11.h"

extern const CK_FUNCTION_LIST list_2_40;
extern const CK_FUNCTION_LIST_3_0 list_3_0, list_3_1;
extern const CK_FUNCTION_LIST_3_2 list_3_2;

#endif
