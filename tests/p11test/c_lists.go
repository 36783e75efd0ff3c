package p11test

// #include "pkcs11.h"
import "C"

import (
	"strings"
	"unsafe"

	"coffer/p11"
	"coffer/p11/attr"
	"coffer/token"
)

// text reads a field that is padded with blanks. A NUL stays and shows.
func text(p unsafe.Pointer, n int) string {
	return strings.TrimRight(string(unsafe.Slice((*byte)(p), n)), " ")
}

func version(v C.CK_VERSION) p11.Version {
	return p11.Version{Major: byte(v.major), Minor: byte(v.minor)}
}

// info calls a function that fills a structure after its other arguments.
func info[T any](d *cDriver, a *arena, name string, args ...any) (*T, error) {
	var zero T
	v := (*T)(a.alloc(int(unsafe.Sizeof(zero))))
	err := d.do(name, append(a.words(args), at(unsafe.Pointer(v)))...)
	a.back()
	return v, err
}

func (d *cDriver) GetInfo() (p11.Info, error) {
	var a arena
	defer a.free()
	v, err := info[C.CK_INFO](d, &a, "C_GetInfo")
	if err == nil && v.flags != 0 {
		d.t.Errorf("CK_INFO.flags are %#x, not 0", v.flags)
	}
	return p11.Info{
		Cryptoki: version(v.cryptokiVersion), Library: version(v.libraryVersion),
		Manufacturer: text(unsafe.Pointer(&v.manufacturerID), 32), Description: text(unsafe.Pointer(&v.libraryDescription), 32),
	}, err
}

func (d *cDriver) GetSlotInfo(id p11.SlotID) (p11.SlotInfo, error) {
	var a arena
	defer a.free()
	v, err := info[C.CK_SLOT_INFO](d, &a, "C_GetSlotInfo", id)
	return p11.SlotInfo{
		Description: text(unsafe.Pointer(&v.slotDescription), 64), Manufacturer: text(unsafe.Pointer(&v.manufacturerID), 32),
		Flags: p11.Flags(v.flags), Hardware: version(v.hardwareVersion), Firmware: version(v.firmwareVersion),
	}, err
}

func (d *cDriver) GetTokenInfo(id p11.SlotID) (p11.TokenInfo, error) {
	var a arena
	defer a.free()
	v, err := info[C.CK_TOKEN_INFO](d, &a, "C_GetTokenInfo", id)
	return p11.TokenInfo{
		Label: text(unsafe.Pointer(&v.label), 32), Manufacturer: text(unsafe.Pointer(&v.manufacturerID), 32),
		Model: text(unsafe.Pointer(&v.model), 16), Serial: text(unsafe.Pointer(&v.serialNumber), 16),
		Flags:       p11.Flags(v.flags),
		MaxSessions: uint64(v.ulMaxSessionCount), Sessions: uint64(v.ulSessionCount),
		MaxRWSessions: uint64(v.ulMaxRwSessionCount), RWSessions: uint64(v.ulRwSessionCount),
		MaxPIN: uint64(v.ulMaxPinLen), MinPIN: uint64(v.ulMinPinLen),
		TotalPublic: uint64(v.ulTotalPublicMemory), FreePublic: uint64(v.ulFreePublicMemory),
		TotalPrivate: uint64(v.ulTotalPrivateMemory), FreePrivate: uint64(v.ulFreePrivateMemory),
		Hardware: version(v.hardwareVersion), Firmware: version(v.firmwareVersion),
		UTCTime: text(unsafe.Pointer(&v.utcTime), 16),
	}, err
}

func (d *cDriver) GetSessionInfo(h p11.SessionHandle) (p11.SessionInfo, error) {
	var a arena
	defer a.free()
	v, err := info[C.CK_SESSION_INFO](d, &a, "C_GetSessionInfo", h)
	return p11.SessionInfo{
		Slot: p11.SlotID(v.slotID), State: p11.State(v.state), Flags: p11.Flags(v.flags), DeviceError: uint64(v.ulDeviceError),
	}, err
}

func (d *cDriver) GetMechanismInfo(id p11.SlotID, t p11.MechanismType) (p11.MechanismInfo, error) {
	var a arena
	defer a.free()
	v, err := info[C.CK_MECHANISM_INFO](d, &a, "C_GetMechanismInfo", id, uint64(t))
	return p11.MechanismInfo{MinKeySize: uint64(v.ulMinKeySize), MaxKeySize: uint64(v.ulMaxKeySize), Flags: p11.Flags(v.flags)}, err
}

