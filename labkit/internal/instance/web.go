package instance

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"icm/labkit/internal/control"
)

// startWeb opens the private web server of kits that have one. As with the
// real one, a port in use costs the portal, not the start.
func (i *Instance) startWeb() {
	port := i.conf.Get("Startup", "WebServerPort")
	if !i.rel.PrivateWeb() || port == "" || port == "0" {
		return
	}
	l, err := net.Listen("tcp", ":"+port)
	if err != nil {
		i.alert(2, "WebServer.Event", "Cannot start the web server: "+err.Error())
		return
	}
	i.state.WebServer = port
	server := &http.Server{Handler: i.webHandler(), ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(l)
	go func() {
		<-i.ended
		server.Shutdown(context.Background())
	}()
}

func (i *Instance) webHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/csp/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		reply := i.page(Page{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Body: string(body)})
		for name, value := range reply.Headers() {
			w.Header().Set(name, value)
		}
		w.WriteHeader(reply.Status)
		io.WriteString(w, reply.Body)
	})
	mux.HandleFunc("/api/monitor/metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, i.metrics())
	})
	mux.HandleFunc("/api/monitor/alerts", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[]\n") })
	return mux
}

func (i *Instance) metrics() string {
	var b strings.Builder
	fmt.Fprintf(&b, "iris_system_state %d\n", monitorState(i.health()))
	for _, p := range i.section("Databases") {
		dir, _, _ := strings.Cut(p.Value, ",")
		if db := i.set.Mounted(dir); db != nil {
			fmt.Fprintf(&b, "iris_db_size_mb{id=%q,dir=%q} %d\n", p.Key, dir, db.SizeMB())
		}
	}
	kind := map[string]int{"": 2, "Failover": 3, "Disaster Recovery": 5, "Read-Only Reporting": 6, "Read-Write Reporting": 7}
	fmt.Fprintf(&b, "iris_mirror_member_type %d\n", kind[control.LoadState(i.mgr()).MirrorType])
	fmt.Fprintf(&b, "iris_license_days_remaining %d\niris_system_alerts_new %d\n", i.licenseDays(), i.alertCount())
	return b.String()
}

func (i *Instance) licenseDays() int {
	if i.license.expires.IsZero() {
		return 0
	}
	return int(time.Until(i.license.expires).Hours() / 24)
}

func (i *Instance) alertCount() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.alerts
}

// monitorState is the number of a health word.
func monitorState(health string) int {
	switch health {
	case "warn":
		return 1
	case "alert":
		return 2
	case "hung":
		return -1
	}
	return 0
}
