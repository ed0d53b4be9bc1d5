// Package superserver speaks to instances as a program with a client driver
// does, for package continuity.
package superserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"icm/labkit/continuity"
	"icm/labkit/internal/instance"
)

// Login is who signs on to an instance.
type Login struct {
	User, Password string
	TLS            *tls.Config // nil without TLS
}

// route keeps one connection, to the server that answered last.
type route struct {
	name    string
	login   Login
	addrs   []string // the one to try first is the first
	primary bool
	open    *instance.Server
}

// Server is the route to the instance with a super-server at addr.
func Server(name string, login Login, addr string) continuity.Route {
	return &route{name: name, login: login, addrs: []string{addr}}
}

// Mirror is the route to whichever of the members is primary.
func Mirror(name string, login Login, addrs ...string) continuity.Route {
	return &route{name: name, login: login, addrs: slices.Clone(addrs), primary: true}
}

func (r *route) Name() string { return r.name }

// Ask asks each member until one answers. A write may be made twice then; it
// is the same record both times.
func (r *route) Ask(ctx context.Context, q continuity.Request) (continuity.Answer, error) {
	page, query := q.Page()
	p := instance.Page{User: r.login.User, Password: r.login.Password, Primary: r.primary, Method: http.MethodGet, Path: "/csp/user/" + page, Query: query}
	if q.Op == continuity.Write {
		p.Method, p.Body = http.MethodPost, q.Value
	}
	var problems []error
	for n, addr := range slices.Clone(r.addrs) {
		reply, err := r.askAt(ctx, addr, n == 0, p)
		if err == nil && reply.Status == http.StatusMisdirectedRequest {
			err = errors.New("it is not primary")
		}
		if err != nil {
			r.drop()
			problems = append(problems, fmt.Errorf("%s: %w", addr, err))
			continue
		}
		r.addrs = append([]string{addr}, slices.DeleteFunc(r.addrs, func(a string) bool { return a == addr })...)
		return continuity.NewAnswer(q, reply.Status, reply.Body, reply.By, reply.Wrote)
	}
	return continuity.Answer{}, errors.Join(problems...)
}

// askAt uses the open connection for the first address. When it proves dead, a
// new one is tried, as the server may have been restarted since.
func (r *route) askAt(ctx context.Context, addr string, first bool, p instance.Page) (instance.PageReply, error) {
	if first && r.open != nil {
		if reply, err := r.open.Ask(p, limit(ctx)); err == nil {
			return reply, nil
		}
	}
	r.drop()
	if err := ctx.Err(); err != nil {
		return instance.PageReply{}, err
	}
	s, err := instance.DialServer(addr, r.login.TLS)
	if err != nil {
		return instance.PageReply{}, err
	}
	r.open = s
	return s.Ask(p, limit(ctx))
}

func (r *route) drop() {
	if r.open != nil {
		r.open.Close()
		r.open = nil
	}
}

// limit is how long ctx leaves, an hour without a deadline.
func limit(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return time.Hour
}
