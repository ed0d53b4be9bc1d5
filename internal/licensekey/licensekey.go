// Package licensekey reads what the text of a licence key tells: that it is
// one, and when it expires. The controller refuses keys by it before any node is
// asked, the agent before it puts one in place.
package licensekey

import (
	"fmt"
	"strings"
	"time"

	"icm/internal/hint"
)

// Check tells why something is no licence key, or nil. Only the line FileType is
// the same in all releases.
func Check(key string) error {
	for line := range strings.Lines(key) {
		if strings.EqualFold(strings.ReplaceAll(strings.TrimSpace(line), " ", ""), "FileType=InterSystemsLicense") {
			return nil
		}
	}
	return &hint.Error{
		Err:  fmt.Errorf("cannot use the licence key: it has no line FileType=InterSystems License"),
		Hint: "check that the file in LicenseDir is an iris.key as InterSystems sent it",
	}
}

// Expires reads the last day of a key from its line ExpirationDate, in either
// order that keys have been seen with: 2027-01-31 and 1/31/2027. A key that
// names no day is not judged.
func Expires(key string) (day time.Time, ok bool) {
	for line := range strings.Lines(key) {
		name, value, cut := strings.Cut(line, "=")
		if !cut || !strings.EqualFold(strings.TrimSpace(name), "ExpirationDate") {
			continue
		}
		for _, layout := range []string{time.DateOnly, "1/2/2006"} {
			if day, err := time.Parse(layout, strings.TrimSpace(value)); err == nil {
				return day, true
			}
		}
	}
	return time.Time{}, false
}

// Left is how long a key is good from now on; it is good on its last day.
func Left(day, now time.Time) time.Duration { return day.AddDate(0, 0, 1).Sub(now) }

// Usable tells why a key cannot be used now, or nil.
func Usable(key string, now time.Time) error {
	if err := Check(key); err != nil {
		return err
	}
	day, ok := Expires(key)
	if !ok || Left(day, now) > 0 {
		return nil
	}
	return &hint.Error{
		Err:  fmt.Errorf("cannot use the licence key: it expired on %s", day.Format(time.DateOnly)),
		Hint: "put a key that is good into LicenseDir; an instance with this one would run with the limits of an evaluation",
	}
}
