// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"fmt"
	"os"
	"strings"

	"mbchain/identity"
)

// maxToken is more than a token's text has, with blanks around it.
const maxToken = 4096

// ReadToken reads the token in a file.
func ReadToken(path string) (identity.Token, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxToken {
		err = fmt.Errorf("%s has %d bytes, that is no token", path, info.Size())
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return identity.Token{}, fmt.Errorf("read token: %w (--token-file says where)", err)
	}
	return identity.ParseToken(strings.TrimSpace(string(text)))
}
