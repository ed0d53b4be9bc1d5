// Package provider is the contract between icm and its provider plugins: one
// Go interface, plain data, and the glue that carries both over go-plugin's
// gRPC with msgpack as the encoding. A provider's own program is
//
//	func main() { provider.Serve(lab.New()) }
//
// A provider makes nodes, or finds those it was given, and tells how they are
// reached. It never installs anything on them: that is the agent's work.
package provider
