package terraform

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	Guard()
	if path := os.Getenv(holdVar); path != "" {
		if err := hold(path); err != nil {
			fmt.Println(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
