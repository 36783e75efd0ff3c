package conformance

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"coffer/p11"
	. "coffer/tests/p11test"
)

// scriptCalls are the calls that the official tests make: each takes its
// arguments from a node and puts its results into another.
var scriptCalls = map[string]func(h *Host, in, out *node) error{
	"C_Initialize": func(h *Host, _, _ *node) error { h.Reopen(); return nil },
	"C_Finalize":   func(h *Host, _, _ *node) error { return nil }, // by Reopen
	"C_GetInfo": func(h *Host, _, out *node) error {
		i, err := h.GetInfo()
		o := out.add("Info")
		o.version("CryptokiVersion", i.Cryptoki)
		o.add("ManufacturerID", "value", i.Manufacturer)
		o.add("Flags", "value", "0x0") // the driver checks it
		o.add("LibraryDescription", "value", i.Description)
		o.version("LibraryVersion", i.Library)
		return err
	},
	"C_GetSlotList": func(h *Host, in, out *node) error {
		asks := len(in.child("SlotList").attrs) == 0
		ids, err := h.GetSlotList(in.child("TokenPresent").attrs["value"] == "true", asks)
		list := out.add("SlotList", "length", strconv.Itoa(len(ids)))
		for _, id := range ids {
			list.add("SlotID", "value", fmt.Sprint(uint64(id)))
		}
		return err
	},
	"C_GetSlotInfo": func(h *Host, in, out *node) error {
		i, err := h.GetSlotInfo(in.slot(h))
		o := out.add("SlotInfo")
		o.add("SlotDescription", "value", i.Description)
		o.add("ManufacturerID", "value", i.Manufacturer)
		o.add("Flags", "value", names(slotFlags, i.Flags))
		o.version("HardwareVersion", i.Hardware)
		o.version("FirmwareVersion", i.Firmware)
		return err
	},
	"C_GetTokenInfo": func(h *Host, in, out *node) error {
		i, err := h.GetTokenInfo(in.slot(h))
		o := out.add("TokenInfo")
		o.add("label", "value", i.Label)
		o.add("ManufacturerID", "value", i.Manufacturer)
		o.add("model", "value", i.Model)
		o.add("serialNumber", "value", i.Serial)
		o.add("Flags", "value", names(tokenFlags, i.Flags))
		for _, f := range []struct {
			name string
			v    uint64
		}{
			{"MaxSessionCount", i.MaxSessions}, {"SessionCount", i.Sessions}, {"MaxRwSessionCount", i.MaxRWSessions}, {"RwSessionCount", i.RWSessions},
			{"MaxPinLen", i.MaxPIN}, {"MinPinLen", i.MinPIN}, {"TotalPublicMemory", i.TotalPublic}, {"FreePublicMemory", i.FreePublic},
			{"TotalPrivateMemory", i.TotalPrivate}, {"FreePrivateMemory", i.FreePrivate},
		} {
			o.add(f.name, "value", fmt.Sprint(f.v))
		}
		o.version("HardwareVersion", i.Hardware)
		o.version("FirmwareVersion", i.Firmware)
		o.add("utcTime", "value", i.UTCTime)
		return err
	},
	"C_GetMechanismList": func(h *Host, in, out *node) error {
		list, err := h.GetMechanismList(in.slot(h))
		o := out.add("MechanismList", "length", strconv.Itoa(len(list)))
		for _, m := range list {
			o.add("Type", "value", strings.TrimPrefix(m.String(), "CKM_"))
		}
		return err
	},
	"C_GetMechanismInfo": func(h *Host, in, out *node) error {
		i, err := h.GetMechanismInfo(in.slot(h), mechanismType(h, in.child("Type").attrs["value"]))
		o := out.add("MechanismInfo")
		o.add("MinKeySize", "value", fmt.Sprint(i.MinKeySize))
		o.add("MaxKeySize", "value", fmt.Sprint(i.MaxKeySize))
		o.add("Flags", "value", names(mechanismFlags, i.Flags))
		return err
	},
	"C_OpenSession": func(h *Host, in, out *node) error {
		flags := RO
		if strings.Contains(in.child("Flags").attrs["value"], "RW_SESSION") {
			flags = RW
		}
		s, err := h.OpenSession(in.slot(h), flags)
		out.add("Session", "value", fmt.Sprint(uint64(s)))
		return err
	},
	"C_Login": func(h *Host, in, _ *node) error {
		return h.Login(in.session(h), p11.CKU_USER, []byte(in.child("Pin").attrs["value"]))
	},
	"C_Logout":       func(h *Host, in, _ *node) error { return h.Logout(in.session(h)) },
	"C_CloseSession": func(h *Host, in, _ *node) error { return h.CloseSession(in.session(h)) },
	"C_CloseAllSessions": func(h *Host, in, _ *node) error {
		return h.CloseAllSessions(in.slot(h))
	},
	"C_FindObjectsInit": func(h *Host, in, _ *node) error { return h.FindObjectsInit(in.session(h), in.template(h)) },
	"C_FindObjects": func(h *Host, in, out *node) error {
		n, err := strconv.Atoi(in.child("Object").attrs["length"])
		h.Must(err)
		found := make([]p11.ObjectHandle, n)
		n, err = h.FindObjects(in.session(h), found)
		o := out.add("Object")
		for _, f := range found[:n] {
			o.add("Object", "value", fmt.Sprint(uint64(f)))
		}
		return err
	},
	"C_FindObjectsFinal": func(h *Host, in, _ *node) error { return h.FindObjectsFinal(in.session(h)) },
	"C_GetAttributeValue": func(h *Host, in, out *node) error {
		q := in.queries(h)
		err := h.GetAttributeValue(in.session(h), p11.ObjectHandle(in.number(h, "Object")), q)
		o := out.add("Template")
		for i, a := range q {
			name := in.child("Template").children[i].attrs["type"]
			if a.Ask || a.N < 0 {
				o.add("Attribute", "type", name, "length", strconv.Itoa(a.N))
			} else {
				o.add("Attribute", "type", name, "value", printed(a))
			}
		}
		return err
	},
	"C_SignInit": func(h *Host, in, _ *node) error {
		m := mechanismType(h, in.child("Mechanism").child("Type").attrs["value"])
		return h.SignInit(in.session(h), Mech(m), p11.ObjectHandle(in.number(h, "Key")))
	},
	"C_Sign": func(h *Host, in, out *node) error {
		data, err := hex.DecodeString(in.child("Data").attrs["value"])
		h.Must(err)
		n, err := strconv.Atoi(in.child("Signature").attrs["length"])
		h.Must(err)
		sig := p11.Out{Buf: make([]byte, n)}
		err = h.Sign(in.session(h), data, &sig)
		out.add("Signature", "value", hex.EncodeToString(sig.Buf[:sig.N]))
		return err
	},
}

