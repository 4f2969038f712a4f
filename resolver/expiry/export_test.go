package expiry

// Hosts returns how many hosts are remembered.
func (b *Book) Hosts() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.hosts)
}
