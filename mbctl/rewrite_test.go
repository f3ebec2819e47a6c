// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRewriteFile(t *testing.T) {
	dir := t.TempDir()
	name, link := filepath.Join(dir, "web.policy"), filepath.Join(dir, "link")
	if err := os.WriteFile(name, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("web.policy", link); err != nil {
		t.Fatal(err)
	}
	if err := rewriteFile(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	info, statErr := os.Stat(name)
	if err != nil || statErr != nil || string(text) != "new" || info.Mode().Perm() != 0o640 {
		t.Errorf("%q of mode %v, errors %v, %v", text, info.Mode(), err, statErr)
	}
	if link, err := os.Lstat(link); err != nil || link.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", link, err)
	}
	if err := rewriteFile(filepath.Join(dir, "none"), nil); err == nil {
		t.Error("a file came to be")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
