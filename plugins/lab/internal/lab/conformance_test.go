package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"icm/plugins/provider"
	"icm/plugins/provider/providertest"
)

func TestConformance(t *testing.T) {
	needLab(t)
	data := filepath.Join(t.TempDir(), "lab")
	var count atomic.Int32
	providertest.Run(t, providertest.Config{
		New:     func() provider.Provider { return New("test", data, CacheDir) },
		Timeout: 3 * time.Minute,
		Request: func(t *testing.T) provider.Request {
			id := fmt.Sprintf("ICM-conformance-%d-%d", os.Getpid(), count.Add(1))
			req := ask(id, map[string]string{
				"SSHUser": "icm", "Containerless": "True", "WIJDeviceName": "null",
				"Journal1DeviceName": "null", "Journal2DeviceName": "null", "Image": os.Getenv("ICM_LAB_IMAGE"),
			}, "ACME-DM-TEST-0001")
			req.StateDir = t.TempDir()
			return req
		},
		Reachable: func(ctx context.Context, n provider.Node) error {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(n.IPAddress, "22"))
			if err != nil {
				return err
			}
			return conn.Close()
		},
	})
}
