package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxGreeting bounds what a login shell may print before the marker, in bytes.
const maxGreeting = 64 << 10

// helloTimeout bounds the exchange of hellos, where the stream can time out.
const helloTimeout = 30 * time.Second

// skipGreeting reads up to and including the marker. It reads byte by byte
// from a buffered reader.
func skipGreeting(r io.ByteReader) error {
	var seen bytes.Buffer
	for seen.Len() < maxGreeting {
		b, err := r.ReadByte()
		if err != nil {
			return noMarker(seen.Bytes(), err)
		}
		seen.WriteByte(b)
		if bytes.HasSuffix(seen.Bytes(), []byte(Marker)) {
			return nil
		}
	}
	return noMarker(seen.Bytes(), fmt.Errorf("it wrote more than %d bytes", maxGreeting))
}

// noMarker quotes the last of what came instead: it usually says why, such as
// "icm-agent: not found".
func noMarker(seen []byte, err error) error {
	said := bytes.TrimSpace(seen)
	if len(said) > 300 {
		said = said[len(said)-300:]
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if len(said) == 0 {
		return fmt.Errorf("the agent did not answer: %w", err)
	}
	return fmt.Errorf("the agent did not answer: %w; what came instead: %q", err, said)
}

func ourHello(build string) Hello {
	return Hello{Version: Version, Oldest: OldestVersion, Build: build}
}

func helloFrame(build string) (Frame, error) {
	body, err := Encode(ourHello(build))
	return Frame{Kind: FrameHello, Body: body}, err
}

// readHello reads the peer's first frame, which is a hello, or an error when
// the peer cannot speak to us.
func readHello(r io.Reader) (Hello, error) {
	f, err := ReadFrame(r)
	if err != nil {
		return Hello{}, fmt.Errorf("cannot read the hello: %w", err)
	}
	switch f.Kind {
	case FrameHello:
		var h Hello
		if err := Decode(f.Body, &h); err != nil {
			return Hello{}, err
		}
		return h, agree(h)
	case FrameError:
		return Hello{}, decodeError(f.Body)
	}
	return Hello{}, fmt.Errorf("the first frame is of kind %d, not a hello", f.Kind)
}

// agree finds out whether both sides have a version in common.
func agree(peer Hello) error {
	switch {
	case peer.Version < OldestVersion:
		return &Error{Code: CodeVersion,
			Message: fmt.Sprintf("the other side (%s) speaks protocol %d, this one needs %d or later", peer.Build, peer.Version, OldestVersion),
			Hint:    "bring the older of the two up to date"}
	case peer.Oldest > Version:
		return &Error{Code: CodeVersion,
			Message: fmt.Sprintf("the other side (%s) needs protocol %d or later, this one speaks %d", peer.Build, peer.Oldest, Version),
			Hint:    "bring the older of the two up to date"}
	}
	return nil
}

// decodeError makes an error of the body of an error frame.
func decodeError(body []byte) error {
	var e Error
	if err := Decode(body, &e); err != nil {
		return err
	}
	return &e
}

// toError makes what can be sent of any error.
func toError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		// What was put around it says where; the code says what to do.
		return &Error{Code: e.Code, Message: err.Error(), Hint: e.Hint}
	}
	return &Error{Code: codeOf(err), Message: err.Error()}
}
