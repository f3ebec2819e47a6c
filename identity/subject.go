// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// scheme is that of a subject's URI.
const scheme = "mbchain"

// nameForm is that of a host's name everywhere else; people have such names, too.
var nameForm = regexp.MustCompile(`^[a-z0-9.-]{1,63}$`)

// Subject is whom a certificate is for.
type Subject struct {
	Role Role
	Name string
	// Epoch counts how often the name was admitted or revoked: a certificate of
	// an earlier epoch than the newest is not valid any more. 0: not known yet.
	Epoch uint32
}

// CheckName says what is wrong with a name.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("name %q is not of 1 to 63 characters out of a-z, 0-9, '.' and '-'", name)
	}
	return nil
}

// String is "agent mb1".
func (s Subject) String() string { return s.Role.String() + " " + s.Name }

// uri is the subject as it stands in a certificate.
func (s Subject) uri() *url.URL {
	return &url.URL{Scheme: scheme, Host: s.Role.String(), Path: fmt.Sprintf("/%s/%d", s.Name, s.Epoch)}
}

// parseURI is the reverse of uri, and of nothing else.
func parseURI(u *url.URL) (Subject, error) {
	parts := strings.Split(u.Path, "/")
	if u.Scheme != scheme || len(parts) != 3 || parts[0] != "" {
		return Subject{}, fmt.Errorf("%w: want mbchain://ROLE/NAME/EPOCH", ErrMalformed)
	}
	role, err := ParseRole(u.Host)
	if err != nil {
		return Subject{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := CheckName(parts[1]); err != nil {
		return Subject{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	epoch, err := strconv.ParseUint(parts[2], 10, 32)
	if err != nil {
		return Subject{}, fmt.Errorf("%w: epoch %q", ErrMalformed, parts[2])
	}
	s := Subject{Role: role, Name: parts[1], Epoch: uint32(epoch)}
	if s.uri().String() != u.String() {
		return Subject{}, fmt.Errorf("%w: want %s", ErrMalformed, s.uri())
	}
	return s, nil
}
