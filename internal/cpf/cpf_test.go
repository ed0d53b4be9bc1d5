package cpf

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const sample = "[ConfigFile]\nProduct=IRIS\nVersion=2023.1\n\n" +
	"[Databases]\nIRISSYS=/usr/irissys/mgr/\nUSER=/usr/irissys/mgr/user/\n\n" +
	"; a comment = kept\n[Startup]\nDefaultPort=1972\nPasswordHash=\n\n[config]\nglobals=0,0,600,0,0,0\nwijdir=\n"

func TestAnEditChangesItsLineAndNoOther(t *testing.T) {
	for _, c := range []struct{ name, in, section, key, value, want string }{
		{"an existing key", sample, "config", "globals", "0,0,800,0,0,0", strings.Replace(sample, "600", "800", 1)},
		{"in another case", sample, "STARTUP", "defaultport", "51773", strings.Replace(sample, "1972", "51773", 1)},
		{"the same value", sample, "Startup", "DefaultPort", "1972", sample},
		{"a new key goes before the gap", sample, "Startup", "SystemMode", "TEST", strings.Replace(sample, "PasswordHash=\n", "PasswordHash=\nSystemMode=TEST\n", 1)},
		{"a new section goes last", sample, "ECPServers", "DM", "h,1972,0", sample + "[ECPServers]\nDM=h,1972,0\n"},
		{"windows line ends", "[a]\r\nk=1\r\n", "a", "j", "2", "[a]\r\nk=1\r\nj=2\r\n"},
		{"no end on the last line", "[a]\nk=1", "a", "j", "2", "[a]\nk=1\nj=2\n"},
		{"no end, last line changed", "[a]\nk=1", "a", "k", "2", "[a]\nk=2"},
		{"an empty file", "", "a", "k", "1", "[a]\nk=1\n"},
		{"a value with equals signs", "[a]\nk=x=y\n", "a", "k", "u=v=w", "[a]\nk=u=v=w\n"},
		{"a key in a block comment is none", "[a]\n/*\nk=1\n*/\n", "a", "k", "2", "[a]\nk=2\n/*\nk=1\n*/\n"},
		{"a key given twice: the last counts", "[a]\nk=1\nk=2\n", "a", "k", "3", "[a]\nk=1\nk=3\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := Parse([]byte(c.in))
			if err := f.Set(c.section, c.key, c.value); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(f.Bytes())); diff != "" {
				t.Error(diff)
			}
			if got, ok := f.Get(c.section, c.key); !ok || got != c.value {
				t.Errorf("Get() = %q, %v", got, ok)
			}
		})
	}
}

func TestWhatWouldReadAsSomethingElseIsRefused(t *testing.T) {
	f := Parse([]byte(sample))
	for _, c := range [][3]string{
		{"", "k", "v"}, {"a]b", "k", "v"}, {"a", "", "v"}, {"a", "k=x", "v"}, {"a", ";k", "v"}, {"a", "[k", "v"},
		{"a", "k", "v\nPasswordHash=x"}, {"a", "k\n", "v"}, {"a", "//k", "v"}, {"a", "/*k", "v"}, {" a", "k", "v"},
	} {
		if err := f.Set(c[0], c[1], c[2]); err == nil {
			t.Errorf("Set(%q, %q, %q) is accepted", c[0], c[1], c[2])
		}
	}
	if string(f.Bytes()) != sample {
		t.Error("a refused edit changed the file")
	}
}

