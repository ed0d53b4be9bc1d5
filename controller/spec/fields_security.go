package spec

func securityFields() []Field {
	return group("Security and access", []Field{
		{Name: "ISCPassword", Type: Text, Secret: true,
			Meaning: "Password of the instance's predefined accounts. Better asked for or read from a file than written here."},
		{Name: "SSHUser", Type: Account, DefaultFor: map[string]string{Lab: "icm"}, Required: requiredFor(AWS, GCP, Azure, VSphere, PreExisting), Example: "ec2-user",
			Meaning: "Account, not root, that may use sudo without a password. The machine image may prescribe it."},
		{Name: "SSHPassword", Type: Text, Secret: true,
			Meaning: "Password of `SSHUser` for the first contact, where no key is known to the node yet. Password login is switched off afterwards."},
		{Name: "SSHOnly", Type: Bool, Default: "false", Providers: []string{PreExisting, VSphere}, Meaning: "Never try a password."},
		{Name: "SSHPublicKey", Type: Path, Required: always(), Meaning: "File beside icm with the public key, in OpenSSH or SSH2 format."},
		{Name: "SSHPrivateKey", Type: Path, Required: always(), Meaning: "File beside icm with the private key. It never leaves icm."},
		{Name: "SSHPort", Type: Port, Default: "22", Meaning: "Port of the nodes' SSH servers."},
		{Name: "BastionHost", Type: Text, Example: "icm@jump.acme.com:22", Meaning: "Host that SSH connections go through."},
		{Name: "TLSKeyDir", Type: Path, Example: "/Samples/tls/", Meaning: "Directory beside icm with the TLS keys for Docker, Web Gateway, JDBC and mirrors."},
		{Name: "SSLConfig", Type: Path, DefaultText: "SSLConfig.properties in `TLSKeyDir`", Meaning: "TLS configuration file of JDBC connections."},
	})
}

func preexistingFields() []Field {
	return group("PreExisting", []Field{
		{Name: "IPAddress", Type: IP, Where: InDefinitions, Example: "172.16.110.9",
			Meaning: "Address of the node. It or `DNSName` must be given; other providers generate it."},
		{Name: "DNSName", Type: Host, Where: InDefinitions, Example: "node21.acme.com",
			Meaning: "Name of the node, which icm and the other nodes can resolve. It or `IPAddress` must be given; other providers generate it."},
	}, PreExisting)
}

func labFields() []Field {
	return group("Lab", []Field{
		{Name: "LabNetworkRate", Type: Rate, Where: InDefaults, DefaultText: "not limited", Example: "100mbit", Meaning: "Speed that each node's network is limited to."},
		{Name: "LabMirror", Type: URL, Where: InDefaults, DefaultText: "what mmdebstrap chooses", Example: "http://mirror.acme.com/debian", Meaning: "Debian mirror that the nodes' system is made from."},
	}, Lab)
}

func toolFields() []Field {
	return group("Terraform", []Field{
		{Name: "TerraformPath", Type: Path, Where: InDefaults, DefaultText: "terraform or tofu on the PATH", Meaning: "Program that provisions."},
		{Name: "TerraformMirror", Type: Path, Where: InDefaults, DefaultText: "what terraform's own configuration says, and else what lies on this machine",
			Meaning: "Directory with Terraform's own plugins, for sites without a network."},
		{Name: "TerraformOverrideDir", Type: Path, Where: InDefaults, Meaning: "Directory with templates, in `network` and `nodes`, that are added to icm's own or take the place of those of the same name."},
		{Name: "AllowDataLoss", Type: TextList, Where: InDefaults, Example: "ACME-AM-TEST-0002",
			Meaning: "Machines that `icm provision` may destroy or make anew, or whose volumes. Command line: `-allowDataLoss`, which is better: it counts once."},
		{Name: "AllowedNetworks", Type: TextList, Where: InDefaults, Providers: []string{AWS, GCP, Azure}, DefaultText: "0.0.0.0/0, which is everywhere", Example: "192.0.2.0/24",
			Meaning: "Networks from which the nodes' ports may be reached."},
		{Name: "CloudInit", Type: Bool, Default: "true", DefaultFor: map[string]string{VSphere: "false"}, Meaning: "Whether the machine image, or the vSphere template, runs cloud-init. It takes the host key that the first contact is verified with; without it that key is trusted unseen."},
	}, AWS, GCP, Azure, VSphere)
}
