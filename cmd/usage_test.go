package cmd

import (
	"strings"
	"testing"
	"time"
)

// Whatever is mistyped, of whichever command, is told in our words, with what was probably meant.
func TestMistyped(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][2]string{
		"sned":                        {`unknown command "sned"`, "did you mean mailblast send? All commands: mailblast --help"},
		"repair":                      {`unknown command "repair"`, "did you mean mailblast journal repair? All commands: mailblast --help"},
		"frobnicate":                  {`unknown command "frobnicate"`, "mailblast --help"},
		"journal chek":                {`unknown command "journal chek"`, "did you mean mailblast journal check? All commands: mailblast journal --help"},
		"suppress ad jo@acme.example": {`unknown command "suppress ad"`, "did you mean mailblast suppress add? All commands: mailblast suppress --help"},
		"journal send":                {`unknown command "journal send"`, "did you mean mailblast send? All commands: mailblast journal --help"},
		"help sned":                   {`unknown command "sned"`, "did you mean mailblast send? All commands: mailblast --help"},
		"help journal chek":           {`unknown command "journal chek"`, "did you mean mailblast journal check? All commands: mailblast journal --help"},
		"sned --help":                 {`unknown command "sned"`, "did you mean mailblast send? All commands: mailblast --help"},
		"journal chek -h":             {`unknown command "journal chek"`, "did you mean mailblast journal check? All commands: mailblast journal --help"},
		"completion bsh":              {`unknown command "completion bsh"`, "did you mean mailblast completion bash? All commands: mailblast completion --help"},
		"completion bash x":           {"mailblast completion bash takes no arguments, but was given 1", "mailblast completion bash --help"},
		"--forse":                     {"unknown flag: --forse", "mailblast --help"},
		"--verbos status":             {"unknown flag: --verbos", "did you mean --verbose? All flags: mailblast --help"},
		"init --forse":                {"unknown flag: --forse", "did you mean --force? All flags: mailblast init --help"},
		"journal repair --yess":       {"unknown flag: --yess", "did you mean --yes? All flags: mailblast journal repair --help"},
		"send -Z":                     {"unknown flag: -Z", "mailblast send --help"},
		"check -offline":              {"unknown flag: -o", "did you mean --offline? All flags: mailblast check --help"},
		"suppress list -é":            {"unknown flag: -é", "mailblast suppress list --help"},
		"send --=x":                   {"--=x: not a flag", "mailblast send --help"},
		"send --limit":                {"--limit needs a value: --limit N", "mailblast send --help"},
		"report -o":                   {"--output needs a value: --output FORMAT", "mailblast report --help"},
		"send --limit x":              {`--limit "x": not a whole number`, "mailblast send --help"},
		"send --strict=perhaps":       {`--strict "perhaps": not true or false`, "mailblast send --help"},
		"check --patience 5":          {`--patience "5": not a duration such as 90s or 5m`, "mailblast check --help"},
		"send a b":                    {"mailblast send takes one FILE, but was given 2 arguments", "mailblast send --help"},
		"init a b":                    {"mailblast init takes one DIR, but was given 2 arguments", "mailblast init --help"},
		"status a b c":                {"mailblast status takes one RUN, but was given 3 arguments", "mailblast status --help"},
		"journal export a b":          {"mailblast journal export takes one RUN, but was given 2 arguments", "mailblast journal export --help"},
		"suppress import":             {"mailblast suppress import needs an argument: FILE|-", "mailblast suppress import --help"},
		"suppress import a b":         {"mailblast suppress import takes one FILE|-, but was given 2 arguments", "mailblast suppress import --help"},
		"suppress rm":                 {"mailblast suppress rm needs an argument: ADDRESS|@DOMAIN …", "mailblast suppress rm --help"},
		"version x":                   {"mailblast version takes no arguments, but was given 1", "mailblast version --help"},
		"journal check x":             {"mailblast journal check takes no arguments, but was given 1", "mailblast journal check --help"},
	} {
		code, out, err := ran(strings.Fields(line), nil)
		if said := "mailblast: " + want[0] + "\nhint: " + want[1] + "\n"; code != exitUsage || err != said || out != "" {
			t.Errorf("mailblast %s: exit code %d, %q%q, want %q", line, code, out, err, said)
		}
	}
	for _, line := range []string{"help journal repair", "journal repair --help", "--help journal repair", "journal repair -h x"} {
		if code, out, err := ran(strings.Fields(line), nil); code != exitOK || err != "" || !strings.HasPrefix(out, "Make a new journal") {
			t.Errorf("%s: %d, %q, %q", line, code, out, err)
		}
	}
	if code, out, err := ran([]string{"completion"}, nil); code != exitOK || err != "" || !strings.Contains(out, "bash") {
		t.Errorf("completion: %d, %q, %q", code, out, err)
	}
}

// Every flag has its variable; what is wrong with that one says so.
func TestMistypedVariable(t *testing.T) {
	t.Parallel()
	code, out, err := ran([]string{"send"}, map[string]string{"MAILBLAST_LIMIT": "x"})
	if want := "mailblast: MAILBLAST_LIMIT: --limit \"x\": not a whole number\n"; code != exitUsage || out != "" || err != want {
		t.Errorf("exit code %d, %q, %q, want %q", code, out, err, want)
	}
}

// ran runs a command line that needs no process of its own, and gives its exit code and what it said.
func ran(args []string, vars map[string]string) (code int, out, err string) {
	var o, e strings.Builder
	code = (&env{args: args, in: strings.NewReader(""), out: &o, err: &e, width: func() int { return 80 }, now: time.Now,
		lookup: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }}).main()
	return code, o.String(), e.String()
}
