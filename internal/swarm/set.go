package swarm

import "math/bits"

// set is a set of chunks.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

// fullSet has all of n chunks.
func fullSet(n int) set {
	s := newSet(n)
	s.addRange(0, n)
	return s
}

func (s set) has(i int) bool { return s[i>>6]>>(i&63)&1 != 0 }
func (s set) add(i int)      { s[i>>6] |= 1 << (i & 63) }
func (s set) remove(i int)   { s[i>>6] &^= 1 << (i & 63) }

func (s set) addRange(from, count int) {
	for i := from; i < from+count; i++ {
		s.add(i)
	}
}

func (s set) count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// minus counts the chunks of s that are not in other.
func (s set) minus(other set) int {
	n := 0
	for i, w := range s {
		n += bits.OnesCount64(w &^ other[i])
	}
	return n
}

// firstIn finds the smallest chunk that is in both, -1 when there is none.
func (s set) firstIn(other set) int {
	for i, w := range s {
		if both := w & other[i]; both != 0 {
			return i<<6 + bits.TrailingZeros64(both)
		}
	}
	return -1
}

// span is a run of chunks.
type span struct{ from, count int }

// spans are the runs of n chunks of a set, ascending.
func (s set) spans(n int) []span {
	var out []span
	for i := 0; i < n; i++ {
		if !s.has(i) {
			continue
		}
		from := i
		for i < n && s.has(i) {
			i++
		}
		out = append(out, span{from, i - from})
	}
	return out
}
