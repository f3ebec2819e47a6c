// SPDX-License-Identifier: Apache-2.0

// Package monitortest holds what a program shows to Prometheus against what docs/ says
// of it: the table in OPERATIONS.md, the dashboard and the alert rules in monitoring/.
// It also gets their pages. It is for tests.
package monitortest
