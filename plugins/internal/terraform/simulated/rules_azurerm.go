package simulated

import (
	"fmt"
	"strings"
)

// azurerm is what is known of Microsoft's cloud, from the provider's
// documentation.
var azurerm = cloud{
	credentials: [][]string{{"ARM_CLIENT_ID", "ARM_CLIENT_SECRET", "ARM_TENANT_ID"}, {"ARM_USE_MSI"}},
	id:          azureID,
	values:      azureValues,
	find: func(s *server, kind string, asked object) (object, error) {
		return s.stored(kind, func(o object) bool { return o.text("name") == asked.text("name") })
	},
	rules: map[string]rule{
		"azurerm_resource_group":         {forceNew: []string{"name", "location"}},
		"azurerm_virtual_network":        inGroup(rule{required: []string{"address_space|ip_address_pool"}}),
		"azurerm_network_security_group": inGroup(rule{}),
		"azurerm_public_ip":              inGroup(rule{forceNew: []string{"zones", "sku"}, check: azureStatic}),
		"azurerm_lb":                     inGroup(rule{forceNew: []string{"sku"}, refers: map[string]string{"frontend_ip_configuration.*.public_ip_address_id": "azurerm_public_ip"}}),
		"azurerm_network_interface": inGroup(rule{refers: map[string]string{
			"ip_configuration.*.subnet_id": "azurerm_subnet", "ip_configuration.*.public_ip_address_id": "azurerm_public_ip",
		}}),
		"azurerm_managed_disk": inGroup(rule{
			forceNew: []string{"zone", "create_option"}, required: []string{"disk_size_gb|source_resource_id"}, grows: []string{"disk_size_gb"}, check: azureDisk,
		}),
		"azurerm_linux_virtual_machine": inGroup(rule{
			forceNew: []string{"zone", "admin_username", "custom_data", "source_image_id", "source_image_reference.0.sku", "source_image_reference.0.version", "computer_name"},
			required: []string{"source_image_id|source_image_reference.*.publisher", "admin_username|os_managed_disk_id", "admin_ssh_key.*.public_key|admin_password"},
			refers:   map[string]string{"network_interface_ids": "azurerm_network_interface"}, check: azureKey,
		}),
		"azurerm_subnet": {
			forceNew: []string{"name", "resource_group_name", "virtual_network_name"}, required: []string{"address_prefixes|ip_address_pool"},
			refers: map[string]string{"resource_group_name": "azurerm_resource_group", "virtual_network_name": "azurerm_virtual_network"},
		},
		"azurerm_network_security_rule": {
			forceNew: []string{"name", "resource_group_name", "network_security_group_name"},
			refers:   map[string]string{"resource_group_name": "azurerm_resource_group", "network_security_group_name": "azurerm_network_security_group"},
			unique:   []string{"network_security_group_name", "priority", "direction"},
		},
		"azurerm_network_interface_security_group_association": {
			forceNew: []string{"network_interface_id", "network_security_group_id"},
			refers:   map[string]string{"network_interface_id": "azurerm_network_interface", "network_security_group_id": "azurerm_network_security_group"},
		},
		"azurerm_virtual_machine_data_disk_attachment": {
			forceNew: []string{"managed_disk_id", "virtual_machine_id", "lun"},
			refers:   map[string]string{"managed_disk_id": "azurerm_managed_disk", "virtual_machine_id": "azurerm_linux_virtual_machine"},
			unique:   []string{"virtual_machine_id", "lun"},
		},
		"azurerm_lb_backend_address_pool": {forceNew: []string{"name", "loadbalancer_id"}, refers: map[string]string{"loadbalancer_id": "azurerm_lb"}},
		"azurerm_lb_probe":                {forceNew: []string{"name", "loadbalancer_id"}, refers: map[string]string{"loadbalancer_id": "azurerm_lb"}},
		"azurerm_lb_rule": {
			forceNew: []string{"name", "loadbalancer_id"},
			refers:   map[string]string{"loadbalancer_id": "azurerm_lb", "backend_address_pool_ids": "azurerm_lb_backend_address_pool", "probe_id": "azurerm_lb_probe"},
		},
		"azurerm_network_interface_backend_address_pool_association": {
			forceNew: []string{"network_interface_id", "ip_configuration_name", "backend_address_pool_id"},
			refers:   map[string]string{"network_interface_id": "azurerm_network_interface", "backend_address_pool_id": "azurerm_lb_backend_address_pool"},
		},
	},
}

