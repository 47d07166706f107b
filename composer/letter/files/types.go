package files

import (
	"cmp"
	"path"
	"strings"
)

// contentTypes of the files that people send. The system's table would make letters differ from machine to machine.
var contentTypes = map[string]string{
	".csv": "text/csv", ".doc": "application/msword", ".gif": "image/gif", ".gz": "application/gzip",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".htm":  "text/html", ".html": "text/html", ".ics": "text/calendar", ".jpeg": "image/jpeg", ".jpg": "image/jpeg",
	".json": "application/json", ".md": "text/markdown", ".mp3": "audio/mpeg", ".mp4": "video/mp4",
	".odp": "application/vnd.oasis.opendocument.presentation", ".ods": "application/vnd.oasis.opendocument.spreadsheet",
	".odt": "application/vnd.oasis.opendocument.text", ".pdf": "application/pdf", ".pkpass": "application/vnd.apple.pkpass",
	".png": "image/png", ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".rtf": "application/rtf", ".svg": "image/svg+xml", ".txt": "text/plain", ".vcf": "text/vcard", ".webp": "image/webp",
	".xls": "application/vnd.ms-excel", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".xml": "application/xml", ".zip": "application/zip",
}

// ContentType gives the media type that a file's name stands for.
func ContentType(name string) string {
	return cmp.Or(contentTypes[strings.ToLower(path.Ext(name))], "application/octet-stream")
}
