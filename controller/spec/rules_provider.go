package spec

import (
	"fmt"
	"strconv"
	"strings"
)

func (l *loader) vsphere(d Definition) {
	if l.provider != VSphere {
		return
	}
	for _, purpose := range volumePurposes[1:] {
		field := purpose + "VolumeSCSIController"
		if n, count := d.Fields.Int(field), d.Fields.Int("SCSIControllerCount"); n > count {
			l.problem(d.at(field), field, fmt.Sprintf("%s is %d, but SCSIControllerCount is %d", field, n, count), "raise SCSIControllerCount or choose a lower controller")
		}
	}
}

// iops: AWS's provisioned types must be told how many operations.
func (l *loader) iops(d Definition) {
	if l.provider != AWS {
		return
	}
	for _, purpose := range volumePurposes {
		kind := d.Fields.Get(purpose + "VolumeType")
		if (strings.HasPrefix(kind, "io") || kind == "iops") && d.Fields.Int(purpose+"VolumeIOPS") == 0 {
			field := purpose + "VolumeIOPS"
			l.problem(d.at(purpose+"VolumeType"), field, fmt.Sprintf("%sVolumeType %s needs %s", purpose, kind, field), fmt.Sprintf(`add "%s": "1000"`, field))
		}
	}
}

func (l *loader) azure(s *Spec) {
	if l.provider != Azure || s.Global.Bool("UseMSI") {
		return
	}
	if s.Global.Get("ClientId") == "" {
		l.problem(l.defaultsPos, "ClientId", "ClientId is missing", "add ClientId and ClientSecret, or set UseMSI to true on a machine in Azure")
	}
}

// monitor: Weave Scope runs on Weave Net only.
func (l *loader) monitor(s *Spec) {
	if s.Global.Get("Monitor") == "scope" && s.Global.Get("Overlay") == "host" && !s.Global.Bool("Containerless") {
		l.problem(s.Global.Position("Monitor"), "Monitor", "Monitor scope needs Overlay weave", "remove Monitor, or set Overlay to weave")
	}
}

// consul: every Consul server runs on a CN node of its own.
func (l *loader) consul(s *Spec) {
	servers, err := strconv.Atoi(s.Global.Get("ConsulServers"))
	if err != nil {
		return
	}
	nodes := 0
	for _, d := range s.Definitions {
		if d.Role == "CN" {
			nodes += d.Count
		}
	}
	if nodes < servers {
		l.problem(s.Global.Position("ConsulServers"), "ConsulServers", fmt.Sprintf("%d Consul servers need as many CN nodes, but there are %d", servers, nodes), `add an entry: {"Role": "CN", "Count": "3"}`)
	}
}
