// SPDX-License-Identifier: Apache-2.0

// Package push follows policyd: it keeps one subscription open, hands over
// what policyd pushes, and takes the answers back.
//
// A [Client] knows one policyd or several, any of which will do: it turns to the
// next one whenever a subscription ends or does not come about. When it has tried
// all of them, or lost one that it had, it dials again after a pause that doubles from [MinPause] to [MaxPause] and varies at random, so
// that a thousand hosts do not come back in the same instant. It never gives
// up. A subscription that is silent for [Silence] counts as dead: policyd sends
// something every 5 s.
//
// policyd pushes subpolicies whole, or what has changed since the one before. A
// change is made of the last subpolicy that came on the subscription, whether the host
// could load it or not, or of the one that the host had when it subscribed. One that
// does not fit is answered here, and the host hears nothing of it: policyd pushes the
// whole.
//
// An acknowledgement that cannot be delivered ends the subscription: policyd
// offers the subpolicy again on the next one, and is told then.
//
// The package imports proto, its services and changes, and, for [subpolicy.Ref], subpolicy.
// A Client's methods may be called from several goroutines; Run once.
package push
