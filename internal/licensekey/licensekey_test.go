package licensekey

import (
	"strings"
	"testing"
	"time"

	"icm/internal/hint"
)

const good = "[ConfigFile]\r\nFileType=InterSystems License\r\n"

func TestAKeyIsKnownByItsType(t *testing.T) {
	for text, ok := range map[string]bool{good: true, "FileType = InterSystems License\n": true, "<html>404</html>": false, "": false} {
		if err := Check(text); (err == nil) != ok {
			t.Errorf("Check(%q) = %v", text, err)
		}
	}
}

func TestAKeyIsGoodUntilTheEndOfItsLastDay(t *testing.T) {
	for expires, refused := range map[string]bool{
		"": false, "ExpirationDate=never\n": false,
		"ExpirationDate=2026-05-20\n": false, "ExpirationDate = 5/20/2026\r\n": false,
		"ExpirationDate=2026-05-19\n": true, "expirationdate=5/19/2026\n": true,
	} {
		err := Usable(good+expires, time.Date(2026, 5, 20, 23, 59, 0, 0, time.UTC))
		if (err != nil) != refused || refused && (!strings.Contains(err.Error(), "expired on 2026-05-19") || hint.Of(err) == "") {
			t.Errorf("%q: %v", expires, err)
		}
	}
	if err := Usable("ExpirationDate=2099-01-01\n", time.Now()); err == nil {
		t.Error("what is no key is usable")
	}
}

// FuzzExpires: whatever a file says, it is read as a day or not at all.
func FuzzExpires(f *testing.F) {
	f.Add(good + "ExpirationDate=2027-01-01\n")
	f.Add("ExpirationDate=1/2/")
	f.Fuzz(func(t *testing.T, text string) {
		if day, ok := Expires(text); ok && !strings.Contains(strings.ToLower(text), "expirationdate") {
			t.Errorf("%q expires on %v", text, day)
		}
	})
}
