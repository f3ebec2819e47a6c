// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// repeatAfter is how long a line of Raft's is not said again: without a
	// disk to write to it elects itself several times a second.
	repeatAfter = time.Minute
	// maxSaid bounds the lines that are remembered.
	maxSaid = 64
)

// raftLogger returns a logger for Raft whose words go to logger.
func raftLogger(logger *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{
		Name: "raft", Output: io.Discard, Level: hclog.Off,
	})
	l.RegisterSink(&slogSink{logger: logger.With("component", "raft"), said: map[string]time.Time{}})
	return l
}

// slogSink is an [hclog.SinkAdapter].
type slogSink struct {
	logger *slog.Logger

	mu   sync.Mutex
	said map[string]time.Time // when a line was last logged above debug
}

// Accept passes one record on, a level lower: what Raft finds worth a warning
// ("heartbeat timeout reached, starting election") happens at every start.
func (s *slogSink) Accept(_ string, level hclog.Level, msg string, args ...any) {
	line := msg // without times, which differ each time it is said
	for i, a := range args {
		if f, ok := a.(hclog.Format); ok && len(f) > 0 {
			args[i] = fmt.Sprintf(fmt.Sprint(f[0]), f[1:]...)
		}
		if _, isTime := a.(time.Duration); !isTime {
			line += fmt.Sprint(args[i])
		}
	}
	to := slog.LevelDebug
	switch level {
	case hclog.Warn:
		to = slog.LevelInfo
	case hclog.Error:
		to = slog.LevelError
	}
	if to > slog.LevelDebug && s.repeats(line) {
		to = slog.LevelDebug
	}
	s.logger.Log(context.Background(), to, msg, args...)
}

// repeats reports whether a line was said a short while ago.
func (s *slogSink) repeats(line string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if last, ok := s.said[line]; ok && now.Sub(last) < repeatAfter {
		return true
	}
	if len(s.said) >= maxSaid {
		clear(s.said)
	}
	s.said[line] = now
	return false
}
