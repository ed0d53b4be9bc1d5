package passhash

import "testing"

// vectors are published hashes of the password SYS.
var vectors = map[string]string{
	"modern, community template": "a31d24aecc0bfe560a7e45bd913ad27c667dc25a75cbfd358c451bb595b6bd52bd25c82cafaa23ca1dd30b3b4947d12d3bb0ffb2a717df29912b743a281f97c1,0a4c463a2fa1e7542b61aa48800091ab688eb0a14bebf536638f411f5454c9343b9aa6402b4694f0a89b624407a5f43f0a38fc35216bb18aab7dc41ef9f056b1,10000,SHA512",
	"modern, passwordhash image": "34e80d2f1ad5135679b3a57a9c4b1611a8a8995e0849ebe954ac1c16ad253d0274296985fea058a8aaf2a149b88082595e6374b3c2f7d5f0774f05e4311ba52d,124e81ee6bf17fcaf0dfb38a4f8a7f46e9e4b0c8c9a40864bb189d4d200b161b1451874efcbed63b801cbab592434b93037e90810d96e4ee123ac03b756779e9,10000,SHA512",
	"legacy":                     "FBFE8593AEFA510C27FD184738D6E865A441DE98,u4ocm4qh",
}

func TestPublishedHashesMatchTheirPassword(t *testing.T) {
	for name, hash := range vectors {
		if !Matches(hash, "SYS") {
			t.Errorf("%s: does not match SYS", name)
		}
		if Matches(hash, "sys") {
			t.Errorf("%s: matches the wrong password", name)
		}
	}
}

func TestAMadeHashMatchesOnlyItsPassword(t *testing.T) {
	hash, err := Make("päss wörd")
	if err != nil {
		t.Fatal(err)
	}
	if !Matches(hash, "päss wörd") || Matches(hash, "") {
		t.Errorf("%s does not tell passwords apart", hash)
	}
}

func TestMalformedHashesAreRefused(t *testing.T) {
	for _, bad := range []string{"", "SYS", "zz,aa", "00,aa", "00,00,10000,SHA512", "00,00,x,SHA512", vectors["modern, passwordhash image"] + "x"} {
		if Check(bad) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
