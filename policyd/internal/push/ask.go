// SPDX-License-Identifier: Apache-2.0

package push

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

const (
	// AskFor is how long the hosts have to answer a question.
	AskFor = 3 * time.Second
	// maxQuestions may wait to be sent on a stream, and as many for their
	// answer: more than a few people ask at once.
	maxQuestions = 16
)

// NotConnected is the reason for which a host is missing that has no stream.
const NotConnected = "not connected"

// question is a query to one host. Hub.mu guards it.
type question struct {
	host    string
	query   *proto.Query
	nonce   uint64       // 0: not sent yet
	replies chan<- reply // has room for every question of one Ask
	closed  bool         // has its reply, or nobody waits for it
}

type reply struct {
	host    string
	answer  *proto.AnswerRequest // nil: there is none, because of problem
	problem string
}

// close gives q its reply, once.
func (q *question) close(r reply) {
	if q.closed {
		return
	}
	q.closed = true
	r.host = q.host
	q.replies <- r
}

// Ask puts a query to a host, or to every known host when name is empty, and
// waits for the answers until all are there, [AskFor] is over, or ctx ends. A
// host whose answer is not among them is named in missing with the reason. Both
// results are in the order of the hosts' names.
func (h *Hub) Ask(ctx context.Context, name string, query *proto.Query) (answers []*proto.AnswerRequest, missing []*proto.Missing, err error) {
	ctx, cancel := context.WithTimeout(ctx, AskFor)
	defer cancel()
	questions, replies, err := h.ask(name, query)
	if err != nil {
		return nil, nil, err
	}
	defer h.forget(questions)

	waiting := map[string]bool{}
	for _, q := range questions {
		waiting[q.host] = true
	}
	for len(waiting) > 0 {
		select {
		case r := <-replies:
			delete(waiting, r.host)
			switch {
			case r.answer == nil:
				missing = append(missing, &proto.Missing{Host: r.host, Error: r.problem})
			case r.answer.Error != "":
				missing = append(missing, &proto.Missing{Host: r.host, Error: r.answer.Error})
			default:
				answers = append(answers, r.answer)
			}
		case <-ctx.Done():
			for host := range waiting {
				missing = append(missing, &proto.Missing{Host: host, Error: "no answer in time"})
			}
			clear(waiting)
		}
	}
	h.observeAsked(len(answers), missing)
	slices.SortFunc(answers, func(a, b *proto.AnswerRequest) int { return strings.Compare(a.Host, b.Host) })
	slices.SortFunc(missing, func(a, b *proto.Missing) int { return strings.Compare(a.Host, b.Host) })
	return answers, missing, nil
}

// ask queues the questions. One that cannot be queued has its reply at once.
func (h *Hub) ask(name string, query *proto.Query) ([]*question, <-chan reply, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.ready(); err != nil {
		return nil, nil, err
	}
	hosts := h.domain.State.Hosts
	if name != "" {
		record, known := h.domain.State.Host(name)
		if !known {
			return nil, nil, fmt.Errorf("%w: %s", ErrUnknownHost, name)
		}
		hosts = []store.Host{record}
	}
	replies := make(chan reply, len(hosts))
	questions := make([]*question, len(hosts))
	for i, record := range hosts {
		q := &question{host: record.Name, query: query, replies: replies}
		questions[i] = q
		e := h.hosts[record.Name]
		if e == nil || e.stream == nil {
			q.close(reply{problem: NotConnected})
			continue
		}
		if !e.stream.queue(q) {
			q.close(reply{problem: "the host does not keep up with the questions it has"})
		}
	}
	return questions, replies, nil
}

// queue reports whether there was room for q.
func (s *stream) queue(q *question) bool {
	if len(s.pending) >= maxQuestions {
		return false
	}
	select {
	case s.questions <- q:
		return true
	default:
		return false
	}
}

// forget closes questions that nobody waits for any more.
func (h *Hub) forget(questions []*question) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, q := range questions {
		q.closed = true
		if e := h.hosts[q.host]; e != nil && e.stream != nil && e.stream.pending[q.nonce] == q {
			delete(e.stream.pending, q.nonce)
		}
	}
}

func (h *Hub) sendQuestion(s *stream, q *question) error {
	h.mu.Lock()
	if q.closed {
		h.mu.Unlock()
		return nil
	}
	h.nonce++
	q.nonce = h.nonce
	s.pending[q.nonce] = q
	h.mu.Unlock()
	return s.push(q.nonce, &proto.Push{Body: &proto.Push_Query{Query: q.query}})
}

// fail closes all questions of a stream that ended. Hub.mu is held.
func (s *stream) fail(problem string) {
	for nonce, q := range s.pending {
		delete(s.pending, nonce)
		q.close(reply{problem: problem})
	}
	for {
		select {
		case q := <-s.questions:
			q.close(reply{problem: problem})
		default:
			return
		}
	}
}

// Answer takes a host's answer to a question. One that nobody waits for any
// more is no error.
func (h *Hub) Answer(answer *proto.AnswerRequest) error {
	late, err := h.answer(answer)
	if late {
		h.logger.Debug("late answer", "host", answer.Host, "nonce", answer.Nonce)
	}
	return err
}

func (h *Hub) answer(answer *proto.AnswerRequest) (late bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.hosts[answer.Host]
	if e == nil || e.stream == nil {
		return false, fmt.Errorf("%w: %s", ErrNoStream, answer.Host)
	}
	e.lastSeen = time.Now()
	if answer.Status != nil {
		e.status = answer.Status
	}
	q := e.stream.pending[answer.Nonce]
	if q == nil {
		return true, nil
	}
	delete(e.stream.pending, answer.Nonce)
	q.close(reply{answer: answer})
	return false, nil
}
