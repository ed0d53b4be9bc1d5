package spec

import "fmt"

func awsFields() []Field {
	fields := []Field{
		{Name: "Credentials", Type: Path, Providers: []string{AWS, GCP}, Example: "/Samples/AWS/sample.credentials",
			Meaning: "File beside icm with the cloud account's credentials: AWS's own format, or GCP's JSON."},
		{Name: "Region", Type: Text, Providers: []string{AWS, GCP}, Required: requiredFor(AWS, GCP), Example: "us-west-1", Meaning: "Region of the nodes."},
		{Name: "AMI", Type: Text, Required: requiredFor(AWS), Example: "ami-18726478", Meaning: "Machine image of the nodes."},
		{Name: "InstanceType", Type: Text, Required: requiredFor(AWS), Example: "m4.large", Meaning: "Machine type of the nodes."},
		{Name: "ElasticIP", Type: Bool, Default: "false", Meaning: "Keep the nodes' addresses when they are stopped and started."},
		{Name: "VPCId", Type: Text, DefaultText: "one is made", Meaning: "Network there is already. It is not removed by unprovision."},
		{Name: "net_subnet_cidr", Type: Text, Providers: []string{AWS, Azure}, DefaultText: "10.0.%d.0/24", Meaning: "Addresses of the subnets, where an existing network does not begin with 10.0."},
	}
	for _, purpose := range volumePurposes {
		fields = append(fields, Field{Name: purpose + "VolumeIOPS", Type: Int, Default: "0", Meaning: fmt.Sprintf("I/O operations per second of the %s volume; needed by the types io1 and io2.", purpose)})
	}
	return group("AWS", append(fields, volumeTypes()...), AWS)
}

var volumePurposes = []string{"OS", "Docker", "Data", "WIJ", "Journal1", "Journal2"}

// volumeTypes are shared by AWS and GCP.
func volumeTypes() []Field {
	var fields []Field
	for _, purpose := range volumePurposes {
		fields = append(fields, Field{Name: purpose + "VolumeType", Type: Text, Providers: []string{AWS, GCP},
			DefaultFor: map[string]string{AWS: "standard", GCP: "pd-standard"}, Meaning: fmt.Sprintf("Type of the %s volume.", purpose)})
	}
	return fields
}

func gcpFields() []Field {
	return group("GCP", []Field{
		{Name: "Project", Type: Text, Required: requiredFor(GCP), Meaning: "Project that the nodes belong to."},
		{Name: "MachineType", Type: Text, Required: requiredFor(GCP), Example: "n1-standard-1", Meaning: "Machine type of the nodes."},
		{Name: "Image", Type: Text, Providers: []string{GCP, Lab}, Required: requiredFor(GCP), Example: "centos-cloud/centos-7-v20160803",
			Meaning: "GCP: image of the system disk. Lab: a tarball with a root file system, where there is no network to make one from."},
	}, GCP)
}

func azureFields() []Field {
	return group("Azure", []Field{
		{Name: "Size", Type: Text, Required: requiredFor(Azure), Example: "Standard_DS1", Meaning: "Machine type of the nodes."},
		{Name: "Location", Type: Text, Required: requiredFor(Azure), Example: "Central US", Meaning: "Region of the nodes."},
		{Name: "SubscriptionId", Type: Text, Required: requiredFor(Azure), Meaning: "Subscription that pays."},
		{Name: "TenantId", Type: Text, Required: requiredFor(Azure), Meaning: "Directory that the account belongs to."},
		{Name: "ClientId", Type: Text, DefaultText: "none with `UseMSI`", Meaning: "Application that icm acts as."},
		{Name: "ClientSecret", Type: Text, Secret: true, DefaultText: "none with `UseMSI`", Meaning: "Password of that application."},
		{Name: "UseMSI", Type: Bool, Default: "false", Meaning: "Use the identity of the Azure machine that icm runs on instead of `ClientId` and `ClientSecret`."},
		{Name: "PublisherName", Type: Text, Example: "OpenLogic", Meaning: "Publisher of the machine image."},
		{Name: "Offer", Type: Text, Example: "Centos", Meaning: "Operating system of the machine image."},
		{Name: "Sku", Type: Text, Example: "7.2", Meaning: "Major version of the machine image."},
		{Name: "Version", Type: Text, Example: "7.2.20170105", Meaning: "Build of the machine image."},
		{Name: "CustomImage", Type: Text, Meaning: "Image of your own, as an Azure URI, instead of the four fields of a published one."},
		{Name: "AccountTier", Type: Enum, Values: []string{"Standard", "Premium"}, Meaning: "Kind of disks: HDD or SSD."},
		{Name: "AccountReplicationType", Type: Enum, Values: []string{"LRS", "GRS", "ZRS", "RAGRS"}, Meaning: "How storage is replicated."},
		{Name: "ResourceGroupName", Type: Text, DefaultText: "one is made", Meaning: "Resource group there is already. It is not removed by unprovision."},
		{Name: "VirtualNetworkName", Type: Text, DefaultText: "one is made", Meaning: "Network there is already. It is not removed by unprovision."},
		{Name: "SubnetId", Type: Text, DefaultText: "one is made", Meaning: "Subnet there is already, as an Azure URI. It is not removed by unprovision."},
	}, Azure)
}

