// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"mbchain/identity"
)

// headerCaller says for whom a policy server makes a call that it passes on. It is
// read of policy servers alone.
const headerCaller = "Mbchain-Caller"

// maxCaller is how long it may be, in bytes: one with identity.MaxAddresses
// addresses has some 3,000.
const maxCaller = 8 << 10

// callerText is a caller as it stands in the header.
type callerText struct {
	Role          string       `json:"role,omitempty"` // empty: no certificate was shown
	Name          string       `json:"name,omitempty"`
	Epoch         uint32       `json:"epoch,omitempty"`
	Addresses     []netip.Addr `json:"addresses,omitempty"`
	From          string       `json:"from"`
	ExpiresUnixMS int64        `json:"expires_unix_ms,omitempty"` // 0: never
	Local         bool         `json:"local,omitempty"`
}

// header is c for a request that is passed on to another policy server.
func (c *caller) header() string {
	t := callerText{Name: c.Name, Epoch: c.Epoch, Addresses: c.addresses, From: c.from, Local: c.local}
	if c.Role != 0 {
		t.Role = c.Role.String()
	}
	if !c.expires.IsZero() {
		t.ExpiresUnixMS = c.expires.UnixMilli()
	}
	text, _ := json.Marshal(t) // of these types it cannot fail
	return string(text)
}

// parseCaller reads the header.
func parseCaller(text string) (*caller, error) {
	if len(text) > maxCaller {
		return nil, fmt.Errorf("read %s: %w: %d bytes", headerCaller, identity.ErrMalformed, len(text))
	}
	var t callerText
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", headerCaller, identity.ErrMalformed, err)
	}
	c := &caller{addresses: t.Addresses, from: t.From, local: t.Local}
	if t.ExpiresUnixMS != 0 {
		c.expires = time.UnixMilli(t.ExpiresUnixMS)
	}
	if t.Role == "" {
		return c, nil
	}
	role, err := identity.ParseRole(t.Role)
	if err == nil {
		err = identity.CheckName(t.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", headerCaller, identity.ErrMalformed, err)
	}
	c.Subject = identity.Subject{Role: role, Name: t.Name, Epoch: t.Epoch}
	return c, nil
}

// behalf returns for whom via, whose certificate was right, makes a request: for
// itself, unless it is a policy server that says otherwise. A policy server has the
// CA's key and could be anybody anyway; it has judged who called it.
func behalf(via *caller, h http.Header) (*caller, error) {
	text := h.Get(headerCaller)
	if via.Role != identity.Policyd || text == "" {
		return via, nil
	}
	c, err := parseCaller(text)
	if err != nil {
		return via, err
	}
	c.from, c.via = c.from+" by "+via.Name, via.Subject
	if c.Role == 0 {
		return c, identity.ErrNone
	}
	if !c.expires.IsZero() && time.Now().After(c.expires) {
		return c, identity.ErrExpired
	}
	return c, nil
}
