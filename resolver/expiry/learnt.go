package expiry

import "time"

const (
	// shortest is the age under which a death teaches nothing: nobody lends
	// links that live so short, and to believe it would be a storm of calls.
	shortest = 500 * time.Millisecond
	// onArrival is the age under which a link that never served is taken to
	// have come dead, which says nothing of how long links live.
	onArrival = time.Second
	// firstPatience and lastPatience bound how many links in a row have to
	// reach the learnt life before a longer one is tried. It doubles when
	// that was in vain, so that the tries cost less and less.
	firstPatience = 3
	lastPatience  = 256
	// fadeAfter is how long without a death doubles the learnt life: where
	// links are used once in a while, none reaches it.
	fadeAfter = 10 * time.Minute
	// forgetAt is the learnt life that no longer limits a link of which
	// nothing else says that it dies.
	forgetAt = 24 * time.Hour
)

// learnt is how long the links of a host live, by what became of them. The
// first link that dies early may have been revoked; the second one sets the
// life, and later ones may lower it. It grows
// by a quarter when several links in a row reached it, by twice once they are
// older than the one that died (that one was odd, revoked perhaps), and with
// time. The zero value has learnt nothing.
type learnt struct {
	life     time.Duration // 0: nothing learnt
	suspect  time.Duration // the life that one death alone suggests
	deathAge time.Duration // of the link that died last
	unharmed int           // links in a row that came near life
	patience int           // how many of them it takes to try a longer life
	since    time.Time     // the last death, or fading
}

// died lowers the life to what the dead link had at least: the age at which it
// last served, or four fifths of the age at which it no longer did.
func (l *learnt) died(age, served time.Duration, now time.Time) {
	if age < shortest || served == 0 && age < onArrival {
		return
	}
	lived := max(served, age/5*4)
	first := l.life == 0 && l.suspect == 0
	switch {
	case first:
		l.suspect = lived
	case age > now.Sub(l.since): // it was there when the last one died: one blow killed both
		l.suspect = max(l.suspect, served)
		if l.life > 0 {
			l.life = max(l.life, served)
		}
		return
	case l.life == 0:
		l.life, l.patience = max(lived, l.suspect), firstPatience
	default:
		l.life = min(lived, max(l.life, served))
		l.patience = min(2*l.patience, lastPatience)
	}
	l.deathAge, l.unharmed, l.since = age, 0, now
}

// outlived counts a link that served at this age; told is how long it would
// have lived by what others say.
func (l *learnt) outlived(age, told time.Duration) {
	if l.life == 0 && age > 2*l.deathAge {
		l.suspect = 0 // that one was odd
	}
	if l.life == 0 || age < l.life/4*3 {
		return
	}
	l.life = max(l.life, age)
	if l.unharmed++; l.unharmed < l.patience {
		return
	}
	l.unharmed = 0
	if age > l.deathAge {
		l.life *= 2
		l.patience = max(firstPatience, l.patience/2)
	} else {
		l.life += l.life / 4
	}
	if l.life >= min(told, forgetAt) {
		*l = learnt{}
	}
}

// fade doubles the life for each while without a death.
func (l *learnt) fade(now time.Time) {
	for l.life > 0 && now.Sub(l.since) >= fadeAfter {
		l.life *= 2
		l.since = l.since.Add(fadeAfter)
		if l.life >= forgetAt {
			*l = learnt{}
		}
	}
}
