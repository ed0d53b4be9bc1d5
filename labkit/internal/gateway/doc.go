// Package gateway is the Web Gateway's stand-in: it reads CSP.ini as the real
// one does, chooses a server for each request, and asks it for the page. Its
// Apache module hands it requests over a Unix socket.
package gateway
