package swarm

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// kind is what a frame is.
type kind byte

// The frames. docs/protocol.md describes them.
const (
	kindHello    kind = 1 // which transfer; the first frame of both sides
	kindWatch    kind = 2 // asks for the manifest, and to be told what is there
	kindManifest kind = 3 // the encoded manifest
	kindHave     kind = 4 // chunks that are there
	kindGet      kind = 5 // chunks to be sent, each as soon as it is there
	kindDrop     kind = 6 // chunks that need not be sent any more
	kindChunk    kind = 7 // a chunk's number and bytes
	kindBye      kind = 8 // the last frame: why the link ends, for people
	kindAlive    kind = 9 // nothing but a sign of life
)

// A frame is four bytes, kind and length of the body, and the body.
const (
	frameHead = 4
	chunkHead = 4
	spanSize  = 8
	maxSpans  = 1 << 13
	maxBye    = 1 << 10
	helloMark = "icm-swarm 1\n" // the digit is the version of the protocol
)

// limit is the largest body of a frame of a kind, in bytes; 0 for no such kind.
func (k kind) limit() int {
	switch k {
	case kindHello:
		return len(helloMark) + sha256.Size
	case kindManifest:
		return maxManifest
	case kindHave, kindGet, kindDrop:
		return maxSpans * spanSize
	case kindChunk:
		return chunkHead + maxChunk
	case kindBye:
		return maxBye
	default:
		return 0
	}
}

// readHead reads the head of a frame and checks it, before there is any memory
// for its body.
func readHead(in *bufio.Reader) (kind, int, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, 0, err
	}
	k, n := kind(head[0]), int(head[1])<<16|int(head[2])<<8|int(head[3])
	if k < kindHello || k > kindAlive || n > k.limit() {
		return 0, 0, fmt.Errorf("a frame of kind %d with %d bytes is out of bounds", k, n)
	}
	return k, n, nil
}

// putHead writes the head of a frame with a body of n bytes into b.
func putHead(b []byte, k kind, n int) {
	b[0], b[1], b[2], b[3] = byte(k), byte(n>>16), byte(n>>8), byte(n)
}

// frame makes a frame.
func frame(k kind, body []byte) []byte {
	out := make([]byte, frameHead+len(body))
	putHead(out, k, len(body))
	copy(out[frameHead:], body)
	return out
}

// helloFrame names the transfer that a link is for.
func helloFrame(digest Sum) []byte {
	return frame(kindHello, append([]byte(helloMark), digest[:]...))
}

func parseHello(body []byte) (Sum, error) {
	var digest Sum
	if len(body) != kindHello.limit() || string(body[:len(helloMark)]) != helloMark {
		return digest, errors.New("it speaks another protocol, or another version of it")
	}
	copy(digest[:], body[len(helloMark):])
	return digest, nil
}

func byeFrame(why string) []byte { return frame(kindBye, []byte(why[:min(len(why), maxBye)])) }

// spanFrames tell of chunks, in as many frames as it takes.
func spanFrames(k kind, spans []span) [][]byte {
	var out [][]byte
	for first := true; first || len(spans) > 0; first = false {
		n := min(len(spans), maxSpans)
		body := make([]byte, 0, n*spanSize)
		for _, s := range spans[:n] {
			body = binary.BigEndian.AppendUint32(body, uint32(s.from))
			body = binary.BigEndian.AppendUint32(body, uint32(s.count))
		}
		out, spans = append(out, frame(k, body)), spans[n:]
	}
	return out
}

// parseSpans reads runs of chunks of a file that has n.
func parseSpans(body []byte, n int) ([]span, error) {
	if len(body)%spanSize != 0 {
		return nil, fmt.Errorf("%d bytes are no list of chunks", len(body))
	}
	out := make([]span, 0, len(body)/spanSize)
	next := uint64(0)
	for ; len(body) > 0; body = body[spanSize:] {
		from, count := uint64(binary.BigEndian.Uint32(body)), uint64(binary.BigEndian.Uint32(body[4:]))
		if count == 0 || from < next || from+count > uint64(n) {
			return nil, fmt.Errorf("chunks %d to %d are out of order, or not of this file", from, from+count)
		}
		out, next = append(out, span{int(from), int(count)}), from+count
	}
	return out, nil
}
