// SPDX-License-Identifier: Apache-2.0

package main

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
var keysAt = map[string]int{"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "With": 0}

func TestEveryLogKeyIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/LOGGING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## policyd\n")
	if !found {
		t.Fatal("docs/LOGGING.md has no section on policyd")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(section, -1) {
		documented = append(documented, m[1])
	}
	if diff := cmp.Diff(documented, usedKeys(t)); diff != "" {
		t.Errorf("keys in docs/LOGGING.md and in the code (-want +got):\n%s", diff)
	}
}

// usedKeys returns every key that a logger of policyd is given, sorted.
func usedKeys(t *testing.T) []string {
	keys := make(map[string]bool)
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
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
