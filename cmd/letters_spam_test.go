package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

const spamassassin = "spamassassin"

// judgement is what SpamAssassin's local tests say of a letter.
type judgement struct {
	File  string
	Score float64
	Rules []spamRule
}

type spamRule struct {
	Name  string
	Score float64
}

// structure matches rules about how a message is laid out, which no letter may meet whatever it says. Others are about its
// words, or about the way it came.
var structure = regexp.MustCompile(`^(MIME|MISSING|HEADER|HEADERS|HTML|SUBJ|SUBJECT|FROM|MSGID|MSG|DATE|INVALID|MALFORMED|BASE64|QP|BAD|` +
	`BROKEN|CTYPE|CTE|CHARSET|TO|TVD_SUBJ|UNPARSEABLE|WEIRD|MULTIPART|DUP|MULTI|NO_HEADERS|NO_SUBJECT|BLANK|EMPTY|PART|X_MESSAGE|MIMEOLE|T_.*MIME|T_HTML)_`)

// innocent are rules of that form that say nothing against a letter.
var innocent = map[string]bool{
	"HTML_MESSAGE": true, // it has HTML
}

func (v judgement) structural() (rules []spamRule) {
	for _, r := range v.Rules {
		if structure.MatchString(r.Name) && !innocent[r.Name] {
			rules = append(rules, r)
		}
	}
	return rules
}

func (v judgement) String() string {
	var names []string
	for _, r := range v.Rules {
		names = append(names, r.Name)
	}
	return fmt.Sprintf("%.1f %s", v.Score, strings.Join(names, " "))
}

// judgeLetters runs SpamAssassin's local tests; nothing is asked of the network.
func judgeLetters(t *testing.T, files []string) []judgement {
	t.Helper()
	r := letterReader{name: spamassassin, command: []string{"perl", "spamassassin.pl"}, install: "spamassassin", check: "use Mail::SpamAssassin"}
	var all []judgement
	for line := range bytes.Lines(r.run(t, files)) {
		var v judgement
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, v)
	}
	if len(all) != len(files) {
		t.Fatalf("%d of %d letters are judged", len(all), len(files))
	}
	return all
}
