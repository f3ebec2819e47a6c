// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

func (w *world) policyExplainCommand() *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say which rule, chain and instances a session would get, and why",
		ArgsUsage: "SOURCE:PORT DESTINATION:PORT [PROTOCOL]",
		Description: describe(`Takes the five-tuple as the client sees it. PROTOCOL is tcp (the default), udp
or a number; an IPv6 address stands in brackets. Nothing is sent to any host.`,
			"mbctl policy explain 10.0.0.1:40000 10.0.0.4:80 tcp",
			"mbctl policy explain '[fd00::1]:40000' '[fd00::4]:80' tcp",
			"mbctl policy explain '10.0.0.1:40000 -> 10.0.0.4:80 tcp'"),
		Action: w.action(w.policyExplain),
	}
}

// explainView is what policy explain prints in JSON.
type explainView struct {
	Tuple     *tupleView       `json:"tuple"`
	Version   uint64           `json:"version"`
	Matched   bool             `json:"matched"`
	Rule      uint32           `json:"rule"`
	RuleText  string           `json:"rule_text"`
	RuleName  string           `json:"rule_name"` // empty: it has none
	Document  string           `json:"document"`  // that the line is of; may be empty
	Line      uint32           `json:"line"`
	OnFailure string           `json:"on_failure"`
	Hops      []explainHopView `json:"hops"`
	Why       []string         `json:"why"`
	Problem   string           `json:"problem"`
}

type explainHopView struct {
	Type        string `json:"type"` // empty: the server
	Host        string `json:"host"`
	Address     string `json:"address"`
	Weight      uint32 `json:"weight"`
	TotalWeight uint32 `json:"total_weight"`
	Point       uint64 `json:"point"`
}

func (w *world) policyExplain(c *cli.Context) error {
	p, args, err := w.policydAndOperands(c, 1, 4)
	if err != nil {
		return err
	}
	tuple, err := parseTuple(args)
	if err != nil {
		return wrongOperands(c, err.Error())
	}
	got, err := p.policy.Explain(c.Context, &proto.ExplainRequest{Tuple: tuple})
	if err != nil {
		return p.failed(err)
	}
	if c.Bool("json") {
		return w.printJSON(viewExplain(tuple, got))
	}
	w.printExplain(tuple, got)
	return nil
}

func viewExplain(tuple *proto.Tuple, got *proto.ExplainResponse) explainView {
	v := explainView{
		Tuple:     viewTuple(tuple),
		Version:   got.Version,
		Matched:   got.Matched,
		Rule:      got.Rule,
		RuleText:  got.RuleText,
		RuleName:  got.RuleName,
		Document:  got.Document,
		Line:      got.Line,
		OnFailure: got.OnFailure,
		Hops:      []explainHopView{},
		Why:       append([]string{}, got.Why...),
		Problem:   got.Problem,
	}
	for _, hop := range got.Hops {
		v.Hops = append(v.Hops, explainHopView{
			Type:        hop.Type,
			Host:        hop.Host,
			Address:     hop.Address,
			Weight:      hop.Weight,
			TotalWeight: hop.TotalWeight,
			Point:       hop.Point,
		})
	}
	return v
}

func (w *world) printExplain(tuple *proto.Tuple, got *proto.ExplainResponse) {
	w.printf("%s %s\n\n", w.paint(bold, tupleText(tuple, w.glyphs().right)), protocolText(tuple.Protocol))
	switch {
	case got.Version == 0:
		w.printf("no policy was ever applied: the session is left alone; %s\n", applyHint)
	case !got.Matched:
		w.printf("no rule of policy version %d matches: the session is left alone\n", got.Version)
	default:
		w.printRule(tuple, got)
	}
	if len(got.Why) > 0 {
		w.printf("\nwhy\n")
		for _, step := range got.Why {
			w.printf("  - %s\n", step)
		}
	}
}

func (w *world) printRule(tuple *proto.Tuple, got *proto.ExplainResponse) {
	name, document := "", ""
	if got.RuleName != "" {
		name = fmt.Sprintf(" %q", got.RuleName)
	}
	if got.Document != "" {
		document = " of " + got.Document + ","
	}
	w.printf("rule %d%s, line %d%s of policy version %d\n    %s\n\n", got.Rule, name, got.Line, document, got.Version, got.RuleText)
	if got.Problem != "" {
		w.printf("%s: %s\n%s\n", w.paint(red, "no chain comes of it"), got.Problem, failureText(got.OnFailure))
		return
	}
	if !chained(got.Hops) {
		w.printf("the chain is empty: the session is left alone\n")
		return
	}
	t := &table{}
	t.add(cell{text: "   client"}, cell{}, text(tuple.Source), cell{})
	for _, hop := range got.Hops {
		what, choice := "server", ""
		if hop.Type != "" {
			what = hop.Type
			choice = "one of its instances, in turn"
		}
		if hop.Type != "" && hop.Address != "" {
			choice = fmt.Sprintf("weight %d of %d, hash point %d", hop.Weight, hop.TotalWeight, hop.Point)
		}
		t.add(cell{text: pad(w.glyphs().right, 3) + what}, text(hop.Host), text(hop.Address), cell{text: choice})
	}
	t.print(w)
	w.printf("\n%s\n", failureText(got.OnFailure))
}

// chained says whether a chain has a hop that is not the server.
func chained(hops []*proto.ExplainHop) bool {
	for _, hop := range hops {
		if hop.Type != "" {
			return true
		}
	}
	return false
}

func failureText(onFailure string) string {
	if onFailure == "bypass" {
		return "on failure: the session goes straight to the server"
	}
	return "on failure: the session is blocked"
}
