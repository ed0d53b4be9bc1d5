package instance

import (
	"os"
	"strconv"
	"strings"

	"icm/labkit/internal/script"
)

func versionMethods() map[string]method {
	return map[string]method{
		"GetVersion": func(i *Instance, _ *script.Session, _ args) (string, error) { return i.rel.ZVersion(), nil },
		"Format":     func(i *Instance, _ *script.Session, _ args) (string, error) { return i.rel.ZVersion(), nil },
		"GetNumber":  func(i *Instance, _ *script.Session, _ args) (string, error) { return i.rel.Short(), nil },
		"GetMajor": func(i *Instance, _ *script.Session, _ args) (string, error) {
			major, _, _ := strings.Cut(i.rel.Short(), ".")
			return major, nil
		},
		"GetProduct":     func(*Instance, *script.Session, args) (string, error) { return "stand-in for IRIS", nil },
		"GetBuildNumber": func(i *Instance, _ *script.Session, _ args) (string, error) { return i.rel.Version, nil },
	}
}

func statusMethods() map[string]method {
	return map[string]method{
		"IsOK": func(_ *Instance, _ *script.Session, a args) (string, error) {
			return yes(strings.HasPrefix(a.text(0), "1"))
		},
		"IsError": func(_ *Instance, _ *script.Session, a args) (string, error) {
			return yes(!strings.HasPrefix(a.text(0), "1"))
		},
		"GetErrorText": func(_ *Instance, _ *script.Session, a args) (string, error) {
			return strings.TrimPrefix(a.text(0), "0 "), nil
		},
		"GetOneErrorText": func(_ *Instance, _ *script.Session, a args) (string, error) {
			return strings.TrimPrefix(a.text(0), "0 "), nil
		},
		"DisplayError": func(_ *Instance, s *script.Session, a args) (string, error) {
			if text, isError := strings.CutPrefix(a.text(0), "0 "); isError {
				s.Print("\n" + text)
			}
			return "1", nil
		},
		"OK": func(*Instance, *script.Session, args) (string, error) { return "1", nil },
	}
}

func licenseMethods() map[string]method {
	return map[string]method{
		"Upgrade":          func(i *Instance, _ *script.Session, _ args) (string, error) { return status(i.readLicense()) },
		"KeyCustomerName":  func(i *Instance, _ *script.Session, _ args) (string, error) { return i.license.id, nil },
		"KeyCoresLicensed": func(i *Instance, _ *script.Session, _ args) (string, error) { return i.license.cores, nil },
		"KeyExpirationDate": func(i *Instance, _ *script.Session, _ args) (string, error) {
			if i.license.expires.IsZero() {
				return "", nil
			}
			return i.license.expires.AddDate(0, 0, -1).Format("2006-01-02"), nil
		},
		"GetKeyStatus": func(i *Instance, _ *script.Session, _ args) (string, error) { return yes(i.license.cores != "") },
	}
}

func monitor(i *Instance, _ *script.Session, _ args) (string, error) {
	return strconv.Itoa(monitorState(i.health())), nil
}

func clearMonitor(i *Instance, _ *script.Session, _ args) (string, error) {
	i.mu.Lock()
	i.alerts = 0
	i.mu.Unlock()
	i.setHealth()
	return "1", nil
}

func countAlerts(i *Instance, _ *script.Session, _ args) (string, error) {
	return strconv.Itoa(i.alertCount()), nil
}

func fileMethods() map[string]method {
	return map[string]method{
		"Exists": func(_ *Instance, _ *script.Session, a args) (string, error) {
			_, err := os.Stat(a.text(0))
			return yes(err == nil)
		},
		"DirectoryExists": func(_ *Instance, _ *script.Session, a args) (string, error) {
			st, err := os.Stat(a.text(0))
			return yes(err == nil && st.IsDir())
		},
		"CreateDirectory": func(_ *Instance, _ *script.Session, a args) (string, error) {
			return yes(os.Mkdir(a.text(0), 0o775) == nil)
		},
		"CreateDirectoryChain": func(_ *Instance, _ *script.Session, a args) (string, error) {
			return yes(os.MkdirAll(a.text(0), 0o775) == nil)
		},
		"Delete": func(_ *Instance, _ *script.Session, a args) (string, error) { return yes(os.Remove(a.text(0)) == nil) },
	}
}
