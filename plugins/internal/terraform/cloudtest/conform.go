package cloudtest

import (
	"testing"

	"icm/plugins/internal/terraform"
	"icm/plugins/provider"
	"icm/plugins/provider/providertest"

	"icm/plugins/internal/terraform/simulated"
)

func faultOf(kind, text string) simulated.Fault {
	return simulated.Fault{Op: "create", Type: kind, Error: text, Count: 1}
}

// Conform runs the suite that every provider passes. The nodes are small: the
// suite provisions many times.
func Conform(t *testing.T, c Cloud) {
	providertest.Run(t, providertest.Config{
		New: func() provider.Provider {
			p, err := terraform.New(c.Cloud)
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
		Timeout: Limit,
		Request: func(t *testing.T) provider.Request {
			s := New(t, c)
			s.Request.Definitions = nil
			s.Define("DM", 1)
			for _, device := range []string{"WIJ", "Journal1", "Journal2"} {
				s.Set(device+"DeviceName", "null")
			}
			return s.Request
		},
	})
}
