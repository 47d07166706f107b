package table

import (
	"strings"
	"testing"

	"github.com/mailblast/mailblast/delivery/journal/sum"
)

func TestTables(t *testing.T) {
	for _, each := range []Table{Meta, Runs, Intents, Outcomes, Skipped, Kept} {
		if each.Columns[len(each.Columns)-1] != "sum" || strings.Count(each.DDL(), ",") < len(each.Columns)-1 {
			t.Errorf("%s: %v\n%s", each.Name, each.Columns, each.DDL())
		}
		for _, c := range each.Columns {
			if strings.Trim(c, "abcdefghijklmnopqrstuvwxyz_") != "" {
				t.Errorf("%s: column %q", each.Name, c)
			}
		}
		if got := strings.Count(each.Insert(3), "?"); got != 3*len(each.Columns) {
			t.Errorf("%s: %d values for 3 rows", each.Name, got)
		}
	}
	if strings.Contains(Outcomes.Insert(1), "REPLACE") || !strings.Contains(Runs.Insert(1), "REPLACE") {
		t.Error("only rows that change are replaced")
	}
}

func TestIntact(t *testing.T) {
	s := sum.New([16]byte{1})
	row := Intents.Seal(s, []any{int64(1), int64(2), int64(3), int64(4), []byte("five")})
	if !Intact(Intents, s, row) {
		t.Error("not intact")
	}
	for i := range row {
		for _, v := range []any{nil, int64(9), "five", 1.5, []byte("other")} {
			changed := append([]any(nil), row...)
			changed[i] = v
			if Intact(Intents, s, changed) {
				t.Errorf("column %d is %v", i, v)
			}
		}
	}
	if Intact(Intents, s, row[:len(row)-1]) || Intact(Outcomes, s, row) || Intact(Table{Name: "other", Columns: Intents.Columns}, s, row) {
		t.Error("a row of another table passes")
	}
}
