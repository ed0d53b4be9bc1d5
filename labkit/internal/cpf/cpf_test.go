package cpf

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sample = `; a comment
[ConfigFile]
Product=IRIS
Odd Line
[Startup]
PasswordHash=a,b,10000,SHA512
Path=/x=y;z/

/* [NotASection]
x=1 */
[config]
globals=0,0,600,0,0,0
`

func TestParsingAndWritingChangesNothing(t *testing.T) {
	if diff := cmp.Diff(sample, string(Parse([]byte(sample)).Bytes())); diff != "" {
		t.Error(diff)
	}
}

func TestValuesAreSplitAtTheFirstEqualsSign(t *testing.T) {
	f := Parse([]byte(sample))
	if got := f.Get("startup", "path"); got != "/x=y;z/" {
		t.Errorf("Path is %q", got)
	}
	if _, found := f.Lookup("NotASection", "x"); found {
		t.Error("a commented section was read")
	}
}

func TestSetChangesInPlaceOrAddsToTheSection(t *testing.T) {
	f := Parse([]byte("[a]\nx=1\n\n[b]\ny=2\n"))
	f.Set("a", "X", "3")
	f.Set("a", "new", "4")
	f.Set("c", "z", "5")
	want := "[a]\nx=3\nnew=4\n\n[b]\ny=2\n[c]\nz=5\n"
	if diff := cmp.Diff(want, string(f.Bytes())); diff != "" {
		t.Error(diff)
	}
}

func TestMergingTwiceIsMergingOnce(t *testing.T) {
	merge := Parse([]byte("[config]\nglobals=0,0,9,0,0,0\nwijdir=/w/\n[New]\na=b\n[Actions]\nCreateDatabase:Name=X,Directory=/x/\n"))
	f := Parse([]byte(sample))
	f.Merge(merge)
	once := string(f.Bytes())
	f.Merge(merge)
	if diff := cmp.Diff(once, string(f.Bytes())); diff != "" {
		t.Error(diff)
	}
	if f.HasSection("Actions") {
		t.Error("actions were merged into the configuration")
	}
	if f.Get("config", "wijdir") != "/w/" || f.Get("New", "a") != "b" {
		t.Error("settings are missing after the merge")
	}
}

func TestActionsRunInTheirFixedOrder(t *testing.T) {
	f := Parse([]byte("[Actions]\nExecute:Namespace=%SYS,ClassName=A\nCreateNamespace:Name=N,Globals=D\nCreateDatabase:Name=D,Directory=/d/\n" +
		`ModifyUser:Name=_SYSTEM,PasswordHash="a,b,1,SHA512",Roles=%All` + "\n"))
	actions, err := f.Actions()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range actions {
		names = append(names, a.Name)
	}
	if diff := cmp.Diff([]string{"ModifyUser", "CreateDatabase", "CreateNamespace", "Execute"}, names); diff != "" {
		t.Error(diff)
	}
	if got := actions[0].Prop("passwordhash"); got != "a,b,1,SHA512" {
		t.Errorf("PasswordHash is %q", got)
	}
	if got := actions[0].Prop("Roles"); got != "%All" {
		t.Errorf("Roles is %q", got)
	}
}

func TestBrokenActionsAreRefused(t *testing.T) {
	for _, bad := range []string{"CreateDatabase", "ModifyUser:Name", `ModifyUser:Name="x`} {
		if _, err := Parse([]byte("[Actions]\n" + bad + "\n")).Actions(); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzParseKeepsEveryLine(f *testing.F) {
	f.Add([]byte(sample))
	f.Fuzz(func(t *testing.T, data []byte) {
		once := Parse(data).Bytes()
		if twice := Parse(once).Bytes(); string(twice) != string(once) {
			t.Errorf("%q became %q", once, twice)
		}
	})
}
