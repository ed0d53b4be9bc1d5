package unit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

// Deadlines of the calls. Jobs run until the caller's context ends, at most
// jobLimit: IRIS may take long to stop, and its unit has its own timeout.
const (
	callLimit = 30 * time.Second
	jobLimit  = 2 * time.Hour
)

// Manager is systemd on this node. The zero value is not usable; see New.
type Manager struct {
	root string
	dial func(context.Context) (*dbus.Conn, error)
}

// New makes a manager whose unit files lie below root, which is "/" on a node.
func New(root string) *Manager {
	return &Manager{root: root, dial: dbus.NewSystemdConnectionContext}
}

// Status is where a unit stands.
type Status struct {
	Load   string // "loaded", "not-found", "masked", …
	Active string // "active", "inactive", "failed", "activating", …
	Sub    string // "mounted", "running", "exited", …
	File   string // "enabled", "disabled", "", …
	Result string // of the last run: "success", "exit-code", "timeout", …
	PID    uint32 // of the main process of a service, or 0
}

// Status asks systemd about a unit. One that does not exist has Load
// "not-found".
func (m *Manager) Status(ctx context.Context, name string) (Status, error) {
	var props map[string]any
	err := m.call(ctx, "ask about "+name, func(ctx context.Context, c *dbus.Conn) (err error) {
		props, err = c.GetAllPropertiesContext(ctx, name)
		return err
	})
	if err != nil {
		return Status{}, err
	}
	word := func(key string) string { s, _ := props[key].(string); return s }
	pid, _ := props["MainPID"].(uint32)
	return Status{
		Load: word("LoadState"), Active: word("ActiveState"), Sub: word("SubState"),
		File: word("UnitFileState"), Result: word("Result"), PID: pid,
	}, nil
}

// Start starts a unit and waits until it is up.
func (m *Manager) Start(ctx context.Context, name string) error {
	return m.job(ctx, "start", name, (*dbus.Conn).StartUnitContext)
}

// Stop stops a unit and waits until it is down. A unit that does not exist is
// down.
func (m *Manager) Stop(ctx context.Context, name string) error {
	err := m.job(ctx, "stop", name, (*dbus.Conn).StopUnitContext)
	if isNoSuchUnit(err) {
		return nil
	}
	return err
}

// Restart stops a unit when it runs, starts it, and waits.
func (m *Manager) Restart(ctx context.Context, name string) error {
	return m.job(ctx, "restart", name, (*dbus.Conn).RestartUnitContext)
}

// ReloadUnit makes a running service read its configuration again; one that
// cannot is restarted, one that does not run is left alone.
func (m *Manager) ReloadUnit(ctx context.Context, name string) error {
	return m.job(ctx, "reload", name, (*dbus.Conn).ReloadOrTryRestartUnitContext)
}

// Reload makes systemd read all unit files again.
func (m *Manager) Reload(ctx context.Context) error {
	return m.call(ctx, "reload unit files", func(ctx context.Context, c *dbus.Conn) error {
		return c.ReloadContext(ctx)
	})
}

// Enable makes a unit start at boot.
func (m *Manager) Enable(ctx context.Context, name string) error {
	return m.call(ctx, "enable "+name, func(ctx context.Context, c *dbus.Conn) error {
		_, _, err := c.EnableUnitFilesContext(ctx, []string{name}, false, true)
		return err
	})
}

// Disable takes Enable back. A unit that does not exist is disabled.
func (m *Manager) Disable(ctx context.Context, name string) error {
	err := m.call(ctx, "disable "+name, func(ctx context.Context, c *dbus.Conn) error {
		_, err := c.DisableUnitFilesContext(ctx, []string{name}, false)
		return err
	})
	if isNoSuchUnit(err) {
		return nil
	}
	return err
}

func (m *Manager) call(ctx context.Context, what string, f func(context.Context, *dbus.Conn) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, callLimit, fmt.Errorf("systemd did not answer within %s", callLimit))
	defer cancel()
	c, err := m.dial(ctx)
	if err != nil {
		return fmt.Errorf("cannot %s: systemd cannot be reached: %w", what, cause(ctx, err))
	}
	defer c.Close()
	if err := f(ctx, c); err != nil {
		return fmt.Errorf("cannot %s: %w", what, cause(ctx, err))
	}
	return nil
}

// cause prefers the reason a context ended over "context deadline exceeded".
func cause(ctx context.Context, err error) error {
	switch why := context.Cause(ctx); why {
	case nil:
		return err
	case ctx.Err():
		return why
	default:
		return fmt.Errorf("%w: %w", why, ctx.Err())
	}
}

// forgetFailure clears a unit's "failed", which systemd would otherwise show
// for a unit that is long gone.
func (m *Manager) forgetFailure(ctx context.Context, name string) error {
	err := m.call(ctx, "reset "+name, func(ctx context.Context, c *dbus.Conn) error {
		return c.ResetFailedUnitContext(ctx, name)
	})
	if isNoSuchUnit(err) {
		return nil
	}
	return err
}

func isNoSuchUnit(err error) bool {
	var e godbus.Error
	if !errors.As(err, &e) {
		return false
	}
	return strings.HasSuffix(e.Name, ".NoSuchUnit") || strings.HasSuffix(e.Name, ".FileNotFound")
}

// Failed lists the units that have failed.
func (m *Manager) Failed(ctx context.Context) ([]string, error) {
	var names []string
	err := m.call(ctx, "ask which units have failed", func(ctx context.Context, c *dbus.Conn) error {
		list, err := c.ListUnitsFilteredContext(ctx, []string{"failed"})
		for _, u := range list {
			names = append(names, u.Name)
		}
		return err
	})
	return names, err
}
