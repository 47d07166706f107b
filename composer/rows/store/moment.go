package store

import "time"

// Moment is a date, a time of day or both. Its text form depends on which; Format and the other methods of time.Time
// serve templates.
type Moment struct {
	time.Time
	Form Form
}

// Form says which parts of a Moment count.
type Form uint8

// The forms a Moment may have.
const (
	Date Form = iota
	Time
	TimeTZ
	Timestamp
	TimestampTZ
	forms
)

var layouts = [forms]string{
	Date: "2006-01-02", Time: "15:04:05.999999999", TimeTZ: "15:04:05.999999999-07:00",
	Timestamp: "2006-01-02 15:04:05.999999999", TimestampTZ: "2006-01-02 15:04:05.999999999-07:00",
}

// String gives the text form the documentation of package rows states.
func (m Moment) String() string { return m.Time.Format(layouts[m.Form%forms]) }

// Midnight tells that the time of day is 00:00:00 UTC.
func (m Moment) Midnight() bool { return m.Time.Equal(m.Time.UTC().Truncate(24 * time.Hour)) }

// Zoned tells that the time is not in UTC.
func (m Moment) Zoned() bool {
	_, offset := m.Zone()
	return offset != 0
}
