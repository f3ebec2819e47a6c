// SPDX-License-Identifier: Apache-2.0

// Package imports holds the checkout to the rules of its own house: who may
// import whom, what a pure package must not touch, that Go and C do not share
// a directory, and that every source file names its licence. It reads source
// text only and builds nothing.
//
// The rules are the tables in rules.go. A change of the house starts there.
package imports
