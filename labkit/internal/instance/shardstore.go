package instance

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"icm/labkit/internal/script"
	"icm/labkit/internal/store"
)

// shard is one shard of a master namespace. The list is kept in a global of
// the namespace, so that it is mirrored with it, and application servers have
// it too.
type shard struct {
	Host, Namespace string
	Port            int
	Mirror          string
	BackupHost      string
	BackupPort      int
	QueryOf         string // host:port of a query shard's data shard
	Active          bool
}

func (s shard) addr() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// addrs are where the shard can be, the first being the likely place.
func (s shard) addrs() []string {
	if s.BackupHost == "" {
		return []string{s.addr()}
	}
	return []string{s.addr(), net.JoinHostPort(s.BackupHost, strconv.Itoa(s.BackupPort))}
}

const (
	shardGlobal = "standinShard"
	nodeGlobal  = "standinNode"
)

func shardKey(host string, port int, ns string) string {
	return store.Key(shardGlobal, strings.ToLower(host), strconv.Itoa(port), strings.ToUpper(ns))
}

// objects reads all values below a global as T.
func objects[T any](i *Instance, ns, global string) ([]T, error) {
	prefix := store.Key(global)
	keys, err := i.Keys(ns, prefix, prefix, 1000)
	if err != nil {
		return nil, err
	}
	var out []T
	for _, k := range keys {
		text, found, err := i.Get(ns, k)
		if err != nil {
			return nil, err
		}
		var v T
		if found && json.Unmarshal([]byte(text), &v) == nil {
			out = append(out, v)
		}
	}
	return out, nil
}

func putObject(i *Instance, ns, key string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return i.Set(ns, key, string(data))
}

func (i *Instance) shards(ns string) ([]shard, error) { return objects[shard](i, ns, shardGlobal) }

// active splits the active shards of a namespace into those with data and,
// by their data shard, those that help with queries.
func (i *Instance) active(ns string) ([]shard, map[string][]shard, error) {
	all, err := i.shards(ns)
	if err != nil {
		return nil, nil, err
	}
	var data []shard
	helpers := map[string][]shard{}
	for _, s := range all {
		switch {
		case !s.Active:
		case s.QueryOf == "":
			data = append(data, s)
		default:
			helpers[s.QueryOf] = append(helpers[s.QueryOf], s)
		}
	}
	if len(data) == 0 {
		return nil, nil, &sqlError{-400, "Fatal error occurred^ no shard of namespace " + ns + " is active"}
	}
	return data, helpers, nil
}

// shardTalk is what a master and a shard say to each other.
type shardTalk struct {
	Verb      string // hello, put, scan, delete, drop, attach
	Namespace string
	Table     string
	Row       string
	Column    int
	Value     string
	Filter    bool
	Rows      []string
	Count     int
	Via       shard // of a query: the data shard to read
	HasVia    bool
	Node      node
	Cluster   cluster
}

// askShard asks a shard, wherever it is now. A failover in progress is waited
// for; a write that may have been made is made again with the same row.
func (i *Instance) askShard(s shard, q shardTalk) (shardTalk, error) {
	q.Namespace = s.Namespace
	var last error
	for deadline := time.Now().Add(shardPatience); time.Now().Before(deadline); {
		for _, addr := range s.addrs() {
			reply, err := i.askShardAt(addr, q)
			if err == nil || !waitsFor(err) {
				return reply, err
			}
			last = err
		}
		if s.Mirror == "" || !i.pause(mirrorTick) {
			break
		}
	}
	return shardTalk{}, last
}

// shardPatience is how long a failover of a shard is waited for.
const shardPatience = 60 * time.Second

// waitsFor says whether another member or a later time may help.
func waitsFor(err error) bool {
	var known *script.Error
	var sql *sqlError
	return errors.As(err, &known) && strings.Contains(known.Detail, notPrimary) || !errors.As(err, &known) && !errors.As(err, &sql)
}

func (i *Instance) askShardAt(addr string, q shardTalk) (shardTalk, error) {
	l, err := i.dialLink(addr)
	if err != nil {
		return shardTalk{}, err
	}
	defer l.conn.Close()
	l.limit = time.Minute
	reply, err := l.ask(message{Op: "shard", Shard: &q})
	switch {
	case err != nil:
		return shardTalk{}, err
	case reply.Error != "":
		code, detail, _ := strings.Cut(reply.Error, " ")
		return shardTalk{}, &script.Error{Code: code, Detail: detail}
	case reply.Shard == nil:
		return shardTalk{}, &script.Error{Code: "<PROTOCOL>", Detail: "*" + addr + " is no shard"}
	}
	return *reply.Shard, nil
}

// answerShard is the shard's side.
func (i *Instance) answerShard(q shardTalk) message {
	reply, err := i.doShard(q)
	if err != nil {
		text := err.Error()
		if !strings.HasPrefix(text, "<") {
			text = "<SHARDING> *" + text
		}
		return message{Error: text}
	}
	return message{Shard: &reply}
}

