package conformance

import (
	"testing"

	"coffer/p11"
	. "coffer/tests/p11test"
)

func TestNoNameIsAUsers(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.Session(RW)
		h.Want(h.LoginUser(s, p11.CKU_USER, UserPIN, []byte("user")), p11.CKR_ARGUMENTS_BAD)
		h.Want(h.LoginUser(s+99, p11.CKU_USER, UserPIN, []byte("user")), p11.CKR_SESSION_HANDLE_INVALID)
		// A name costs no try: the PIN was not looked at.
		h.Want(h.LoginUser(s, p11.CKU_USER, []byte("wrong"), []byte("user")), p11.CKR_ARGUMENTS_BAD)
		if info, err := h.GetTokenInfo(0); err != nil || info.Flags&p11.CKF_USER_PIN_COUNT_LOW != 0 {
			h.Errorf("the flags are %#x, %v", uint64(info.Flags), err)
		}
		h.Want(h.LoginUser(s, p11.CKU_USER, []byte("wrong"), nil), p11.CKR_PIN_INCORRECT)
		h.Want(h.LoginUser(s, 7, UserPIN, nil), p11.CKR_USER_TYPE_INVALID)
		h.Want(h.LoginUser(s, p11.CKU_USER, UserPIN, nil), ok)
		h.Want(h.LoginUser(s, p11.CKU_USER, UserPIN, nil), p11.CKR_USER_ALREADY_LOGGED_IN)
		h.Want(h.LoginUser(s, p11.CKU_CONTEXT_SPECIFIC, UserPIN, nil), notInitialized)
		if info, err := h.GetSessionInfo(s); err != nil || info.State != p11.CKS_RW_USER_FUNCTIONS {
			h.Errorf("the state is %v, %v", info.State, err)
		}
		h.Must(h.Logout(s))
		h.Want(h.LoginUser(s, p11.CKU_SO, SOPIN, nil), ok)
	})
}

func TestNoSessionIsAsynchronous(t *testing.T) {
	Each(t, func(h *Host) {
		_, err := h.OpenSession(0, RW|p11.CKF_ASYNC_SESSION)
		h.Want(err, p11.CKR_SESSION_ASYNC_NOT_SUPPORTED)
		if info, err := h.GetTokenInfo(0); err != nil || info.Flags&p11.CKF_ASYNC_SESSION_SUPPORTED != 0 {
			h.Errorf("the flags are %#x, %v", uint64(info.Flags), err)
		}
		s := h.User()
		k := h.Create(s, KeyOf(p11.CKK_RSA).Own)
		h.Must(h.SignInit(s, Mech(p11.CKM_RSA_PKCS), k))
		h.Want(h.AsyncComplete(s), notInitialized)
		h.Want(h.AsyncGetID(s), notInitialized)
		h.Want(h.AsyncJoin(s, 1), p11.CKR_SAVED_STATE_INVALID)
		h.Want(h.Sign(s, nil, &p11.Out{Buf: make([]byte, 256)}), ok) // which they did not touch
		h.Want(h.AsyncComplete(s+99), p11.CKR_SESSION_HANDLE_INVALID)
		h.Want(h.AsyncGetID(s+99), p11.CKR_SESSION_HANDLE_INVALID)
		h.Want(h.AsyncJoin(s+99, 1), p11.CKR_SESSION_HANDLE_INVALID)
	})
}

func TestNoOperationClaimsAValidation(t *testing.T) {
	Each(t, func(h *Host) {
		s := h.User()
		if flags, err := h.GetSessionValidationFlags(s, p11.CKS_LAST_VALIDATION_OK); err != nil || flags != 0 {
			h.Errorf("before any operation: %#x, %v", uint64(flags), err)
		}
		h.Must(h.DigestInit(s, Mech(p11.CKM_SHA256)))
		h.Must(h.Digest(s, nil, room()))
		if flags, err := h.GetSessionValidationFlags(s, p11.CKS_LAST_VALIDATION_OK); err != nil || flags != 0 {
			h.Errorf("after a digest: %#x, %v", uint64(flags), err)
		}
		_, err := h.GetSessionValidationFlags(s, 2)
		h.Want(err, p11.CKR_ARGUMENTS_BAD)
		_, err = h.GetSessionValidationFlags(s+99, p11.CKS_LAST_VALIDATION_OK)
		h.Want(err, p11.CKR_SESSION_HANDLE_INVALID)
	})
}
