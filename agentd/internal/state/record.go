// SPDX-License-Identifier: Apache-2.0

package state

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	pb "google.golang.org/protobuf/proto"

	"mbchain/proto"
)

const (
	magic         = "mbchain\x00"
	formatVersion = 1

	versionAt = len(magic)
	lengthAt  = versionAt + 4
	sumAt     = lengthAt + 4
	headerLen = sumAt + sha256.Size

	// maxPayload is more than the largest subpolicy that the module takes:
	// 65,536 rules of some hundred bytes.
	maxPayload = 64 << 20
)

func encode(sub *proto.Subpolicy) ([]byte, error) {
	payload, err := pb.MarshalOptions{Deterministic: true}.Marshal(sub)
	if err != nil {
		return nil, fmt.Errorf("encode subpolicy: %w", err)
	}
	if len(payload) > maxPayload {
		return nil, fmt.Errorf("encode subpolicy: %d bytes, %d are the limit", len(payload), maxPayload)
	}
	record := make([]byte, 0, headerLen+len(payload))
	record = append(record, magic...)
	record = binary.BigEndian.AppendUint32(record, formatVersion)
	record = binary.BigEndian.AppendUint32(record, uint32(len(payload)))
	sum := sha256.Sum256(payload)
	record = append(record, sum[:]...)
	return append(record, payload...), nil
}

// decode returns what encode was given; every error is [ErrUnreadable].
func decode(record []byte) (*proto.Subpolicy, error) {
	if len(record) < headerLen {
		return nil, fmt.Errorf("%w: %d bytes, a header has %d", ErrUnreadable, len(record), headerLen)
	}
	if string(record[:versionAt]) != magic {
		return nil, fmt.Errorf("%w: no record of mbchain", ErrUnreadable)
	}
	if v := binary.BigEndian.Uint32(record[versionAt:]); v != formatVersion {
		return nil, fmt.Errorf("%w: format %d, this agentd reads %d", ErrUnreadable, v, formatVersion)
	}
	payload := record[headerLen:]
	if n := binary.BigEndian.Uint32(record[lengthAt:]); uint64(n) != uint64(len(payload)) {
		return nil, fmt.Errorf("%w: payload of %d bytes, announced are %d", ErrUnreadable, len(payload), n)
	}
	if sum := sha256.Sum256(payload); string(sum[:]) != string(record[sumAt:headerLen]) {
		return nil, fmt.Errorf("%w: checksum is wrong", ErrUnreadable)
	}
	sub := new(proto.Subpolicy)
	if err := pb.Unmarshal(payload, sub); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrUnreadable, err)
	}
	return sub, nil
}
