package token

import (
	"unsafe"

	"coffer/mech"
	"coffer/p11"
)

// purpose is what an operation is for. A session has at most one of each.
type purpose uint8

const (
	encrypt purpose = iota
	decrypt
	digest
	sign
	verify
	signRecover
	verifyRecover
	verifySignature
	messageEncrypt
	messageDecrypt
	messageSign
	messageVerify
	numPurposes
)

// purposes says what each purpose asks of a mechanism and of a key.
var purposes = [numPurposes]struct {
	flag  p11.Flags         // in CK_MECHANISM_INFO and C_SessionCancel
	usage p11.AttributeType // the key attribute that permits it; 0: no key
	class p11.ObjectClass   // of the key, if it is half of a pair
	open  func(*mech.Mechanism, mech.Key, p11.Params) (mech.Op, mech.VerifyOp, error)
	has   func(*mech.Mechanism) bool
	// start is open for the purposes of messages, whose Op is each message's.
	start func(*operation, *mech.Mechanism, mech.Key, p11.Params) error
}{
	encrypt: {p11.CKF_ENCRYPT, p11.CKA_ENCRYPT, p11.CKO_PUBLIC_KEY,
		func(r *mech.Mechanism, k mech.Key, p p11.Params) (mech.Op, mech.VerifyOp, error) {
			op, err := r.Encrypt(k, p)
			return op, nil, err
		}, func(r *mech.Mechanism) bool { return r.Encrypt != nil }, nil},
	decrypt: {p11.CKF_DECRYPT, p11.CKA_DECRYPT, p11.CKO_PRIVATE_KEY,
		func(r *mech.Mechanism, k mech.Key, p p11.Params) (mech.Op, mech.VerifyOp, error) {
			op, err := r.Decrypt(k, p)
			return op, nil, err
		}, func(r *mech.Mechanism) bool { return r.Decrypt != nil }, nil},
	digest: {p11.CKF_DIGEST, 0, 0,
		func(r *mech.Mechanism, _ mech.Key, p p11.Params) (mech.Op, mech.VerifyOp, error) {
			op, err := r.Digest(p)
			return op, nil, err
		}, func(r *mech.Mechanism) bool { return r.Digest != nil }, nil},
	sign: {p11.CKF_SIGN, p11.CKA_SIGN, p11.CKO_PRIVATE_KEY,
		func(r *mech.Mechanism, k mech.Key, p p11.Params) (mech.Op, mech.VerifyOp, error) {
			op, err := r.Sign(k, p)
			return op, nil, err
		}, func(r *mech.Mechanism) bool { return r.Sign != nil }, nil},
	verify: {p11.CKF_VERIFY, p11.CKA_VERIFY, p11.CKO_PUBLIC_KEY,
		func(r *mech.Mechanism, k mech.Key, p p11.Params) (mech.Op, mech.VerifyOp, error) {
			op, err := r.Verify(k, p)
			return nil, op, err
		}, func(r *mech.Mechanism) bool { return r.Verify != nil }, nil},
	signRecover: {p11.CKF_SIGN_RECOVER, p11.CKA_SIGN_RECOVER, p11.CKO_PRIVATE_KEY,
		func(r *mech.Mechanism, k mech.Key, p p11.Params) (mech.Op, mech.VerifyOp, error) {
			op, err := r.SignRecover(k, p)
			return op, nil, err
		}, func(r *mech.Mechanism) bool { return r.SignRecover != nil }, nil},
	verifyRecover: {p11.CKF_VERIFY_RECOVER, p11.CKA_VERIFY_RECOVER, p11.CKO_PUBLIC_KEY,
		func(r *mech.Mechanism, k mech.Key, p p11.Params) (mech.Op, mech.VerifyOp, error) {
			op, err := r.VerifyRecover(k, p)
			return op, nil, err
		}, func(r *mech.Mechanism) bool { return r.VerifyRecover != nil }, nil},
	verifySignature: {p11.CKF_VERIFY, p11.CKA_VERIFY, p11.CKO_PUBLIC_KEY,
		func(r *mech.Mechanism, k mech.Key, p p11.Params) (mech.Op, mech.VerifyOp, error) {
			op, err := r.Verify(k, p)
			return nil, op, err
		}, func(r *mech.Mechanism) bool { return r.Verify != nil }, nil},
	messageEncrypt: {p11.CKF_MESSAGE_ENCRYPT, p11.CKA_ENCRYPT, p11.CKO_PUBLIC_KEY, nil,
		func(r *mech.Mechanism) bool { return r.Messages != nil }, startMessages},
	messageDecrypt: {p11.CKF_MESSAGE_DECRYPT, p11.CKA_DECRYPT, p11.CKO_PRIVATE_KEY, nil,
		func(r *mech.Mechanism) bool { return r.Messages != nil }, startMessages},
	messageSign: {p11.CKF_MESSAGE_SIGN, p11.CKA_SIGN, p11.CKO_PRIVATE_KEY, nil,
		func(r *mech.Mechanism) bool { return r.Sign != nil },
		startSigned(func(r *mech.Mechanism) func(mech.Key, p11.Params) (mech.Op, error) { return r.Sign })},
	messageVerify: {p11.CKF_MESSAGE_VERIFY, p11.CKA_VERIFY, p11.CKO_PUBLIC_KEY, nil,
		func(r *mech.Mechanism) bool { return r.Verify != nil },
		startSigned(func(r *mech.Mechanism) func(mech.Key, p11.Params) (mech.VerifyOp, error) { return r.Verify })},
}

