// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Ports of the web server.
const (
	webPort   = 80   // for chains
	plainPort = 8080 // no test has a policy for it
)

const mib = 1 << 20

// web is nginx on the lab's server.
type web struct {
	*host
	client *host
	dir    string
}

// serve starts nginx until the test ends.
func (l *lab) serve(t *testing.T) *web {
	t.Helper()
	w := &web{host: l.server(), client: l.client(), dir: t.TempDir()}
	for _, dir := range []string{"files/up", "temp"} {
		if err := os.MkdirAll(filepath.Join(w.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	conf := filepath.Join(w.dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte(w.config()), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start(t, "nginx", "-p", w.dir, "-c", conf, "-e", "stderr", "-g", "daemon off;")
	eventually(t, soon, func() error {
		for _, port := range []uint16{webPort, plainPort} {
			err := w.in(func() error {
				c, err := net.Dial("tcp", w.port(port).String())
				if err != nil {
					return err
				}
				return c.Close()
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return w
}

func (w *web) config() string {
	return strings.NewReplacer("DIR", w.dir,
		"WEB", w.port(webPort).String(), "PLAIN", w.port(plainPort).String()).Replace(`
user root;
worker_processes 2;
pid DIR/pid;
error_log stderr;
events { worker_connections 2048; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	client_max_body_size 0;
	client_body_temp_path DIR/temp;
	proxy_temp_path DIR/temp;
	fastcgi_temp_path DIR/temp;
	uwsgi_temp_path DIR/temp;
	scgi_temp_path DIR/temp;
	server {
		listen WEB;
		listen PLAIN;
		root DIR/files;
		location /up/ { dav_methods PUT; }
	}
}
`)
}

// file makes a file of random bytes that the server offers under its name,
// unless there is one.
func (w *web) file(t *testing.T, name string, size int64) {
	t.Helper()
	if _, err := os.Stat(w.path(name)); err == nil {
		return
	}
	if err := randomFile(w.path(name), size); err != nil {
		t.Fatal(err)
	}
}

// path is where a file lies.
func (w *web) path(name string) string { return filepath.Join(w.dir, "files", name) }

// curl runs curl on the client with the web server's URL of a name.
func (w *web) curl(in io.Reader, out io.Writer, port uint16, name string, args ...string) error {
	args = append([]string{"--silent", "--show-error", "--fail", "--max-time", fmt.Sprint(int(late.Seconds()))}, args...)
	cmd := exec.Command("curl", append(args, fmt.Sprintf("http://%s/%s", w.host.port(port), name))...)
	cmd.Stdin, cmd.Stdout = in, out
	_, err := w.client.output(cmd)
	return err
}

// download fetches a file and compares what comes with it.
func (w *web) download(port uint16, name string, through *gate) error {
	c, err := openContent(w.path(name))
	if err != nil {
		return err
	}
	err = w.curl(nil, through.writer(c), port, name)
	if err := errors.Join(err, c.close()); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	return nil
}

// upload sends a file of the server's to it and compares what has come.
func (w *web) upload(port uint16, name string, through *gate) error {
	f, err := os.Open(w.path(name))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := w.curl(through.reader(f), io.Discard, port, "up/"+name, "--upload-file", "-"); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	copied := w.path("up/" + name)
	return errors.Join(compareFiles(copied, w.path(name)), os.Remove(copied))
}

// transfer is one under way. It ends when its gate is opened and not before.
type transfer struct {
	gate   *gate
	result chan error
}

// begin moves the file called file, of that size, with w.download or w.upload.
func (w *web) begin(t *testing.T, move func(uint16, string, *gate) error, size int64) *transfer {
	tr := &transfer{gate: newGate(size - mib), result: make(chan error, 1)}
	go func() { tr.result <- move(webPort, "file", tr.gate) }()
	t.Cleanup(tr.gate.open)
	return tr
}

// await waits until so many bytes have come to the gate.
func (tr *transfer) await(t *testing.T, n int64) {
	t.Helper()
	eventually(t, soon, func() error {
		if got := tr.gate.progress(); got < n {
			return fmt.Errorf("%d bytes have been moved, want %d", got, n)
		}
		return nil
	})
}

// rate writes how fast n bytes went.
func rate(n int64, d time.Duration) string {
	return fmt.Sprintf("%d MiB in %v, %.0f Mbit/s", n/mib, d.Round(time.Millisecond), float64(n)*8/1e6/d.Seconds())
}
