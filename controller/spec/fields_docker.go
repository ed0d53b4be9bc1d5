package spec

func dockerFields() []Field {
	fields := []Field{
		{Name: "DockerImage", Type: Text, Example: "intersystems/iris:stable", Meaning: "Image to run, with its repository. Command line: `-image`."},
		{Name: "DockerRegistry", Type: Text, DefaultText: "Docker's public registry", Meaning: "Host of the registry that holds the image."},
		{Name: "DockerUsername", Type: Text, Meaning: "User at the registry."},
		{Name: "DockerPassword", Type: Text, Secret: true, Meaning: "Password at the registry."},
		{Name: "DockerVersion", Type: Text, Default: "ce-18.03.1.ce", Meaning: "Version of Docker to install."},
		{Name: "DockerURL", Type: URL, Meaning: "Repository of Docker Enterprise Edition, which is installed when it is given."},
		{Name: "DockerStorageDriver", Type: Enum, Values: []string{"overlay2", "devicemapper"}, Default: "devicemapper",
			Meaning: "Docker's storage driver. overlay2 asks for `FileSystem` xfs and takes no Docker device."},
		{Name: "Overlay", Type: Enum, Values: []string{"weave", "host"}, Default: "weave", DefaultFor: map[string]string{PreExisting: "host", Lab: "host"}, Where: InDefaults,
			Meaning: "Network of the containers."},
		{Name: "WeavePassword", Type: Text, Secret: true, Where: InDefaults, DefaultText: "generated", Meaning: `Password that encrypts Weave Net's traffic; the word "null" switches encryption off.`},
		{Name: "Monitor", Type: Enum, Values: []string{"scope"}, Where: InDefaults, Meaning: "`scope` deploys Weave Scope."},
		{Name: "MonitorUsername", Type: Text, Where: InDefaults, Meaning: "User of Weave Scope."},
		{Name: "MonitorPassword", Type: Text, Secret: true, Where: InDefaults, Meaning: "Password of Weave Scope."},
		{Name: "ProxyImage", Type: Text, Where: InDefaults, Meaning: "Image that puts HTTPS and a password before Weave Scope."},
		{Name: "Spark", Type: Bool, Default: "false", Meaning: "Run Spark together with IRIS, where the image has it."},
	}
	for _, p := range [][3]string{
		{"SparkMasterPort", "7077", "Port of the Spark master."},
		{"SparkWorkerPort", "7000", "Port of the Spark worker."},
		{"SparkMasterWebUIPort", "8080", "Port of the Spark master's web pages."},
		{"SparkWorkerWebUIPort", "8081", "Port of the Spark worker's web pages."},
		{"SparkRESTPort", "6066", "Port of Spark's REST interface."},
		{"SparkDriverPort", "7001", "Port of the Spark driver."},
		{"SparkBlockManagerPort", "7005", "Port of Spark's block manager."},
	} {
		fields = append(fields, Field{Name: p[0], Type: Port, Default: p[1], Meaning: p[2]})
	}
	return group("Containers", fields)
}

// balancerRoles can stand behind a load balancer.
var balancerRoles = []string{"AM", "WS", "VM", "CN"}

func balancerFields() []Field {
	const own = "VM and CN: none, it must be given"
	fields := []Field{
		{Name: "LoadBalancer", Type: Bool, Default: "false", Meaning: "Put a load balancer before the nodes, with AWS, GCP and Azure."},
		{Name: "ForwardPort", Type: Port, DefaultText: "AM: SuperServerPort; WS: 80; " + own, Meaning: "Port that the load balancer forwards."},
		{Name: "ForwardProtocol", Type: Text, DefaultText: "AM: tcp; WS: http; " + own, Meaning: "Protocol that the load balancer forwards."},
		{Name: "HealthCheckPort", Type: Port, DefaultText: "AM: SuperServerPort; WS: 80; " + own, Meaning: "Port by which the load balancer tells whether a node is well."},
		{Name: "HealthCheckProtocol", Type: Text, DefaultText: "AM: tcp; WS: http; " + own, Meaning: "Protocol of that check."},
		{Name: "HealthCheckPath", Type: Text, DefaultText: "AM: /csp/user/isc_status.cxw; VM and CN: must be given for http", Meaning: "Path of that check, where it is http."},
	}
	for i := range fields {
		fields[i].Roles = balancerRoles
	}
	return group("Load balancers", fields)
}