// phase is how far an operation has come.
//
//	idle --Init--> ready --Update--> multiPart --Final--> idle
//	               ready --one-shot, or Final--> idle
type phase uint8

const (
	idle phase = iota
	ready
	multiPart
)

// An operation is one running encryption, decryption, digest, signature or
// verification. The zero operation is idle.
type operation struct {
	phase      phase
	row        *mech.Mechanism
	op         mech.Op       // nil for a verification
	check      mech.VerifyOp // nil for all others
	signature  []byte        // of C_VerifySignatureInit
	messages   *messages     // of the purposes of messages, which have neither op nor check
	pending    []byte        // output whose buffer was too small, its length not known before
	hasPending bool
	hasKey     bool      // C_DigestKey: the value of a key was among the input
	key        *snapshot // held until the end; nil for a digest
	params     []byte    // as a saved state has them, of what can be saved; nil if there are none
	private    bool      // the key is a private object: logging out ends the operation
	needsLogin bool      // the key has CKA_ALWAYS_AUTHENTICATE and its user has not shown the PIN again
}

// end wipes an operation and makes it idle.
func (o *operation) end() {
	if o.op != nil {
		o.op.Wipe()
	}
	if o.check != nil {
		o.check.Wipe()
	}
	if o.messages != nil {
		o.messages.wipe()
	}
	clear(o.pending)
	if o.key != nil {
		o.key.Release()
	}
	if o.hasKey {
		mech.ScrubDeep()
	}
	*o = operation{}
}

// begin is every C_…Init: it settles the session, the mechanism, the key and
// the policy, and leaves the operation ready. A NULL mechanism cancels what is
// active, and is no error if nothing is (PKCS #11 v3.2, 5.8.1 and its like).
func (m *Module) begin(h p11.SessionHandle, p purpose, mm *p11.Mechanism, key p11.ObjectHandle) error {
	return m.beginWith(h, p, mm, key, nil)
}

// beginWith is begin for an operation that is told something else at its
// beginning. The error of tell begins nothing; tell may be nil.
func (m *Module) beginWith(h p11.SessionHandle, p purpose, mm *p11.Mechanism, key p11.ObjectHandle, tell func(*operation) error) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	o := &s.ops[p]
	if mm == nil {
		o.end()
		return nil
	}
	if o.phase != idle {
		return p11.CKR_OPERATION_ACTIVE
	}
	if err := m.start(s, o, p, mm, key); err != nil {
		return err
	}
	if tell == nil {
		return nil
	}
	if err := tell(o); err != nil {
		o.end()
		return err
	}
	return nil
}

