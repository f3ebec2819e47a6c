// SPDX-License-Identifier: Apache-2.0

// Runner runs every tier of the project's tests and sums up. A tier is one kind
// of test, run as a whole: build, lint, unit, kcore, and the integration tests
// in a guest of each kernel. Tests are counted as the tier's own tool counts
// them: commands, top-level Go tests, the checks of tests/kcore.
//
// The last line of its output is "N passed, N failed"; the exit status is 0 only
// if nothing failed and something passed. Each failure is shown with the command
// that runs it alone. All output is in build/test/TIER.log.
//
// It imports nothing of the project.
package main
