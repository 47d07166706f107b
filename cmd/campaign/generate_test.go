package campaign

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// docs/campaign.md and docs/campaign.schema.json are made from the table of keys.
func TestGenerated(t *testing.T) {
	for name, text := range map[string]string{"campaign.md": Reference(), "campaign.schema.json": string(Schema())} {
		path := filepath.Join("..", "..", "docs", name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := os.ReadFile(path); err != nil || string(have) != text {
			t.Errorf("%s is stale: run go generate ./cmd/campaign (%v)", path, err)
		}
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("campaign.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("campaign.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	data, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

// The schema takes what Load takes, and refuses what an editor should underline.
func TestSchema(t *testing.T) {
	s := compile(t)
	for _, name := range []string{"minimal", "full"} {
		text, err := os.ReadFile("testdata/campaigns/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, s, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{"subjet: x", "rate: 20", "repeat: weekli", "queues: {a: {domain: x.example}}", "smtp: {host: x, prot: 1}", "connections: many",
		"unsubscribe: true", "name: Spring Offer", "smtp: [a]", "queues: {a: {}}", "dkim: {}", "retry: {for: soon}"} {
		if validate(t, s, []byte(text)) == nil {
			t.Errorf("the schema takes %q", text)
		}
	}
	for _, text := range []string{"connections: ${N:-5}", "rate: ${RATE}", "smtp: capture", "unsubscribe: false", "cc: a@b.example", "recipients: a.CSV", "repeat: on-change"} {
		if err := validate(t, s, []byte(text)); err != nil {
			t.Errorf("the schema refuses %q: %v", text, err)
		}
	}
}

// Every key has a meaning, and a default that it takes itself.
func TestTable(t *testing.T) {
	var walk func(path string, fields []field)
	walk = func(path string, fields []field) {
		for _, f := range fields {
			at := join(path, f.key)
			if f.doc == "" || !strings.HasSuffix(f.doc, ".") {
				t.Errorf("%s: doc %q", at, f.doc)
			}
			switch k := f.kind.(type) {
			case scalar:
				if f.def != "" {
					if m := k.parse(f.def); m != nil || k.print() != f.def {
						t.Errorf("%s: the default %q is shown as %q, %v", at, f.def, k.print(), m)
					}
				}
			case mapping:
				walk(at, k.fields)
			}
		}
	}
	walk("", keys(&Campaign{}))
	walk("queues.x", queueKeys(&Queue{}))
}
