package durable

// sector is what a disk writes whole: a torn write ends or has gaps at its
// multiples, counted from the start of the file.
const sector = 512

// Crash cuts the power and restores it. Of everything not synced, a part that
// the seed chooses reaches the disk: each name is as it was at some moment since
// its folder was synced, each write may be kept, lost, or torn by sectors, and a
// file may have grown without its data (zeros). One crash in eight keeps nothing
// that was not synced, one in eight keeps all. Open files are dead afterwards.
func (s *Sim) Crash() {
	s.mu.Lock()
	defer s.mu.Unlock()
	mode := s.intn(8)
	for _, d := range s.nodes {
		for _, base := range sortedKeys(d.history) {
			keep := s.intn(len(d.history[base]) + 1)
			switch mode {
			case 0:
				keep = 0
			case 1:
				keep = len(d.history[base])
			}
			s.settle(d, base, keep)
		}
	}
	for _, n := range s.nodes {
		switch {
		case n.dir:
			n.history = map[string][]simName{}
			n.names = map[string]*simNode{}
			for base, child := range n.diskNames {
				n.names[base] = child
			}
		case mode == 1:
			n.disk, n.pending = append([]byte(nil), n.cache...), nil
		case mode != 0:
			s.loseData(n)
		}
		if !n.dir {
			n.pending = nil
			n.cache = append([]byte(nil), n.disk...)
		}
	}
	s.restart()
}

// Kill ends the process but not the machine: nothing that was done is lost.
// Open files are dead afterwards.
func (s *Sim) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restart()
}

func (s *Sim) restart() {
	s.gen++
	s.off = false
	s.hook = nil
	reached := map[*simNode]bool{}
	var walk func(n *simNode)
	walk = func(n *simNode) {
		if reached[n] {
			return
		}
		reached[n] = true
		for _, m := range []map[string]*simNode{n.names, n.diskNames} {
			for _, child := range m {
				walk(child)
			}
		}
		for _, list := range n.history {
			for _, e := range list {
				if e.node != nil {
					walk(e.node)
				}
			}
		}
	}
	walk(s.root)
	kept := s.nodes[:0]
	for _, n := range s.nodes {
		if reached[n] {
			kept = append(kept, n)
		}
	}
	clear(s.nodes[len(kept):])
	s.nodes = kept
}

// settle makes the first keep changes of a name durable. Where one of them is
// the going half of a rename, the coming half becomes durable with it.
func (s *Sim) settle(d *simNode, base string, keep int) {
	list := d.history[base]
	if keep == 0 {
		return
	}
	d.history[base] = list[keep:]
	if len(list) == keep {
		delete(d.history, base)
	}
	if last := list[keep-1]; last.node == nil {
		delete(d.diskNames, base)
	} else {
		d.diskNames[base] = last.node
	}
	for _, e := range list[:keep] {
		if e.toDir == nil {
			continue
		}
		for i, at := range e.toDir.history[e.toName] {
			if at.seq == e.seq {
				s.settle(e.toDir, e.toName, i+1)
				break
			}
		}
	}
}

// loseData takes a random part of what is pending to the disk and forgets the
// rest; the cache keeps it all.
func (s *Sim) loseData(n *simNode) {
	for _, w := range n.pending {
		if w.data == nil {
			if s.intn(2) == 0 {
				n.disk = w.apply(n.disk)
			}
			continue
		}
		switch s.intn(4) {
		case 0: // lost
		case 1:
			n.disk = w.apply(n.disk)
		case 2: // grown without data
			if end := w.off + int64(len(w.data)); end > int64(len(n.disk)) {
				n.disk = simWrite{off: end}.apply(n.disk)
			}
		case 3:
			n.disk = s.tear(w, n.disk)
		}
	}
	n.pending = nil
}

// tear applies some sectors of a write.
func (s *Sim) tear(w simWrite, disk []byte) []byte {
	for len(w.data) > 0 {
		size := min(int64(len(w.data)), sector-w.off%sector)
		if s.intn(2) == 0 {
			disk = simWrite{w.off, w.data[:size]}.apply(disk)
		}
		w.off, w.data = w.off+size, w.data[size:]
	}
	return disk
}

// intn is a number below n from the seed (SplitMix64).
func (s *Sim) intn(n int) int {
	s.rng += 0x9e3779b97f4a7c15
	z := s.rng
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return int(z % uint64(n))
}
