package instance

import (
	"encoding/gob"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"icm/labkit/internal/control"
	"icm/labkit/internal/script"
)

// message is all there is on a super-server connection, both ways.
type message struct {
	Op            string // hello, get, set, kill, keys, before, mirror-…
	Client, Dir   string
	Key, Value    string
	Prefix, After string
	Limit         int
	Keys, Values  []string
	Found         bool
	Error         string
	Members       []member
	Talk          *talk // between members of a mirror
	Page          *Page // of a gateway
	Reply         *PageReply
	Shard         *shardTalk
	Receipt       control.Receipt // of a write
}

// link is one connection. One question is open at a time.
type link struct {
	mu    sync.Mutex
	conn  net.Conn
	enc   *gob.Encoder
	dec   *gob.Decoder
	limit time.Duration // for one question
	// Of the side that answers: the name in the other's certificate, what to
	// do at the end, and whether the client wants nobody but a primary.
	peer     string
	release  func()
	mirrored bool
}

// linkTimeout bounds one question.
const linkTimeout = 8 * time.Second

func (i *Instance) dialLink(addr string) (*link, error) {
	c, err := i.dial(addr, 2*time.Second)
	if err != nil {
		return nil, err
	}
	return newLink(c), nil
}

func newLink(c net.Conn) *link {
	return &link{conn: c, enc: gob.NewEncoder(c), dec: gob.NewDecoder(c), limit: linkTimeout}
}

func (l *link) ask(m message) (message, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn.SetDeadline(time.Now().Add(l.limit))
	if err := l.enc.Encode(m); err != nil {
		return message{}, err
	}
	var reply message
	if err := l.dec.Decode(&reply); err != nil {
		return message{}, err
	}
	return reply, nil
}

// ecp is both sides of the Enterprise Cache Protocol's stand-in.
type ecp struct {
	i       *Instance
	mu      sync.Mutex
	servers map[string]*link
	members map[string][]string // addresses of a mirror that a server told of
	clients map[string]int      // connections by client
}

func newECP(i *Instance) *ecp {
	return &ecp{i: i, servers: map[string]*link{}, members: map[string][]string{}, clients: map[string]int{}}
}

// remoteDB is a database on a data server.
type remoteDB struct {
	e           *ecp
	server, dir string
}

func (e *ecp) remote(server, dir string) (database, error) {
	if e.i.get("ECPServers", server) == "" {
		return nil, &script.Error{Code: "<NETWORK>", Detail: "*server " + server + " is not defined"}
	}
	return remoteDB{e, server, dir}, nil
}

// ask tries once more on a new connection, as the server may have restarted.
func (r remoteDB) ask(m message) (message, error) {
	m.Dir = r.dir
	var err error
	for range 2 {
		var l *link
		if l, err = r.e.connect(r.server); err != nil {
			break
		}
		var reply message
		if reply, err = l.ask(m); err != nil {
			r.e.drop(r.server, l)
			continue
		}
		if strings.Contains(reply.Error, notPrimary) {
			r.e.drop(r.server, l)
			err = fmt.Errorf("%s", reply.Error)
			continue
		}
		if reply.Error != "" {
			code, detail, _ := strings.Cut(reply.Error, " ")
			return reply, &script.Error{Code: code, Detail: detail}
		}
		return reply, nil
	}
	return message{}, &script.Error{Code: "<NETWORK>", Detail: "*" + err.Error()}
}

func (e *ecp) drop(server string, l *link) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l.conn.Close()
	if e.servers[server] == l {
		delete(e.servers, server)
	}
}

// connect returns the open connection to a server, or makes one. With a
// mirror connection the member asked may send us on to the primary.
func (e *ecp) connect(server string) (*link, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l := e.servers[server]; l != nil {
		return l, nil
	}
	parts := strings.Split(e.i.get("ECPServers", server)+",,", ",")
	addrs, mirrored := []string{net.JoinHostPort(parts[0], parts[1])}, parts[2] == "1"
	addrs = append(addrs, e.members[server]...)
	var err error
	for n := 0; n < len(addrs) && n < 8; n++ {
		var l *link
		if l, err = e.i.dialLink(addrs[n]); err != nil {
			continue
		}
		var reply message
		reply, err = l.ask(message{Op: "hello", Client: hostname() + ":" + e.i.reg.Name, Found: mirrored})
		if err == nil && reply.Error == "" {
			e.servers[server], e.members[server] = l, append(addresses(reply.Members), addrs[n])
			e.i.log.write(0, "ECP.Event", fmt.Sprintf("ECP: Connection to server '%s' (%s) established", server, addrs[n]))
			return l, nil
		}
		l.conn.Close()
		addrs = append(addrs, addresses(reply.Members)...)
		if err == nil {
			err = fmt.Errorf("%s: %s", addrs[n], reply.Error)
		}
	}
	e.i.log.write(1, "ECP.Event", fmt.Sprintf("ECP: Cannot connect to server '%s': %v", server, err))
	return nil, err
}

func addresses(members []member) []string {
	var out []string
	for _, m := range members {
		out = append(out, net.JoinHostPort(m.Address, strconv.Itoa(m.Port)))
	}
	return out
}

