package instance

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"icm/labkit/internal/script"
	"icm/labkit/internal/store"
)

// table is a table's definition, kept in the global ^standinSQL beside its rows.
type table struct {
	Name    string
	Columns []string
	Sharded bool   // rows are on the shards of the namespace
	Key     string // column that chooses the shard; all of them when empty
}

// result is what a statement gives: rows of columns, or only a count.
type result struct {
	columns []string
	rows    [][]string
	count   int
}

// sqlError has the number users see.
type sqlError struct {
	code int
	text string
}

func (e *sqlError) Error() string {
	return fmt.Sprintf("[SQLCODE: <%d>:<%s>]", e.code, e.text)
}

var (
	reCreate = regexp.MustCompile(`(?is)^create\s+table\s+([\w.%]+)\s*\((.*)\)$`)
	reDrop   = regexp.MustCompile(`(?is)^drop\s+table\s+([\w.%]+)$`)
	reInsert = regexp.MustCompile(`(?is)^insert\s+into\s+([\w.%]+)\s*(?:\(([^)]*)\))?\s*values\s*\((.*)\)$`)
	reDelete = regexp.MustCompile(`(?is)^delete\s+from\s+([\w.%]+)(?:\s+where\s+(\w+)\s*=\s*(.+))?$`)
	reSelect = regexp.MustCompile(`(?is)^select\s+(.*?)\s+from\s+([\w.%]+)(?:\s+where\s+(\w+)\s*=\s*(.+?))?(?:\s+order\s+by\s+\w+)?$`)
	reValue  = regexp.MustCompile(`(?is)^select\s+([^\s].*)$`)
)

const sqlGlobal = "standinSQL"

func tableKey(name string, subs ...string) string {
	return store.Key(sqlGlobal, append([]string{strings.ToUpper(name)}, subs...)...)
}

// execSQL runs one statement in a namespace.
func (i *Instance) execSQL(ns, stmt string) (result, error) {
	stmt = strings.TrimSuffix(strings.TrimSpace(stmt), ";")
	if m := reCreate.FindStringSubmatch(stmt); m != nil {
		return i.createTable(ns, m[1], m[2])
	}
	if m := reDrop.FindStringSubmatch(stmt); m != nil {
		t, err := i.findTable(ns, m[1])
		if err == nil && t.Sharded {
			_, _, err = i.queryShards(ns, t, shardTalk{Verb: "drop"})
		}
		if err != nil {
			return result{}, err
		}
		return result{}, i.Kill(ns, tableKey(m[1]))
	}
	if m := reInsert.FindStringSubmatch(stmt); m != nil {
		return i.insertRow(ns, m[1], m[2], m[3])
	}
	if m := reDelete.FindStringSubmatch(stmt); m != nil {
		return i.deleteRows(ns, m[1], m[2], m[3])
	}
	if m := reSelect.FindStringSubmatch(stmt); m != nil {
		return i.selectRows(ns, m[1], m[2], m[3], m[4])
	}
	if m := reValue.FindStringSubmatch(stmt); m != nil {
		values, err := literals(m[1])
		if err != nil {
			return result{}, err
		}
		r := result{rows: [][]string{values}, count: 1}
		for n := range values {
			r.columns = append(r.columns, fmt.Sprintf("Expression_%d", n+1))
		}
		return r, nil
	}
	word, _, _ := strings.Cut(stmt, " ")
	return result{}, &sqlError{-1, "Invalid SQL statement^ " + word}
}

func (i *Instance) createTable(ns, name, body string) (result, error) {
	if _, err := i.findTable(ns, name); err == nil {
		return result{}, &sqlError{-201, "Table or view name not unique"}
	}
	t := table{Name: name}
	depth, start := 0, 0
	for n, c := range body + "," {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			fields := strings.Fields(body[start:min(n, len(body))])
			if len(fields) == 0 {
				return result{}, &sqlError{-1, "Invalid SQL statement"}
			}
			element := body[start:min(n, len(body))]
			start = n + 1
			if strings.EqualFold(fields[0], "SHARD") {
				t.Sharded = true
				if m := reShard.FindStringSubmatch(element); m != nil {
					t.Key = m[1]
				}
				continue
			}
			t.Columns = append(t.Columns, fields[0])
		}
	}
	if t.Sharded {
		if _, _, err := i.active(ns); err != nil {
			return result{}, err
		}
		if t.Key != "" && t.column(t.Key) < 0 {
			return result{}, &sqlError{-29, "Field not found in the applicable tables^" + t.Key}
		}
	}
	data, err := json.Marshal(t)
	if err != nil {
		return result{}, err
	}
	return result{}, i.Set(ns, tableKey(name), string(data))
}

// reShard is the element SHARD KEY (column) of a table.
var reShard = regexp.MustCompile(`(?is)\bshard\s+key\s*\(\s*(\w+)\s*\)`)

func (i *Instance) findTable(ns, name string) (table, error) {
	if strings.EqualFold(name, "%SYS.PhoneProviders") {
		return table{Name: name, Columns: []string{"Name", "MSGGateway"}}, nil
	}
	data, ok, err := i.Get(ns, tableKey(name))
	if err != nil {
		return table{}, err
	}
	var t table
	if !ok || json.Unmarshal([]byte(data), &t) != nil {
		return table{}, &sqlError{-30, "Table or view not found"}
	}
	return t, nil
}

