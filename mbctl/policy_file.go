// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/policy"
)

// maxPolicy is the most that policyd takes (proto/policy.proto).
const maxPolicy = 4 << 20

// readPolicy reads the policy text that a command is given: one file, or several
// that are its documents. The name is for messages.
func (w *world) readPolicy(c *cli.Context) (name, source string, err error) {
	args, err := operands(c, 1, policy.MaxDocuments)
	if err != nil {
		return "", "", err
	}
	return w.readDocuments(args)
}

func (w *world) readDocuments(files []string) (name, source string, err error) {
	var documents []policy.Document
	for _, file := range files {
		name, text, err := w.readText(file)
		if err != nil {
			return "", "", err
		}
		documents = append(documents, policy.Document{Name: filepath.Base(name), Text: text})
	}
	if len(files) == 1 {
		return w.fileName(files[0]), documents[0].Text, nil
	}
	source, err = policy.Join(documents)
	if err == nil && len(source) > maxPolicy {
		err = fmt.Errorf("longer than %s together", bytesText(maxPolicy))
	}
	if err != nil {
		return "", "", fmt.Errorf("read policy %s: %w", strings.Join(files, " "), err)
	}
	return plural(len(files), "document"), source, nil
}

// fileName is what messages call a file that may be "-".
func (w *world) fileName(file string) string {
	if file == "-" {
		return "stdin"
	}
	return file
}

// readText reads a file, or standard input for "-".
func (w *world) readText(file string) (name, text string, err error) {
	name, in := w.fileName(file), io.NopCloser(w.stdin)
	if file != "-" {
		if in, err = w.open(file); err != nil {
			return "", "", fmt.Errorf("read policy: %w", err)
		}
	}
	b, err := io.ReadAll(io.LimitReader(in, maxPolicy+1))
	if err := errors.Join(err, in.Close()); err != nil {
		return "", "", fmt.Errorf("read policy %s: %w", name, err)
	}
	if len(b) > maxPolicy {
		return "", "", fmt.Errorf("read policy %s: longer than %s", name, bytesText(maxPolicy))
	}
	return name, string(b), nil
}

// parsePolicy reads and parses the policy in files, or the one that runs if there
// are none. A nil policy comes with an error, or when all was said.
func (w *world) parsePolicy(c *cli.Context, files []string, version uint64) (name string, parsed *policy.Policy, err error) {
	var source string
	if len(files) > 0 {
		name, source, err = w.readDocuments(files)
	} else {
		name, source, err = w.keptPolicy(c, version)
	}
	if err != nil {
		return "", nil, err
	}
	if parsed, err = policy.Parse(source); err != nil {
		var found policy.Errors
		if !errors.As(err, &found) {
			return "", nil, err
		}
		return "", nil, w.printFindings(c, name, found)
	}
	return name, parsed, nil
}
