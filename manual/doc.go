// SPDX-License-Identifier: Apache-2.0

// Package manual makes man pages out of what a program's --help is made of: the commands,
// options and descriptions that it gives to package cli. It imports nothing of ours.
//
// Descriptions are plain text. A blank line ends a paragraph; lines that begin with two
// blanks stand as they are; `text` is to be typed. A line of one or two words and a
// colon, such as "Examples:", begins a section.
package manual
