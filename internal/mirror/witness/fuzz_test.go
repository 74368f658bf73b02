package witness

import (
	"bytes"
	"testing"
)

// FuzzRequest reads requests; what is read is written as it was.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("old 0\n\nlog\n1\nAAAA\n\n"))
	f.Add([]byte("old 20852014\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\njrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\nexample.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.com/behind-the-sofa Az3g\n"))
	f.Add([]byte("old 01\n\nx"))
	f.Add([]byte("old 1\r\n\nx"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseRequest(data)
		if err != nil {
			return
		}
		if got := r.Marshal(); !bytes.Equal(got, data) {
			t.Errorf("%q became %q", data, got)
		}
	})
}
