// Package topology says which nodes form what: names, data server and
// application servers, mirrors, order. It is pure.
package topology
