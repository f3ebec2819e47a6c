// SPDX-License-Identifier: Apache-2.0

package nfstate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"mbchain/chain"
)

const (
	// killTime is how long a program has to end once its time is over.
	killTime = time.Second
	// maxComplaint is how much of what it writes to standard error is told.
	maxComplaint = 256
)

// program is the path of one that moves the state of an operator's NF:
//
//	PROGRAM export|import|drop tcp|udp SOURCE SPORT DESTINATION DPORT
//
// export writes the state to standard output, import reads it from standard input.
// Any other exit status than 0 means that it failed; standard error says why.
type program string

func (p program) run(ctx context.Context, verb string, super chain.FiveTuple, state []byte) ([]byte, error) {
	if p == "" {
		return nil, ErrNoProgram
	}
	cmd := exec.CommandContext(ctx, string(p), verb, chain.ProtocolName(super.Protocol),
		super.Source.Addr().String(), strconv.Itoa(int(super.Source.Port())),
		super.Destination.Addr().String(), strconv.Itoa(int(super.Destination.Port())))
	out, complaint := &bounded{limit: MaxState}, &bounded{limit: maxComplaint}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(state), out, complaint
	cmd.WaitDelay = killTime
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s %s: it took too long", p, verb)
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w: %q", p, verb, err, strings.TrimSpace(complaint.String()))
	case out.over:
		return nil, fmt.Errorf("%s %s: %w", p, verb, errTooLong)
	}
	return out.Bytes(), nil
}

var errTooLong = errors.New("it writes more than a state may have")

// bounded keeps the beginning of what is written to it.
type bounded struct {
	bytes.Buffer
	limit int
	over  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	n := len(p)
	if room := b.limit - b.Len(); n > room {
		b.over = true
		p = p[:max(room, 0)]
	}
	_, _ = b.Buffer.Write(p)
	return n, nil
}
