package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"
)

// base are the fields without which nothing is right.
func base(provider string) map[string]any {
	return map[string]any{
		"Provider": provider, "Label": "ACME", "Tag": "TEST", "SSHUser": "u", "SSHPublicKey": "k.pub", "SSHPrivateKey": "k",
		"Region": "r", "Zone": "a", "AMI": "i", "InstanceType": "t", "Containerless": true,
	}
}

func inputFrom(t interface{ Fatal(...any) }, defaults map[string]any, definitions any, options map[string]string) Input {
	d, err := json.Marshal(defaults)
	if err != nil {
		t.Fatal(err)
	}
	e, err := json.Marshal(definitions)
	if err != nil {
		t.Fatal(err)
	}
	return Input{Defaults: File{"defaults.json", d}, Definitions: File{"definitions.json", e}, Options: options}
}

func TestTheStrongestLevelThatGivesAValueWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		field := rapid.SampledFrom([]string{"DataVolumeSize", "ISCAgentPort", "SSHPort", "LicenseServerPort"}).Draw(t, "field")
		level := func(name string) (int, bool) {
			return rapid.IntRange(1, 65535).Draw(t, name), rapid.Bool().Draw(t, name+" given")
		}
		f, _ := Lookup(field)
		want, source := f.Default, FromICM
		defaults, entry, options := base(AWS), map[string]any{"Role": "DM"}, map[string]string{}
		if v, ok := level("defaults"); ok {
			defaults[strings.ToUpper(field)], want, source = v, strconv.Itoa(v), FromDefaults
		}
		if v, ok := level("definitions"); ok {
			entry[field], want, source = strconv.Itoa(v), strconv.Itoa(v), FromDefinitions
		}
		if v, ok := level("option"); ok {
			options[strings.ToLower(field)], want, source = strconv.Itoa(v), strconv.Itoa(v), FromOption
		}
		s, problems := Load(inputFrom(t, defaults, []any{entry}, options))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		got := s.Definitions[0].Fields
		if got.Get(field) != want || got.Source(field) != source {
			t.Fatalf("%s is %q by the %s, want %q by the %s", field, got.Get(field), got.Source(field), want, source)
		}
	})
}

func TestNoTwoNodesEverHaveOneName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		provider := rapid.SampledFrom([]string{AWS, Lab}).Draw(t, "provider")
		var entries []any
		total := 0
		for range rapid.IntRange(1, 8).Draw(t, "entries") {
			count := rapid.IntRange(1, 6).Draw(t, "count")
			total += count
			e := map[string]any{"Role": rapid.SampledFrom([]string{"AM", "VM"}).Draw(t, "role"), "Count": count}
			if rapid.Bool().Draw(t, "numbered") {
				e["StartCount"] = rapid.IntRange(0, 20).Draw(t, "start")
			}
			entries = append(entries, e)
		}
		s, problems := Load(inputFrom(t, base(provider), entries, nil))
		if len(problems) > 0 {
			return // an overlap, refused
		}
		seen := map[string]bool{}
		for _, d := range s.Definitions {
			for i, m := range d.Machines {
				if want := fmt.Sprintf("ACME-%s-TEST-%04d", d.Role, d.StartCount+i); m != want || seen[m] {
					t.Fatalf("%s: want %s, seen %v", m, want, seen)
				}
				seen[m] = true
			}
		}
		if len(seen) != total {
			t.Fatalf("%d machines for %d", len(seen), total)
		}
	})
}

// An entry that leaves its number to icm is never in the way of another.
func TestNumberingOnNeverOverlaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var entries []any
		for i := range rapid.IntRange(1, 9).Draw(t, "entries") {
			e := map[string]any{"Role": "AM", "Count": rapid.IntRange(1, 3).Draw(t, "count")}
			if i == 4 {
				e["StartCount"] = rapid.IntRange(1, 12).Draw(t, "start")
			}
			entries = append(entries, e)
		}
		if _, problems := Load(inputFrom(t, base(Lab), entries, nil)); len(problems) > 0 {
			t.Fatal(problems)
		}
	})
}

