// SPDX-License-Identifier: Apache-2.0

package imports

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestCheckoutKeepsItsRules(t *testing.T) {
	found, err := check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

const spdxGo = "// SPDX-License-Identifier: Apache-2.0\n\n"

// goFile is a file that imports the given paths and is otherwise in order.
func goFile(paths ...string) string {
	var b strings.Builder
	b.WriteString(spdxGo + "package p\n")
	for _, p := range paths {
		b.WriteString("import _ \"" + p + "\"\n")
	}
	return b.String()
}

func TestCheckFindsEveryBreach(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{{
		name: "in order",
		files: map[string]string{
			"chain/a.go":                     goFile("net/netip", "time"),
			"policy/a.go":                    goFile("mbchain/chain", "golang.org/x/net/bpf"),
			"policy/a_test.go":               goFile("os"),
			"genl/a.go":                      goFile("mbchain/chain", "mbchain/genl/internal/uapi"),
			"agentd/internal/kernel/a.go":    goFile("mbchain/genl"),
			"agentd/internal/subpolicy/a.go": spdxGo + "package p\nimport \"time\"\nvar d = time.Second\n",
			"tests/lab/a.go":                 goFile("mbchain/genl"),
			"tests/vm/run":                   "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n",
			"tests/kcore/main.c":             "/* SPDX-License-Identifier: GPL-2.0-only */\n",
			"kmod/a.c":                       "// SPDX-License-Identifier: GPL-2.0-only\n",
			"kmod/a.mod.c":                   "#include <linux/module.h>\n",
			"kmod/uapi/a.h":                  "/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */\n",
			"build/a/b.go":                   "no Go at all",
			"docs/a.md":                      "text",
		},
	}, {
		name: "a leaf imports another leaf",
		files: map[string]string{
			"policy/a.go":      goFile("mbchain/proto"),
			"genl/a.go":        goFile("mbchain/policy"),
			"genl/a_test.go":   goFile("mbchain/policy"),
			"proto/a.go":       goFile("mbchain/chain"),
			"chain/a.go":       goFile("mbchain/policy"),
			"chain/b.go":       goFile("golang.org/x/net/bpf"),
			"chain/c_test.go":  goFile("github.com/google/go-cmp/cmp"),
			"policy/q/r.go":    goFile("mbchain/genlx"),
			"policyd/a.go":     goFile("mbchain/genl"),
			"policyd/i/b.go":   goFile("mbchain/agentd/internal/state"),
			"policyd/i/c.go":   goFile("mbchain/policyd/internal/store"),
			"mbctl/a.go":       goFile("mbchain/agentd/x"),
			"agentd/a.go":      goFile("mbchain/policyd/x"),
			"agentd/main.go":   goFile("mbchain/genl"),
			"agentd/kernel.go": goFile("mbchain/genl/internal/uapi"),
		},
		want: []string{
			"agentd/a.go: imports policyd/x: programs meet over proto",
			"agentd/kernel.go: imports genl/internal/uapi: only agentd/internal/kernel speaks to the module",
			"agentd/main.go: imports genl: only agentd/internal/kernel speaks to the module",
			"chain/a.go: imports policy: chain is the vocabulary and needs nobody",
			"chain/b.go: imports golang.org/x/net/bpf: only the standard library is allowed here",
			"genl/a.go: imports policy: a leaf imports only chain",
			"genl/a_test.go: imports policy: a leaf imports only chain",
			"mbctl/a.go: imports agentd/x: programs meet over proto",
			"policy/a.go: imports proto: a leaf imports only chain",
			"policy/q/r.go: imports genlx: a leaf imports only chain",
			"policyd/a.go: imports genl: policyd has no kernel module below it",
			"policyd/i/b.go: imports agentd/internal/state: policyd has no kernel module below it",
			"proto/a.go: imports chain: proto imports nothing of ours",
		},
	}, {
		name: "a pure package is not",
		files: map[string]string{
			"policy/a.go":                    goFile("os", "log/slog", "net"),
			"agentd/internal/session/a.go":   goFile("crypto/rand", "math/rand/v2"),
			"agentd/internal/subpolicy/a.go": spdxGo + "package p\nimport \"time\"\nvar n, l = time.Now(), time.Local\n",
			"agentd/internal/subpolicy/b.go": spdxGo + "package p\nimport t \"time\"\nfunc f() { t.Sleep(1) }\n",
			"agentd/internal/state/a.go":     goFile("os"),
		},
		want: []string{
			"agentd/internal/session/a.go: imports crypto/rand: a pure package does not, it is a source of randomness",
			"agentd/internal/session/a.go: imports math/rand/v2: a pure package does not, it is a source of randomness",
			"agentd/internal/subpolicy/a.go: uses time.Now: a pure package is told the time",
			"agentd/internal/subpolicy/b.go: uses time.Sleep: a pure package is told the time",
			"policy/a.go: imports log/slog: a pure package does not, it does I/O",
			"policy/a.go: imports net: a pure package does not, it does I/O",
			"policy/a.go: imports os: a pure package does not, it does I/O",
		},
	}, {
		name: "tests open a box",
		files: map[string]string{
			"tests/lab/a_test.go": goFile("mbchain/agentd/internal/state"),
		},
		want: []string{"tests/lab/a_test.go: imports agentd/internal/state: tests are black-box"},
	}, {
		name: "Go and C in one directory",
		files: map[string]string{
			"genl/a.go": goFile(),
			"genl/a.c":  "/* SPDX-License-Identifier: GPL-2.0-only */\n",
		},
		want: []string{"genl: holds both .go and .c files: Go refuses to build it"},
	}, {
		name: "licences absent or wrong",
		files: map[string]string{
			"kmod/a.c":      "/* SPDX-License-Identifier: MIT */\n",
			"kmod/Makefile": "all:\n",
			"kmod/uapi/a.h": "/* SPDX-License-Identifier: GPL-2.0-only */\n",
			"proto/a.proto": "\n\n\n// SPDX-License-Identifier: Apache-2.0\n",
			"tests/vm/run":  "#!/bin/sh\n",
			"tests/lab/a.c": "// SPDX-License-Identifier: Apache-2.0\n",
			"mbctl/a.go":    "package main\n",
		},
		want: []string{
			`kmod/Makefile: no SPDX line in its first 3 lines`,
			`kmod/a.c: licence is "MIT", want "GPL-2.0-only"`,
			`kmod/uapi/a.h: licence is "GPL-2.0-only", want "(GPL-2.0 WITH Linux-syscall-note) OR MIT"`,
			`mbctl/a.go: no SPDX line in its first 3 lines`,
			`proto/a.proto: no SPDX line in its first 3 lines`,
			`tests/lab/a.c: licence is "Apache-2.0", want "GPL-2.0-only"`,
			`tests/vm/run: no SPDX line in its first 3 lines`,
		},
	}, {
		name:  "a new directory at the top",
		files: map[string]string{"util/a.go": goFile()},
		want:  []string{"util: no such directory in the plan of the house"},
	}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			checkout := fstest.MapFS{}
			for _, text := range licenceTexts {
				checkout["LICENSES/"+text] = &fstest.MapFile{}
			}
			for name, text := range test.files {
				checkout[name] = &fstest.MapFile{Data: []byte(text)}
			}
			got, err := check(checkout)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("breaches (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckMissesNoLicenceText(t *testing.T) {
	got, err := check(fstest.MapFS{"LICENSES/MIT.txt": &fstest.MapFile{}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"LICENSES/Apache-2.0.txt: missing",
		"LICENSES/GPL-2.0-only.txt: missing",
		"LICENSES/Linux-syscall-note.txt: missing",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("breaches (-want +got):\n%s", diff)
	}
}
