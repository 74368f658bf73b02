package record

import "slices"

// MayShelve says whether the files of a record may go on a shelf, which is a
// promise that cannot be taken back: strangers hold copies of it for ever. So the
// rights must be irrevocable (the public domain, or an open licence) and worldwide,
// stated with evidence and not by a bare assertion, and nothing about the record
// or the file may be withdrawn, anywhere; closings are the withdrawals of the file. It
// rests on no date and not on what the keeper of one copy refuses, so the register
// alone decides.
func MayShelve(st *State, closings []Withdrawal) bool {
	if st == nil || st.Erased != nil || st.Closed {
		return false
	}
	said := func(w Withdrawal) bool { return !w.Keeper }
	if slices.ContainsFunc(st.Withdrawals, said) || slices.ContainsFunc(closings, said) {
		return false
	}
	r := st.Rights
	if r == nil || r.Access != Open || r.Bare() || len(r.Territories) > 0 || len(r.Evidence.Territories) > 0 {
		return false
	}
	return r.Basis == PublicDomain || (r.Basis == Licence && IsOpenLicence(r.Licence))
}

// Holds says whether the bytes are those that b names.
func (b Body) Holds(raw []byte) bool {
	return int64(len(raw)) == b.Bytes && sumHex(raw) == b.SHA256
}
