package swarm

import (
	"bufio"
	"io"
	"time"
)

// Unhurried makes a transfer wait for everything as long as a test on a slow
// machine may take: nothing is decided because time went by.
func (o Options) Unhurried() Options {
	const long = 10 * time.Minute
	o.times = times{
		compared: long, catchUp: long, stalled: long, silent: long,
		penalty: long, atFirst: long, afterLoss: 0, settle: long, dead: long, dial: time.Minute,
	}
	return o
}

// Hurried makes a transfer judge its sources at once.
func (o Options) Hurried() Options {
	o = o.Unhurried()
	o.times.compared, o.times.stalled, o.times.silent = 0, 100*time.Millisecond, 100*time.Millisecond
	return o
}

// Impatient makes a transfer take from the controller as soon as no peer
// answers.
func (o Options) Impatient() Options {
	o = o.Unhurried()
	o.times.atFirst = 0
	return o
}

// The frames, for tests that play somebody else.
const (
	KindHello    = kindHello
	KindWatch    = kindWatch
	KindManifest = kindManifest
	KindHave     = kindHave
	KindGet      = kindGet
	KindChunk    = kindChunk
)

// Frame makes a frame.
func Frame(k kind, body []byte) []byte { return frame(k, body) }

// ReadFrame reads one.
func ReadFrame(in *bufio.Reader) (kind, []byte, error) {
	k, n, err := readHead(in)
	if err != nil {
		return 0, nil, err
	}
	body := make([]byte, n)
	_, err = io.ReadFull(in, body)
	return k, body, err
}
