// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Names, errors and policy texts come from other machines. Whatever would
// make the operator's terminal obey them is replaced before a command sees it.

// clean replaces control characters but for tabs and line ends.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' {
			return utf8.RuneError
		}
		return r
	}, s)
	// A lone carriage return writes over its line.
	const end = "\r\n"
	lines := strings.Split(s, end)
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], "\r", string(utf8.RuneError))
	}
	return strings.Join(lines, end)
}

// cleaning is for every client.
func cleaning() connect.ClientOption {
	return connect.WithInterceptors(connect.UnaryInterceptorFunc(cleanAnswers))
}

// cleanAnswers cleans every string of every answer.
func cleanAnswers(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		res, err := next(ctx, req)
		if err != nil {
			return nil, err
		}
		if msg, ok := res.Any().(proto.Message); ok {
			cleanMessage(msg.ProtoReflect())
		}
		return res, nil
	}
}

func cleanMessage(msg protoreflect.Message) {
	msg.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsList():
			list := v.List()
			for i := range list.Len() {
				list.Set(i, cleanValue(fd, list.Get(i)))
			}
		case fd.IsMap(): // mbchain's messages have none
		default:
			msg.Set(fd, cleanValue(fd, v))
		}
		return true
	})
}

func cleanValue(fd protoreflect.FieldDescriptor, v protoreflect.Value) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(clean(v.String()))
	case protoreflect.MessageKind:
		cleanMessage(v.Message())
	}
	return v
}
