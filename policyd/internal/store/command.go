// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"mbchain/identity"
)

// The versions of the encoding that are read. A new kind of command, or a new field of
// one, is a new version; a command is written in the oldest that has it, so that a
// voter of the release before reads all that does not need the new one.
const (
	oldestCommand  = 2
	commandVersion = 3 // SetDrain
)

// Command changes the state. Exactly one kind is set. Every command may be
// applied twice: the second time it changes nothing.
type Command struct {
	SetUp     *SetUp     `json:"set_up,omitempty"`
	SetPolicy *SetPolicy `json:"set_policy,omitempty"`
	SetHost   *SetHost   `json:"set_host,omitempty"`

	SetNode    *SetNode    `json:"set_node,omitempty"`
	RemoveNode *RemoveNode `json:"remove_node,omitempty"`
	Restore    *Restore    `json:"restore,omitempty"`

	SetCA     *SetCA     `json:"set_ca,omitempty"`
	AddToken  *AddToken  `json:"add_token,omitempty"`
	DropToken *DropToken `json:"drop_token,omitempty"`
	Admit     *Admit     `json:"admit,omitempty"`
	Readdress *Readdress `json:"readdress,omitempty"`
	Revoke    *Revoke    `json:"revoke,omitempty"`
	SetKeys   *SetKeys   `json:"set_keys,omitempty"`

	SetDrain *SetDrain `json:"set_drain,omitempty"`

	// Request is the number that the sender gave the command, of RequestLen
	// bytes; empty: none.
	Request []byte `json:"request,omitempty"`
}

// SetCA gives a state its CA. A state that has one keeps it.
type SetCA struct {
	PEM []byte `json:"pem"`
}

// SetUp gives a new state its seed and keys. A state that has them keeps them.
type SetUp struct {
	Seed []byte     `json:"seed"`
	Keys []SetupKey `json:"keys"`
}

// SetPolicy replaces the policy. The text that already runs changes nothing,
// whatever IfVersion says: who repeats a command whose outcome is unknown must
// not be told that somebody else was quicker.
type SetPolicy struct {
	Source        string  `json:"source"`
	IfVersion     *uint64 `json:"if_version,omitempty"` // refuse unless this one runs
	AppliedUnixMS int64   `json:"applied_unix_ms"`
	By            string  `json:"by,omitempty"`          // who asked for it
	RollbackOf    uint64  `json:"rollback_of,omitempty"` // version whose text it is; 0: none
}

// SetHost adds a host, or replaces what is known of it.
type SetHost struct {
	Host Host `json:"host"`
	// Replaces names the hosts that lose the addresses they share with Host;
	// one that has none left is forgotten. The proposer names those that are
	// not there any more.
	Replaces []string `json:"replaces,omitempty"`
}

type commandEnvelope struct {
	Version int `json:"version"`
	Command
}

// EncodeCommand returns cmd as it stands in the log.
func EncodeCommand(cmd Command) ([]byte, error) {
	if err := cmd.check(); err != nil {
		return nil, fmt.Errorf("encode command: %w", err)
	}
	b, err := json.Marshal(commandEnvelope{Version: cmd.version(), Command: cmd})
	if err != nil {
		return nil, fmt.Errorf("encode command: %w", err)
	}
	return b, nil
}

// DecodeCommand is the reverse of [EncodeCommand].
func DecodeCommand(b []byte) (Command, error) {
	if err := checkVersion(b, oldestCommand, commandVersion); err != nil {
		return Command{}, fmt.Errorf("decode command: %w", err)
	}
	var e commandEnvelope
	if err := decodeStrict(b, &e); err != nil {
		return Command{}, fmt.Errorf("decode command: %w", err)
	}
	if err := e.check(); err != nil {
		return Command{}, fmt.Errorf("decode command: %w", err)
	}
	return e.Command, nil
}

// version is the oldest that has the command.
func (c Command) version() int {
	if c.SetDrain != nil || c.Restore != nil && len(c.Restore.State.Drains) > 0 {
		return commandVersion
	}
	return oldestCommand
}

