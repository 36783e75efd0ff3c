// A host whose settings are bad.
#include "host.h"

int main(int argc, char **argv) {
  (void)argc;
  CK_FUNCTION_LIST_3_2 *f = load(argv[1]);
  WANT(CKR_GENERAL_ERROR, f->C_Initialize(NULL));
  return 0;
}
