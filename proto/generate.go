// SPDX-License-Identifier: Apache-2.0

package proto

// Needs protoc (Debian package protobuf-compiler); "make proto" sets all up.
//go:generate protoc -I . --plugin=protoc-gen-go=../build/tools/protoc-gen-go --plugin=protoc-gen-connect-go=../build/tools/protoc-gen-connect-go --go_out=. --go_opt=paths=source_relative --connect-go_out=. --connect-go_opt=paths=source_relative,simple common.proto examine.proto policy.proto agent.proto host.proto peer.proto migrate.proto migration.proto cluster.proto identity.proto nf.proto
