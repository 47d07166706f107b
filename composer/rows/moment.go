package rows

import (
	"time"
)

// Moment is a date, a time of day or both. Its text form depends on which; Format and the other methods of time.Time
// serve templates.
type Moment struct {
	time.Time
	form form
}

// form says which parts of a Moment count.
type form uint8

const (
	dateForm form = iota
	timeForm
	timetzForm
	timestampForm
	timestamptzForm
	forms
)

var layouts = [forms]string{
	dateForm: "2006-01-02", timeForm: "15:04:05.999999999", timetzForm: "15:04:05.999999999-07:00",
	timestampForm: "2006-01-02 15:04:05.999999999", timestamptzForm: "2006-01-02 15:04:05.999999999-07:00",
}

// String gives the text form the package documentation states.
func (m Moment) String() string { return m.Time.Format(layouts[m.form%forms]) }

// midnight tells that the time of day is 00:00:00 UTC.
func (m Moment) midnight() bool { return m.Time.Equal(m.Time.UTC().Truncate(24 * time.Hour)) }

// zoned tells that the time is not in UTC.
func (m Moment) zoned() bool {
	_, offset := m.Zone()
	return offset != 0
}
