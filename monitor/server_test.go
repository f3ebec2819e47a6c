// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// memory is a listener whose connections are pipes: no port, and time is virtual.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newMemory() *memory { return &memory{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	select {
	case <-m.closed:
	default:
		close(m.closed)
	}
	return nil
}

func (m *memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (m *memory) dial() net.Conn {
	here, there := net.Pipe()
	m.conns <- there
	return here
}

// serveFor runs a server until the test ends.
func serveFor(t *testing.T, s *Server, l net.Listener) {
	t.Helper()
	s.Log = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := Listen(t.Context(), "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func always(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func TestPages(t *testing.T) {
	l := listen(t)
	s := &Server{Metrics: NewRegistry("mbchain_test", "1.2.3"), Ready: always(nil)}
	serveFor(t, s, l)
	tests := []struct {
		path string
		code int
		body string // part of it
	}{
		{"/metrics", 200, `mbchain_test_build_info{goversion="go`},
		{"/metrics", 200, `version="1.2.3"} 1`},
		{"/metrics", 200, "process_start_time_seconds"},
		{"/healthz", 200, "alive"},
		{"/readyz", 200, "ready"},
		{"/", 404, ""},
		{"/debug/pprof/", 404, ""}, // never on a port
		{"/debug/pprof/heap", 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			code, body := get(t, fmt.Sprintf("http://%s%s", l.Addr(), tt.path))
			if code != tt.code || !strings.Contains(body, tt.body) {
				t.Errorf("code %d, want %d; body:\n%s", code, tt.code, body)
			}
		})
	}
}

func TestNotReadySaysWhy(t *testing.T) {
	l := listen(t)
	serveFor(t, &Server{Metrics: prometheus.NewRegistry(), Ready: always(errors.New("no policy in force"))}, l)
	code, body := get(t, "http://"+l.Addr().String()+"/readyz")
	if code != http.StatusServiceUnavailable || body != "not ready: no policy in force\n" {
		t.Errorf("code %d, body %q", code, body)
	}
	if code, _ := get(t, "http://"+l.Addr().String()+"/healthz"); code != http.StatusOK {
		t.Errorf("healthz: code %d, want 200", code)
	}
}

func TestListenSaysWhere(t *testing.T) {
	_, err := Listen(t.Context(), "192.0.2.1:1", nil)
	if err == nil || !strings.Contains(err.Error(), "listen for scrapers on 192.0.2.1:1") {
		t.Errorf("error %v", err)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	tests := []struct {
		name    string
		request string
		status  string
	}{
		{"another method", "DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "405"},
		{"a body", "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "413"},
		{"a body that does not come", "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "413"},
		{"a body of unknown length", "POST /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "413"},
		{"a large header", "GET /metrics HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 4*maxHeader) + "\r\n\r\n", "431"},
		{"a long path", "GET /" + strings.Repeat("x", 4*maxHeader) + " HTTP/1.1\r\nHost: a\r\n\r\n", "431"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := listen(t)
			serveFor(t, &Server{Metrics: prometheus.NewRegistry(), Ready: always(nil)}, l)
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, tt.request) // it may be cut off
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+tt.status) {
				t.Errorf("answer %q, error %v, want status %s", line, err, tt.status)
			}
		})
	}
}

// A scraper that says nothing, or half of something, is disconnected in time.
func TestSilentScraper(t *testing.T) {
	for _, said := range []string{"", "GET /metr", "GET /metrics HTTP/1.1\r\nHost: a\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			l := newMemory()
			serveFor(t, &Server{Metrics: prometheus.NewRegistry(), Ready: always(nil)}, l)
			began := time.Now()
			conn := l.dial()
			_, _ = io.WriteString(conn, said)
			_, _ = io.ReadAll(conn)
			if took := time.Since(began); took != headerTimeout {
				t.Errorf("after %q: disconnected after %v, want %v", said, took, headerTimeout)
			}
			conn.Close()
			synctest.Wait()
		})
	}
}

// One that does not read its answer is disconnected, too.
func TestScraperThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemory()
		serveFor(t, &Server{Metrics: prometheus.NewRegistry(), Ready: always(nil)}, l)
		conn := l.dial()
		_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
		time.Sleep(writeTimeout + time.Second)
		synctest.Wait()
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("error %v, want the end of the connection", err)
		}
		conn.Close()
		synctest.Wait()
	})
}

// slow is a collector that takes its time.
type slow struct{ entered, leave chan struct{} }

func (s slow) Describe(chan<- *prometheus.Desc) {}

func (s slow) Collect(chan<- prometheus.Metric) {
	s.entered <- struct{}{}
	<-s.leave
}

func TestScrapesAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slow{entered: make(chan struct{}, maxScrapes), leave: make(chan struct{})}
		r := prometheus.NewRegistry()
		r.MustRegister(s)
		l := newMemory()
		serveFor(t, &Server{Metrics: r, Ready: always(nil)}, l)
		ask := func() (string, net.Conn) {
			conn := l.dial()
			_, _ = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			line, _ := bufio.NewReader(conn).ReadString('\n')
			return line, conn
		}
		answers := make(chan string, maxScrapes)
		for range maxScrapes {
			go func() {
				line, conn := ask()
				_, _ = io.Copy(io.Discard, conn)
				conn.Close()
				answers <- line
			}()
			<-s.entered
		}
		line, conn := ask()
		if !strings.Contains(line, "503") {
			t.Errorf("one too many: %q, want 503", line)
		}
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
		for range maxScrapes { // they are given up in time
			if line := <-answers; !strings.Contains(line, "503") {
				t.Errorf("slow scrape: %q, want 503", line)
			}
		}
		close(s.leave)
		synctest.Wait()
	})
}

func TestConnectionsAreBounded(t *testing.T) {
	l := listen(t)
	serveFor(t, &Server{Metrics: prometheus.NewRegistry(), Ready: always(nil)}, l)
	open := func() net.Conn {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	var held []net.Conn
	for range maxConns {
		conn := open()
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("answer %q, error %v", line, err)
		}
		held = append(held, conn)
	}
	late := open()
	defer late.Close()
	_, _ = io.WriteString(late, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
	_ = late.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := late.Read(make([]byte, 1)); err == nil {
		t.Fatalf("one connection too many was answered: %d bytes", n)
	}
	held[0].Close()
	_ = late.SetReadDeadline(time.Now().Add(10 * time.Second))
	if line, err := bufio.NewReader(late).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Errorf("after another one was closed: answer %q, error %v", line, err)
	}
}
