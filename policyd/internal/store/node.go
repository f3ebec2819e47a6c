// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"mbchain/identity"
)

// MaxNodes bounds what is remembered of policyds: five vote, and others are
// about to join or to leave.
const MaxNodes = 16

// Node is a policyd of the cluster as everybody else reaches it. Who votes is
// for Raft to know.
type Node struct {
	Name    string `json:"name"`
	Address string `json:"address"` // host and port for agents, mbctl and other policyds
}

// SetNode adds a node, or replaces what is known of it.
type SetNode struct {
	Node Node `json:"node"`
}

// RemoveNode forgets a node and the tokens that were made for it.
type RemoveNode struct {
	Name string `json:"name"`
}

// Node returns the node called name.
func (s *State) Node(name string) (Node, bool) {
	i, found := s.findNode(name)
	if !found {
		return Node{}, false
	}
	return s.Nodes[i], true
}

func (s *State) findNode(name string) (int, bool) {
	return slices.BinarySearchFunc(s.Nodes, name, func(n Node, name string) int {
		return strings.Compare(n.Name, name)
	})
}

func (s *State) setNode(c *SetNode) (*State, error) {
	i, found := s.findNode(c.Node.Name)
	switch {
	case found && s.Nodes[i] == c.Node:
		return nil, nil
	case !found && len(s.Nodes) >= MaxNodes:
		return nil, fmt.Errorf("%w: %d nodes are known", ErrFull, len(s.Nodes))
	}
	next := *s
	next.Nodes = slices.Clone(s.Nodes)
	if found {
		next.Nodes[i] = c.Node
	} else {
		next.Nodes = slices.Insert(next.Nodes, i, c.Node)
	}
	return &next, nil
}

func (s *State) removeNode(c *RemoveNode) *State {
	i, found := s.findNode(c.Name)
	tokens := slices.DeleteFunc(slices.Clone(s.Tokens), func(t Token) bool {
		return t.Role == identity.Policyd.String() && t.Name == c.Name
	})
	if !found && len(tokens) == len(s.Tokens) {
		return nil
	}
	next := *s
	next.Tokens = tokens
	if found {
		next.Nodes = slices.Delete(slices.Clone(s.Nodes), i, i+1)
	}
	return &next
}

func (n Node) check() error {
	if n.Name == "" || !utf8.ValidString(n.Name) {
		return fmt.Errorf("node name %q", n.Name)
	}
	if !strings.Contains(n.Address, ":") || !utf8.ValidString(n.Address) {
		return fmt.Errorf("node %s has address %q", n.Name, n.Address)
	}
	return nil
}

// checkNodes is for a list in a snapshot.
func checkNodes(list []Node) error {
	if len(list) > MaxNodes {
		return fmt.Errorf("%d nodes", len(list))
	}
	for i, n := range list {
		if err := n.check(); err != nil {
			return err
		}
		if i > 0 && list[i-1].Name >= n.Name {
			return errors.New("nodes are out of order")
		}
	}
	return nil
}
