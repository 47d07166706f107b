package server

import (
	"context"
	"strings"

	"github.com/lib/pq"
)

// Aside names the schemas of damaged journals that repairs put aside, and of a new one that a repair which was cut short left. All have
// what the journal has of people.
func (s *Store) Aside(ctx context.Context) (names []string, err error) {
	err = s.read.SelectContext(ctx, &names, `SELECT nspname FROM pg_namespace WHERE nspname LIKE $1 || '\_damaged\_%' OR nspname = $2 ORDER BY 1`,
		strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s.place.schema), s.place.schema+draftSuffix)
	return names, s.typed(err)
}

// DropAside deletes them.
func (s *Store) DropAside(ctx context.Context) error {
	names, err := s.Aside(ctx)
	for _, name := range names {
		if _, err := s.write.ExecContext(ctx, "DROP SCHEMA "+pq.QuoteIdentifier(name)+" CASCADE"); err != nil {
			return s.typed(err)
		}
	}
	return err
}
