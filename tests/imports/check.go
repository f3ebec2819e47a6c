// SPDX-License-Identifier: Apache-2.0

package imports

import (
	"cmp"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// check reads the checkout and returns every breach of the rules, sorted, each
// as "path: what is wrong".
func check(checkout fs.FS) ([]string, error) {
	c := checker{languages: make(map[string]map[string]bool)}
	err := fs.WalkDir(checkout, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return c.dir(name)
		case !d.Type().IsRegular():
			return nil
		}
		return c.file(checkout, name)
	})
	if err != nil {
		return nil, err
	}
	for dir, has := range c.languages {
		if has[".go"] && has[".c"] {
			c.add(dir, "holds both .go and .c files: Go refuses to build it")
		}
	}
	for _, text := range licenceTexts {
		if _, err := fs.Stat(checkout, path.Join("LICENSES", text)); err != nil {
			c.add(path.Join("LICENSES", text), "missing")
		}
	}
	slices.Sort(c.found)
	return c.found, nil
}

type checker struct {
	found     []string
	languages map[string]map[string]bool // directory -> suffixes of its files
}

func (c *checker) add(name, format string, args ...any) {
	c.found = append(c.found, name+": "+fmt.Sprintf(format, args...))
}

func (c *checker) dir(name string) error {
	if name == "." || strings.Contains(name, "/") {
		return nil
	}
	if slices.Contains(outputDirs, name) {
		return fs.SkipDir
	}
	if !slices.Contains(topDirs, name) {
		c.add(name, "no such directory in the plan of the house")
	}
	return nil
}

func (c *checker) file(checkout fs.FS, name string) error {
	dir, suffix := path.Dir(name), path.Ext(name)
	if c.languages[dir] == nil {
		c.languages[dir] = make(map[string]bool)
	}
	// Kbuild leaves a .mod.c behind where it built; it is no source.
	if !strings.HasSuffix(name, ".mod.c") {
		c.languages[dir][suffix] = true
	}
	if dir == "LICENSES" || strings.HasSuffix(name, ".mod.c") || strings.Contains(name, "/testdata/") {
		return nil
	}
	text, err := fs.ReadFile(checkout, name)
	if err != nil {
		return err
	}
	c.licence(name, text)
	if suffix == ".go" {
		return c.goFile(name, text)
	}
	return nil
}

func (c *checker) licence(name string, text []byte) {
	base := path.Base(name)
	isSource := slices.Contains(sourceSuffixes, path.Ext(base)) ||
		slices.Contains(sourceNames, base) || strings.HasPrefix(string(text), "#!")
	if !isSource {
		return
	}
	const tag = "SPDX-License-Identifier: "
	want := wantLicence(name)
	for i, line := range strings.SplitN(string(text), "\n", spdxLines+1) {
		_, got, found := strings.Cut(line, tag)
		if !found || i == spdxLines {
			continue
		}
		got = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(got), "*/"))
		if got != want {
			c.add(name, "licence is %q, want %q", got, want)
		}
		return
	}
	c.add(name, "no SPDX line in its first %d lines", spdxLines)
}

func wantLicence(name string) string {
	if suffix := path.Ext(name); (suffix == ".c" || suffix == ".h") && !under(name, "kmod") {
		return cLicence
	}
	dirs := slices.SortedFunc(maps.Keys(licences), func(a, b string) int {
		return cmp.Compare(len(b), len(a))
	})
	i := slices.IndexFunc(dirs, func(dir string) bool { return under(name, dir) })
	return licences[dirs[i]] // "" is above everything
}

func (c *checker) goFile(name string, text []byte) error {
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	c.imports(name, importsOf(file))
	if isPure(name) {
		for _, used := range clockUses(file) {
			c.add(name, "uses time.%s: a pure package is told the time", used)
		}
	}
	return nil
}

// under says whether name is dir or lies below it; everything lies below "".
func under(name, dir string) bool {
	return dir == "" || name == dir || strings.HasPrefix(name, dir+"/")
}
