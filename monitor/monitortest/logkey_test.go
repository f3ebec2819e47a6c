// SPDX-License-Identifier: Apache-2.0

package monitortest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// keysAt says where the keys begin among the arguments of slog's methods.
var keysAt = map[string]int{"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "Log": 3, "With": 0}

// documentedKey is one in a table of docs/LOGGING.md.
var documentedKey = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|")

func TestEveryLogKeyIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/LOGGING.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"agentd", "policyd"} {
		t.Run(program, func(t *testing.T) {
			_, section, found := strings.Cut(string(text), "\n## "+program+"\n")
			if !found {
				t.Fatalf("docs/LOGGING.md has no section on %s", program)
			}
			section, _, _ = strings.Cut(section, "\n## ")
			var documented []string
			for _, m := range documentedKey.FindAllStringSubmatch(section, -1) {
				documented = append(documented, m[1])
			}
			if diff := cmp.Diff(documented, usedKeys(t, "../../"+program)); diff != "" {
				t.Errorf("keys in docs/LOGGING.md and in the code (-want +got):\n%s", diff)
			}
		})
	}
}

// usedKeys returns every key that a logger below a directory is given, sorted.
func usedKeys(t *testing.T, dir string) []string {
	keys := make(map[string]bool)
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, isCall := n.(*ast.CallExpr); isCall {
				for _, key := range keysOf(call) {
					keys[key] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(keys))
}

// keysOf returns the keys among a call's arguments if it is one of a logger, which
// is called log or logger throughout.
func keysOf(call *ast.CallExpr) []string {
	method, isMethod := call.Fun.(*ast.SelectorExpr)
	if !isMethod {
		return nil
	}
	logger := ""
	switch x := method.X.(type) {
	case *ast.Ident:
		logger = x.Name
	case *ast.SelectorExpr:
		logger = x.Sel.Name
	}
	first, isLog := keysAt[method.Sel.Name]
	if logger = strings.ToLower(logger); !isLog || logger != "log" && logger != "logger" {
		return nil
	}
	var keys []string
	for i := first; i < len(call.Args); i += 2 {
		if lit, isLit := call.Args[i].(*ast.BasicLit); isLit {
			if key, err := strconv.Unquote(lit.Value); err == nil {
				keys = append(keys, key)
			}
		}
	}
	return keys
}
