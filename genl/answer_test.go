// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mbchain/genl"
	"mbchain/genl/genlfake"
)

// A request that the kernel did not answer waited for ever, whatever became of
// its context, and every other request of the Client with it.
func TestRequestEndsWithoutAnAnswer(t *testing.T) {
	tests := []struct {
		name    string
		limit   time.Duration // of the context
		request func(context.Context, *genl.Client) error
		want    string
		after   time.Duration
	}{
		{"asks", 3 * time.Second, info, "get info: context deadline exceeded", 3 * time.Second},
		{"orders", 3 * time.Second, setKeys, "set keys: context deadline exceeded", 3 * time.Second},
		{"dumps", 3 * time.Second, list, "list sessions: context deadline exceeded", 3 * time.Second},
		{"loads", 3 * time.Second, load, "load policy: begin policy: context deadline exceeded", 3 * time.Second},
		{"has time", time.Hour, info, "get info: the kernel did not answer in 1m0s", time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kernel, client := fake(t)
				kernel.Silence(true)
				ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
				defer cancel()
				began := time.Now()
				if err := tt.request(ctx, client); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
					t.Errorf("error %v, want %s", err, tt.want)
				}
				if took := time.Since(began); took != tt.after {
					t.Errorf("took %v, want %v", took, tt.after)
				}
				kernel.Silence(false)
				if err := tt.request(t.Context(), client); err != nil {
					t.Errorf("the next request: %v", err)
				}
			})
		})
	}
}

func info(ctx context.Context, c *genl.Client) error { _, err := c.Info(ctx); return err }
func list(ctx context.Context, c *genl.Client) error { _, err := c.Sessions(ctx); return err }
func load(ctx context.Context, c *genl.Client) error { return c.LoadPolicy(ctx, policy(1)) }

func setKeys(ctx context.Context, c *genl.Client) error {
	return c.SetKeys(ctx, []genl.Key{{ID: 1}})
}

func TestClosedClientStaysClosed(t *testing.T) {
	kernel := genlfake.New()
	client, err := genl.NewClient(kernel.Dial)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := info(t.Context(), client); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Info after Close: %v, want %v", err, os.ErrClosed)
	}
	if n := kernel.Connections(); n != 0 {
		t.Errorf("%d connections left open", n)
	}
}
