package control

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"icm/labkit/internal/store"
)

// Receipt says who did something, so that a client can tell servers, their
// restarts and the reigns of a mirror apart.
type Receipt struct {
	Server string // node/INSTANCE
	Start  int    // the how-manieth since the instance was installed
	// Epoch is the reign in which a write was acknowledged, or the last one
	// that a server knows of; 0 outside mirrors.
	Epoch store.Epoch
}

// Headers of HTTP answers: who answered, who acknowledged a write, and which
// process of a Web Gateway handed the answer on.
const (
	ByHeader      = "X-Standin-By"
	WroteHeader   = "X-Standin-Wrote"
	GatewayHeader = "X-Standin-Gateway"
)

// String is the receipt as a header.
func (r Receipt) String() string { return fmt.Sprintf("%s %d %d", r.Server, r.Start, r.Epoch) }

// ParseReceipt reads what String wrote; "" is the zero receipt.
func ParseReceipt(s string) (Receipt, error) {
	var r Receipt
	if s == "" {
		return r, nil
	}
	if _, err := fmt.Sscanf(s, "%s %d %d", &r.Server, &r.Start, &r.Epoch); err != nil {
		return Receipt{}, fmt.Errorf("cannot read receipt %q: %w", s, err)
	}
	return r, nil
}

// CountStart counts one more start of the instance. Whoever looks twice
// cannot overlook a restart in between.
func CountStart(mgr string) (int, error) {
	path := filepath.Join(mgr, "standin.starts")
	data, _ := os.ReadFile(path)
	n, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	n++
	return n, os.WriteFile(path, []byte(strconv.Itoa(n)+"\n"), 0o660)
}