func (r remoteDB) Get(key string) (string, bool, error) {
	m, err := r.ask(message{Op: "get", Key: key})
	return m.Value, m.Found, err
}

func (r remoteDB) Set(key, value string) (control.Receipt, error) {
	m, err := r.ask(message{Op: "set", Key: key, Value: value})
	return m.Receipt, err
}

func (r remoteDB) Kill(key string) error {
	_, err := r.ask(message{Op: "kill", Key: key})
	return err
}

func (r remoteDB) Keys(prefix, after string, limit int) ([]string, error) {
	m, err := r.ask(message{Op: "keys", Prefix: prefix, After: after, Limit: limit})
	return m.Keys, err
}

func (r remoteDB) Records(prefix, after string, limit int) (keys, values []string, err error) {
	m, err := r.ask(message{Op: "records", Prefix: prefix, After: after, Limit: limit})
	return m.Keys, m.Values, err
}

func (r remoteDB) Before(prefix, limit string) (string, bool, error) {
	m, err := r.ask(message{Op: "before", Prefix: prefix, After: limit})
	return m.Value, m.Found, err
}

// status is one line for each server and each client.
func (e *ecp) status() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, p := range e.i.section("ECPServers") {
		state := "Not Connected"
		if e.servers[p.Key] != nil {
			state = "Normal"
		}
		out = append(out, "ECP server "+p.Key+" "+p.Value+": "+state)
	}
	for client := range e.clients {
		out = append(out, "ECP client "+client+": Normal")
	}
	return out
}

const notPrimary = "*this mirror member is not the primary"

// hello decides whether a client may use this data server.
func (e *ecp) hello(m message) (message, bool) {
	if !e.i.serviceEnabled("%Service_ECP") {
		return message{Error: "<NETWORK> *%Service_ECP is not enabled"}, false
	}
	if m.Found && !e.i.mirror.isPrimary() {
		return message{Error: errNotPrimary.Error(), Members: e.i.mirror.others()}, false
	}
	limit, _ := strconv.Atoi(e.i.get("config", "MaxServerConn"))
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.clients[m.Client] == 0 && len(e.clients) >= limit {
		return message{Error: fmt.Sprintf("<NETWORK> *MaxServerConn is %d", limit)}, false
	}
	e.clients[m.Client]++
	e.i.log.write(0, "ECP.Event", "ECP: Client "+m.Client+" connected")
	return message{Op: "welcome", Members: e.i.mirror.others()}, true
}

func (e *ecp) goodbye(client string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.clients[client]--; e.clients[client] <= 0 {
		delete(e.clients, client)
	}
}

// answer does what a client asks of one of our databases.
func (e *ecp) answer(l *link, m message) message {
	if l.mirrored && !e.i.mirror.isPrimary() {
		return message{Error: errNotPrimary.Error()}
	}
	dir, err := e.i.mirror.directory(m.Dir)
	if err != nil {
		return message{Error: err.Error()}
	}
	db, err := e.i.local(dir)
	if err != nil {
		return message{Error: err.Error()}
	}
	var reply message
	switch m.Op {
	case "get":
		reply.Value, reply.Found, err = db.Get(m.Key)
	case "set":
		reply.Receipt, err = db.Set(m.Key, m.Value)
	case "kill":
		err = db.Kill(m.Key)
	case "keys":
		reply.Keys, err = db.Keys(m.Prefix, m.After, m.Limit)
	case "records":
		reply.Keys, reply.Values, err = db.Records(m.Prefix, m.After, m.Limit)
	case "before":
		reply.Value, reply.Found, err = db.Before(m.Prefix, m.After)
	default:
		err = &script.Error{Code: "<PROTOCOL>"}
	}
	if err != nil {
		return message{Error: err.Error()}
	}
	return reply
}

// serveSuperServer answers connections until the listener is closed.
func (i *Instance) serveSuperServer(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			l, err := i.welcome(c)
			if err != nil {
				c.Close()
				return
			}
			i.serveLink(l)
		}()
	}
}

func (i *Instance) serveLink(l *link) {
	defer l.conn.Close()
	served := make(chan struct{})
	defer close(served)
	go func() { // an ending instance must not wait for its clients
		select {
		case <-i.ended:
			l.conn.Close()
		case <-served:
		}
	}()
	client := ""
	defer func() {
		if client != "" {
			i.ecp.goodbye(client)
		}
		if l.release != nil {
			l.release()
		}
	}()
	for {
		var m message
		if l.dec.Decode(&m) != nil {
			return
		}
		var reply message
		switch {
		case strings.HasPrefix(m.Op, "mirror-"):
			reply = i.mirror.answer(l, m)
		case m.Op == "shard" && m.Shard != nil:
			reply = i.answerShard(*m.Shard)
		case m.Op == "page" && m.Page != nil:
			page := i.gatewayPage(*m.Page)
			reply.Reply = &page
		case m.Op == "hello" && client == "":
			var ok bool
			if reply, ok = i.ecp.hello(m); ok {
				client, l.mirrored = m.Client, m.Found
			}
		case client != "":
			reply = i.ecp.answer(l, m)
		default:
			reply.Error = "<PROTECT>"
		}
		if l.enc.Encode(reply) != nil {
			return
		}
	}
}
