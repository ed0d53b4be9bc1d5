package simulated

import (
	"fmt"
	"strings"
)

// aws is what is known of Amazon's cloud, from the provider's documentation.
var aws = cloud{
	credentials: [][]string{{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}, {"AWS_SHARED_CREDENTIALS_FILE"}},
	prefix: map[string]string{
		"aws_instance": "i-", "aws_vpc": "vpc-", "aws_subnet": "subnet-", "aws_security_group": "sg-", "aws_ebs_volume": "vol-",
		"aws_internet_gateway": "igw-", "aws_route_table": "rtb-", "aws_route_table_association": "rtbassoc-", "aws_eip": "eipalloc-",
		"aws_eip_association": "eipassoc-", "aws_vpc_security_group_ingress_rule": "sgr-", "aws_vpc_security_group_egress_rule": "sgr-",
	},
	id:     awsID,
	values: awsValues,
	find:   awsFind,
	rules: map[string]rule{
		"aws_vpc": {forceNew: []string{"cidr_block"}, required: []string{"cidr_block"}},
		"aws_internet_gateway": {
			refers: map[string]string{"vpc_id": "aws_vpc"}, required: []string{"vpc_id"}, unique: []string{"vpc_id"},
		},
		"aws_subnet": {
			forceNew: []string{"vpc_id", "cidr_block", "availability_zone"}, required: []string{"cidr_block"},
			refers: map[string]string{"vpc_id": "aws_vpc"}, unique: []string{"vpc_id", "cidr_block"},
		},
		"aws_route_table": {
			forceNew: []string{"vpc_id"},
			refers:   map[string]string{"vpc_id": "aws_vpc", "route.*.gateway_id": "aws_internet_gateway"},
		},
		"aws_route_table_association": {
			forceNew: []string{"subnet_id"}, required: []string{"subnet_id|gateway_id"},
			refers: map[string]string{"subnet_id": "aws_subnet", "route_table_id": "aws_route_table"}, unique: []string{"subnet_id"},
		},
		"aws_security_group": {
			forceNew: []string{"name", "vpc_id", "description"}, refers: map[string]string{"vpc_id": "aws_vpc"},
			unique: []string{"name", "vpc_id"}, check: awsGroupName,
		},
		"aws_vpc_security_group_ingress_rule": {
			forceNew: []string{"security_group_id"}, required: []string{"cidr_ipv4|cidr_ipv6|prefix_list_id|referenced_security_group_id"},
			refers: map[string]string{"security_group_id": "aws_security_group", "referenced_security_group_id": "aws_security_group"},
			unique: []string{"security_group_id", "ip_protocol", "from_port", "to_port", "cidr_ipv4", "referenced_security_group_id"},
		},
		"aws_vpc_security_group_egress_rule": {
			forceNew: []string{"security_group_id"}, required: []string{"cidr_ipv4|cidr_ipv6|prefix_list_id|referenced_security_group_id"},
			refers: map[string]string{"security_group_id": "aws_security_group"},
		},
		"aws_key_pair": {forceNew: []string{"key_name", "public_key"}, unique: []string{"key_name"}},
		"aws_instance": {
			forceNew: []string{"ami", "availability_zone", "subnet_id", "key_name"},
			required: []string{"ami", "instance_type"}, grows: []string{"root_block_device.*.volume_size"},
			refers: map[string]string{"subnet_id": "aws_subnet", "vpc_security_group_ids": "aws_security_group", "key_name": "aws_key_pair"},
		},
		"aws_ebs_volume": {
			forceNew: []string{"availability_zone", "encrypted", "snapshot_id"}, required: []string{"size|snapshot_id"},
			grows: []string{"size"}, check: awsIOPS,
		},
		"aws_volume_attachment": {
			forceNew: []string{"device_name", "instance_id", "volume_id"},
			refers:   map[string]string{"instance_id": "aws_instance", "volume_id": "aws_ebs_volume"},
			unique:   []string{"instance_id", "device_name"},
		},
		"aws_eip":             {forceNew: []string{"domain"}, refers: map[string]string{"instance": "aws_instance"}},
		"aws_eip_association": {forceNew: []string{"allocation_id", "instance_id"}, refers: map[string]string{"allocation_id": "aws_eip", "instance_id": "aws_instance"}},
		"aws_lb": {
			forceNew: []string{"name", "load_balancer_type", "internal"}, required: []string{"subnets|subnet_mapping.*.subnet_id"},
			refers: map[string]string{"subnets": "aws_subnet", "security_groups": "aws_security_group"}, unique: []string{"name"}, check: shortName(32),
		},
		"aws_lb_target_group": {
			forceNew: []string{"name", "port", "protocol", "vpc_id", "target_type"}, required: []string{"port", "protocol", "vpc_id"},
			refers: map[string]string{"vpc_id": "aws_vpc"}, unique: []string{"name"}, check: shortName(32),
		},
		"aws_lb_target_group_attachment": {
			forceNew: []string{"target_group_arn", "target_id", "port"},
			refers:   map[string]string{"target_group_arn": "aws_lb_target_group", "target_id": "aws_instance"},
		},
		"aws_lb_listener": {
			forceNew: []string{"load_balancer_arn"}, required: []string{"default_action.*.type"},
			refers: map[string]string{"load_balancer_arn": "aws_lb", "default_action.*.target_group_arn": "aws_lb_target_group"},
			unique: []string{"load_balancer_arn", "port"},
		},
	},
}