func TestDiffTellsEverySettingThatDiffers(t *testing.T) {
	got := Diff(Parse([]byte("[a]\nx=1\ny=2\nz=3\n")), Parse([]byte("[A]\nX=1\ny=5\n[b]\nw=1\n")))
	want := []Change{
		{"a", "y", "2", "5", true, true},
		{"a", "z", "3", "", true, false},
		{"b", "w", "", "1", false, true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestValuesAreComparedAsIRISReadsThem(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"0,0,800,0,0,0", "0,0,0800,0,0,0", true},
		{"0, 0,800", "0,0,800", true},
		{"/irissys/wij", "/irissys/wij/", true},
		{"-1", "-01", true},
		{"0,0,800", "0,0,800,0", false},
		{"1", "10", false},
		{"-1", "1", false},
		{"", "0", false},
	} {
		if Equal(c.a, c.b) != c.same {
			t.Errorf("Equal(%q, %q) = %v", c.a, c.b, !c.same)
		}
	}
}

func TestAMergeFileHasSettingsThenActions(t *testing.T) {
	var m Merge
	if !m.Empty() {
		t.Error("a new merge is not empty")
	}
	for _, err := range []error{
		m.Set("config", "globals", "0,0,800,0,0,0"),
		m.Action("ModifyService", map[string]string{"Enabled": "1", "Name": "%Service_Terminal", "AutheEnabled": "48"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := "[config]\nglobals=0,0,800,0,0,0\n[Actions]\nModifyService:Name=%Service_Terminal,AutheEnabled=48,Enabled=1\n"
	if diff := cmp.Diff(want, string(m.Bytes())); diff != "" {
		t.Error(diff)
	}
	if err := m.Action("CreateDatabase", map[string]string{"Directory": "/a,b"}); err == nil {
		t.Error("a value that cannot be quoted is accepted")
	}
	if err := m.Set("Actions", "x", "y"); err == nil {
		t.Error("a setting in [Actions] is accepted")
	}
}

// Whatever the file looks like, an edit that is taken back gives the other
// lines byte for byte, and what was set is read back.
func TestEverythingElseSurvivesAnEdit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOf(rapid.SampledFrom([]string{
			"[a]", "[b]", " [a] ", "k=1", "k = 2 ", "j=", "; c", "# k=3", "// x", "/* k=1 */", "/*", "*/", "", "nonsense", "=5", "[open", "\t",
		})).Draw(t, "lines")
		eol := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "eol")
		in := strings.Join(text, eol)
		f := Parse([]byte(in))
		before := others(f, "a", "k")
		if !bytes.Equal(f.Bytes(), []byte(in)) {
			t.Fatalf("reading and writing changed %q to %q", in, f.Bytes())
		}
		if err := f.Set("a", "k", "new"); err != nil {
			t.Fatal(err)
		}
		again := Parse(f.Bytes())
		if got, _ := f.Get("a", "k"); got != "new" {
			t.Fatalf("Get() = %q", got)
		}
		if got, _ := again.Get("a", "k"); got != "new" && !opensComment(in) {
			t.Fatalf("read back: %q in %q", got, f.Bytes())
		}
		after := others(f, "a", "k")
		if !strings.HasPrefix(after+eol, before) {
			t.Fatalf("other lines changed:\n%q\n%q", before, after)
		}
	})
}

// opensComment reports whether text ends within a block comment: what is
// appended there is part of it, for IRIS too.
func opensComment(text string) bool {
	f := Parse([]byte(text + "\nprobe=1"))
	return f.lines[len(f.lines)-1].key == ""
}

// others is the file without the lines that hold one key, and without the
// header of its section.
func others(f *File, section, key string) string {
	var b strings.Builder
	in := false
	for _, l := range f.lines {
		if l.section != "" {
			in = strings.EqualFold(l.section, section)
		}
		if (in && strings.EqualFold(l.key, key)) || (l.section == section && l.text == "["+section+"]") {
			continue
		}
		b.WriteString(l.text + "\n")
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("[a]\r\nx=/*\r\n"))
	f.Add([]byte("/*"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := Parse(data)
		if !bytes.Equal(file.Bytes(), data) {
			t.Fatalf("%q became %q", data, file.Bytes())
		}
		if err := file.Set("config", "globals", "1"); err != nil {
			t.Fatal(err)
		}
		if v, ok := file.Get("config", "globals"); !ok || v != "1" {
			t.Fatalf("Get() = %q, %v", v, ok)
		}
	})
}

func TestASectionGoesWithAllItsLines(t *testing.T) {
	f := Parse([]byte("; top\n[A]\nx=1\n\n[B]\ny=2\n[a]\nz=3\n"))
	f.DeleteSection("a")
	f.DeleteSection("none")
	if got := string(f.Bytes()); got != "; top\n[B]\ny=2\n" {
		t.Errorf("what is left:\n%s", got)
	}
}