func vsphereFields() []Field {
	fields := []Field{
		{Name: "Server", Type: Host, Required: requiredFor(VSphere), Example: "vcenter.acme.com", Meaning: "vCenter server."},
		{Name: "Datacenter", Type: Text, Required: requiredFor(VSphere), Meaning: "Data center of the nodes."},
		{Name: "VsphereUser", Aliases: []string{"Username"}, Type: Text, Required: requiredFor(VSphere), Meaning: "User at the vCenter server."},
		{Name: "VspherePassword", Aliases: []string{"Password"}, Type: Text, Secret: true, Meaning: "Password of that user."},
		{Name: "VCPU", Type: Int, Min: 1, Max: 4096, Example: "2", Meaning: "CPUs of a node."},
		{Name: "Memory", Type: Int, Min: 1, Max: 1 << 30, Example: "4096", Meaning: "Memory of a node in MB."},
		{Name: "DatastoreCluster", Type: Text, Required: requiredFor(VSphere), Meaning: "Datastores that hold the machines' files."},
		{Name: "DNSServers", Type: TextList, Example: "172.16.96.1,172.17.15.53", Meaning: "DNS servers of the nodes."},
		{Name: "DNSSuffixes", Type: TextList, Example: "acme.com", Meaning: "Suffixes that names are looked up with."},
		{Name: "Domain", Type: Text, Example: "acme.com", Meaning: "Domain of the nodes."},
		{Name: "NetworkInterface", Type: Text, Example: "VM Network", Meaning: "Network that the nodes are put in."},
		{Name: "Template", Type: Text, Required: requiredFor(VSphere), Example: "centos-7", Meaning: "Machine that the nodes are copied from."},
		{Name: "GuestID", Type: Text, Default: "centos64Guest", Meaning: "vSphere's name for the operating system."},
		{Name: "WaitForGuestNetTimeout", Type: Int, Default: "5", Meaning: "Minutes to wait for a machine's address."},
		{Name: "ShutdownWaitTimeout", Type: Int, Default: "3", Meaning: "Minutes to wait for a machine to shut down."},
		{Name: "MigrateWaitTimeout", Type: Int, Default: "10", Meaning: "Minutes to wait for a machine to move."},
		{Name: "CloneTimeout", Type: Int, Default: "30", Meaning: "Minutes to wait for a machine to be copied."},
		{Name: "CustomizeTimeout", Type: Int, Default: "10", Meaning: "Minutes to wait for a machine to be customized."},
		{Name: "DiskPolicy", Type: Enum, Values: []string{"thin", "lazy", "eagerZeroedThick"}, Default: "lazy", Meaning: "How disks take their space."},
		{Name: "ResourcePool", Type: Text, Example: "ResourcePool1", Meaning: "Resource pool of the nodes."},
		{Name: "SDRSEnabled", Type: Bool, DefaultText: "as the datastore cluster is set", Meaning: "Whether Storage DRS is used for the machines."},
		{Name: "SDRSAutomationLevel", Type: Enum, Values: []string{"automated", "manual"}, DefaultText: "as the datastore cluster is set", Meaning: "How far Storage DRS acts by itself."},
		{Name: "SDRSIntraVMAffinity", Type: Bool, DefaultText: "as the datastore cluster is set", Meaning: "Whether all disks of a machine stay on one datastore."},
		{Name: "SCSIControllerCount", Type: Int, Min: 1, Max: 4, Default: "1", Meaning: "SCSI controllers of a machine. The template may have to have as many."},
	}
	for _, purpose := range volumePurposes[1:] {
		fields = append(fields, Field{Name: purpose + "VolumeSCSIController", Type: Int, Min: 1, Max: 4, Default: "1",
			Meaning: fmt.Sprintf("SCSI controller of the %s volume, not above `SCSIControllerCount`.", purpose)})
	}
	return group("vSphere", fields, VSphere)
}
