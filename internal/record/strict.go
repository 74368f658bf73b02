package record

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"wenlan/internal/errs"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds how deep an entry nests; the deepest known form has six levels.
const maxDepth = 32

// maxNumber is the largest magnitude of a number in I-JSON (RFC 7493, section 2.2).
const maxNumber = 1 << 53

// CheckIJSON says whether data is one I-JSON object (RFC 7493): valid UTF-8,
// no duplicate names, no number beyond 2^53, nothing behind it. It also refuses
// names in one object that differ only in case, because decoders in other
// languages take one for the other.
func CheckIJSON(data []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(data))
	var names []map[string]bool // one for each open object; nil for an array
	first := true
	for {
		tok, err := dec.ReadToken()
		if errors.Is(err, io.EOF) && !first && len(names) == 0 {
			return nil
		}
		if err != nil {
			return errs.New(errs.Refused, "not I-JSON: %w", err)
		}
		kind := tok.Kind()
		if first && kind != '{' {
			return errs.New(errs.Refused, "not I-JSON: an object is expected")
		}
		if !first && len(names) == 0 {
			return errs.New(errs.Refused, "not I-JSON: something follows the object")
		}
		first = false
		switch kind {
		case '{', '[':
			if len(names) == maxDepth {
				return errs.New(errs.Refused, "not I-JSON: nested deeper than %d", maxDepth)
			}
			if kind == '{' {
				names = append(names, map[string]bool{})
			} else {
				names = append(names, nil)
			}
		case '}', ']':
			names = names[:len(names)-1]
		case '"':
			open := names[len(names)-1]
			if _, n := dec.StackIndex(dec.StackDepth()); open != nil && n%2 == 1 {
				folded := strings.ToLower(tok.String())
				if open[folded] {
					return errs.New(errs.Refused, "not I-JSON: the name %q appears twice but for its case", tok.String())
				}
				open[folded] = true
			}
		case '0':
			f, err := strconv.ParseFloat(tok.String(), 64)
			// 2^53+1 is the first number that a float64 cannot hold: it reads as 2^53.
			if err != nil || math.Abs(f) > maxNumber || math.Abs(f) == maxNumber && strings.TrimPrefix(tok.String(), "-") != "9007199254740992" {
				return errs.New(errs.Refused, "not I-JSON: the number %s is beyond 2^53", tok.String())
			}
		}
	}
}
