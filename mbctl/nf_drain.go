// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

// whichInstance reads NAME or TYPE/NAME: the host, by its own name or that of an
// instance on it, and the type, empty for all.
func (p *policyd) whichInstance(ctx context.Context, name string) (*proto.DrainRequest, error) {
	got, err := p.nfs.List(ctx, &proto.ListNFsRequest{})
	if err != nil {
		return nil, p.failed(err)
	}
	nfType, rest, typed := strings.Cut(name, "/")
	if !typed {
		nfType, rest = "", name
	}
	r := &proto.DrainRequest{Host: rest, Type: nfType}
	if slices.ContainsFunc(got.Instances, func(in *proto.NFInstance) bool { return in.Host == rest }) ||
		slices.ContainsFunc(got.Drains, func(d *proto.Drain) bool { return d.Host == rest }) {
		return r, nil
	}
	var hosts []string
	for _, in := range got.Instances {
		named := in.Name == rest || in.Address == rest || in.Address6 == rest
		if named && (!typed || in.Type == nfType) && !slices.Contains(hosts, in.Host) {
			hosts = append(hosts, in.Host)
		}
	}
	switch {
	case len(hosts) > 1:
		return nil, usagef("%s is an instance on several hosts, %s: say the host, or TYPE/%s", name, strings.Join(hosts, " and "), rest)
	case len(hosts) == 1 && hosts[0] == "":
		return nil, &failure{code: exitHosts, err: fmt.Errorf("%s is on no host that is known: no agent with its address has registered", name),
			hint: "see `mbctl host list`"}
	case len(hosts) == 1:
		r.Host = hosts[0]
	}
	return r, nil // a host that is no instance now may become one
}

// drainedView is what nf undrain, and nf drain, print in JSON.
type drainedView struct {
	Host      string     `json:"host"`
	Type      string     `json:"type"`
	Unchanged bool       `json:"unchanged"`
	Outcome   *drainView `json:"outcome"` // null: nobody waited
}

func (r drainedView) what() string {
	if r.Type == "" {
		return r.Host
	}
	return r.Type + "/" + r.Host
}

func (w *world) nfDrain(c *cli.Context) error { return w.setDrain(c, false) }

func (w *world) nfUndrain(c *cli.Context) error { return w.setDrain(c, true) }

func (w *world) setDrain(c *cli.Context, end bool) error {
	p, args, err := w.policydAndOperands(c, 1, 1)
	if err != nil {
		return err
	}
	r, err := p.whichInstance(c.Context, args[0])
	if err != nil {
		return err
	}
	call, done, already := p.nfs.Drain, "gets no new sessions", "is drained already"
	if end {
		call, done, already = p.nfs.Undrain, "gets new sessions again", "is not drained"
	}
	got, err := call(c.Context, r)
	if err != nil {
		return p.failed(err)
	}
	view := drainedView{Host: r.Host, Type: r.Type, Unchanged: got.Unchanged}
	if !c.Bool("json") {
		if got.Unchanged {
			done = already
		}
		w.printf("%s %s\n", view.what(), done)
	}
	if end || !c.Bool("wait") {
		if c.Bool("json") {
			return w.printJSON(view)
		}
		if !end {
			w.printf("its live sessions move to other instances; see `mbctl nf list`\n")
		}
		return nil
	}
	last, waitErr := w.awaitEmpty(c, p, r)
	if last != nil {
		outcome := viewDrain(last)
		view.Outcome = &outcome
	}
	if c.Bool("json") {
		return errors.Join(w.printJSON(view), waitErr)
	}
	if waitErr == nil {
		w.printf("no live session has to leave it any more\n")
	}
	return waitErr
}

// awaitEmpty waits until no live session has to leave what is drained, and returns what
// was last heard of it.
func (w *world) awaitEmpty(c *cli.Context, p *policyd, r *proto.DrainRequest) (*proto.Drain, error) {
	line := progressLine{world: w, quiet: c.Bool("json")}
	defer line.show("")
	var last *proto.Drain
	for {
		got, err := p.nfs.List(c.Context, &proto.ListNFsRequest{})
		if err != nil && (last == nil || c.Context.Err() == nil) {
			return last, p.failed(err)
		}
		if err == nil {
			i := slices.IndexFunc(got.Drains, func(d *proto.Drain) bool { return d.Host == r.Host && (d.Type == r.Type || d.Type == "") })
			if i < 0 {
				return last, &failure{code: exitFailure, err: fmt.Errorf("wait: %s was undrained meanwhile", r.Host), hint: "see `mbctl nf list`"}
			}
			last = got.Drains[i]
			if last.LookedUnixMs != 0 && last.Left == 0 {
				return last, nil
			}
			line.show(leavingText(last))
			err = w.sleep(c.Context, pollInterval)
		}
		if err != nil {
			line.show("")
			return last, &failure{code: exitHosts, err: fmt.Errorf("wait: time is up: %s", leavingText(last)),
				hint: "it stays drained, and they go on leaving: see `mbctl nf list`"}
		}
	}
}
