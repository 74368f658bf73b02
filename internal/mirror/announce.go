package mirror

import "context"

func (m *Mirror) announce(ctx context.Context)  {}
func (m *Mirror) readLists(ctx context.Context) {}
