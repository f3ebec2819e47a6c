// SPDX-License-Identifier: Apache-2.0

package imports

import (
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

// importsOf returns the import paths of a parsed file.
func importsOf(file *ast.File) []string {
	var paths []string
	for _, spec := range file.Imports {
		// The parser accepts only valid string literals here.
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

func (c *checker) imports(name string, imported []string) {
	dir := path.Dir(name)
	for _, p := range imported {
		ours, isOurs := strings.CutPrefix(p, module+"/")
		if isOurs {
			c.ours(name, dir, ours)
			continue
		}
		isTest := strings.HasSuffix(name, "_test.go")
		thirdParty := strings.Contains(strings.SplitN(p, "/", 2)[0], ".")
		if thirdParty && !isTest && slices.ContainsFunc(stdlibOnly, func(d string) bool { return under(dir, d) }) {
			c.add(name, "imports %s: only the standard library is allowed here", p)
		}
		if why, bad := impure[p]; bad && isPure(name) {
			c.add(name, "imports %s: a pure package does not, it %s", p, why)
		}
	}
}

// ours applies the boundaries to one import inside the module.
func (c *checker) ours(name, dir, imported string) {
	below := func(d string) bool { return under(imported, d) }
	for _, b := range boundaries {
		if !under(dir, b.dir) || b.except != "" && under(dir, b.except) {
			continue
		}
		if b.only != nil && !slices.ContainsFunc(b.only, below) || slices.ContainsFunc(b.never, below) {
			c.add(name, "imports %s: %s", imported, b.why)
		}
	}
	if under(dir, "tests") && slices.Contains(strings.Split(imported, "/"), "internal") {
		c.add(name, "imports %s: tests are black-box", imported)
	}
}

// isPure says whether a file belongs to a pure package and is not its test.
func isPure(name string) bool {
	return !strings.HasSuffix(name, "_test.go") &&
		slices.ContainsFunc(pure, func(dir string) bool { return under(path.Dir(name), dir) })
}

// clockUses returns the functions of package time that read or wait for the
// clock, in the order of the text.
func clockUses(file *ast.File) []string {
	local := ""
	for _, spec := range file.Imports {
		if spec.Path.Value != `"time"` {
			continue
		}
		local = "time"
		if spec.Name != nil {
			local = spec.Name.Name
		}
	}
	var used []string
	ast.Inspect(file, func(n ast.Node) bool {
		sel, isSel := n.(*ast.SelectorExpr)
		if !isSel || local == "" {
			return true
		}
		if x, isIdent := sel.X.(*ast.Ident); isIdent && x.Name == local && slices.Contains(clock, sel.Sel.Name) {
			used = append(used, sel.Sel.Name)
		}
		return true
	})
	return used
}
