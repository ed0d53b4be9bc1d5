package agentbin

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"icm/internal/hint"
)

func TestAnAgentComesOutAsItWentIn(t *testing.T) {
	program := []byte("#!/bin/sh\nexit 0\n")
	src, err := New("1.0-test", map[string][]byte{"amd64": program})
	if err != nil {
		t.Fatal(err)
	}
	a, err := src.For("amd64")
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := a.Open()
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if err != nil || !bytes.Equal(got, program) || a.Size != int64(len(program)) || a.Build != "1.0-test" {
		t.Errorf("got %q, %v, %+v", got, err, a)
	}
}

func TestAnIcmWithoutAgentsSaysSo(t *testing.T) {
	_, err := FromFS(fstest.MapFS{"README": {}})
	if !errors.Is(err, ErrNone) || hint.Of(err) != "run make build" {
		t.Errorf("err = %v, hint %q", err, hint.Of(err))
	}
}

func TestAnUnknownArchitectureIsNamed(t *testing.T) {
	src, err := New("1", map[string][]byte{"amd64": {1}, "arm64": {2}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = src.For("s390x")
	if !errors.Is(err, ErrArch) || !strings.Contains(err.Error(), "s390x (there is one for amd64, arm64)") {
		t.Errorf("err = %v", err)
	}
}

func TestTheBuildListIsReadStrictly(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	for name, tc := range map[string]struct{ text, want string }{
		"whole":                   {"build 1.2-x\namd64 " + sum + " 12\n", ""},
		"no build":                {"amd64 " + sum + " 12\n", "it names no build or no agent"},
		"no agent":                {"build 1\n", "it names no build or no agent"},
		"a build that is a path":  {"build ../x\namd64 " + sum + " 12\n", `cannot understand "build ../x"`},
		"a sum that is too short": {"build 1\namd64 abcd 12\n", `cannot understand "amd64 abcd 12"`},
		"a size that is absurd":   {"build 1\namd64 " + sum + " 99999999999\n", `the size of the agent for amd64 is "99999999999"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := FromFS(fstest.MapFS{"BUILD": {Data: []byte(tc.text)}})
			got := ""
			if err != nil {
				got = strings.TrimPrefix(err.Error(), "cannot read the list of agents: ")
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