// check refuses what the encoding cannot carry or apply cannot handle.
func (c Command) check() error {
	n := 0
	if c.SetUp != nil {
		n++
		if err := checkSecrets(c.SetUp.Seed, c.SetUp.Keys); err != nil {
			return err
		}
	}
	if c.SetPolicy != nil {
		n++
		if !utf8.ValidString(c.SetPolicy.Source) { // JSON would alter it
			return errors.New("policy is not UTF-8 text")
		}
		if by := c.SetPolicy.By; len(by) > MaxBy || !utf8.ValidString(by) {
			return fmt.Errorf("policy applied by %d bytes", len(by))
		}
	}
	if c.SetHost != nil {
		n++
		if err := c.SetHost.Host.check(); err != nil {
			return err
		}
	}
	if c.SetNode != nil {
		n++
		if err := c.SetNode.Node.check(); err != nil {
			return err
		}
	}
	if c.RemoveNode != nil {
		n++
	}
	if c.Restore != nil {
		n++
		if c.Restore.State == nil || !c.Restore.State.IsSetUp() {
			return errors.New("no whole state to restore")
		}
		if err := c.Restore.State.check(); err != nil {
			return err
		}
	}
	if c.SetDrain != nil {
		n++
		if err := c.SetDrain.Drain.check(); err != nil {
			return err
		}
	}
	if len(c.Request) != 0 && len(c.Request) != RequestLen {
		return fmt.Errorf("request number of %d bytes", len(c.Request))
	}
	m, err := c.checkIdentity()
	if err != nil {
		return err
	}
	if n += m; n != 1 {
		return fmt.Errorf("%d kinds of command in one", n)
	}
	return nil
}

// checkIdentity is check for the commands about who is who. It returns how many
// there are.
func (c Command) checkIdentity() (n int, err error) {
	if c.SetCA != nil {
		n++
		if _, caErr := identity.ParseCA(c.SetCA.PEM); caErr != nil {
			err = caErr
		}
	}
	if c.AddToken != nil {
		n++
		err = errors.Join(err, c.AddToken.Token.check())
	}
	if c.DropToken != nil {
		n++
		err = errors.Join(err, identity.CheckTokenID(c.DropToken.ID))
	}
	if c.Admit != nil {
		n++
		err = errors.Join(err, checkSubject(c.Admit.Role, c.Admit.Name, c.Admit.Addresses))
		if len(c.Admit.Key) != identity.HashLen {
			err = errors.Join(err, fmt.Errorf("key of %d bytes", len(c.Admit.Key)))
		}
	}
	if c.Readdress != nil {
		n++
		err = errors.Join(err, checkSubject(c.Readdress.Role, c.Readdress.Name, c.Readdress.Addresses))
	}
	if c.Revoke != nil {
		n++
		err = errors.Join(err, checkSubject(c.Revoke.Role, c.Revoke.Name, nil))
	}
	if c.SetKeys != nil {
		n++
		err = errors.Join(err, c.SetKeys.check())
	}
	return n, err
}

func checkSecrets(seed []byte, keys []SetupKey) error {
	if len(seed) != SecretLen {
		return fmt.Errorf("seed of %d bytes", len(seed))
	}
	if len(keys) == 0 {
		return errors.New("no set-up key")
	}
	for _, k := range keys {
		if len(k.Secret) != SecretLen {
			return fmt.Errorf("set-up key %d of %d bytes", k.ID, len(k.Secret))
		}
	}
	return nil
}

func (h Host) check() error {
	if h.Name == "" || !utf8.ValidString(h.Name) {
		return fmt.Errorf("host name %q", h.Name)
	}
	if len(h.Addresses) == 0 {
		return fmt.Errorf("host %s has no address", h.Name)
	}
	for _, a := range h.Addresses {
		if !a.IsValid() || a.Zone() != "" {
			return fmt.Errorf("host %s has address %q", h.Name, a)
		}
	}
	for _, t := range h.NFTypes {
		if !utf8.ValidString(t) {
			return fmt.Errorf("host %s has NF type %q", h.Name, t)
		}
	}
	return nil
}

// checkVersion comes before the strict reading, so that what a newer program
// wrote is told from what is damaged.
func checkVersion(b []byte, oldest, newest int) error {
	var e struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return err
	}
	if e.Version < oldest || e.Version > newest {
		return fmt.Errorf("version %d, this program knows %d to %d", e.Version, oldest, newest)
	}
	return nil
}

// decodeStrict reads one JSON value with no unknown field and nothing after.
func decodeStrict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("data after the end")
	}
	return nil
}
