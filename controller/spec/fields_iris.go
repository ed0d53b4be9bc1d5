package spec

func irisFields() []Field {
	const kit = "the kit decides"
	return group("IRIS", []Field{
		{Name: "KitURL", Type: KitAddress, Example: "file:///tmp/IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz",
			Meaning: "Address of the kit, a gzipped tar file for 64-bit Linux: http, https, or a file on the nodes (`file:///…`), which they fetch themselves; a file beside icm (`local:FILE`), or a kit in a bundle (`bundle:NAME`), which icm brings to them."},
		{Name: "KitSHA256", Type: SHA256, Meaning: "Checksum that the kit must have."},
		{Name: "KitCredentials", Type: Path, Meaning: "File beside icm that holds `user:password` for `KitURL`."},
		{Name: "ISCInstance", Aliases: []string{"InstanceName"}, Type: Name, Default: "IRIS", Meaning: "Name of the instance on each node."},
		{Name: "ISCInstallDir", Type: MountPoint, Default: "/usr/irissys", Meaning: "Directory that IRIS is installed in."},
		{Name: "Nonroot", Type: Bool, Default: "false", Meaning: "Install IRIS without root: no volumes are mounted."},
		{Name: "UserCPF", Type: Path, Meaning: "File beside icm with CPF merge lines of your own, applied after those of icm."},
		{Name: "LicenseDir", Type: Path, Example: "/Samples/license/", Meaning: "Directory beside icm that holds the license keys."},
		{Name: "LicenseKey", Type: Text, Roles: irisRoles, Example: "standard-iris.key",
			Meaning: "Name of the license key in `LicenseDir`. A sharded cluster needs sharding keys."},
		{Name: "InitialSecurity", Type: Enum, Values: []string{"Minimal", "Normal", "LockedDown"}, Default: "Normal", Meaning: "Security level that IRIS is installed with."},
		{Name: "OwnerAccount", Type: Account, Default: "irisowner", Meaning: "Account that owns the instance."},
		{Name: "OwnerGroup", Type: Account, Default: "irisowner", Meaning: "Group that may start and stop the instance."},
		{Name: "IRISUser", Type: Account, Default: "irisusr", Meaning: "Account that the instance's server processes run as."},
		{Name: "IRISGroup", Type: Account, Default: "irisusr", Meaning: "Group of the instance's processes and files."},
		{Name: "ISCglobals", Type: TextList, DefaultText: "0,0,0,0,0,0: automatic", CPF: "config.globals", Example: "0,0,800,0,0,0",
			Meaning: "Database cache in MB for each block size, six numbers."},
		{Name: "ISCroutines", Type: Text, DefaultText: "0: automatic", CPF: "config.routines", Meaning: "Routine cache in MB."},
		{Name: "ISCgmheap", Type: Int, DefaultText: kit, CPF: "config.gmheap", Meaning: "Generic memory heap in KB."},
		{Name: "ISClcksiz", Aliases: []string{"ISClacksiz", "ISClocksiz"}, Type: Int, DefaultText: kit, CPF: "config.locksiz", Meaning: "Largest lock table in bytes."},
		{Name: "ISCbbsiz", Type: Int, Min: -1, Max: 1 << 31, DefaultText: kit, CPF: "config.bbsiz", Meaning: "Largest memory of a process in KB; -1 is automatic."},
		{Name: "ISCmemlock", Type: Int, DefaultText: kit, CPF: "config.memlock", Meaning: "What of its memory IRIS locks, as a bit mask."},
		{Name: "SuperServerPort", Type: Port, DefaultText: "the kit decides: 51773 before 2020, 1972 since", CPF: "Startup.DefaultPort", Meaning: "Port of the superserver."},
		{Name: "WebServerPort", Type: Port, DefaultText: "the kit decides: 52773 up to 2023.1, none since", CPF: "Startup.WebServerPort", Meaning: "Port of the kit's private web server, where it has one."},
		{Name: "JDBCGatewayPort", Type: Port, DefaultText: "the kit decides: 62972", CPF: "SQL.JDBCGatewayPort", Meaning: "Port of the JDBC gateway."},
		{Name: "ISCAgentPort", Type: Port, Default: "2188", Meaning: "Port of the ISCAgent, through which mirror members and the arbiter talk."},
		{Name: "LicenseServerPort", Type: Port, Default: "4002", Meaning: "Port of the license server, which runs on the DM nodes."},
		{Name: "ApplicationPath", Type: Text, Roles: []string{"WS"}, Example: "/acme/", Meaning: "Application path that is made on each Web Gateway."},
		{Name: "AlternativeServers", Type: Enum, Values: []string{"LoadBalancing", "FailOver"}, Default: "LoadBalancing", Roles: []string{"WS"},
			Meaning: "How the Web Gateway spreads requests for `ApplicationPath` over its servers."},
	})
}

// kernelFields are switches: auto does what IRIS needs, false leaves the node
// as it is.
func kernelFields() []Field {
	fields := []Field{
		{Name: "HugePages", Meaning: "Reserve huge pages for the memory that the instance shares."},
		{Name: "TransparentHugePages", Meaning: "Turn transparent huge pages off."},
		{Name: "Swappiness", Meaning: "Lower the kernel's wish to swap."},
		{Name: "Memlock", Meaning: "Raise the limits of locked memory and processes for the instance's owner."},
		{Name: "RemoveIPC", Meaning: "Keep systemd from removing the instance's shared memory when its owner logs out."},
	}
	for i := range fields {
		fields[i].Type, fields[i].Default, fields[i].Roles = Switch, "auto", irisRoles
		fields[i].Meaning += " `false` leaves the node as it is."
	}
	return group("Kernel", fields)
}
