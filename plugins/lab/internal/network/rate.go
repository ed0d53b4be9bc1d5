package network

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"icm/plugins/lab/internal/command"
)

// Rate is the speed of a cable in bits per second; 0 is unlimited.
type Rate int64

var (
	rateForm  = regexp.MustCompile(`^([1-9][0-9]{0,6})(kbit|mbit|gbit)$`)
	rateUnits = map[string]Rate{"kbit": 1000, "mbit": 1000 * 1000, "gbit": 1000 * 1000 * 1000}
)

// ParseRate reads "200mbit"; "" and "off" are unlimited.
func ParseRate(text string) (Rate, error) {
	if text == "" || text == "off" {
		return 0, nil
	}
	m := rateForm.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf(`%q is not a rate: say it like "200mbit" (kbit, mbit or gbit), or "off"`, text)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	return Rate(n) * rateUnits[m[2]], err
}

// minBurst holds one packet of the largest size that veth carries.
const minBurst = 128 * 1024

// TokenBucket are the arguments of tc's tbf for the rate: ten milliseconds of
// data may go at once, twenty more may wait.
func (r Rate) TokenBucket() []string {
	burst := max(int64(r)/8/100, minBurst)
	return []string{
		"rate", strconv.FormatInt(int64(r), 10) + "bit",
		"burst", strconv.FormatInt(burst, 10), "latency", "20ms",
	}
}

// Shape limits both directions of the cable to node number n, whose network
// belongs to process leader.
func (s Subnet) Shape(ctx context.Context, n, leader int, r Rate) error {
	inside := []string{"--target", strconv.Itoa(leader), "--net", "tc"}
	for _, c := range []command.Command{
		command.New("tc", r.qdisc(s.Link(n))...),
		command.New("nsenter", append(inside, r.qdisc("eth0")...)...),
	} {
		if _, err := c.Run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// qdisc builds tc's arguments. Unlimited is a queue like the kernel's own:
// replacing works whether there was a limit or not, deleting does not.
func (r Rate) qdisc(device string) []string {
	args := []string{"qdisc", "replace", "dev", device, "root"}
	if r == 0 {
		return append(args, "pfifo_fast")
	}
	return append(append(args, "tbf"), r.TokenBucket()...)
}
