package irishash

import (
	"strings"
	"testing"

	"icm/internal/secret"
)

// The vectors are hashes of "SYS" that real systems made.
func TestHashesMadeByRealSystemsAreVerified(t *testing.T) {
	for name, value := range map[string]string{
		"modern, from a merge file":  "a31d24aecc0bfe560a7e45bd913ad27c667dc25a75cbfd358c451bb595b6bd52bd25c82cafaa23ca1dd30b3b4947d12d3bb0ffb2a717df29912b743a281f97c1,0a4c463a2fa1e7542b61aa48800091ab688eb0a14bebf536638f411f5454c9343b9aa6402b4694f0a89b624407a5f43f0a38fc35216bb18aab7dc41ef9f056b1,10000,SHA512",
		"modern, from the hash tool": "34e80d2f1ad5135679b3a57a9c4b1611a8a8995e0849ebe954ac1c16ad253d0274296985fea058a8aaf2a149b88082595e6374b3c2f7d5f0774f05e4311ba52d,124e81ee6bf17fcaf0dfb38a4f8a7f46e9e4b0c8c9a40864bb189d4d200b161b1451874efcbed63b801cbab592434b93037e90810d96e4ee123ac03b756779e9,10000,SHA512",
		"legacy, two fields":         "FBFE8593AEFA510C27FD184738D6E865A441DE98,u4ocm4qh",
	} {
		t.Run(name, func(t *testing.T) {
			if ok, err := Verify(secret.New("SYS"), value); err != nil || !ok {
				t.Errorf("Verify(SYS) = %v, %v", ok, err)
			}
			if ok, err := Verify(secret.New("sys"), value); err != nil || ok {
				t.Errorf("Verify(sys) = %v, %v: a wrong password passes", ok, err)
			}
		})
	}
}

func TestAHashIsSaltedAndVerifies(t *testing.T) {
	p := secret.New("p@ss, wörd")
	one, err := Hash(p)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Hash(p)
	if err != nil {
		t.Fatal(err)
	}
	if one == two {
		t.Error("two hashes of one password are equal: the salt is not random")
	}
	if !strings.HasSuffix(one, ",10000,SHA512") || one != strings.ToLower(strings.TrimSuffix(one, "SHA512"))+"SHA512" {
		t.Errorf("Hash() = %q: not the form IRIS reads", one)
	}
	if ok, err := Verify(p, one); err != nil || !ok {
		t.Errorf("Verify() = %v, %v", ok, err)
	}
}

func TestWhatIsNoHashIsRefusedInWords(t *testing.T) {
	for _, value := range []string{"", "abc", "a,b,c", "aa,zz,1,SHA512", "aa,bb,0,SHA512", "aa,bb,99999999999,SHA512", "aa,bb,1,MD5"} {
		if _, err := Verify(secret.New("x"), value); err == nil || !strings.HasPrefix(err.Error(), "cannot read") {
			t.Errorf("Verify(%q) = %v, want a sentence", value, err)
		}
	}
	if _, err := Hash(secret.Secret{}); err == nil {
		t.Error("an empty password is hashed")
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("x", "aa,bb,1,SHA512")
	f.Add("SYS", "FBFE8593AEFA510C27FD184738D6E865A441DE98,u4ocm4qh")
	f.Fuzz(func(t *testing.T, password, value string) {
		if strings.Count(value, ",") == 3 && len(strings.Split(value, ",")[2]) > 4 {
			t.Skip("many rounds only cost time")
		}
		_, _ = Verify(secret.New(password), value)
	})
}
