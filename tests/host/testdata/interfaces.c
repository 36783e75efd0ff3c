// The function lists and the interfaces that give them out.
#include "calls_gen.h"
#include "host.h"

static void *at(void *list, int i) { return ((void **)((char *)list + 8))[i]; }

static void check_list(void *list, int major, int minor, int n) {
  CK_VERSION *v = list;
  CHECK(v->major == major && v->minor == minor);
  for (int i = 0; i < n; i++) CHECK(at(list, i) != NULL);
}

int main(int argc, char **argv) {
  (void)argc;
  void *h = dlopen(argv[1], RTLD_NOW);
  CHECK(h != NULL);
  CK_C_GetFunctionList get_list = (CK_C_GetFunctionList)dlsym(h, "C_GetFunctionList");
  CK_C_GetInterfaceList get_interfaces = (CK_C_GetInterfaceList)dlsym(h, "C_GetInterfaceList");
  CK_C_GetInterface get = (CK_C_GetInterface)dlsym(h, "C_GetInterface");
  CHECK(get_list && get_interfaces && get);

  CK_FUNCTION_LIST *list;
  WANT(CKR_ARGUMENTS_BAD, get_list(NULL));
  WANT(CKR_OK, get_list(&list));
  check_list(list, 2, 40, 68);

  CK_ULONG n = 99;
  CK_INTERFACE all[8];
  WANT(CKR_ARGUMENTS_BAD, get_interfaces(NULL, NULL));
  WANT(CKR_OK, get_interfaces(NULL, &n));
  CHECK(n == 4);
  n = 3;
  WANT(CKR_BUFFER_TOO_SMALL, get_interfaces(all, &n));
  CHECK(n == 4);
  n = 8;
  WANT(CKR_OK, get_interfaces(all, &n));
  CHECK(n == 4);
  const struct { int major, minor, functions; } want[] = {{3, 2, 104}, {3, 1, 92}, {3, 0, 92}, {2, 40, 68}};
  for (int i = 0; i < 4; i++) {
    CHECK(strcmp((char *)all[i].pInterfaceName, "PKCS 11") == 0);
    CHECK(all[i].flags == CKF_INTERFACE_FORK_SAFE);
    check_list(all[i].pFunctionList, want[i].major, want[i].minor, want[i].functions);

    CK_VERSION v = {(CK_BYTE)want[i].major, (CK_BYTE)want[i].minor};
    CK_INTERFACE *one;
    WANT(CKR_OK, get((CK_UTF8CHAR *)"PKCS 11", &v, &one, 0));
    CHECK(one->pFunctionList == all[i].pFunctionList);
    WANT(CKR_OK, get(NULL, &v, &one, CKF_INTERFACE_FORK_SAFE)); // opencryptoki asks so
    CHECK(one->pFunctionList == all[i].pFunctionList);
  }

  CK_INTERFACE *one = NULL;
  CK_VERSION v = {3, 3};
  WANT(CKR_ARGUMENTS_BAD, get(NULL, NULL, NULL, 0));
  WANT(CKR_OK, get(NULL, NULL, &one, 0));
  check_list(one->pFunctionList, 3, 2, 104);
  WANT(CKR_FUNCTION_FAILED, get(NULL, &v, &one, 0));
  WANT(CKR_FUNCTION_FAILED, get((CK_UTF8CHAR *)"Vendor X", NULL, &one, 0));
  WANT(CKR_FUNCTION_FAILED, get(NULL, NULL, &one, CKF_INTERFACE_FORK_SAFE | 2));

  // Each list's functions are the library's symbols, in the standard's order.
  CK_FUNCTION_LIST_3_2 *f = one->pFunctionList;
  int i = 0;
#define SAME(name, zeros)                                               \
  CHECK((void *)f->name == dlsym(h, #name) && at(f, i) == (void *)f->name); \
  if (i < 92) CHECK(at(all[1].pFunctionList, i) == (void *)f->name && at(all[2].pFunctionList, i) == (void *)f->name); \
  if (i < 68) CHECK(at(list, i) == (void *)f->name);                    \
  i++;
  EACH_FUNCTION(SAME)
  CHECK(i == 104);
  return 0;
}
