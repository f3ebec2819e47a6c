// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	protobuf "google.golang.org/protobuf/proto"

	"mbchain/proto"
)

// http1 makes the bench speak HTTP/1.1.
func (b *bench) http1() {
	t := &http.Transport{DialContext: b.pipes.dial}
	b.t.Cleanup(t.CloseIdleConnections)
	b.connect(t)
}

func TestOnePortForEveryProtocol(t *testing.T) {
	tests := []struct {
		name  string
		http1 bool
		opts  []connect.ClientOption
	}{
		{name: "Connect over HTTP/2"},
		{name: "Connect over HTTP/1.1", http1: true},
		{name: "gRPC", opts: []connect.ClientOption{connect.WithGRPC()}},
		{name: "JSON over HTTP/2", opts: []connect.ClientOption{connect.WithProtoJSON()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				if tt.http1 {
					b.http1()
				}
				a := b.subscribe("client", "10.0.0.1")
				a.subpolicy(0)
				b.apply(onePolicy)
				a.acknowledge(a.subpolicy(1), 1, "")
				applied := make(chan error, 1)
				go func() {
					time.Sleep(10 * time.Minute) // keep-alives, and no deadline
					_, err := b.policy.Apply(t.Context(), &proto.ApplyRequest{Source: "match(any) >> {}"})
					applied <- err
				}()
				a.acknowledge(a.subpolicy(2), 2, "")
				if err := <-applied; err != nil {
					t.Fatal(err)
				}
				if c := b.hub.Counts(); c.InSync != 1 {
					t.Errorf("counts %+v", c)
				}
			}, tt.opts...)
		})
	}
}

func TestPlainJSON(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.http1()
		r, err := b.http.Post("http://policyd/mbchain.v1.PolicyService/Check", "application/json",
			strings.NewReader(`{"source":"match(any) >> {}"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strings.ReplaceAll(string(body), " ", ""), `{"rules":1}`; r.StatusCode != 200 || got != want {
			t.Errorf("status %d, body %s, want %s", r.StatusCode, got, want)
		}
	})
}

func TestLongRequestIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		_, err := b.policy.Check(t.Context(), &proto.CheckRequest{Source: strings.Repeat("#", maxPolicyRequest+1)})
		wantCode(t, err, connect.CodeResourceExhausted)
		_, err = b.domain.GetStats(t.Context(), &proto.GetStatsRequest{Host: strings.Repeat("a", maxDomainRequest+1)})
		wantCode(t, err, connect.CodeResourceExhausted)
		// What fits into a request and not into the language is a finding.
		got, err := b.policy.Check(t.Context(), &proto.CheckRequest{Source: strings.Repeat("#", 5<<20)})
		if err != nil || len(got.Errors) != 1 {
			t.Errorf("findings %v, error %v", got.GetErrors(), err)
		}
	})
}

// raw opens a connection and sends text on it.
func (b *bench) raw(text string) net.Conn {
	b.t.Helper()
	c, err := b.pipes.dial(b.t.Context(), "", "")
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		b.t.Fatal(err)
	}
	return c
}

func TestSlowRequestsAreCutOff(t *testing.T) {
	const post = "POST /mbchain.v1.PolicyService/Check HTTP/1.1\r\nHost: p\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
	tests := []struct {
		name string
		text string
		want time.Duration
	}{
		{"header", post, readHeaderTimeout},
		{"body", post + "\r\n{", readTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				began := time.Now()
				c := b.raw(tt.text)
				if _, err := io.Copy(io.Discard, c); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < tt.want || took > tt.want+time.Second {
					t.Errorf("cut off after %v, want %v", took, tt.want)
				}
			})
		})
	}
}

// An agent that does not read what it is sent is disconnected, and holds up
// nobody meanwhile.
func TestHostThatDoesNotReadIsDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		msg, err := protobuf.Marshal(&proto.SubscribeRequest{Host: "stuck", Addresses: []string{"10.0.0.1"}})
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		body.WriteByte(0)
		_ = binary.Write(&body, binary.BigEndian, uint32(len(msg)))
		body.Write(msg)
		b.raw(fmt.Sprintf("POST /mbchain.v1.AgentService/Subscribe HTTP/1.1\r\nHost: p\r\n"+
			"Content-Type: application/connect+proto\r\nConnect-Protocol-Version: 1\r\nContent-Length: %d\r\n\r\n%s", body.Len(), &body))
		synctest.Wait()
		if c := b.hub.Counts(); c.Connected != 1 {
			t.Fatalf("counts %+v", c)
		}

		quick := b.subscribe("quick", "10.0.0.2")
		quick.subpolicy(0)
		b.apply(onePolicy)
		quick.subpolicy(1)
		time.Sleep(writeTimeout + time.Second)
		synctest.Wait()
		if c := b.hub.Counts(); c.Known != 2 || c.Connected != 1 {
			t.Errorf("counts %+v, want one of two connected", c)
		}
	})
}

func TestServeEndsStreamsWhenItStops(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http1=%t", http1), func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				if http1 {
					b.http1()
				}
				a := b.subscribe("client", "10.0.0.1")
				a.subpolicy(0)
				last := make(chan *proto.Push)
				go func() { last <- a.next() }()
				began := time.Now()
				b.stop()
				if p := <-last; p != nil {
					t.Errorf("pushed %v", p)
				}
				wantCode(t, a.stream.Err(), connect.CodeUnavailable)
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("stopped after %v", took)
				}
			})
		})
	}
}

func TestListen(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Listen(t.Context(), l.Addr().String()); err == nil || !strings.Contains(err.Error(), "listen on 127.0.0.1") {
		t.Errorf("port in use: error %v", err)
	}
	if _, err := Listen(t.Context(), "nowhere"); err == nil {
		t.Error("listens on nowhere")
	}
}

func TestUnknownPath(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		c := b.raw("GET / HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n")
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusNotFound {
			t.Errorf("status %d, want 404", r.StatusCode)
		}
	})
}
