package p11

// MessageKind says how the parameter of one message, of C_EncryptMessage and
// its like, lies in memory. It is the parameter of C_WrapKeyAuthenticated too.
type MessageKind uint8

// The kinds. The zero kind is for mechanisms that encrypt no messages.
const (
	MessageNone             MessageKind = iota
	MessageGCM                          // CK_GCM_MESSAGE_PARAMS
	MessageCCM                          // CK_CCM_MESSAGE_PARAMS
	MessageChaCha20Poly1305             // CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS
	NumMessageKinds                     // the number of kinds
)

// MessageParams is the parameter of one message of an AEAD. IV and Tag are the
// caller's memory, good for the time of the call.
type MessageParams struct {
	Kind MessageKind
	// IV is read or, if there is a Generator, written to when the message
	// begins. Its first FixedBits are the caller's in any case.
	IV        []byte
	FixedBits uint64
	Generator Generator
	// Tag is written to when a message has been encrypted and read when one is
	// to be decrypted; nil if the caller gave none, as is good for the calls in
	// between. TagLen is its length in bytes.
	Tag    []byte
	TagLen int
	// DataLen is the length of the message in bytes, which CCM has to know at its
	// beginning. The other kinds have 0.
	DataLen uint64
}
