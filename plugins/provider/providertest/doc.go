// Package providertest is the suite of tests that every provider passes, run
// through the real wire: gRPC, msgpack, and a socket.
//
//	func TestConformance(t *testing.T) {
//		providertest.Run(t, providertest.Config{
//			New:     func() provider.Provider { return lab.New() },
//			Request: func(t *testing.T) provider.Request { … },
//		})
//	}
//
// A provider has its own tests beside it for what is special about it.
package providertest
