package server

import (
	"context"
	"errors"
)

// Aside names the schemas of damaged journals that repairs put aside, and of a new one that a repair which was cut short left. All have
// what the journal has of people.
func (s *Store) Aside(ctx context.Context) (names []string, err error) {
	err = s.read.SelectContext(ctx, &names, `SELECT nspname FROM pg_namespace WHERE starts_with(nspname::text, $1) AND obj_description(oid, 'pg_namespace') = $2
		OR nspname = $3 AND obj_description(oid, 'pg_namespace') = $4 ORDER BY 1`, s.place.schema+"_damaged_", ofPast, s.place.schema+draftSuffix, ofRepair)
	return names, s.typed(err)
}

// DropAside deletes them, unless a repair is under way: that is ErrBusy.
func (s *Store) DropAside(ctx context.Context) (err error) {
	release, err := Alone(ctx, s.o.DSN)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	names, err := s.Aside(ctx)
	for _, name := range names {
		kind := ofPast
		if name == s.place.schema+draftSuffix {
			kind = ofRepair
		}
		if err := drop(ctx, s.write, name, kind); err != nil {
			return s.typed(err)
		}
	}
	return err
}
