package mech

import (
	"encoding/binary"
	"hash"
	"math"

	"coffer/p11"
)

// kbkdfFamily has the key derivations of NIST SP 800-108 (PKCS #11 v3.2,
// section 6.42). Further keys of one call, CK_DERIVED_KEY, are refused: a
// derivation makes one object here.
var kbkdfFamily = Family{
	Name: "SP 800-108",
	Mechanisms: []Mechanism{
		{
			Type: p11.CKM_SP800_108_COUNTER_KDF, Keys: prfBases, Size: kbkdfSize, Params: p11.ParamKBKDF,
			Derive: kbkdfWith(kbkdfCounter),
		},
		{
			Type: p11.CKM_SP800_108_FEEDBACK_KDF, Keys: prfBases, Size: kbkdfSize, Params: p11.ParamKBKDFFeedback,
			Derive: deriveFeedback,
		},
		{
			Type: p11.CKM_SP800_108_DOUBLE_PIPELINE_KDF, Keys: prfBases, Size: kbkdfSize, Params: p11.ParamKBKDF,
			Derive: kbkdfWith(kbkdfPipeline),
		},
	},
}

// kbkdfSize is in bits, as the standard has it here.
var kbkdfSize = KeySize{Min: 8, Max: 8 * maxSecret, Unit: Bits}

// kbkdfMode is one of the three functions.
type kbkdfMode uint8

const (
	kbkdfCounter kbkdfMode = iota + 1
	kbkdfFeedback
	kbkdfPipeline
)

func kbkdfWith(mode kbkdfMode) func(Derivation) (Derived, error) {
	return func(d Derivation) (Derived, error) {
		p, err := paramAs[p11.KBKDFParams](d.Params)
		if err != nil {
			return Derived{}, err
		}
		return deriveKBKDF(d, mode, p, nil)
	}
}

func deriveFeedback(d Derivation) (Derived, error) {
	p, err := paramAs[p11.KBKDFFeedbackParams](d.Params)
	if err != nil {
		return Derived{}, err
	}
	return deriveKBKDF(d, kbkdfFeedback, p.KBKDFParams, p.IV)
}

func deriveKBKDF(d Derivation, mode kbkdfMode, p p11.KBKDFParams, iv []byte) (Derived, error) {
	if p.Additional != 0 {
		return Derived{}, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "%d further keys were asked for; this token derives one key at a time", p.Additional)
	}
	f, err := prfOf(p.PRF)
	if err != nil {
		return Derived{}, err
	}
	input, err := newKBKDFInput(mode, p, d.Others)
	if err != nil {
		return Derived{}, err
	}
	n, err := kbkdfLength(d, f, input)
	if err != nil {
		return Derived{}, err
	}
	h, err := f.under(d.Base)
	if err != nil {
		return Derived{}, err
	}
	defer wipeHash(h)
	input.setLength(n, f.size)
	return derived(input.run(h, mode, iv, n)), nil
}

// kbkdfLength returns how long the new value is. Without a length there is one
// block.
func kbkdfLength(d Derivation, f prf, input *kbkdfInput) (int, error) {
	if d.Length > maxDerivedLen {
		return 0, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "a key of %d bytes is more than the %d that can be derived", d.Length, maxDerivedLen)
	}
	n, err := derivedLength(d, max(f.size, d.Length))
	if err != nil {
		return 0, err
	}
	if blocks := uint64((n + f.size - 1) / f.size); blocks > input.maxBlocks {
		return 0, p11.Errorf(p11.CKR_KEY_SIZE_RANGE, "%d blocks are more than the counter counts", blocks)
	}
	return n, nil
}

// kbkdfInput is what the function is applied to, in its order.
type kbkdfInput struct {
	fields    []kbkdfField
	maxBlocks uint64 // that the counter can count
}

// A kbkdfField is a part of the input: bytes that are always the same, or those
// that each block has its own of.
type kbkdfField struct {
	typ    uint64
	bytes  []byte
	format p11.KBKDFData
}

