// SPDX-License-Identifier: Apache-2.0

package model

import (
	"go/ast"
	"go/parser"
	"go/token"
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

const machines = "../../agentd/internal/"

// A set holds names in lower case.
type set map[string]bool

func (s set) sorted() []string { return slices.Sorted(maps.Keys(s)) }

func read(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tables returns the states in the tables above the machines, by role.
func tables(t *testing.T) map[string]set {
	byRole := make(map[string]set)
	line := regexp.MustCompile(`(?m)^//\t(left|right|old|new) +(\w+) .*$`)
	for _, pkg := range []string{"lock", "migrate"} {
		for _, m := range line.FindAllStringSubmatch(read(t, machines+pkg+"/machine.go"), -1) {
			if byRole[m[1]] == nil {
				byRole[m[1]] = set{"over": true}
			}
			byRole[m[1]][m[2]] = true
		}
	}
	return byRole
}

// model returns the states that each role takes in the model, and those that it
// leaves out.
func model(t *testing.T) (byRole map[string]set, out set) {
	text := read(t, "migrate.pml")
	byRole, out = make(map[string]set), set{}
	for _, m := range regexp.MustCompile(`\b(left|right|old|new)\[m\] = (\w+)`).FindAllStringSubmatch(text, -1) {
		if byRole[m[1]] == nil {
			byRole[m[1]] = set{}
		}
		if m[2] != "none" {
			byRole[m[1]][m[2]] = true
		}
	}
	_, notModelled, _ := strings.Cut(text, "Not modelled")
	notModelled, _, _ = strings.Cut(notModelled, "Checked after")
	for _, m := range regexp.MustCompile(`(?m)^ \*   (.*)$`).FindAllStringSubmatch(notModelled, -1) {
		for _, name := range strings.Fields(m[1]) {
			out[name] = true
		}
	}
	return byRole, out
}

func TestModelHasTheStatesOfTheMachines(t *testing.T) {
	inModel, out := model(t)
	inTables := tables(t)
	for role, states := range inTables {
		want := set{}
		for s := range states {
			if !out[s] {
				want[s] = true
			}
		}
		if diff := cmp.Diff(want.sorted(), inModel[role].sorted()); diff != "" {
			t.Errorf("states of %s in the tables and in the model (-want +got):\n%s", role, diff)
		}
	}
	if len(inTables) != 4 || len(inModel) != 4 {
		t.Errorf("%d roles in the tables, %d in the model, want 4", len(inTables), len(inModel))
	}
}

// goMessages returns the messages by the names that their String methods give.
func goMessages(t *testing.T) set {
	names := set{}
	for _, pkg := range []string{"lock", "migrate"} {
		path := filepath.Join(machines, pkg, "message.go")
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok && f.Name.Name == "String" {
				ast.Inspect(f, func(n ast.Node) bool {
					if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
						text, err := strconv.Unquote(l.Value)
						if name := strings.TrimPrefix(strings.TrimSpace(text), "UPDATE-"); err == nil && isName(name) {
							names[name] = true
						}
					}
					return true
				})
			}
			return true
		})
	}
	return names
}

func isName(s string) bool { return regexp.MustCompile(`^[A-Z]+$`).MatchString(s) }

func TestModelHasTheMessagesOfTheMachines(t *testing.T) {
	names := set{}
	for _, m := range regexp.MustCompile(`(?m)^#define ([A-Z]+)_(?:LEFT|RIGHT|OLD|NEW) \d+`).FindAllStringSubmatch(read(t, "migrate.pml"), -1) {
		if m[1] != "ASKR" { // an ASK to the right anchor
			names[m[1]] = true
		}
	}
	names["ROUTE"] = true // no machine has to do with it
	if diff := cmp.Diff(goMessages(t).sorted(), names.sorted()); diff != "" {
		t.Errorf("messages of the machines and of the model (-want +got):\n%s", diff)
	}
}
