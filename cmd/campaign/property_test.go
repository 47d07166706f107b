package campaign

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What is written is what is read: a campaign of drawn values comes back from its YAML.
func TestLoadGivesWhatIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "campaign.yaml")
	rapid.Check(t, func(t *rapid.T) {
		want := draw(t)
		if err := os.WriteFile(path, []byte(render(want)), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Load(path, Options{})
		if err != nil {
			t.Fatalf("%v\n%s", err, render(want))
		}
		same := func(what string, a, b any) {
			if !reflect.DeepEqual(a, b) {
				t.Errorf("%s: %v, want %v\n%s", what, a, b, render(want))
			}
		}
		same("subject", got.Subject, want.Subject)
		same("vars", got.Vars, want.Vars)
		same("rate", got.Rate, want.Rate)
		same("retry", got.Retry, want.Retry)
		same("memory", got.Memory, want.Memory)
		same("connections", got.Connections, want.Connections)
		same("queues", got.Queues, want.Queues)
		same("expect", got.Expect, want.Expect)
		same("repeat", got.Repeat, want.Repeat)
	})
}

func draw(t *rapid.T) *Campaign {
	c := &Campaign{}
	c.Subject = rapid.StringMatching(`[ -~äß日]{0,30}[a-z]`).Draw(t, "subject")
	c.Vars = map[string]any{
		"text": strings.ReplaceAll(rapid.StringOf(rapid.Rune().Filter(strconv.IsPrint)).Draw(t, "text"), "${", ""),
		"n":    rapid.Int64().Draw(t, "n"), "yes": rapid.Bool().Draw(t, "yes"), "none": nil,
	}
	aRate := rapid.Custom(func(t *rapid.T) Rate {
		return Rate{float64(rapid.IntRange(1, 100_000).Draw(t, "rate")) / 10, units[rapid.IntRange(0, 3).Draw(t, "unit")].per}
	})
	c.Rate = Rates{Total: aRate.Draw(t, "total"), PerDomain: map[string]Rate{"*": aRate.Draw(t, "others"), "a.example": aRate.Draw(t, "a")}}
	first, most := rapid.IntRange(1, 100).Draw(t, "first"), rapid.IntRange(100, 1000).Draw(t, "max")
	c.Retry = Retry{For: time.Duration(most*2) * time.Second, First: time.Duration(first) * time.Second, Max: time.Duration(most) * time.Second,
		Wait: time.Duration(rapid.IntRange(0, 500).Draw(t, "wait")) * time.Minute, Jitter: rapid.Bool().Draw(t, "jitter")}
	c.Memory = rapid.Int64Range(64_000, 1e10).Draw(t, "memory")
	n := rapid.IntRange(0, 6).Draw(t, "queues")
	c.Connections = rapid.IntRange(n+1, 500).Draw(t, "connections")
	for i := range n {
		c.Queues = append(c.Queues, Queue{Name: fmt.Sprintf("q%d", i), Domains: []string{fmt.Sprintf("d%d.example", i), fmt.Sprintf("e%d.example", i)},
			Connections: rapid.IntRange(1, c.Connections).Draw(t, "most"), Rate: aRate.Draw(t, "queue"), MessagesPerConnection: rapid.IntRange(1, 1000).Draw(t, "per")})
	}
	c.Expect.Min = rapid.Int64Range(0, 1e6).Draw(t, "least rows")
	c.Expect.Max = rapid.Int64Range(max(1, c.Expect.Min), 1e9).Draw(t, "most rows")
	c.Repeat = rapid.SampledFrom([]string{"never", "daily", "weekly", "monthly", "on-change", "always"}).Draw(t, "repeat")
	return c
}

func render(c *Campaign) string {
	single := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	lines := []string{
		"name: spring", "from: a@b.example", "template: a.md", "recipients: a.csv", "smtp: capture",
		"subject: " + single(c.Subject),
		fmt.Sprintf("vars: {text: %s, n: %d, yes: %t, none: ~}", single(c.Vars["text"].(string)), c.Vars["n"], c.Vars["yes"]),
		fmt.Sprintf(`rate: {total: %v, per_domain: {"*": %v, A.example: %v}}`, c.Rate.Total, c.Rate.PerDomain["*"], c.Rate.PerDomain["a.example"]),
		fmt.Sprintf("retry: {for: %v, first: %v, max: %v, wait: %v, jitter: %t}", c.Retry.For, c.Retry.First, c.Retry.Max, c.Retry.Wait, c.Retry.Jitter),
		"memory: " + showSize(c.Memory), fmt.Sprintf("connections: %d", c.Connections),
		fmt.Sprintf("expect: {min: %d, max: %d}", c.Expect.Min, c.Expect.Max), "repeat: " + c.Repeat, "queues:",
	}
	for _, q := range c.Queues {
		lines = append(lines, fmt.Sprintf("  %s: {domains: [%s], connections: %d, rate: %v, messages_per_connection: %d}", q.Name, strings.Join(q.Domains, ", "), q.Connections, q.Rate, q.MessagesPerConnection))
	}
	return strings.Join(slices.Concat(lines, []string{""}), "\n")
}
