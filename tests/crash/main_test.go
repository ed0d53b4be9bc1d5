package crash

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"
)

// roleVariable says, in the environment of a copy of this program, what it is.
const roleVariable = "ICM_CRASH_ROLE"

// TestMain lets the test binary be everything there is at a site.
func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		flag.String("point", "", "run this `point` only, such as install/dm/before:17")
		flag.Bool("all", false, "run every point instead of a sample")
		flag.String("scenario", "", "take points of these scenarios only, `names` with commas between")
		flag.String("part", "", "with -all, run every Nth point, `I/N`, to share the matrix between runs")
		flag.Int("sample", 0, "run so `many` points instead of the usual number")
		flag.Int64("seed", 1, "`number` that chooses the sample")
		flag.Parse()
		os.Exit(m.Run())
	}
	var err error
	switch role {
	case "site":
		err = runRole(runSite)
	case "node":
		err = runRole(runNode)
	case "agent":
		err = runAgent()
	case "controller":
		err = runRole(runController)
	default:
		err = fmt.Errorf("there is no role %q", role)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", role, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// orderVariable holds what a role needs to know, as JSON.
const orderVariable = "ICM_CRASH_ORDER"

func runRole[T any](run func(T) error) error {
	var order T
	if err := json.Unmarshal([]byte(os.Getenv(orderVariable)), &order); err != nil {
		return err
	}
	return run(order)
}

// roleEnv is the environment of a copy of this program.
func roleEnv(role string, order any) []string {
	data, err := json.Marshal(order)
	if err != nil {
		panic(err) // orders are plain data
	}
	return append(os.Environ(), roleVariable+"="+role, orderVariable+"="+string(data))
}
