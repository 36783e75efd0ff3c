package p11

import (
	"errors"
	"fmt"
	"testing"
)

func TestCodeIsTheOutermost(t *testing.T) {
	cause := errors.New("disk gone")
	in := Errorf(CKR_SIGNATURE_INVALID, "x: %w", cause)
	out := Errorf(CKR_BUFFER_TOO_SMALL, "y: %w", in)
	for _, tt := range []struct {
		err  error
		want RV
	}{
		{nil, CKR_OK},
		{cause, CKR_GENERAL_ERROR},
		{CKR_OPERATION_ACTIVE, CKR_OPERATION_ACTIVE},
		{in, CKR_SIGNATURE_INVALID},
		{fmt.Errorf("z: %w", in), CKR_SIGNATURE_INVALID},
		{out, CKR_BUFFER_TOO_SMALL},
	} {
		if got := Code(tt.err); got != tt.want {
			t.Errorf("Code(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
	if !errors.Is(out, cause) || !errors.Is(out, CKR_SIGNATURE_INVALID) {
		t.Error("the cause is lost")
	}
}

func TestNamesAreTheStandards(t *testing.T) {
	for _, tt := range []struct {
		got  fmt.Stringer
		want string
	}{
		{CKR_PIN_INCORRECT, "CKR_PIN_INCORRECT"},
		{RV(0x7fff), "CKR_0x7fff"},
		{CKM_AES_GCM, "CKM_AES_GCM"},
		{CKA_EC_POINT, "CKA_EC_POINT"},
		{CKO_PROFILE, "CKO_PROFILE"},
		{CKK_EC_EDWARDS, "CKK_EC_EDWARDS"},
		{CKM_ECDSA_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN"},
	} {
		if tt.got.String() != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
}
