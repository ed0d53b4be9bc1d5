package spec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestEveryRowOfTheTableIsWhole(t *testing.T) {
	seen := map[string]string{}
	for i := range Table {
		f := &Table[i]
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			if other, twice := seen[strings.ToLower(name)]; twice {
				t.Errorf("%s and %s have the same name", f.Name, other)
			}
			seen[strings.ToLower(name)] = f.Name
		}
		if f.Meaning == "" || f.Type == "" || f.Where == "" || f.Group == "" {
			t.Errorf("%s lacks something: %+v", f.Name, f)
		}
		if (f.Type == Enum || f.Type == EnumList) != (len(f.Values) > 0) {
			t.Errorf("%s: values are for enums, and only for them", f.Name)
		}
		for _, role := range f.Roles {
			if !slices.Contains(Roles, role) {
				t.Errorf("%s is for the unknown role %s", f.Name, role)
			}
		}
	}
}

func TestEveryDefaultAndExampleIsAGoodValue(t *testing.T) {
	for i := range Table {
		f := &Table[i]
		values := []string{f.Default, f.Example}
		for _, v := range f.DefaultFor {
			values = append(values, v)
		}
		for _, v := range values {
			if _, want, _ := f.check(v); v != "" && want != "" {
				t.Errorf("%s: %q is refused by its own check, which wants %s", f.Name, v, want)
			}
		}
	}
}

// The fields of the guide's tables 4.10.1 to 4.10.5, 2.5, A and E, so that none
// is lost.
const guideFields = `LicenseDir LicenseKey ISCPassword DockerImage DockerRegistry DockerUsername DockerPassword DockerVersion DockerURL
DockerStorageDriver Home Mirror Spark LoadBalancer Namespace ISCglobals ISCroutines ISCGmheap ISClacksiz ISClcksiz ISCbbsiz ISCMemlock Overlay
ISCAgentPort JDBCGatewayPort SuperServerPort WebServerPort LicenseServerPort SparkMasterPort SparkWorkerPort SparkMasterWebUIPort
SparkWorkerWebUIPort SparkRESTPort SparkDriverPort SparkBlockManagerPort Count Label Role Tag StartCount FileSystem DataMountPoint
WIJMountPoint Journal1MountPoint Journal2MountPoint OSVolumeSize DockerVolumeSize DataVolumeSize WIJVolumeSize Journal1VolumeSize
Journal2VolumeSize SystemMode Provider Monitor MonitorUsername MonitorPassword ProxyImage ForwardPort ForwardProtocol HealthCheckPort
HealthCheckProtocol HealthCheckPath MirrorMap SSHUser SSHPassword SSHOnly SSHPublicKey SSHPrivateKey TLSKeyDir SSLConfig Credentials AMI
Region Zone ZoneMap ZoneMaps ElasticIP InstanceType VPCId OSVolumeType OSVolumeIOPS DockerVolumeType DockerVolumeIOPS DataVolumeType
DataVolumeIOPS WIJVolumeType WIJVolumeIOPS Journal1VolumeType Journal1VolumeIOPS Journal2VolumeType Journal2VolumeIOPS Project MachineType
Image Size Location SubscriptionId ClientId ClientSecret TenantId PublisherName Offer Sku Version AccountTier AccountReplicationType
ResourceGroupName VirtualNetworkName SubnetId UseMSI CustomImage net_subnet_cidr Server Datacenter VsphereUser VspherePassword Username Password VCPU Memory
DatastoreCluster DNSServers DNSSuffixes Domain NetworkInterface Template GuestID WaitForGuestNetTimeout ShutdownWaitTimeout
MigrateWaitTimeout CloneTimeout CustomizeTimeout DiskPolicy ResourcePool SDRSEnabled SDRSAutomationLevel SDRSIntraVMAffinity
SCSIControllerCount DockerVolumeSCSIController DataVolumeSCSIController WIJVolumeSCSIController Journal1VolumeSCSIController
Journal2VolumeSCSIController IPAddress DNSName DockerDeviceName DataDeviceName WIJDeviceName Journal1DeviceName Journal2DeviceName Member
MachineName WeaveArgs WeavePeers WeavePassword StateDir DefinitionIndex TargetRole MirrorSetName InstanceCount ApplicationPath
AlternativeServers ConsulServers Containerless KitURL`

