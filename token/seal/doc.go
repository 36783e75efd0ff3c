// Package seal protects a token at rest: a PIN opens the master key, the
// master key opens records and makes the terms of the search index, and keys
// that are open lie in memory of their own (package locked). It knows bytes: no
// PKCS #11 object, no session, no policy and no store. It counts no PIN
// failures; its caller does.
//
// # Design
//
// The master key is random, and each PIN wraps it: Argon2id (RFC 9106) makes
// a key-encryption key of the PIN, and AES-256-GCM wraps the master key under
// it. So a changed PIN rewrites one short record and no object, the SO can
// give the user a new PIN, and the cost of a guess can grow with the years.
//
// The master key itself encrypts nothing. HKDF-SHA256 (RFC 5869) expands it to
// a sub-key for each purpose, under a label that is never used again for
// another. Each record, in turn, is sealed under a key of its own, derived
// from the objects sub-key, a fresh salt of 256 bits and the ids of token and
// object. That takes AES-GCM's limits away (SP 800-38D, section 8.3: no more
// than 2^32 random nonces under one key; a repeated nonce gives the
// authentication key away): a key here meets one nonce, and two processes, or
// two clones of a virtual machine that share a random state, would have to
// draw the same salt and nonce for different data of the same object.
//
// What a seal binds: format, flags, ids of token and object, class,
// generation, salt, and the public part to the last byte. A record that was
// moved, swapped, cut or altered does not open. The ids are bound and not
// stored: the reader says what it asked for.
//
// Terms of private attributes are keyed (a blind index), so that a search
// needs no decryption and the store cannot test guesses. Terms of public
// attributes are plain digests, since the attributes are plain too and
// searches must work before login.
//
// HMAC is crypto/hmac's construction over crypto/sha256, ten lines in
// derive.go, because the library's keeps each key in a heap object that nobody
// can wipe, and takes five allocations where the index needs none. All other
// cryptography is the standard library's and golang.org/x/crypto's.
//
// # What it does not protect from
//
//   - Guessing a PIN on a copy of the store. Counters and locks are not in the
//     copy; only Argon2id's cost and the PIN's length stand in the way. Four
//     digits fall in minutes whatever the parameters.
//   - Rollback. An older record of the same object, or an older PIN record,
//     put back in its place, is whole and opens. The generation tells, if the
//     caller knows a newer one; a store that is put back as a whole does not.
//   - Removal, and plain records. That a record is missing cannot be seen
//     here; a plain record (Plain) can be written by anybody who can write to
//     the store, also in the place of a sealed one: see ReadPublic.
//   - What the store shows to a reader: public parts, sizes, numbers of
//     objects, times of writing, and which private objects have equal
//     attributes.
//   - The process itself and whoever may read its memory: root, a debugger,
//     the host application. Own mappings keep keys out of swap, core dumps,
//     forked children and the way of stray reads; they are no enclave. Swap is
//     avoided only as far as RLIMIT_MEMLOCK allows, and hibernation writes all.
//   - Go's own copies. The expanded AES key of a record or a PIN is on the Go
//     heap until the collector has reused the place, Argon2id's memory and a
//     hash's state likewise, and stacks keep what was computed on them. These
//     copies are of record keys, key-encryption keys and hash states: with the
//     record at hand, enough to open that record. Nothing here keeps one
//     longer than a call.
//     Go 1.26's runtime/secret (GOEXPERIMENT=runtimesecret) erases them. It
//     is not used here while it is an experiment; a caller may call Seal, Open
//     and OpenPIN within secret.Do, which was measured to add 0.5 to 1 µs to a
//     record of 1 KB and nothing that shows to a PIN.
package seal
