package journal

import (
	"encoding/json"
	"slices"
	"strings"
)

// notes are what else the journal has on a run, in its column note: a list of lines, or, once the run was purged, an object.
type notes struct {
	Lines  []string `json:"lines"`
	Purged int64    `json:"purged"` // when the recipients' data was deleted last; 0: never
}

func parseNotes(text string) (n notes) {
	if json.Unmarshal([]byte(text), &n.Lines) == nil {
		return n
	}
	if json.Unmarshal([]byte(text), &n) != nil {
		return notes{} // the run is then reported without them
	}
	return n
}

func (n notes) String() string {
	var v any = n
	if n.Purged == 0 {
		v = n.Lines
	}
	text, err := json.Marshal(v)
	if err != nil || n.Purged == 0 && n.Lines == nil {
		return "[]"
	}
	return string(text)
}

// purged is what stays of the notes of a run whose addresses are deleted.
func (n notes) purged(at int64) notes {
	return notes{Lines: slices.DeleteFunc(n.Lines, func(line string) bool { return strings.Contains(line, "@") }), Purged: at}
}
