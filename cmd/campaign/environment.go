package campaign

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/joho/godotenv"

	"github.com/mailblast/mailblast/cmd/campaign/source"
)

// environment sets where variables come from: the process, then .env.
func (l *loader) environment(o Options) {
	path, must := o.EnvFile, o.EnvFile != ""
	if !must {
		path = filepath.Join(l.c.Dir, ".env")
	}
	file, info, err := readEnv(path)
	switch {
	case err != nil && (must || !errors.Is(err, fs.ErrNotExist)):
		l.faults = append(l.faults, Fault{Pos: source.Pos{File: path}, Text: err.Error()})
	case err != nil:
	case !must && info.Mode().Perm()&0o002 != 0: // it may name another server, or a command
		l.faults = append(l.faults, Fault{Pos: source.Pos{File: path}, Text: "everybody can write to it", Hint: "chmod 600 " + path + ", or name it with --env-file"})
	case info.Mode().Perm()&0o077 != 0:
		l.warnings = append(l.warnings, Fault{Pos: source.Pos{File: path}, Text: "others can read the secrets in it", Hint: "chmod 600 " + path})
	}
	l.env = func(name string) (string, bool) {
		if o.Env != nil {
			if v, ok := o.Env(name); ok {
				return v, true
			}
		}
		v, ok := file[name]
		return v, ok
	}
}

// readEnv never tells what the file holds: the parser's errors would.
func readEnv(path string) (map[string]string, fs.FileInfo, error) {
	f, info, err := source.Open(path)
	if err != nil {
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			err = pe.Err
		}
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, source.MaxSize+1))
	switch {
	case err != nil:
		return nil, nil, err
	case len(text) > source.MaxSize:
		return nil, nil, errors.New("it is larger than 1 MiB")
	}
	vars, err := parseEnv(text)
	return vars, info, err
}

// parseEnv keeps a fault in the parser from ending the process.
func parseEnv(text []byte) (vars map[string]string, err error) {
	defer func() {
		if recover() != nil {
			vars, err = nil, errNoEnv
		}
	}()
	if vars, err = godotenv.UnmarshalBytes(text); err != nil {
		return nil, errNoEnv
	}
	return vars, nil
}

var errNoEnv = errors.New("it is not made of lines such as NAME=value")
