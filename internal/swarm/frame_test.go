package swarm

import (
	"bufio"
	"bytes"
	"reflect"
	"testing"
)

func TestAManifestComesBackAsItWas(t *testing.T) {
	data := bytes.Repeat([]byte("some bytes "), 1000)
	m, err := describe(t.Context(), bytes.NewReader(data), int64(len(data)), minChunk)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseManifest(m.Encode())
	if err != nil || !reflect.DeepEqual(m, back) || back.Digest() != m.Digest() {
		t.Errorf("%+v, %v", back, err)
	}
	for i := range m.Encode() {
		cut := m.Encode()[:i]
		if _, err := ParseManifest(cut); err == nil {
			t.Fatalf("a manifest cut at %d is taken", i)
		}
	}
}

func TestAKitOfAnySizeHasAManifestThatFits(t *testing.T) {
	for _, size := range []int64{1, usualChunk, 1 << 30, 2 << 30, 20 << 30, MaxSize} {
		c := int64(chunkSize(size))
		if n := (size + c - 1) / c; n > maxChunks || c > maxChunk {
			t.Errorf("%d bytes make %d chunks of %d", size, n, c)
		}
	}
}

func TestWhatIsLeftOfAnEarlierTryIsFound(t *testing.T) {
	data := append(make([]byte, 3*minChunk), bytes.Repeat([]byte{7}, 2*minChunk+5)...)
	m, err := describe(t.Context(), bytes.NewReader(data), int64(len(data)), minChunk)
	if err != nil {
		t.Fatal(err)
	}
	left := bytes.Clone(data)
	clear(left[3*minChunk : 4*minChunk]) // never written
	left[len(left)-1]++                  // damaged
	have, err := m.present(t.Context(), bytes.NewReader(left))
	if want := []span{{0, 3}, {4, 1}}; err != nil || !reflect.DeepEqual(have.spans(len(m.Chunks)), want) {
		t.Errorf("found %v, %v", have.spans(len(m.Chunks)), err)
	}
	have, err = m.present(t.Context(), bytes.NewReader(left[:minChunk+1]))
	if err != nil || have.count() != 1 {
		t.Errorf("of a short file %v, %v", have.spans(len(m.Chunks)), err)
	}
}

func FuzzManifest(f *testing.F) {
	m, err := describe(f.Context(), bytes.NewReader(make([]byte, 5000)), 5000, minChunk)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.Encode())
	f.Add([]byte(manifestMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data)
		if err == nil && !bytes.Equal(m.Encode(), data) {
			t.Error("a manifest that was taken is written in another way")
		}
	})
}

func FuzzFrames(f *testing.F) {
	f.Add(helloFrame(Sum{1}))
	f.Add(byeFrame("why"))
	f.Add(spanFrames(kindHave, []span{{0, 1}, {3, 2}})[0])
	f.Add([]byte{byte(kindChunk), 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		in := bufio.NewReader(bytes.NewReader(data))
		k, n, err := readHead(in)
		if err != nil {
			return
		}
		if n > k.limit() {
			t.Fatalf("a frame of kind %d with %d bytes is taken", k, n)
		}
		body := data[frameHead:min(len(data), frameHead+n)]
		if k == kindHello {
			_, _ = parseHello(body)
		}
		spans, err := parseSpans(body, 1000)
		next := 0
		for _, s := range spans {
			if err == nil && (s.from < next || s.count < 1 || s.from+s.count > 1000) {
				t.Fatalf("chunks %+v of 1000 are taken", s)
			}
			next = s.from + s.count
		}
	})
}

// FuzzLink lets a peer say anything to one who receives, and to one who serves.
func FuzzLink(f *testing.F) {
	m, err := describe(f.Context(), bytes.NewReader(make([]byte, 5000)), 5000, minChunk)
	if err != nil {
		f.Fatal(err)
	}
	manifest := frame(kindManifest, m.Encode())
	chunk := frame(kindChunk, make([]byte, chunkHead+minChunk))
	f.Add(append(append(manifest, spanFrames(kindHave, []span{{0, 5}})[0]...), chunk...))
	f.Add(append(frame(kindWatch, nil), spanFrames(kindGet, []span{{0, 5}})[0]...))
	f.Add(frame(kindAlive, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, source := range []bool{true, false} {
			store := make(memory, 5000)
			tr := &Transfer{opts: Options{Digest: m.Digest(), times: usualTimes, Log: func(string, ...any) {},
				Open: func(*Manifest) (Store, error) { return store, nil }}, nudge: make(chan struct{}, 1), done: make(chan struct{})}
			tr.ctx = t.Context()
			if !source {
				if err := tr.learn(m.Encode()); err != nil {
					t.Fatal(err)
				}
			}
			l := &link{t: tr, in: bufio.NewReader(bytes.NewReader(data)), conn: nowhere{}, source: source,
				wakeUp: make(chan struct{}, 1), gone: make(chan struct{})}
			if err := tr.add(l); err == nil {
				_ = l.read()
			}
			if !bytes.Equal(store, make([]byte, 5000)) {
				t.Fatal("bytes of another file were stored")
			}
		}
	})
}