// inGroup adds what holds for everything in a resource group.
func inGroup(r rule) rule {
	r.forceNew = append(r.forceNew, "name", "resource_group_name", "location")
	if r.refers == nil {
		r.refers = map[string]string{}
	}
	r.refers["resource_group_name"] = "azurerm_resource_group"
	return r
}

// azureTypes are the types in the ids of objects in a resource group.
var azureTypes = map[string]string{
	"azurerm_virtual_network": "Microsoft.Network/virtualNetworks", "azurerm_network_security_group": "Microsoft.Network/networkSecurityGroups",
	"azurerm_public_ip": "Microsoft.Network/publicIPAddresses", "azurerm_lb": "Microsoft.Network/loadBalancers",
	"azurerm_network_interface": "Microsoft.Network/networkInterfaces", "azurerm_managed_disk": "Microsoft.Compute/disks",
	"azurerm_linux_virtual_machine": "Microsoft.Compute/virtualMachines",
}

func azureID(kind string, o, config object) string {
	group := "/subscriptions/" + config.text("subscription_id") + "/resourceGroups/"
	switch kind {
	case "azurerm_resource_group":
		return group + o.text("name")
	case "azurerm_subnet":
		return fmt.Sprintf("%s%s/providers/Microsoft.Network/virtualNetworks/%s/subnets/%s", group, o.text("resource_group_name"), o.text("virtual_network_name"), o.text("name"))
	case "azurerm_network_security_rule":
		return fmt.Sprintf("%s%s/providers/Microsoft.Network/networkSecurityGroups/%s/securityRules/%s", group, o.text("resource_group_name"), o.text("network_security_group_name"), o.text("name"))
	case "azurerm_network_interface_security_group_association":
		return o.text("network_interface_id") + "|" + o.text("network_security_group_id")
	case "azurerm_network_interface_backend_address_pool_association":
		return o.text("network_interface_id") + "/ipConfigurations/" + o.text("ip_configuration_name") + "|" + o.text("backend_address_pool_id")
	case "azurerm_virtual_machine_data_disk_attachment":
		return o.text("virtual_machine_id") + "/dataDisks/" + last(o.text("managed_disk_id"))
	case "azurerm_lb_backend_address_pool":
		return o.text("loadbalancer_id") + "/backendAddressPools/" + o.text("name")
	case "azurerm_lb_probe":
		return o.text("loadbalancer_id") + "/probes/" + o.text("name")
	case "azurerm_lb_rule":
		return o.text("loadbalancer_id") + "/loadBalancingRules/" + o.text("name")
	}
	return group + o.text("resource_group_name") + "/providers/" + azureTypes[kind] + "/" + o.text("name")
}

func azureValues(i invention) (any, bool) {
	switch leaf := i.leaf(); {
	case leaf == "fqdn" || leaf == "public_ip_addresses":
		return nil, false
	case leaf == "computer_name":
		return i.wanted.text("name"), true
	case leaf == "disable_password_authentication", leaf == "provision_vm_agent", leaf == "allow_extension_operations":
		return true, true
	}
	return nil, false
}

func azureStatic(o object) string {
	if o.text("allocation_method") == "Dynamic" {
		return "public addresses of the Standard sku must be Static"
	}
	return ""
}

func azureDisk(o object) string {
	kind := o.text("storage_account_type")
	for _, known := range []string{"Standard_LRS", "StandardSSD_LRS", "StandardSSD_ZRS", "Premium_LRS", "Premium_ZRS", "PremiumV2_LRS", "UltraSSD_LRS"} {
		if kind == known || kind == "" {
			return ""
		}
	}
	return "there is no storage_account_type " + kind
}

// azureKey is one thing that only the real provider's validate refused.
func azureKey(o object) string {
	for _, v := range at(o, "admin_ssh_key.*.public_key") {
		if key, ok := v.(string); ok && !strings.HasPrefix(key, "ssh-rsa ") && !strings.HasPrefix(key, "ssh-ed25519 ") {
			return "admin_ssh_key is no public key in OpenSSH format"
		}
	}
	return ""
}
