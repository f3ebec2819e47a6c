// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

// The words of --guarantee and --state, in the order of their numbers. A state
// that does not move is none given.
var (
	guaranteeNames = []string{"loss-free", "ordered", "substream"}
	methodNames    = []string{"none", "conntrack", "exec"}
)

func guaranteeText(g proto.Guarantee) string { return wordOf(guaranteeNames, int(g)-1) }

func methodText(m proto.StateMethod) string { return wordOf(methodNames, int(m)) }

// wordOf is the word of a number, or the number where another version gave it one.
func wordOf(words []string, i int) string {
	if i < 0 || i >= len(words) {
		return fmt.Sprintf("unknown(%d)", i)
	}
	return words[i]
}

func parseGuarantee(c *cli.Context) (proto.Guarantee, error) {
	i, err := parseWord(c, "guarantee", guaranteeNames)
	return proto.Guarantee(i + 1), err
}

func parseMethod(c *cli.Context) (proto.StateMethod, error) {
	i, err := parseWord(c, "state", methodNames)
	return proto.StateMethod(max(i, 0)), err
}

// parseWord is the place of an option's word among words, -1 if it was not given.
func parseWord(c *cli.Context, option string, words []string) (int, error) {
	text := c.String(option)
	if text == "" {
		return -1, nil
	}
	i := slices.Index(words, text)
	if i < 0 {
		return i, usagef("read --%s %q: want one of %s", option, text, strings.Join(words, ", "))
	}
	return i, nil
}