// awsID: some objects are known by their ARN, and key pairs by their name.
func awsID(kind string, o, _ object) string {
	switch kind {
	case "aws_key_pair":
		return o.text("key_name")
	case "aws_lb", "aws_lb_target_group":
		return "arn:aws:elasticloadbalancing:us-west-1:000000000000:" + strings.TrimPrefix(kind, "aws_lb_") + "/" + o.text("name") + "/" + fmt.Sprintf("%x", sumOf(o.text("name")))
	case "aws_lb_listener":
		return o.text("load_balancer_arn") + "/listener/" + o.text("port")
	}
	return ""
}

func awsValues(i invention) (any, bool) {
	n := i.sum()
	switch leaf := i.leaf(); {
	case leaf == "arn" && (i.kind == "aws_lb" || i.kind == "aws_lb_target_group" || i.kind == "aws_lb_listener"):
		return i.id, true
	case leaf == "arn":
		return "arn:aws:ec2:us-west-1:000000000000:" + strings.TrimPrefix(i.kind, "aws_") + "/" + i.id, true
	case leaf == "allocation_id":
		return i.id, true
	case leaf == "public_dns":
		ip := sumOf(i.kind+i.id+"public_ip") % 62500
		return fmt.Sprintf("ec2-203-0-%d-%d.us-west-1.compute.amazonaws.com", ip/250, ip%250), true
	case leaf == "dns_name":
		return fmt.Sprintf("%s-%d.elb.us-west-1.amazonaws.com", i.wanted.text("name"), n%10000000000), true
	case leaf == "iops" && i.kind == "aws_ebs_volume":
		return 3000, true
	case leaf == "instance_state":
		return "running", true
	case leaf == "region":
		return "us-west-1", true
	case leaf == "tags_all":
		return i.wanted["tags"], true
	}
	return nil, false
}

func awsFind(s *server, kind string, asked object) (object, error) {
	vpc := ""
	for _, filter := range at(asked, "filter.*") {
		f := object(filter.(map[string]any))
		if values, ok := f["values"].([]any); ok && len(values) == 1 && f.text("name") == "attachment.vpc-id" {
			vpc, _ = values[0].(string)
		}
	}
	id := asked.text("id") + asked.text("internet_gateway_id")
	return s.stored(kind, func(o object) bool {
		return id != "" && o.text("id") == id || vpc != "" && o.text("vpc_id") == vpc
	})
}

func awsGroupName(o object) string {
	if strings.HasPrefix(o.text("name"), "sg-") {
		return "a name may not begin with sg-"
	}
	return ""
}

// awsIOPS: each type of volume has its own rules.
func awsIOPS(o object) string {
	provisioned := number(o["iops"]) > 0
	switch kind := o.text("type"); kind {
	case "io1", "io2":
		if !provisioned {
			return "iops must be set when type is " + kind
		}
	case "gp2", "standard", "st1", "sc1":
		if provisioned {
			return "iops must not be set when type is " + kind
		}
	case "gp3", "":
	default:
		return "there is no type " + kind
	}
	return ""
}

// shortName limits the name of an object.
func shortName(limit int) func(object) string {
	return func(o object) string {
		name := o.text("name")
		if len(name) > limit {
			return fmt.Sprintf("name %q is longer than %d characters", name, limit)
		}
		if strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-") || strings.ContainsAny(name, "_ .") {
			return fmt.Sprintf("name %q may hold letters, digits and inner dashes only", name)
		}
		return ""
	}
}
