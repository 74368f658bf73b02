package cli

import (
	"bytes"
	"io"
	"sync"
)

// heldWriter keeps what is written until release, so that the first line of
// standard error can be the address.
type heldWriter struct {
	mu   sync.Mutex
	w    io.Writer
	held bytes.Buffer
	open bool
}

func (h *heldWriter) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open {
		return h.w.Write(b)
	}
	return h.held.Write(b)
}

func (h *heldWriter) release() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = true
	_, err := h.held.WriteTo(h.w)
	return err
}