// start makes an idle operation ready, or leaves it idle. It is the session's
// own, so that nothing is made on the heap here. The caller holds the session's
// lock.
func (m *Module) start(s *session, o *operation, p purpose, mm *p11.Mechanism, key p11.ObjectHandle) error {
	pp := &purposes[p]
	row, err := m.row(s.token, mm, pp.flag)
	if err != nil {
		return err
	}
	var k mech.Key
	if pp.usage != 0 {
		obj, e, err := m.useKey(s, key, use{row: row, usage: pp.usage, class: pp.class})
		if err != nil {
			return err
		}
		k, o.key = obj, obj
		o.private = e.private
		o.needsLogin = obj.AlwaysAuthenticate()
	}
	o.row = row
	if pp.start != nil {
		err = pp.start(o, row, k, mm.Params)
	} else if o.op, o.check, err = pp.open(row, k, mm.Params); err != nil {
		o.op, o.check = nil, nil
	}
	if err != nil {
		o.end()
		return dropped(err, p11.CKR_KEY_HANDLE_INVALID)
	}
	if o.saver() != nil { // the caller's memory is gone when the state is saved
		o.params = encodeParams(mm.Params)
	}
	if o.private {
		if _, who := s.token.login(); who != loggedInUser {
			o.end()
			return p11.Errorf(p11.CKR_USER_NOT_LOGGED_IN, "the user was logged out meanwhile")
		}
	}
	o.phase = ready
	return nil
}

func (p purpose) String() string {
	return [...]string{"encrypt", "decrypt", "digest", "sign", "verify", "sign with recovery", "verify with recovery",
		"verify", "encrypt messages", "decrypt messages", "sign", "verify"}[p]
}

// How a call takes its input: all at once, or the last part.
type ending bool

const (
	oneShot ending = false
	lastOne ending = true
)

// active returns the running operation for a call that ends it.
func (s *session) active(p purpose, how ending) (*operation, error) {
	o := &s.ops[p]
	switch {
	case o.phase == idle:
		return nil, p11.CKR_OPERATION_NOT_INITIALIZED
	case o.phase == multiPart && how == oneShot:
		// A single-part call does not close a multi-part operation; like any
		// error of such a call, it ends it.
		o.end()
		return nil, p11.Errorf(p11.CKR_OPERATION_ACTIVE, "the operation was begun in parts and cannot be finished in one")
	case how == lastOne && o.row.SinglePart:
		o.end()
		return nil, p11.Errorf(p11.CKR_FUNCTION_NOT_SUPPORTED, "the mechanism takes its input in one part")
	}
	return o, nil
}

// final is every C_Encrypt, C_Decrypt, C_Digest and C_Sign, and the …Final of
// each. It follows the convention of PKCS #11 v3.2, 5.2: asking for the length
// and a buffer that is too small leave the operation as it was; every other
// outcome ends it.
func (m *Module) final(h p11.SessionHandle, p purpose, how ending, src []byte, out *p11.Out) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	o, err := s.active(p, how)
	if err != nil {
		return err
	}
	if !o.hasPending {
		size := o.op.FinalSize(len(src))
		switch {
		case out.Buf == nil:
			out.N = size.Max
			return nil
		case len(out.Buf) < size.Max && size.Exact:
			out.N = size.Max
			return p11.CKR_BUFFER_TOO_SMALL
		case o.needsLogin:
			o.end()
			return needsLogin()
		case len(out.Buf) >= size.Max: // the common case: straight into the caller's memory
			dst := out.Buf[:size.Max:size.Max]
			out.N, err = o.op.Final(dst, apart(dst, src))
			o.end()
			return err
		}
		// The length is known only when the work is done. Do it once and keep
		// the result for a buffer that it fits in.
		scratch := make([]byte, size.Max)
		n, err := o.op.Final(scratch, src)
		if err != nil {
			clear(scratch)
			o.end()
			return err
		}
		o.pending, o.hasPending = scratch[:n], true
	}
	out.N = len(o.pending)
	if out.Buf == nil {
		return nil
	}
	if len(out.Buf) < len(o.pending) {
		return p11.CKR_BUFFER_TOO_SMALL
	}
	copy(out.Buf, o.pending)
	o.end()
	return nil
}

func needsLogin() error {
	return p11.Errorf(p11.CKR_USER_NOT_LOGGED_IN, "the key has CKA_ALWAYS_AUTHENTICATE: C_Login with CKU_CONTEXT_SPECIFIC must come first")
}

// update is every C_…Update that takes input. Asking for the length and a
// buffer that is too small consume nothing; an error ends the operation.
func (m *Module) update(h p11.SessionHandle, p purpose, src []byte, out *p11.Out) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	o, err := s.part(p)
	if err != nil {
		return err
	}
	_, err = o.update(src, out)
	return err
}

