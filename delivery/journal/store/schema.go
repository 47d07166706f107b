package store

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/mailblast/mailblast/delivery/journal/table"
)

const version = 2

var tables = []table.Table{table.Meta, table.Runs, table.Intents, table.Outcomes, table.Skipped, table.Kept, table.Pauses, table.Suppressed}

// ddl makes an empty file of a schema.
func ddl(version int) []string {
	if version == 1 {
		return strings.Split(strings.TrimSpace(ddl1), ";\n")
	}
	all := []string{"CREATE TABLE schema (version INTEGER NOT NULL)"}
	for _, t := range tables {
		all = append(all, t.DDL())
	}
	return all
}

// object is one row of sqlite_schema.
type object struct{ Type, Name, Table, SQL string }

// objects lists what a file with this DDL has, by name.
func objects(ddl []string) (all []object) {
	for _, text := range ddl {
		name, _, _ := strings.Cut(strings.TrimPrefix(text, "CREATE TABLE "), " ")
		all = append(all, object{"table", name, name, text})
		if strings.Contains(text, "UNIQUE (") || strings.Contains(text, "PRIMARY KEY (") && !strings.HasSuffix(text, "WITHOUT ROWID") {
			all = append(all, object{"index", "sqlite_autoindex_" + name + "_1", name, ""})
		}
	}
	slices.SortFunc(all, func(a, b object) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// shaped tells whether a file has exactly the tables of a schema: one flipped bit in their text, and a column has another
// name or a key is none any more.
func shaped(ctx context.Context, db sqlx.QueryerContext, version int) (bool, error) {
	var have []object
	err := sqlx.SelectContext(ctx, db, &have, `SELECT type, name, tbl_name AS "table", coalesce(sql, '') AS sql FROM sqlite_schema`)
	slices.SortFunc(have, func(a, b object) int { return cmp.Compare(a.Name, b.Name) })
	return slices.Equal(have, objects(ddl(version))), err
}

// ddl1 is schema 1, whose rows have no seal.
const ddl1 = `
CREATE TABLE schema (version INTEGER NOT NULL);
CREATE TABLE runs (
	id INTEGER PRIMARY KEY, campaign TEXT NOT NULL, key TEXT NOT NULL, generation INTEGER NOT NULL,
	started INTEGER NOT NULL, finished INTEGER NOT NULL DEFAULT 0,
	rows INTEGER NOT NULL DEFAULT 0, deliveries INTEGER NOT NULL DEFAULT 0, columns TEXT NOT NULL DEFAULT '[]',
	round INTEGER NOT NULL DEFAULT 0,
	first_outcome INTEGER NOT NULL, settled_outcome INTEGER NOT NULL, settled_intent INTEGER NOT NULL,
	UNIQUE (campaign, key, generation));
CREATE TABLE intents (
	seq INTEGER PRIMARY KEY, run INTEGER NOT NULL, at INTEGER NOT NULL, after INTEGER NOT NULL, entries BLOB NOT NULL);
CREATE TABLE outcomes (
	seq INTEGER PRIMARY KEY, run INTEGER NOT NULL, key BLOB NOT NULL, copy INTEGER NOT NULL,
	status INTEGER NOT NULL, round INTEGER NOT NULL, attempt INTEGER NOT NULL, try INTEGER NOT NULL, charged INTEGER NOT NULL,
	via INTEGER NOT NULL, stage INTEGER NOT NULL, class INTEGER NOT NULL, code INTEGER NOT NULL,
	first INTEGER NOT NULL, at INTEGER NOT NULL, next INTEGER NOT NULL, took INTEGER NOT NULL,
	rcpt TEXT NOT NULL, enhanced TEXT NOT NULL, text TEXT NOT NULL, host TEXT NOT NULL, tls TEXT NOT NULL, queue TEXT NOT NULL);
CREATE TABLE skipped (
	run INTEGER NOT NULL, number INTEGER NOT NULL, line INTEGER NOT NULL, class INTEGER NOT NULL,
	rcpt TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (run, number)) WITHOUT ROWID;
CREATE TABLE kept (
	run INTEGER NOT NULL, key BLOB NOT NULL, copy INTEGER NOT NULL, rcpt TEXT NOT NULL, fields TEXT NOT NULL,
	PRIMARY KEY (run, key, copy)) WITHOUT ROWID`