// newKBKDFInput checks the fields against the table of the mode (PKCS #11 v3.2,
// sections 6.42.3 to 6.42.5). The iteration variable may be missing in the
// double pipeline: the text's own example leaves it out, and means it to be
// there; so it comes first then.
func newKBKDFInput(mode kbkdfMode, p p11.KBKDFParams, others []Key) (*kbkdfInput, error) {
	in := &kbkdfInput{maxBlocks: math.MaxUint32}
	seen := map[uint64]bool{}
	for i := range p.Data {
		data := &p.Data[i]
		once := data.Type != p11.CK_SP800_108_BYTE_ARRAY && data.Type != p11.CK_SP800_108_KEY_HANDLE
		if once && seen[data.Type] {
			return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the data field of type %d is there twice", data.Type)
		}
		seen[data.Type] = true
		field := kbkdfField{typ: data.Type, bytes: data.Bytes, format: *data}
		switch data.Type {
		case p11.CK_SP800_108_BYTE_ARRAY:
		case p11.CK_SP800_108_KEY_HANDLE:
			if len(others) == 0 {
				return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no key for a data field")
			}
			key, err := secretOf(others[0])
			if err != nil {
				return nil, err
			}
			field.bytes, others = key, others[1:]
		default:
			if err := in.checkFormat(mode, data); err != nil {
				return nil, err
			}
		}
		in.fields = append(in.fields, field)
	}
	if !seen[p11.CK_SP800_108_ITERATION_VARIABLE] {
		if mode != kbkdfPipeline {
			return nil, p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no iteration variable among the data fields")
		}
		in.fields = append([]kbkdfField{{typ: p11.CK_SP800_108_ITERATION_VARIABLE}}, in.fields...)
	}
	return in, nil
}

// checkFormat checks a field that is a number or the iteration variable.
func (in *kbkdfInput) checkFormat(mode kbkdfMode, data *p11.KBKDFData) error {
	counter := data.Type == p11.CK_SP800_108_COUNTER && mode != kbkdfCounter
	variable := data.Type == p11.CK_SP800_108_ITERATION_VARIABLE
	if variable && mode == kbkdfCounter {
		counter, variable = true, false
	}
	length := data.Type == p11.CK_SP800_108_DKM_LENGTH
	switch {
	case variable && data.Formatted:
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the iteration variable of this mode has no format")
	case variable:
		return nil
	case !counter && !length:
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the mode has no data field of type %d", data.Type)
	case !data.Formatted:
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "the data field of type %d has no format", data.Type)
	case data.WidthBits == 0 || data.WidthBits > 64 || data.WidthBits%8 != 0:
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "a number of %d bits was asked for; whole bytes of 8 to 64 bits are allowed", data.WidthBits)
	case length && data.LengthMethod != p11.CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS && data.LengthMethod != p11.CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS:
		return p11.Errorf(p11.CKR_MECHANISM_PARAM_INVALID, "there is no way %d to tell the length", data.LengthMethod)
	}
	if counter && data.WidthBits < 32 {
		in.maxBlocks = 1<<data.WidthBits - 1
	}
	return nil
}

// setLength fills in the length of the value of n bytes, in bits.
func (in *kbkdfInput) setLength(n, block int) {
	for i := range in.fields {
		f := &in.fields[i]
		if f.typ != p11.CK_SP800_108_DKM_LENGTH {
			continue
		}
		bytes := n
		if f.format.LengthMethod == p11.CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS {
			bytes = (n + block - 1) / block * block
		}
		f.bytes = formatNumber(&f.format, 8*uint64(bytes))
	}
}

// formatNumber returns a number as a field has it.
func formatNumber(f *p11.KBKDFData, n uint64) []byte {
	var b [8]byte
	width := f.WidthBits / 8
	if f.LittleEndian {
		binary.LittleEndian.PutUint64(b[:], n)
		return b[:width]
	}
	binary.BigEndian.PutUint64(b[:], n)
	return b[8-width:]
}

// run returns n bytes of the function's output (SP 800-108, section 5).
func (in *kbkdfInput) run(h hash.Hash, mode kbkdfMode, iv []byte, n int) []byte {
	out := make([]byte, 0, n+h.Size())
	variable := iv
	pipeline := make([]byte, 0, h.Size())
	for i := uint64(1); len(out) < n; i++ {
		if mode == kbkdfPipeline {
			if i == 1 {
				h.Reset()
				in.write(h, func(f *kbkdfField) []byte { return f.bytes })
				pipeline = h.Sum(pipeline)
			} else {
				pipeline = sumOf(pipeline[:0], h, pipeline)
			}
			variable = pipeline
		}
		h.Reset()
		in.write(h, func(f *kbkdfField) []byte {
			switch {
			case f.typ == p11.CK_SP800_108_COUNTER, f.typ == p11.CK_SP800_108_ITERATION_VARIABLE && mode == kbkdfCounter:
				return formatNumber(&f.format, i)
			case f.typ == p11.CK_SP800_108_ITERATION_VARIABLE:
				return variable
			default:
				return f.bytes
			}
		})
		out = h.Sum(out)
		if mode == kbkdfFeedback {
			variable = out[len(out)-h.Size():]
		}
	}
	clear(pipeline)
	clear(out[n:])
	return out[:n:n]
}

func (in *kbkdfInput) write(h hash.Hash, bytes func(*kbkdfField) []byte) {
	for i := range in.fields {
		h.Write(bytes(&in.fields[i]))
	}
}