// items reads a list by the two calls of the convention, or by one with
// plenty of room.
func items[T ~uint64](d *cDriver, rescan bool, name string, first ...word) ([]T, error) {
	var a arena
	defer a.free()
	count := a.ulong(1000)
	if rescan {
		if err := d.do(name, append(first, 0, at(unsafe.Pointer(count)))...); err != nil {
			return nil, err
		}
	}
	p := a.alloc(int(*count) * 8)
	err := d.do(name, append(first, at(p), at(unsafe.Pointer(count)))...)
	a.back()
	if err != nil {
		return nil, err
	}
	return append([]T(nil), unsafe.Slice((*T)(p), int(*count))...), nil
}

func (d *cDriver) GetSlotList(tokenPresent, rescan bool) ([]p11.SlotID, error) {
	return items[p11.SlotID](d, rescan, "C_GetSlotList", word(flag(tokenPresent)))
}

func (d *cDriver) GetMechanismList(id p11.SlotID) ([]p11.MechanismType, error) {
	return items[p11.MechanismType](d, true, "C_GetMechanismList", word(id))
}

func (d *cDriver) FindObjects(h p11.SessionHandle, dst []p11.ObjectHandle) (int, error) {
	var a arena
	defer a.free()
	count := a.ulong(0)
	p := a.alloc(8 * len(dst))
	err := d.do("C_FindObjects", word(h), at(p), word(len(dst)), at(unsafe.Pointer(count)))
	a.back()
	if err != nil {
		return 0, err
	}
	return copy(dst, unsafe.Slice((*p11.ObjectHandle)(p), int(*count))), nil
}

func (d *cDriver) InitToken(id p11.SlotID, pin []byte, label string) error {
	var a arena
	defer a.free()
	p, n := a.in(pin)
	padded := a.copy([]byte(label + strings.Repeat(" ", max(0, 32-len(label)))))
	err := d.do("C_InitToken", word(id), p, n, at(padded))
	a.back()
	return err
}

func (d *cDriver) OpenSession(id p11.SlotID, flags p11.Flags) (p11.SessionHandle, error) {
	var a arena
	defer a.free()
	h := a.ulong(0)
	err := d.do("C_OpenSession", word(id), word(flags), 0, 0, at(unsafe.Pointer(h)))
	a.back()
	return p11.SessionHandle(*h), err
}

func (d *cDriver) GetObjectSize(h p11.SessionHandle, o p11.ObjectHandle) (uint64, error) {
	var a arena
	defer a.free()
	n := a.ulong(0)
	err := d.do("C_GetObjectSize", word(h), word(o), at(unsafe.Pointer(n)))
	a.back()
	return uint64(*n), err
}

func (d *cDriver) GenerateRandom(h p11.SessionHandle, dst []byte) error {
	var a arena
	defer a.free()
	err := d.do("C_GenerateRandom", word(h), at(a.shared(dst)), word(len(dst)))
	a.back()
	return err
}

// GetAttributeValue lays queries out as CK_ATTRIBUTEs, one level deep.
func (d *cDriver) GetAttributeValue(h p11.SessionHandle, o p11.ObjectHandle, queries []token.Query) error {
	var a arena
	defer a.free()
	p := a.queries(queries)
	err := d.do("C_GetAttributeValue", word(h), word(o), at(p), word(len(queries)))
	a.back()
	switch p11.Code(err) {
	case p11.CKR_OK, p11.CKR_ATTRIBUTE_SENSITIVE, p11.CKR_ATTRIBUTE_TYPE_INVALID, p11.CKR_BUFFER_TOO_SMALL:
		answers(p, queries)
	}
	return err
}

func (a *arena) queries(queries []token.Query) unsafe.Pointer {
	p := a.alloc(len(queries) * C.sizeof_CK_ATTRIBUTE)
	list := unsafe.Slice((*C.CK_ATTRIBUTE)(p), len(queries))
	for i, q := range queries {
		c := &list[i]
		c._type = C.CK_ATTRIBUTE_TYPE(q.Type)
		switch {
		case q.Ask:
			c.ulValueLen = 12345 // is not looked at
		case q.Inner != nil:
			c.pValue, c.ulValueLen = C.CK_VOID_PTR(a.queries(q.Inner)), C.CK_ULONG(len(q.Inner)*C.sizeof_CK_ATTRIBUTE)
		default:
			buf := q.Buf
			if buf == nil {
				buf = []byte{}
			}
			c.pValue, c.ulValueLen = C.CK_VOID_PTR(a.shared(buf)), C.CK_ULONG(len(buf))
		}
	}
	return p
}

func answers(p unsafe.Pointer, queries []token.Query) {
	list := unsafe.Slice((*C.CK_ATTRIBUTE)(p), len(queries))
	for i := range queries {
		c, q := &list[i], &queries[i]
		q.Type, q.N = p11.AttributeType(c._type), int(c.ulValueLen)
		if attr.KindOf(q.Type) == attr.Template && q.N > 0 {
			q.N /= C.sizeof_CK_ATTRIBUTE
		}
		if q.Inner != nil && q.N > 0 {
			answers(unsafe.Pointer(c.pValue), q.Inner)
		}
	}
}
