package breaker

import "time"

// Table holds what is known of all scopes. The zero Table is ready for use, and knows nothing against anybody.
type Table struct {
	scopes map[Scope]*record
	off    int // how many are not as usual: paused, or in trial
	sweep  int // size at which those with little against them are forgotten
}

const (
	keep   = 1 << 14 // scopes that are remembered without asking whether they are worth it
	little = 2       // refusals
)

// Restore begins the trials of a scope that an earlier run left paused.
func (t *Table) Restore(s Scope) {
	r := t.get(s, true)
	if r.pause == nil {
		t.off++
	}
	r.pause = &pause{trial: true}
}

// Quiet tells that nothing is known against anybody, so that only a refusal needs to be counted.
func (t *Table) Quiet() bool { return len(t.scopes) == 0 }

// Next is when a message of these scopes may go: the zero Time is now. paused tells that only a refusal keeps it, rather than
// trials that are under way.
func (t *Table) Next(now time.Time, in []Scope) (at time.Time, paused bool) {
	if t.off == 0 {
		return at, false
	}
	for _, s := range in {
		r := t.scopes[s]
		if r == nil || r.pause == nil {
			continue
		}
		switch p := r.pause; {
		case !p.trial && now.Before(p.until):
			return p.until, true
		case !p.trial:
			p.trial, p.out, p.taken = true, 0, 0
		}
		if r.pause.out+r.pause.taken >= Trials {
			at = now.Add(poll)
		}
	}
	return at, false
}

// Usual tells that no scope is paused or in trial, so that there is nothing to ask Next for.
func (t *Table) Usual() bool { return t.off == 0 }

// Take notes that a message of these scopes goes, which Next allowed.
func (t *Table) Take(in []Scope) {
	for _, s := range in {
		if r := t.scopes[s]; r.trying() {
			r.pause.out++
		}
	}
}

// Trial tells that what goes to these scopes now is a trial.
func (t *Table) Trial(in []Scope) bool {
	for _, s := range in {
		if t.scopes[s].trying() {
			return true
		}
	}
	return false
}

// Holds tells that a scope is paused, or that no trial of it was taken yet.
func (t *Table) Holds(s Scope) bool {
	r := t.scopes[s]
	return r != nil && r.pause != nil && (!r.pause.trial || r.pause.taken == 0)
}

// Count takes an outcome of these scopes, the narrowest first; trial is what Trial said when the message went. back tells
// that a refusal must not count as a failure, since its scope was paused meanwhile.
func (t *Table) Count(now time.Time, in []Scope, said Said, trial bool) (news []News, back bool) {
	if trial {
		t.land(in)
	}
	refused := said.Word >= Refused
	switch {
	case said.Word == Nothing, t.Quiet() && !refused:
		return nil, false
	case refused && t.paused(in):
		return nil, true
	case refused && t.off > 0:
		if n, ok := t.relapse(now, in); ok {
			return []News{n}, false
		}
	case said.Word == Taken && trial:
		news = t.prove(in)
	}
	t.add(in, &said)
	if refused {
		if n, ok := t.trip(now, in); ok {
			news = append(news, n)
		}
	}
	return news, false
}

// land ends the trial that one message was.
func (t *Table) land(in []Scope) {
	for _, s := range in {
		if r := t.scopes[s]; r != nil && r.pause != nil && r.pause.out > 0 {
			r.pause.out--
		}
	}
}

func (t *Table) paused(in []Scope) bool {
	for _, s := range in {
		if r := t.scopes[s]; r != nil && r.pause != nil && !r.pause.trial {
			return true
		}
	}
	return false
}

// relapse pauses the narrowest scope that was in trial again.
func (t *Table) relapse(now time.Time, in []Scope) (News, bool) {
	for _, s := range in {
		if r := t.scopes[s]; r != nil && r.pause != nil {
			r.pause.begin(now)
			return News{Scope: s, Again: true, Until: r.pause.until}, true
		}
	}
	return News{}, false
}

// prove notes that a trial was taken. A scope that has proven itself begins anew.
func (t *Table) prove(in []Scope) (news []News) {
	for _, s := range in {
		r := t.scopes[s]
		if !r.trying() {
			continue
		}
		if r.pause.taken++; r.pause.taken >= Trials {
			delete(t.scopes, s)
			t.off--
			news = append(news, News{Scope: s, Over: true})
		}
	}
	return news
}

// add counts the outcome in each scope that is known, or must be from now on.
func (t *Table) add(in []Scope, said *Said) {
	refused, from := said.Word >= Refused, uint32(0)
	for _, s := range in {
		if r := t.get(s, refused); r != nil {
			r.add(said, from)
			if r.clean() {
				delete(t.scopes, s)
			}
		}
		if refused {
			from = hash(start, s.Name)
		}
	}
}

// trip pauses the narrowest scope that has heard too much.
func (t *Table) trip(now time.Time, in []Scope) (News, bool) {
	for _, s := range in {
		r := t.scopes[s]
		if n, ok := r.judge(s.Kind); ok {
			r.pause = &pause{}
			r.pause.begin(now)
			r.marks, r.row = nil, 0
			t.off++
			n.Scope, n.Until = s, r.pause.until
			return n, true
		}
	}
	return News{}, false
}

// get gives what is known of a scope. With remember it is known from now on.
func (t *Table) get(s Scope, remember bool) *record {
	r := t.scopes[s]
	if r != nil || !remember {
		return r
	}
	if t.scopes == nil {
		t.scopes = map[Scope]*record{}
	}
	if t.sweep = max(t.sweep, keep); len(t.scopes) >= t.sweep {
		t.forget()
	}
	r = &record{}
	t.scopes[s] = r
	return r
}

// forget drops those with little against them.
func (t *Table) forget() {
	for s, r := range t.scopes {
		if r.pause == nil && len(r.marks) <= little {
			delete(t.scopes, s)
		}
	}
	t.sweep = max(keep, 2*len(t.scopes))
}
