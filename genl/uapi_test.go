// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/internal/uapi"

	"github.com/google/go-cmp/cmp"
)

const header = "../kmod/uapi/mbchain.h"

// headers returns what a program reads that includes the header.
func headers(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, path := range []string{"../kmod/uapi/mbchain_reason.h", header} {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(source)
	}
	return all.String()
}

// TestConstantsAreTheHeaders fails when a name or a value is in the module's
// header and not in Go, or the other way round.
func TestConstantsAreTheHeaders(t *testing.T) {
	want, err := headerConstants(headers(t))
	if err != nil {
		t.Fatal(err)
	}
	got := goConstants(t, "internal/uapi/uapi.go", "reason.go")
	delete(got, "reasonmax") // a convenience, not in the header
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("constants of %s and of genl (-want +got):\n%s", header, diff)
	}
}

func TestHeaderConstants(t *testing.T) {
	tests := []struct {
		name   string
		source string
		want   map[string]string
		fails  bool
	}{
		{
			name:   "number and string",
			source: "#define MBC_MAX_KEYS 4\t/* why */\n#define MBC_GENL_NAME \"mbchain\"\n",
			want:   map[string]string{"maxkeys": "4", "genlname": `"mbchain"`},
		},
		{
			name:   "hexadecimal number",
			source: "#define MBC_ANSWER_GO 0x80000000\n",
			want:   map[string]string{"answergo": "2147483648"},
		},
		{
			name:   "enumeration, its end left out",
			source: "enum mbc_cmd {\n\tMBC_CMD_UNSPEC,\n\t/* a, b */\n\tMBC_CMD_GET_INFO,\t/* c */\n\t__MBC_CMD_MAX\n};\n#define MBC_CMD_MAX (__MBC_CMD_MAX - 1)\n",
			want:   map[string]string{"cmdunspec": "0", "cmdgetinfo": "1"},
		},
		{
			name:   "attribute",
			source: "enum mbc_key_attr {\n\tMBC_KEY_A_UNSPEC,\n\tMBC_KEY_A_ID,\n};",
			want:   map[string]string{"keyattrunspec": "0", "keyattrid": "1"},
		},
		{
			name:   "enumerator with a value",
			source: "enum mbc_x {\n\tMBC_X_A = 1 << 3,\n};",
			fails:  true,
		},
		{
			name:   "define that is no literal",
			source: "#define MBC_X (1 << 3)\n",
			fails:  true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := headerConstants(tt.source)
			if (err != nil) != tt.fails {
				t.Fatalf("headerConstants: %v, want failure: %t", err, tt.fails)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" && !tt.fails {
				t.Errorf("constants (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReasonNamesAreTheHeaders(t *testing.T) {
	var want, got []string
	for _, m := range regexp.MustCompile(`(?m)^\tMBC_REASON_(\w+),`).FindAllStringSubmatch(headers(t), -1) {
		want = append(want, strings.ToLower(m[1]))
	}
	for r := genl.ReasonNone; r <= genl.ReasonMax; r++ {
		got = append(got, r.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reason names (-want +got):\n%s", diff)
	}
	if got, want := (genl.ReasonMax + 1).String(), fmt.Sprintf("reason_%d", genl.ReasonMax+1); got != want {
		t.Errorf("unknown reason is %q, want %q", got, want)
	}
}

func TestChainNumbersAreTheModules(t *testing.T) {
	tests := []struct {
		name  string
		chain fmt.Stringer
		value uint64
		uapi  uint64
	}{
		{"role unspec", chain.RoleUnspecified, uint64(chain.RoleUnspecified), uapi.RoleUnspec},
		{"role client", chain.RoleClient, uint64(chain.RoleClient), uapi.RoleClient},
		{"role middle", chain.RoleMiddle, uint64(chain.RoleMiddle), uapi.RoleMiddle},
		{"role server", chain.RoleServer, uint64(chain.RoleServer), uapi.RoleServer},
		{"state none", chain.StateNone, uint64(chain.StateNone), uapi.TCPNone},
		{"state syn", chain.StateSYN, uint64(chain.StateSYN), uapi.TCPSYN},
		{"state established", chain.StateEstablished, uint64(chain.StateEstablished), uapi.TCPEstablished},
		{"state closing", chain.StateClosing, uint64(chain.StateClosing), uapi.TCPClosing},
		{"state closed", chain.StateClosed, uint64(chain.StateClosed), uapi.TCPClosed},
		{"state reset", chain.StateReset, uint64(chain.StateReset), uapi.TCPReset},
		{"set-up unspec", chain.SetupUnspecified, uint64(chain.SetupUnspecified), uapi.SetupUnspec},
		{"set-up in-band", chain.SetupInBand, uint64(chain.SetupInBand), uapi.SetupInBand},
		{"set-up waiting", chain.SetupWaiting, uint64(chain.SetupWaiting), uapi.SetupWaiting},
		{"set-up done", chain.SetupDone, uint64(chain.SetupDone), uapi.SetupDone},
		{"set-up failed", chain.SetupFailed, uint64(chain.SetupFailed), uapi.SetupFailed},
		{"set-up blocked", chain.SetupBlocked, uint64(chain.SetupBlocked), uapi.SetupBlocked},
		{"set-up bypassed", chain.SetupBypassed, uint64(chain.SetupBypassed), uapi.SetupBypassed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.value != tt.uapi {
				t.Errorf("%v is %d in chain, %d in the module", tt.chain, tt.value, tt.uapi)
			}
		})
	}
	if chain.SessionIDLen != uapi.IDLen {
		t.Errorf("session id: %d bytes in chain, %d in the module", chain.SessionIDLen, uapi.IDLen)
	}
}

var (
	reComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	reDefine  = regexp.MustCompile(`(?m)^#define[ \t]+(\w+)[ \t]*(.*)$`)
	reEnum    = regexp.MustCompile(`(?s)\benum\s+\w*\s*\{(.*?)\}`)
	// Ends of enumerations, which Go does without.
	reMax = regexp.MustCompile(`^(__MBC_\w+_MAX|MBC_\w+_MAX \(__MBC_\w+_MAX - 1\))$`)
)

// headerConstants returns name and value of all that a header defines. It
// knows no more C than the header needs, and fails on the rest.
func headerConstants(source string) (map[string]string, error) {
	source = reComment.ReplaceAllString(source, "")
	all := make(map[string]string)
	for _, m := range reDefine.FindAllStringSubmatch(source, -1) {
		name, value := m[1], strings.TrimSpace(m[2])
		if value == "" || reMax.MatchString(name+" "+value) {
			continue // include guard, end of an enumeration
		}
		if _, err := strconv.Unquote(value); err != nil {
			n, err := strconv.ParseUint(value, 0, 64)
			if err != nil {
				return nil, fmt.Errorf("#define %s %s: not a literal", name, value)
			}
			value = strconv.FormatUint(n, 10)
		}
		all[plain(name)] = value
	}
	for _, m := range reEnum.FindAllStringSubmatch(source, -1) {
		i := 0
		for item := range strings.SplitSeq(m[1], ",") {
			item = strings.TrimSpace(item)
			if item == "" || reMax.MatchString(item) {
				continue
			}
			if !token.IsIdentifier(item) {
				return nil, fmt.Errorf("enumerator %q: not a plain name", item)
			}
			all[plain(item)] = strconv.Itoa(i)
			i++
		}
	}
	return all, nil
}

// plain makes one spelling of a C name and its Go name.
func plain(name string) string {
	name = strings.TrimPrefix(name, "MBC_")
	name = strings.Replace(name, "_A_", "_ATTR_", 1)
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}

// goConstants returns name and value of all constants declared in files.
func goConstants(t *testing.T, files ...string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, name := range files {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		conf := types.Config{Error: func(err error) {
			// Constants do without what the files import.
			if !strings.Contains(err.Error(), "could not import ") {
				t.Error(err)
			}
		}}
		pkg, _ := conf.Check(name, fset, []*ast.File{file}, nil) // its errors are told
		for _, n := range pkg.Scope().Names() {
			c, ok := pkg.Scope().Lookup(n).(*types.Const)
			if !ok {
				continue
			}
			if _, twice := all[plain(n)]; twice {
				t.Errorf("%s: constant %s stands there twice", name, n)
			}
			all[plain(n)] = c.Val().ExactString()
		}
	}
	if len(all) < 100 {
		t.Errorf("only %d constants found: %v", len(all), slices.Sorted(maps.Keys(all)))
	}
	return all
}
