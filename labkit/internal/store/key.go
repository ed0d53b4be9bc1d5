package store

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// Key encodes a global's name and subscripts so that byte order is collation
// order: numbers before strings, numbers by value.
func Key(global string, subs ...string) string {
	var b strings.Builder
	b.WriteString(global)
	b.WriteByte(0)
	for _, s := range subs {
		if IsNumber(s) {
			f, _ := strconv.ParseFloat(s, 64)
			bits := math.Float64bits(f)
			if f < 0 {
				bits = ^bits
			} else {
				bits |= 1 << 63
			}
			b.WriteByte(2)
			b.Write(binary.BigEndian.AppendUint64(nil, bits))
		} else {
			b.WriteByte(3)
			b.WriteString(strings.ReplaceAll(s, "\x00", "\x00\xff"))
			b.WriteByte(0)
		}
		b.WriteByte(1)
	}
	return b.String()
}

// FirstSub decodes the first subscript after prefix, which is a Key, and
// returns the whole key up to and with that subscript.
func FirstSub(key, prefix string) (sub, upTo string, ok bool) {
	rest := strings.TrimPrefix(key, prefix)
	if len(rest) == len(key) || rest == "" {
		return "", "", false
	}
	switch {
	case rest[0] == 2 && len(rest) >= 10:
		bits := binary.BigEndian.Uint64([]byte(rest[1:9]))
		if bits>>63 == 1 {
			bits &^= 1 << 63
		} else {
			bits = ^bits
		}
		return FormatNumber(math.Float64frombits(bits)), prefix + rest[:10], true
	case rest[0] == 3:
		for i := 1; i+1 < len(rest); i++ {
			if rest[i] == 0 && rest[i+1] == 1 {
				return strings.ReplaceAll(rest[1:i], "\x00\xff", "\x00"), prefix + rest[:i+2], true
			}
		}
	}
	return "", "", false
}

// IsNumber says whether s is a number in its canonical form, such as -1.5 or .5.
func IsNumber(s string) bool {
	if s == "" || len(s) > 16 {
		return false
	}
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && FormatNumber(f) == s
}

// FormatNumber is the canonical form: no leading zero before the point.
func FormatNumber(f float64) string {
	if f == 0 {
		return "0"
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if math.Abs(f) < 1 {
		s = strings.Replace(s, "0.", ".", 1)
	}
	return s
}
