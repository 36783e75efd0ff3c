// Calls that leave something to be seen in the log, and something that must
// not be.
#include "host.h"

int main(int argc, char **argv) {
  (void)argc;
  CK_FUNCTION_LIST_3_2 *f = load(argv[1]);
  WANT(CKR_OK, f->C_Initialize(NULL));
  CK_SLOT_ID slot;
  CK_ULONG n = 1;
  WANT(CKR_OK, f->C_GetSlotList(CK_FALSE, &slot, &n));
  CK_UTF8CHAR label[32];
  memset(label, ' ', sizeof label);
  memcpy(label, "logged \ntoken", 13);
  CK_UTF8CHAR *pin = (CK_UTF8CHAR *)"a secret PIN";
  WANT(CKR_OK, f->C_InitToken(slot, pin, 12, label));
  CK_SESSION_HANDLE h;
  WANT(CKR_OK, f->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &h));
  WANT(CKR_PIN_INCORRECT, f->C_Login(h, CKU_SO, (CK_UTF8CHAR *)"wrong secret", 12));
  WANT(CKR_OK, f->C_Login(h, CKU_SO, pin, 12));
  CK_MECHANISM sha = {CKM_SHA256, NULL, 0}, aes = {CKM_AES_KEY_GEN, NULL, 0};
  CK_BYTE digest[64];
  n = sizeof digest;
  WANT(CKR_OK, f->C_DigestInit(h, &sha));
  WANT(CKR_OK, f->C_Digest(h, (CK_BYTE *)"secret message", 14, digest, &n));
  CK_OBJECT_CLASS class = CKO_SECRET_KEY;
  CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, "secret message", 14}};
  CK_OBJECT_HANDLE o;
  CHECK(f->C_GenerateKey(h, &aes, t, 2, &o) != CKR_OK);
  WANT(CKR_OK, f->C_Finalize(NULL));
  return 0;
}
