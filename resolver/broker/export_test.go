package broker

// Remembered is how many files the broker has a record of.
func (b *Broker) Remembered() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.files)
}

// SweepAt is how many files are remembered before dead ones are forgotten.
const SweepAt = sweepAt