func TestEveryFieldOfTheGuideIsInTheTable(t *testing.T) {
	for _, name := range strings.Fields(guideFields) {
		if _, ok := Lookup(name); !ok {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestDefaultsDependOnTheProvider(t *testing.T) {
	for _, row := range []struct{ field, provider, want string }{
		{"DataDeviceName", AWS, "xvdc"}, {"DataDeviceName", Azure, "sdd"}, {"DataDeviceName", PreExisting, ""}, {"DataDeviceName", Lab, ""},
		{"Overlay", AWS, "weave"}, {"Overlay", PreExisting, "host"}, {"DataVolumeType", GCP, "pd-standard"}, {"DataVolumeType", VSphere, ""},
		{"Journal1MountPoint", Lab, "/irissys/journal1"}, {"SuperServerPort", AWS, ""},
	} {
		f, _ := Lookup(row.field)
		if got := f.DefaultOn(row.provider); got != row.want {
			t.Errorf("%s on %s is %q, want %q", row.field, row.provider, got, row.want)
		}
	}
}

func TestFieldsNeverShowSecrets(t *testing.T) {
	const canary = "canary-81"
	f := MakeFields(map[string]string{
		"iscpassword": canary, "DockerPassword": canary, "Password": canary, "_ISCPassword": canary, "MyToken": canary, "WeavePassword": canary, "Label": "ACME",
	})
	text, err := json.Marshal(map[string]any{"f": f, "s": &Spec{Global: f}})
	if err != nil {
		t.Fatal(err)
	}
	out := string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		out += fmt.Sprintf(verb, f) + fmt.Sprintf(verb, &Spec{Global: f}) + fmt.Sprintf(verb, f.Map(false))
	}
	out += f.Get("ISCPassword")
	if strings.Contains(out, canary) {
		t.Errorf("a secret shows in %s", out)
	}
	if !strings.Contains(out, "ACME") {
		t.Error("Label does not show")
	}
	for _, name := range []string{"ISCPassword", "VspherePassword", "_ISCPassword", "MYTOKEN"} {
		if f.Secret(name).Reveal() != canary || f.Map(true)[f.Names()[0]] == "" {
			t.Errorf("%s cannot be revealed", name)
		}
	}
}

func TestFieldsAnswerWithoutRegardToCase(t *testing.T) {
	f := MakeFields(map[string]string{"mirror": "True", "count": "3", "zone": "a, b", "own": "x"})
	if !f.Bool("Mirror") || f.Int("COUNT") != 3 || strings.Join(f.List("Zone"), "|") != "a|b" || f.Get("OWN") != "x" {
		t.Errorf("fields are %s", f)
	}
	if _, ok := f.Lookup("Tag"); ok || f.Get("Tag") != "" || f.Source("Tag") != "" {
		t.Error("Tag has no value")
	}
	if got := f.With(FromOption, map[string]string{"Count": "4"}); got.Int("Count") != 4 || f.Int("Count") != 3 || got.Source("count") != FromOption {
		t.Error("With changes a copy")
	}
	if got := f.Map(false); got["Mirror"] != "True" || got["own"] != "x" {
		t.Errorf("map is %v", got)
	}
}

func TestFieldsThatIrisKnowsBecomeItsSettings(t *testing.T) {
	values := map[string]string{"ISClacksiz": "5", "iscglobals": "0,0,8,0,0,0", "Journal1MountPoint": "/j1", "Label": "ACME", "SuperServerPort": ""}
	got := fmt.Sprint(MakeFields(values).CPF())
	if want := "map[Journal.CurrentDirectory:/j1 config.globals:0,0,8,0,0,0 config.locksiz:5]"; got != want {
		t.Errorf("settings are %s, want %s", got, want)
	}
	values["Nonroot"] = "true"
	if got := MakeFields(values).CPF(); got["Journal.CurrentDirectory"] != "" {
		t.Errorf("without root the settings are %v", got)
	}
}
