package main

import (
	"fmt"
	"slices"
	"time"
)

// sample is what several runs gave.
type sample []float64

func (s sample) median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// each makes another sample of it, such as CPU per node.
func (s sample) each(f func(float64) float64) sample {
	out := make(sample, len(s))
	for i, v := range s {
		out[i] = f(v)
	}
	return out
}

func (s sample) times(k float64) sample { return s.each(func(v float64) float64 { return v * k }) }

// text is "median (least–most)", or the one value.
func (s sample) text(format string) string {
	switch len(s) {
	case 0:
		return "-"
	case 1:
		return fmt.Sprintf(format, s[0])
	}
	return fmt.Sprintf(format+" ("+format+"–"+format+")", s.median(), slices.Min(s), slices.Max(s))
}

func (s *sample) add(d time.Duration) { *s = append(*s, d.Seconds()) }

const mib = 1 << 20