// part returns the running operation for a further part of input.
func (s *session) part(p purpose) (*operation, error) {
	o := &s.ops[p]
	switch {
	case o.phase == idle:
		return nil, p11.CKR_OPERATION_NOT_INITIALIZED
	case o.row.SinglePart:
		o.end()
		return nil, p11.Errorf(p11.CKR_FUNCTION_NOT_SUPPORTED, "the mechanism takes its input in one part")
	case o.hasPending:
		o.end()
		return nil, p11.Errorf(p11.CKR_OPERATION_ACTIVE, "the operation is waiting for a buffer for its result")
	}
	return o, nil
}

// update feeds src to an operation and reports whether it was consumed.
func (o *operation) update(src []byte, out *p11.Out) (consumed bool, err error) {
	size := o.op.UpdateSize(len(src))
	if out.Buf == nil {
		out.N = size.Max
		return false, nil
	}
	if len(out.Buf) < size.Max {
		out.N = size.Max
		return false, p11.CKR_BUFFER_TOO_SMALL
	}
	if o.needsLogin {
		o.end()
		return false, needsLogin()
	}
	dst := out.Buf[:size.Max:size.Max]
	out.N, err = o.op.Update(dst, apart(dst, src))
	if err != nil {
		o.end()
		return false, err
	}
	o.phase = multiPart
	return true, nil
}

// feed gives input to an operation without output: a digest or a signature.
func (o *operation) feed(src []byte) (err error) {
	switch {
	case o.needsLogin:
		err = needsLogin()
	case o.check != nil:
		err = o.check.Update(src)
	default:
		_, err = o.op.Update(nil, src)
	}
	if err != nil {
		o.end()
		return err
	}
	o.phase = multiPart
	return nil
}

// feedPart is C_DigestUpdate, C_SignUpdate and C_VerifyUpdate.
func (m *Module) feedPart(h p11.SessionHandle, p purpose, src []byte) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	o, err := s.part(p)
	if err != nil {
		return err
	}
	return o.feed(src)
}

// compare is C_Verify and C_VerifyFinal. Every outcome ends the operation.
func (m *Module) compare(h p11.SessionHandle, how ending, src, sig []byte) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	o, err := s.active(verify, how)
	if err != nil {
		return err
	}
	defer o.end()
	if o.needsLogin {
		return needsLogin()
	}
	return o.check.Verify(src, sig)
}

// apart returns src, or a copy of it if it overlaps dst other than by
// beginning where dst begins: mechanisms work in place, not half in place.
func apart(dst, src []byte) []byte {
	if len(dst) == 0 || len(src) == 0 {
		return src
	}
	d, s := uintptr(unsafe.Pointer(unsafe.SliceData(dst))), uintptr(unsafe.Pointer(unsafe.SliceData(src)))
	if d == s || d+uintptr(len(dst)) <= s || s+uintptr(len(src)) <= d {
		return src
	}
	return append([]byte(nil), src...)
}

// BadArguments answers a call whose pointers or lengths are no good. By the
// standard's order an invalid session comes first; a call that ends an
// operation whatever happens ends it here too (PKCS #11 v3.2, 5.1 and 5.8).
func (m *Module) BadArguments(h p11.SessionHandle, function string) error {
	s, err := m.lockSession(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, p := range endedBy[function] {
		s.ops[p].end()
	}
	s.messageFailed(function)
	return p11.CKR_ARGUMENTS_BAD
}

var endedBy = map[string][]purpose{
	"C_Encrypt": {encrypt}, "C_EncryptUpdate": {encrypt}, "C_EncryptFinal": {encrypt},
	"C_Decrypt": {decrypt}, "C_DecryptUpdate": {decrypt}, "C_DecryptFinal": {decrypt},
	"C_Digest": {digest}, "C_DigestUpdate": {digest}, "C_DigestFinal": {digest},
	"C_Sign": {sign}, "C_SignUpdate": {sign}, "C_SignFinal": {sign},
	"C_Verify": {verify}, "C_VerifyUpdate": {verify}, "C_VerifyFinal": {verify},
	"C_VerifySignature": {verifySignature}, "C_VerifySignatureUpdate": {verifySignature}, "C_VerifySignatureFinal": {verifySignature},
	"C_SignRecover": {signRecover}, "C_VerifyRecover": {verifyRecover},
	"C_DigestEncryptUpdate": {digest, encrypt}, "C_DecryptDigestUpdate": {decrypt, digest},
	"C_SignEncryptUpdate": {sign, encrypt}, "C_DecryptVerifyUpdate": {decrypt, verify},
}
