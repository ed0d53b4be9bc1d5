// Package webgateway is how things are done to the Web Gateway and the Apache
// it lives in: which Apache a node has, the sections of its configuration, the
// servers and paths in CSP.ini, and a page asked over HTTP.
//
// CSP.ini belongs to the gateway, which writes it too, from its management
// pages. So nothing in it marks what is ours; a Record in the agent's own
// directory does.
package webgateway
