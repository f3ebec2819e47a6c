// SPDX-License-Identifier: Apache-2.0

// Package monitor is how agentd and policyd let themselves be watched.
//
// [Listen] and [Server.Serve] make an HTTP endpoint with three pages:
//
//	/metrics  what the program counts, as Prometheus reads it
//	/healthz  200 while the program answers at all
//	/readyz   200 while it can do its work, else 503 and the reason
//
// It answers whoever reaches it, without TLS, so nothing may stand there that a
// stranger must not know: no secret, no address, no session. What a scraper can
// make the program do is bounded in time, size and number.
//
// [ListenDebug] and [ServeDebug] make the profiles of net/http/pprof, on a unix
// socket that only root may open and never on a port: a profile shows what is in
// memory, and costs time.
//
// [NewLogger] makes the log of a program, as text or JSON. [Notify] tells a service
// manager that it is ready.
//
// The package knows no program. A [Server] may be used from several goroutines.
package monitor