// phoneProviders are the rows every instance has.
func phoneProviders() [][]string {
	return [][]string{{"AT&T Wireless", "txt.att.net"}, {"Alltel", "message.alltel.com"}, {"Cellular One", "mobile.celloneusa.com"},
		{"Nextel", "messaging.nextel.com"}, {"Sprint PCS", "messaging.sprintpcs.com"}, {"T-Mobile", "tmomail.net"}, {"Verizon", "vtext.com"}}
}

// rows returns the keys and the values of all rows.
func (i *Instance) rows(ns string, t table) (keys []string, rows [][]string, err error) {
	if strings.EqualFold(t.Name, "%SYS.PhoneProviders") {
		return nil, phoneProviders(), nil
	}
	if t.Sharded {
		rows, _, err = i.queryShards(ns, t, shardTalk{Verb: "scan"})
		return nil, rows, err
	}
	prefix := tableKey(t.Name)
	after := prefix
	for {
		page, err := i.Keys(ns, prefix, after, 500)
		if err != nil || len(page) == 0 {
			return keys, rows, err
		}
		for _, k := range page {
			after = k
			v, ok, err := i.Get(ns, k)
			if err != nil {
				return nil, nil, err
			}
			if row, good := script.Unlist(v); ok && good {
				keys, rows = append(keys, k), append(rows, row)
			}
		}
	}
}

func (t table) column(name string) int {
	for n, c := range t.Columns {
		if strings.EqualFold(c, strings.TrimSpace(name)) {
			return n
		}
	}
	return -1
}

func (i *Instance) insertRow(ns, name, columns, values string) (result, error) {
	t, err := i.findTable(ns, name)
	if err != nil {
		return result{}, err
	}
	list, err := literals(values)
	if err != nil {
		return result{}, err
	}
	names := t.Columns
	if strings.TrimSpace(columns) != "" {
		names = strings.Split(columns, ",")
	}
	if len(names) != len(list) {
		return result{}, &sqlError{-62, "The number of INSERT values does not match the number of columns"}
	}
	row := make([]string, len(t.Columns))
	for n, c := range names {
		at := t.column(c)
		if at < 0 {
			return result{}, &sqlError{-29, "Field not found in the applicable tables^" + strings.TrimSpace(c)}
		}
		row[at] = list[n]
	}
	if t.Sharded {
		return result{count: 1}, i.insertShard(ns, t, row)
	}
	last, found, err := i.Before(ns, tableKey(name), tableKey(name)+"\xff")
	if err != nil {
		return result{}, err
	}
	id := 1
	if sub, _, ok := store.FirstSub(last, tableKey(name)); found && ok {
		n, _ := strconv.Atoi(sub)
		id = n + 1
	}
	return result{count: 1}, i.Set(ns, tableKey(name, strconv.Itoa(id)), script.List(row...))
}

func (i *Instance) filtered(ns string, t table, column, value string) (keys []string, rows [][]string, err error) {
	allKeys, all, err := i.rows(ns, t)
	if err != nil || column == "" {
		return allKeys, all, err
	}
	at := t.column(column)
	if at < 0 {
		return nil, nil, &sqlError{-29, "Field not found in the applicable tables^" + column}
	}
	want, err := literals(value)
	if err != nil {
		return nil, nil, err
	}
	for n, row := range all {
		if at < len(row) && row[at] == want[0] {
			rows = append(rows, row)
			if n < len(allKeys) {
				keys = append(keys, allKeys[n])
			}
		}
	}
	return keys, rows, nil
}

func (i *Instance) deleteRows(ns, name, column, value string) (result, error) {
	t, err := i.findTable(ns, name)
	if err != nil {
		return result{}, err
	}
	if t.Sharded {
		return i.deleteSharded(ns, t, column, value)
	}
	keys, _, err := i.filtered(ns, t, column, value)
	for _, k := range keys {
		if err == nil {
			err = i.Kill(ns, k)
		}
	}
	return result{count: len(keys)}, err
}

func (i *Instance) deleteSharded(ns string, t table, column, value string) (result, error) {
	q := shardTalk{Verb: "delete"}
	if column != "" {
		want, err := literals(value)
		if err != nil {
			return result{}, err
		}
		if q.Column = t.column(column); q.Column < 0 {
			return result{}, &sqlError{-29, "Field not found in the applicable tables^" + column}
		}
		q.Filter, q.Value = true, want[0]
	}
	_, count, err := i.queryShards(ns, t, q)
	return result{count: count}, err
}

func (i *Instance) selectRows(ns, columns, name, column, value string) (result, error) {
	t, err := i.findTable(ns, name)
	if err != nil {
		return result{}, err
	}
	_, rows, err := i.filtered(ns, t, column, value)
	if err != nil {
		return result{}, err
	}
	if c := strings.ToLower(strings.ReplaceAll(columns, " ", "")); c == "count(*)" {
		return result{columns: []string{"Aggregate_1"}, rows: [][]string{{strconv.Itoa(len(rows))}}, count: 1}, nil
	}
	var at []int
	r := result{count: len(rows)}
	for _, c := range strings.Split(columns, ",") {
		if strings.TrimSpace(c) == "*" {
			for n := range t.Columns {
				at = append(at, n)
			}
			r.columns = append(r.columns, t.Columns...)
			continue
		}
		n := t.column(c)
		if n < 0 {
			return result{}, &sqlError{-29, "Field not found in the applicable tables^" + strings.TrimSpace(c)}
		}
		at, r.columns = append(at, n), append(r.columns, t.Columns[n])
	}
	for _, row := range rows {
		var out []string
		for _, n := range at {
			if n < len(row) {
				out = append(out, row[n])
			}
		}
		r.rows = append(r.rows, out)
	}
	return r, nil
}
