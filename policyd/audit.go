// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
)

// newAudit opens the audit log, which only grows. A line that cannot be written is
// said in the log: what was changed was changed.
func newAudit(path string, log *slog.Logger) (*slog.Logger, io.Closer, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open audit log: %w (--audit-log says where)", err)
	}
	return slog.New(slog.NewJSONHandler(auditFile{f, log}, nil)), f, nil
}

type auditFile struct {
	*os.File
	log *slog.Logger
}

func (f auditFile) Write(line []byte) (int, error) {
	n, err := f.File.Write(line)
	if err != nil {
		f.log.Error("audit log not written", "error", err)
	}
	return n, err
}
