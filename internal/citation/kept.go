package citation

import (
	"crypto/sha256"
	"sync"
)

// kept holds references that were made, by what they were made of: the item, in every
// style, and the language of their words. A record that changes is another item, so
// nothing is ever out of date. Half of it is let go when the other half is full.
type kept struct {
	mu         sync.Mutex
	now, older map[keptKey][]Reference
	bytes      int // of now
}

type keptKey [sha256.Size]byte

// Bounds of what is kept, in each half.
const (
	keptBytes = 2 << 20
	keptOne   = 64 << 10 // longer ones are not kept
	keptExtra = 512      // what one takes beside its text
)

func keyOf(item, locale string) keptKey { return sha256.Sum256([]byte(locale + "\n" + item)) }

func (k *kept) get(key keptKey) []Reference {
	k.mu.Lock()
	defer k.mu.Unlock()
	if list, ok := k.now[key]; ok {
		return list
	}
	list, ok := k.older[key]
	if ok {
		k.put(key, list)
	}
	return list
}

func (k *kept) add(key keptKey, list []Reference) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.put(key, list)
}

// put keeps a list; k is locked.
func (k *kept) put(key keptKey, list []Reference) {
	size := keptExtra
	for _, r := range list {
		size += len(r.HTML) + len(r.Text)
	}
	if size > keptOne {
		return
	}
	if _, had := k.now[key]; had {
		return
	}
	if k.now == nil || k.bytes+size > keptBytes {
		k.now, k.older, k.bytes = map[keptKey][]Reference{}, k.now, 0
	}
	k.now[key] = list
	k.bytes += size
}
