package mech

import "coffer/p11"

// A wholeOp is an Op whose input comes in one piece, such as the digest that a
// raw signature is made of.
type wholeOp struct {
	// run reads src and writes the result to dst, which has room for size.Max.
	run  func(dst, src []byte) (int, error)
	size Size
}

func (o *wholeOp) Update(_, _ []byte) (int, error) {
	return 0, p11.Errorf(p11.CKR_FUNCTION_NOT_SUPPORTED, "the mechanism takes its input in one call")
}

func (o *wholeOp) UpdateSize(int) Size { return Size{Exact: true} }

func (o *wholeOp) Final(dst, src []byte) (int, error) { return o.run(dst, src) }

func (o *wholeOp) FinalSize(int) Size { return o.size }

// Wipe has nothing to do: the Op owns no secret, the key belongs to its Key.
func (o *wholeOp) Wipe() {}

// A wholeVerifyOp is a VerifyOp whose data comes in one piece.
type wholeVerifyOp func(src, sig []byte) error

func (o wholeVerifyOp) Update([]byte) error {
	return p11.Errorf(p11.CKR_FUNCTION_NOT_SUPPORTED, "the mechanism takes its data in one call")
}

func (o wholeVerifyOp) Verify(src, sig []byte) error { return o(src, sig) }

func (o wholeVerifyOp) Wipe() {}

// materialOf returns the parsed key of k, which has to be a T: another class
// or type of key was given to the mechanism otherwise.
func materialOf[T any](k Key) (T, error) {
	m, err := k.Material()
	if err != nil {
		var zero T
		return zero, err
	}
	t, ok := m.(T)
	if !ok {
		return t, p11.Errorf(p11.CKR_KEY_TYPE_INCONSISTENT, "the mechanism cannot use a key of class %v and type %v", k.Class(), k.Type())
	}
	return t, nil
}
