package spec

import "fmt"

// purposes are the volumes that hold an instance's files, with the spelling of
// their fields.
var purposes = []string{"Data", "WIJ", "Journal1", "Journal2"}

func storageFields() []Field {
	fields := []Field{{Name: "FileSystem", Type: Enum, Values: []string{"ext2", "ext3", "ext4", "xfs", "btrfs"}, Default: "xfs",
		Meaning: "File system of the volumes. Docker's overlay2 asks for xfs."}}
	for _, p := range []struct{ purpose, text, mount, cpf string }{
		{"Data", "the namespace's databases", "/irissys/data", ""},
		{"WIJ", "the write image journal", "/irissys/wij", "config.wijdir"},
		{"Journal1", "the journal files", "/irissys/journal1", "Journal.CurrentDirectory"},
		{"Journal2", "the alternate journal files", "/irissys/journal2", "Journal.AlternateDirectory"},
	} {
		fields = append(fields,
			deviceField(p.purpose, p.text),
			Field{Name: p.purpose + "MountPoint", Type: MountPoint, Default: p.mount, CPF: p.cpf, Roles: irisRoles,
				Meaning: fmt.Sprintf("Where the volume of %s is mounted.", p.text)},
			volumeSizeField(p.purpose, p.text))
	}
	fields = append(fields,
		deviceField("Docker", "Docker"),
		volumeSizeField("Docker", "Docker"),
		Field{Name: "OSVolumeSize", Type: Size, Default: "32", Providers: makers,
			Meaning: "Size in GB of the operating system's volume. The machine image may ask for more."})
	return group("Volumes", fields)
}

// makers are the providers that make volumes.
var makers = []string{AWS, GCP, Azure, VSphere, Lab}

func volumeSizeField(purpose, text string) Field {
	return Field{Name: purpose + "VolumeSize", Type: Size, Default: "10", Providers: makers,
		Meaning: fmt.Sprintf("Size in GB of the volume of %s.", text)}
}

func deviceField(purpose, text string) Field {
	f := Field{Name: purpose + "DeviceName", Type: Device, DefaultFor: devices[purpose], Example: "sdc",
		DefaultText: "PreExisting: none; Lab: the provider knows",
		Meaning:     fmt.Sprintf("Device below /dev that holds %s. The word \"null\" takes a plain directory instead, which is not for production.", text)}
	if purpose == "Docker" {
		f.Meaning = `Device below /dev that Docker keeps its images on. The word "null" takes a file instead, which is not for production; overlay2 takes "null" by itself.`
		return f
	}
	f.Roles = irisRoles
	return f
}

var devices = map[string]map[string]string{
	"Docker":   {AWS: "xvdb", GCP: "sdb", VSphere: "sdb", Azure: "sdc"},
	"Data":     {AWS: "xvdc", GCP: "sdc", VSphere: "sdc", Azure: "sdd"},
	"WIJ":      {AWS: "xvdd", GCP: "sdd", VSphere: "sdd", Azure: "sde"},
	"Journal1": {AWS: "xvde", GCP: "sde", VSphere: "sde", Azure: "sdf"},
	"Journal2": {AWS: "xvdf", GCP: "sdf", VSphere: "sdf", Azure: "sdg"},
}