func (n *node) version(name string, v p11.Version) {
	n.add(name, "major", strconv.Itoa(int(v.Major)), "minor", strconv.Itoa(int(v.Minor)))
}

type flagName struct {
	flag p11.Flags
	name string
}

// The flags in the order in which the tests print them.
var (
	slotFlags  = []flagName{{p11.CKF_TOKEN_PRESENT, "TOKEN_PRESENT"}}
	tokenFlags = []flagName{
		{p11.CKF_RNG, "RNG"}, {p11.CKF_LOGIN_REQUIRED, "LOGIN_REQUIRED"}, {p11.CKF_USER_PIN_INITIALIZED, "USER_PIN_INITIALIZED"},
		{p11.CKF_RESTORE_KEY_NOT_NEEDED, "RESTORE_KEY_NOT_NEEDED"}, {p11.CKF_TOKEN_INITIALIZED, "TOKEN_INITIALIZED"},
	}
	mechanismFlags = []flagName{
		{p11.CKF_ENCRYPT, "ENCRYPT"}, {p11.CKF_DECRYPT, "DECRYPT"}, {p11.CKF_DIGEST, "DIGEST"}, {p11.CKF_SIGN, "SIGN"}, {p11.CKF_VERIFY, "VERIFY"},
		{p11.CKF_GENERATE_KEY_PAIR, "GENERATE_KEY_PAIR"}, {p11.CKF_WRAP, "WRAP"}, {p11.CKF_UNWRAP, "UNWRAP"},
		{p11.CKF_SIGN_RECOVER, "SIGN_RECOVER"}, {p11.CKF_VERIFY_RECOVER, "VERIFY_RECOVER"},
		{p11.CKF_ENCAPSULATE, "ENCAPSULATE"}, {p11.CKF_DECAPSULATE, "DECAPSULATE"},
		{p11.CKF_MESSAGE_SIGN, "MESSAGE_SIGN"}, {p11.CKF_MESSAGE_VERIFY, "MESSAGE_VERIFY"}, {p11.CKF_MULTI_MESSAGE, "MULTI_MESSAGE"},
	}
)

func names(table []flagName, f p11.Flags) string {
	var out []string
	for _, n := range table {
		if f&n.flag != 0 {
			out = append(out, n.name)
			f &^= n.flag
		}
	}
	if f != 0 {
		out = append(out, fmt.Sprintf("%#x", uint64(f)))
	}
	return strings.Join(out, "|")
}
