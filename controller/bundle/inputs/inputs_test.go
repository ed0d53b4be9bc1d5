package inputs

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"

	"icm/controller/agentbin"
	"icm/controller/bundle"
	"icm/controller/signing"
	"icm/internal/secret"
)

func write(t *testing.T, path string, data []byte, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// wanted is one of everything. The program is this test itself.
func wanted(t *testing.T) Wanted {
	t.Helper()
	dir := t.TempDir()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/bin/icm", self, 0o755)
	write(t, dir+"/bin/icm-provider-lab", self, 0o755)
	write(t, dir+"/bin/providers.sha256", []byte("sums"), 0o644)
	write(t, dir+"/bin/lab", []byte("another program"), 0o755)
	agents, err := agentbin.New("1.2.3", map[string][]byte{"amd64": self, "arm64": []byte("agent")})
	if err != nil {
		t.Fatal(err)
	}
	return Wanted{
		Programs: []string{dir + "/bin"}, Agents: agents, Build: "1.2.3",
		Kits: []string{
			write(t, dir+"/IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz", []byte("kit"), 0o644),
			write(t, dir+"/ISCAgent-2023.1.0.235.1-lnxrh8x64.tar.gz", []byte("agent"), 0o644),
			write(t, dir+"/WebGateway-2023.1.0.235.1-lnxrh8x64.tar.gz", []byte("gateway"), 0o644),
		},
		Licenses:  []string{write(t, dir+"/iris.key", []byte("key"), 0o600)},
		Packages:  []string{write(t, dir+"/docker-ce.deb", []byte("deb"), 0o644)},
		Images:    []string{write(t, dir+"/iris.tar", []byte("image"), 0o644)},
		Terraform: []string{write(t, dir+"/tofu", []byte("tofu"), 0o755)},
		Mirrors:   []string{filepath.Dir(write(t, dir+"/mirror/registry/a.zip", []byte("zip"), 0o644))},
		Others:    []string{write(t, dir+"/root.tar", []byte("root"), 0o644)},
	}
}

func TestEveryFileHasItsPlaceKindVersionAndPlatform(t *testing.T) {
	in, err := wanted(t).All()
	if err != nil {
		t.Fatal(err)
	}
	platform := ""
	byPath := map[string]bundle.File{}
	for _, i := range in {
		byPath[i.Path] = i.File
		if i.Kind == bundle.KindIcm {
			platform = i.Platform
		}
	}
	for path, want := range map[string]bundle.File{
		"bin/" + platform + "/icm":                        {Kind: "icm", Version: "1.2.3", Platform: platform, Executable: true},
		"bin/" + platform + "/icm-provider-lab":           {Kind: "provider", Version: "1.2.3", Platform: platform, Executable: true},
		"bin/" + platform + "/providers.sha256":           {Kind: "provider", Version: "1.2.3", Platform: platform},
		"agents/icm-agent-linux-amd64.gz":                 {Kind: "agent", Version: "1.2.3", Platform: "linux-amd64"},
		"agents/icm-agent-linux-arm64.gz":                 {Kind: "agent", Version: "1.2.3", Platform: "linux-arm64"},
		"kits/IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz":       {Kind: "kit", Version: "2023.1.0.235.1", Platform: "lnxrh8x64"},
		"kits/ISCAgent-2023.1.0.235.1-lnxrh8x64.tar.gz":   {Kind: "iscagent", Version: "2023.1.0.235.1", Platform: "lnxrh8x64"},
		"kits/WebGateway-2023.1.0.235.1-lnxrh8x64.tar.gz": {Kind: "webgateway", Version: "2023.1.0.235.1", Platform: "lnxrh8x64"},
		"licenses/iris.key":                               {Kind: "license"},
		"packages/docker-ce.deb":                          {Kind: "package"},
		"images/iris.tar":                                 {Kind: "image"},
		"terraform/tofu":                                  {Kind: "terraform", Executable: true},
		"terraform/mirror/a.zip":                          {Kind: "terraform"},
		"files/root.tar":                                  {Kind: "file"},
		"docs/install-air-gap.md":                         {Kind: "doc", Version: "1.2.3"},
	} {
		want.Path = path
		got, ok := byPath[path]
		if !ok || got.Kind != want.Kind || got.Version != want.Version || got.Platform != want.Platform || got.Executable != want.Executable {
			t.Errorf("%s is %+v", path, got)
		}
	}
	if _, ok := byPath["bin/"+platform+"/lab"]; ok {
		t.Error("a program that is none of icm's is taken")
	}
}

func TestEverythingThatIsWrongIsToldAtOnce(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/etc/passwd", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	_, err := Wanted{Programs: []string{dir}, Kits: []string{"iris.tgz"}, Licenses: []string{dir + "/none"}, Mirrors: []string{dir}, Images: []string{dir}}.All()
	for _, want := range []string{"cannot take icm from", "is not the name of a kit", "none: no such file", "link: it is not a file", dir + ": it is not a file"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestTheBillOfMaterialsNamesFilesAndModules(t *testing.T) {
	in, err := wanted(t).All()
	if err != nil {
		t.Fatal(err)
	}
	public, text, err := signing.Generate(secret.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := signing.LoadPrivate(write(t, t.TempDir()+"/k", text, 0o600), nil)
	if err != nil {
		t.Fatal(err)
	}
	var out [2]bytes.Buffer
	for i := range out {
		_, err = bundle.Build(t.Context(), &out[i], bundle.BuildOptions{Name: "acme", Issued: time.Unix(1e9, 0), Icm: "1.2.3", Inputs: in, Key: key, SBOM: SBOM(in)})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(out[0].Bytes(), out[1].Bytes()) {
		t.Error("two builds differ")
	}
	b, err := bundle.Open(write(t, t.TempDir()+"/b", out[0].Bytes(), 0o600), []signing.Public{public}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	f, ok := b.Manifest.Find(bundle.KindSBOM, "sbom.cdx.json")
	if !ok {
		t.Fatal("there is no bill of materials")
	}
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(b.Reader(f), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if bom.BOMFormat != "CycloneDX" || bom.SpecVersion != cyclonedx.SpecVersion1_5 || !strings.HasPrefix(bom.SerialNumber, "urn:uuid:") || bom.Version != 1 {
		t.Errorf("the document is %s %s %s %d", bom.BOMFormat, bom.SpecVersion, bom.SerialNumber, bom.Version)
	}
	var names, refs []string
	for _, c := range *bom.Components {
		names, refs = append(names, c.Name), append(refs, c.BOMRef)
		if c.Type == "" || c.Name == "" || c.BOMRef == "" {
			t.Errorf("a component without type, name or reference: %+v", c)
		}
	}
	for _, want := range []string{"icm", "IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz", "licenses/iris.key", "std"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not listed", want)
		}
	}
	slices.Sort(refs)
	if len(slices.Compact(refs)) != len(names) {
		t.Error("two components have one reference")
	}
}
