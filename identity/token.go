// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
)

// tokenPrefix says what the text is, and its version.
const tokenPrefix = "mbc1"

const (
	tokenIDLen     = 8  // names the token in lists
	tokenSecretLen = 16 // cannot be guessed
)

// tokenTextLen is the length of every token's text.
const tokenTextLen = len(tokenPrefix) + 3 + 2*(tokenIDLen+tokenSecretLen+sha256.Size)

// Token admits whoever brings it. Its text is
//
//	mbc1.ID.SECRET.FINGERPRINT
//
// in hexadecimal digits. policyd keeps the secret's hash alone.
type Token struct {
	id     [tokenIDLen]byte
	secret [tokenSecretLen]byte
	CA     Fingerprint // whom to give it to
}

// NewToken draws a token; whose it is has to be filled in.
func NewToken() Token {
	var t Token
	rand.Read(t.id[:]) // never fails
	rand.Read(t.secret[:])
	return t
}

// ID names the token; it is no secret.
func (t Token) ID() string { return hex.EncodeToString(t.id[:]) }

// Secret is what policyd has the hash of.
func (t Token) Secret() []byte { return t.secret[:] }

// Text is what is handed over.
func (t Token) Text() string {
	return strings.Join([]string{tokenPrefix, t.ID(), hex.EncodeToString(t.secret[:]), t.CA.String()}, ".")
}

// String hides the secret, so that no log has it.
func (t Token) String() string { return "token " + t.ID() }

// ParseToken reads the text of a token. Its errors do not repeat it.
func ParseToken(text string) (Token, error) {
	if len(text) != tokenTextLen {
		return Token{}, fmt.Errorf("read token: %w: %d characters, a token has %d: copy it whole", ErrMalformed, len(text), tokenTextLen)
	}
	parts := strings.Split(text, ".")
	var t Token
	if len(parts) != 4 || parts[0] != tokenPrefix ||
		!parseHex(t.id[:], parts[1]) || !parseHex(t.secret[:], parts[2]) || !parseHex(t.CA[:], parts[3]) {
		return Token{}, fmt.Errorf("read token: %w: want %s.ID.SECRET.FINGERPRINT", ErrMalformed, tokenPrefix)
	}
	return t, nil
}

// CheckTokenID says what is wrong with a token's id.
func CheckTokenID(id string) error {
	var b [tokenIDLen]byte
	if !parseHex(b[:], id) {
		return fmt.Errorf("token id %q is not of %d hexadecimal digits", id, 2*tokenIDLen)
	}
	return nil
}

// parseHex reads exactly len(to) bytes in lower case.
func parseHex(to []byte, text string) bool {
	if len(text) != 2*len(to) || strings.ToLower(text) != text {
		return false
	}
	_, err := hex.Decode(to, []byte(text))
	return err == nil
}

// HashLen is the length of what [HashSecret] returns, in bytes.
const HashLen = sha256.Size

// HashSecret returns what is kept of a token's secret. It has 128 random bits:
// nobody finds it by trying, so a slow hash would gain nothing.
func HashSecret(secret []byte) []byte {
	h := sha256.Sum256(append([]byte("mbchain token\x00"), secret...))
	return h[:]
}

// SameHash compares two hashes in a time that tells nothing.
func SameHash(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