func (i *Instance) doShard(q shardTalk) (shardTalk, error) {
	if !i.sharding {
		return shardTalk{}, fmt.Errorf("ERROR #9309: sharding is not enabled on %s of %s", i.reg.Name, hostname())
	}
	if q.Verb == "attach" {
		return i.admitNode(q.Node)
	}
	if _, known := i.Namespace(q.Namespace); !known {
		return shardTalk{}, fmt.Errorf("ERROR #9310: namespace %s does not exist on %s", q.Namespace, hostname())
	}
	if q.HasVia {
		via := q.Via
		q.HasVia = false
		return i.askShard(via, q)
	}
	db, err := i.database(q.Namespace)
	if err != nil {
		return shardTalk{}, err
	}
	if local, ok := db.(localDB); ok && !i.mirror.serves(local.db.Dir) {
		return shardTalk{}, errNotPrimary
	}
	prefix := store.Key("standinRow", strings.ToUpper(q.Table))
	switch q.Verb {
	case "hello":
		n, err := i.countRows(q.Namespace)
		return shardTalk{Count: n}, err
	case "put":
		last, found, err := i.Before(q.Namespace, prefix, prefix+"\xff")
		if err != nil {
			return shardTalk{}, err
		}
		id := 1
		if sub, _, ok := store.FirstSub(last, prefix); found && ok {
			id, _ = strconv.Atoi(sub)
			id++
		}
		return shardTalk{Count: 1}, i.Set(q.Namespace, store.Key("standinRow", strings.ToUpper(q.Table), strconv.Itoa(id)), q.Row)
	case "drop":
		return shardTalk{}, i.Kill(q.Namespace, prefix)
	}
	return i.scanRows(q, prefix)
}

// scanRows reads the rows that a filter wants, or deletes them.
func (i *Instance) scanRows(q shardTalk, prefix string) (shardTalk, error) {
	var out shardTalk
	after := prefix
	for {
		page, err := i.Keys(q.Namespace, prefix, after, 500)
		if err != nil || len(page) == 0 {
			return out, err
		}
		for _, k := range page {
			after = k
			row, _, err := i.Get(q.Namespace, k)
			if err != nil {
				return out, err
			}
			values, _ := script.Unlist(row)
			if q.Filter && (q.Column >= len(values) || values[q.Column] != q.Value) {
				continue
			}
			out.Count++
			if q.Verb == "delete" {
				err = i.Kill(q.Namespace, k)
			} else {
				out.Rows = append(out.Rows, row)
			}
			if err != nil {
				return out, err
			}
		}
	}
}

func (i *Instance) countRows(ns string) (int, error) {
	prefix := store.Key("standinRow")
	keys, err := i.Keys(ns, prefix, prefix, 1_000_000)
	return len(keys), err
}

// insertShard puts a row on the shard its key chooses.
func (i *Instance) insertShard(ns string, t table, row []string) error {
	data, _, err := i.active(ns)
	if err != nil {
		return err
	}
	text := strings.Join(row, "\x00")
	if at := t.column(t.Key); t.Key != "" && at >= 0 {
		text = row[at]
	}
	h := fnv.New32a()
	h.Write([]byte(text))
	chosen := data[int(h.Sum32())%len(data)]
	_, err = i.askShard(chosen, shardTalk{Verb: "put", Table: t.Name, Row: script.List(row...)})
	return err
}

var queries atomic.Uint64

// queryShards asks every data shard, in turn with the query shards it has.
func (i *Instance) queryShards(ns string, t table, q shardTalk) ([][]string, int, error) {
	data, helpers, err := i.active(ns)
	if err != nil {
		return nil, 0, err
	}
	var rows [][]string
	count := 0
	q.Table = t.Name
	turn := queries.Add(1)
	for _, s := range data {
		ask, to := q, s
		if h := helpers[s.addr()]; len(h) > 0 && q.Verb == "scan" {
			if n := int(turn % uint64(len(h)+1)); n > 0 {
				to, ask.Via, ask.HasVia = h[n-1], s, true
			}
		}
		reply, err := i.askShard(to, ask)
		if err != nil && ask.HasVia { // a query shard may be missing
			reply, err = i.askShard(s, q)
		}
		if err != nil {
			return nil, 0, err
		}
		count += reply.Count
		for _, r := range reply.Rows {
			if values, ok := script.Unlist(r); ok {
				rows = append(rows, values)
			}
		}
	}
	return rows, count, nil
}

// serves says whether this instance may answer for a database: it is no
// mirrored one, or this is the primary.
func (m *mirror) serves(dir string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mirrored(dir) == "" || m.leading && !m.ending
}

func sortShards(list []shard) {
	slices.SortFunc(list, func(a, b shard) int { return strings.Compare(a.QueryOf+a.addr(), b.QueryOf+b.addr()) })
}
