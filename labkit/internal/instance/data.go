package instance

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"icm/labkit/internal/control"
	"icm/labkit/internal/script"
	"icm/labkit/internal/store"
)

// database is a database wherever it is.
type database interface {
	Get(key string) (string, bool, error)
	Set(key, value string) (control.Receipt, error)
	Kill(key string) error
	Keys(prefix, after string, limit int) ([]string, error)
	Records(prefix, after string, limit int) (keys, values []string, err error)
	Before(prefix, limit string) (string, bool, error)
}

// localDB is a database of this instance.
type localDB struct {
	i  *Instance
	db *store.DB
}

func (l localDB) Get(key string) (string, bool, error) { v, ok := l.db.Get(key); return v, ok, nil }

func (l localDB) Set(key, value string) (control.Receipt, error) {
	epoch, err := l.i.set.SetValue(l.db, key, value)
	return l.i.receipt(epoch), diskError(err)
}

func (l localDB) Kill(key string) error {
	return diskError(l.i.set.Kill(l.db, key))
}

func (l localDB) Keys(prefix, after string, limit int) ([]string, error) {
	return l.db.Keys(prefix, after, limit), nil
}

func (l localDB) Records(prefix, after string, limit int) (keys, values []string, err error) {
	for _, key := range l.db.Keys(prefix, after, limit) {
		if value, found := l.db.Get(key); found {
			keys, values = append(keys, key), append(values, value)
		}
	}
	return keys, values, nil
}

func (l localDB) Before(prefix, limit string) (string, bool, error) {
	k, ok := l.db.Before(prefix, limit)
	return k, ok, nil
}

// diskError gives storage troubles the names the language has for them.
func diskError(err error) error {
	if err == nil {
		return nil
	}
	var known *script.Error
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) {
		return &script.Error{Code: "<FILEFULL>", Detail: "*" + err.Error()}
	}
	return &script.Error{Code: "<DISKHARD>", Detail: "*" + err.Error()}
}

// Namespace finds a namespace without regard to case.
func (i *Instance) Namespace(ns string) (string, bool) {
	if strings.HasPrefix(ns, "^^") {
		return ns, true
	}
	for _, p := range i.section("Namespaces") {
		if strings.EqualFold(p.Key, ns) {
			return strings.ToUpper(p.Key), true
		}
	}
	return "", false
}

// database is where the globals of a namespace are.
func (i *Instance) database(ns string) (database, error) {
	if dir, ok := strings.CutPrefix(ns, "^^"); ok {
		return i.local(dir)
	}
	for _, p := range i.section("Namespaces") {
		if strings.EqualFold(p.Key, ns) {
			globals, _, _ := strings.Cut(p.Value, ",")
			return i.named(globals)
		}
	}
	return nil, &script.Error{Code: "<NAMESPACE>", Detail: "*" + ns}
}

// named finds a database of the configuration, here or on its server.
func (i *Instance) named(name string) (database, error) {
	dir, server, ok := i.location(name)
	if !ok {
		return nil, &script.Error{Code: "<NAMESPACE>", Detail: "*database " + name + " is not defined"}
	}
	if server != "" {
		return i.ecp.remote(server, dir)
	}
	return i.local(dir)
}

// location reads directory and server of a database.
func (i *Instance) location(name string) (dir, server string, ok bool) {
	for _, p := range i.section("Databases") {
		if strings.EqualFold(p.Key, name) {
			parts := strings.Split(p.Value+",", ",")
			return parts[0], parts[1], true
		}
	}
	return "", "", false
}

func (i *Instance) local(dir string) (database, error) {
	db, err := i.set.Mount(dir)
	if err != nil {
		return nil, &script.Error{Code: "<DIRECTORY>", Detail: "*" + dir}
	}
	return localDB{i, db}, nil
}

// Get, Set, Kill, Keys and Before make an instance a script.System.
func (i *Instance) Get(ns, key string) (string, bool, error) {
	db, err := i.database(ns)
	if err != nil {
		return "", false, err
	}
	return db.Get(key)
}

// Set stores a value.
func (i *Instance) Set(ns, key, value string) error {
	_, err := i.write(ns, key, value)
	return err
}

// write stores a value and says who acknowledged that.
func (i *Instance) write(ns, key, value string) (control.Receipt, error) {
	db, err := i.database(ns)
	if err != nil {
		return control.Receipt{}, err
	}
	return db.Set(key, value)
}

// records are up to limit keys with their values.
func (i *Instance) records(ns, prefix, after string, limit int) (keys, values []string, err error) {
	db, err := i.database(ns)
	if err != nil {
		return nil, nil, err
	}
	return db.Records(prefix, after, limit)
}

// Kill removes a key and what is below it.
func (i *Instance) Kill(ns, key string) error {
	db, err := i.database(ns)
	if err != nil {
		return err
	}
	return db.Kill(key)
}

// Keys lists stored keys.
func (i *Instance) Keys(ns, prefix, after string, limit int) ([]string, error) {
	db, err := i.database(ns)
	if err != nil {
		return nil, err
	}
	return db.Keys(prefix, after, limit)
}

// Before finds the stored key before limit.
func (i *Instance) Before(ns, prefix, limit string) (string, bool, error) {
	db, err := i.database(ns)
	if err != nil {
		return "", false, err
	}
	return db.Before(prefix, limit)
}

// Special knows the variables that depend on the instance.
func (i *Instance) Special(name string) (string, bool) {
	switch name {
	case "ZVERSION", "ZV":
		return i.rel.ZVersion(), true
	case "SYSTEM", "SY":
		return hostname() + ":" + i.reg.Name, true
	}
	return "", false
}

// createDatabase makes the file of a database and mounts it. A directory that
// is missing is made only when asked for, as merging does.
func (i *Instance) createDatabase(dir string, makeDir bool) error {
	if !filepath.IsAbs(dir) {
		return errors.New("ERROR #5001: Database directory must be absolute: " + dir)
	}
	if makeDir {
		if err := os.MkdirAll(dir, 0o775); err != nil {
			return errors.New("ERROR #5001: Cannot create directory " + dir + ": " + err.Error())
		}
	}
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return errors.New("ERROR #5007: Directory name '" + dir + "' is invalid")
	}
	if err := store.Create(dir, i.rel.Format()); err != nil {
		return errors.New("ERROR #5001: " + err.Error())
	}
	if _, err := i.set.Mount(dir); err != nil {
		return errors.New("ERROR #5001: " + err.Error())
	}
	i.log.write(0, "Database.MountedRW", "Mounted database "+slashed(dir)+" read-write.")
	return nil
}