func TestADamagedFileNeverShowsAPassword(t *testing.T) {
	const canary = "Canary7"
	text := "{\n  \"Provider\": \"AWS\",\n  \"ISCPassword\": \"" + canary + "\",\n  \"DockerPassword\": \"" + canary + "\"\n}\n"
	for i := range text {
		for _, damaged := range []string{text[:i] + text[i+1:], text[:i] + `"` + text[i:], text[:i] + "," + text[i:], text[:i] + "\n" + text[i:], text[:i]} {
			s, problems := Load(Input{Defaults: File{"defaults.json", []byte(damaged)}, Definitions: File{"definitions.json", []byte(`[{"Role": "DM"}]`)}})
			for _, p := range problems {
				if strings.Contains(p.Text+p.Hint+p.Field, canary) {
					t.Fatalf("%s shows the password of\n%s", p, damaged)
				}
			}
			if s != nil {
				t.Fatalf("accepted: %s", damaged)
			}
		}
	}
}

func TestFiveHundredEntriesLoad(t *testing.T) {
	in := manyEntries(t)
	s, problems := Load(in)
	if len(problems) > 0 || len(s.Definitions) != 500 {
		t.Fatalf("problems: %s", problems)
	}
}

func BenchmarkLoad500(b *testing.B) {
	in := manyEntries(b)
	for b.Loop() {
		if _, problems := Load(in); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}

func manyEntries(t interface{ Fatal(...any) }) Input {
	defaults := base(PreExisting)
	for _, p := range purposes {
		defaults[p+"DeviceName"] = "null"
	}
	var entries []any
	for i := range 500 {
		entries = append(entries, map[string]any{"Role": "AM", "DNSName": fmt.Sprintf("n%d.acme.com", i), "Rack": i})
	}
	return inputFrom(t, defaults, entries, nil)
}

func FuzzLoad(f *testing.F) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data, archive.Files[1].Data)
	}
	f.Add([]byte("\xef\xbb\xbf{\"Label\":\r\n\"x\""), []byte("[[[[{\"a\":{}}"))
	f.Add([]byte("{\xff}"), []byte("\xff\xfe[\x00"))
	f.Fuzz(func(t *testing.T, defaults, definitions []byte) {
		in := Input{Defaults: File{"defaults.json", defaults}, Definitions: File{"definitions.json", definitions}}
		s, problems := Load(in)
		if (s == nil) != (len(problems) > 0) {
			t.Fatalf("spec %v with %d problems", s != nil, len(problems))
		}
		all := problems
		if s != nil {
			all = s.Warnings
		}
		for _, p := range all {
			checkPosition(t, in, p)
		}
	})
}

func checkPosition(t *testing.T, in Input, p Problem) {
	t.Helper()
	if p.Text == "" || p.Hint == "" {
		t.Errorf("a problem without text or hint: %+v", p)
	}
	if p.Pos.Line == 0 {
		return
	}
	data := in.Defaults.Data
	if p.Pos.File == in.Definitions.Name {
		data = in.Definitions.Data
	}
	lines := bytes.Split(data, []byte("\n"))
	if p.Pos.Line > len(lines) || p.Pos.Column < 1 || p.Pos.Column > utf8.RuneCount(lines[p.Pos.Line-1])+1 {
		t.Errorf("%s is outside the file", p)
	}
}

func TestABOMAndCRLFDoNoHarm(t *testing.T) {
	in := inputFrom(t, base(AWS), []any{map[string]any{"Role": "DM"}}, nil)
	in.Defaults.Data = append([]byte("\xef\xbb\xbf"), bytes.ReplaceAll(in.Defaults.Data, []byte(","), []byte(",\r\n"))...)
	if _, problems := Load(in); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestTextThatIsNotUTF8IsToldWithItsPlace(t *testing.T) {
	for data, want := range map[string]string{
		"{\n\"Label\": \"\xe4\"}":  `defaults.json:2:11: this is not UTF-8 text`,
		"\xff\xfe{\x00":            `defaults.json: the file is UTF-16`,
		" \r\n":                    `defaults.json: the file is empty`,
		"{\"a\": 1}\n{\"b\": 2}":   `defaults.json:2:1: there is something after the end`,
		"{\"Label\": {\"a\": []}}": `defaults.json:1:11: Label is an object, not a single value`,
	} {
		_, problems := Load(Input{Defaults: File{"defaults.json", []byte(data)}, Definitions: File{"definitions.json", []byte("[]")}})
		if !strings.Contains(problems.String(), want) {
			t.Errorf("%q: %s\nwant %s", data, problems, want)
		}
	}
}
