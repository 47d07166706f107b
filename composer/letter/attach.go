package letter

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/mailblast/mailblast/composer/letter/mime"
)

// maxName is the longest file name of an attachment, in octets: three times that, escaped, must fit a line.
const maxName = 200

func (l *loader) loadAttachments() {
	total := int64(0)
	for i, a := range l.o.Attachments {
		field := fmt.Sprintf("attachments[%d]", i)
		n, err := l.attach(a)
		if err != nil {
			l.inField(field, 0, a.Path+": "+reason(err), "")
			continue
		}
		if total += n; total > l.o.MaxMessage {
			l.inField(field, 0, fmt.Sprintf("the attachments are larger than max_message, %d octets", l.o.MaxMessage), "")
			return
		}
	}
}

// attach opens, reads and encodes a file, once for all letters. It gives the octets it takes in each.
func (l *loader) attach(a Attachment) (n int64, err error) {
	if strings.Contains(a.Path, "{{") {
		return 0, errors.New("templates are not supported here")
	}
	name := cmp.Or(a.Name, path.Base(a.Path))
	if err := mime.CheckValue(name); err != nil {
		return 0, fmt.Errorf("its name: %w", err)
	}
	if len(name) > maxName || !utf8.ValidString(name) || strings.ContainsAny(name, `/\`) {
		return 0, fmt.Errorf("its name is longer than %d octets or holds a slash", maxName)
	}
	f, info, err := l.open(a.Path)
	if err != nil {
		return 0, err
	}
	if info.Size() > l.o.MaxMessage {
		return 0, errors.Join(fmt.Errorf("it is larger than max_message, %d octets", l.o.MaxMessage), f.Close())
	}
	file, err := mime.Attach(f, mime.File{Name: name, Type: contentType(name), Size: info.Size()}, l.o.TempDir)
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	l.letter.files = append(l.letter.files, file)
	return file.Size(), nil
}

// contentTypes of the files that people send. The system's table would make letters differ from machine to machine.
var contentTypes = map[string]string{
	".csv": "text/csv", ".doc": "application/msword", ".gif": "image/gif", ".gz": "application/gzip",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".htm":  "text/html", ".html": "text/html", ".ics": "text/calendar", ".jpeg": "image/jpeg", ".jpg": "image/jpeg",
	".json": "application/json", ".md": "text/markdown", ".mp3": "audio/mpeg", ".mp4": "video/mp4",
	".odp": "application/vnd.oasis.opendocument.presentation", ".ods": "application/vnd.oasis.opendocument.spreadsheet",
	".odt": "application/vnd.oasis.opendocument.text", ".pdf": "application/pdf", ".png": "image/png",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation", ".rtf": "application/rtf",
	".svg": "image/svg+xml", ".txt": "text/plain", ".vcf": "text/vcard", ".webp": "image/webp", ".xls": "application/vnd.ms-excel",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xml": "application/xml", ".zip": "application/zip",
}

func contentType(name string) string {
	return cmp.Or(contentTypes[strings.ToLower(path.Ext(name))], "application/octet-stream")
}
