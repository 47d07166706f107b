package locale

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func TestDate(t *testing.T) {
	at := time.Date(2026, 11, 24, 15, 4, 5, 0, time.UTC)
	for _, c := range []struct{ tag, style, want string }{
		{"en", "long", "November 24, 2026"},
		{"en-GB", "long", "24 November 2026"},
		{"de", "long", "24. November 2026"},
		{"de", "full", "Dienstag, 24. November 2026"},
		{"de-LU", "short", "24.11.26"},
		{"fr", "long", "24 novembre 2026"},
		{"es", "long", "24 de noviembre de 2026"},
		{"pt-BR", "long", "24 de novembro de 2026"},
		{"ru", "long", "24 ноября 2026 г."},
		{"hu", "long", "2026. november 24."},
		{"ja", "long", "2026年11月24日"},
		{"th", "short", "24/11/26"},
		{"fa", "long", "۲۴ نوامبر ۲۰۲۶"},
		{"fa", "iso", "2026-11-24"},
		{"de", "time", "15:04"},
		{"en", "time", "3:04 PM"},
		{"en", "datetime", "Nov 24, 2026, 3:04 PM"},
		{"no", "long", "24. november 2026"},
		{"tlh", "long", "24 November 2026"},
		{"tlh", "time", "15:04"},
		{"ru", "2 January 2006", "24 ноября 2026"},
		{"ru", "January 2006", "ноябрь 2026"},
		{"pl", "2 January", "24 listopada"},
		{"pl", "January", "listopad"},
		{"cs", "Monday 2. January", "úterý 24. listopadu"},
		{"de", "Mon, 02 Jan 06", "Di., 24 Nov. 26"},
		{"es", "Monday 2 de January", "martes 24 de noviembre"},
		{"en", "3:04 pm", "3:04 PM"},
		{"zh-Hant", "PM 3:04", "下午 3:04"},
		{"de", "15:04:05 Uhr", "15:04:05 Uhr"},
		{"de", "2006", "2026"},
		{"de", "Montag 02.", "Montag 24."},
	} {
		if got, err := locale(t, c.tag).Date(c.style, at); err != nil || got != c.want {
			t.Errorf("%s %s: %q (%v), want %q", c.tag, c.style, got, err, c.want)
		}
	}
	if got, err := locale(t, "de").Date("2006", time.Date(2006, 1, 2, 15, 4, 5, 0, time.UTC)); err != nil || got != "2006" {
		t.Errorf("a layout that is its own result: %q (%v)", got, err)
	}
	for _, style := range []string{"", "lang", "Montag", "LONG"} {
		if got, err := locale(t, "de").Date(style, at); err == nil || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("%q: %q (%v)", style, got, err)
		}
	}
}

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		tag      string
		v        any
		decimals int
		want     string
	}{
		{"de", "1234.5", 1, "1.234,5"},
		{"fr", "1234.5", -1, "1\u202f234,5"},
		{"en-IN", "123456.5", -1, "1,23,456.5"},
		{"hi", "123456.5", -1, "1,23,456.5"},
		{"de-CH", "1234.5", -1, "1'234.5"},
		{"es", "1234", -1, "1234"},
		{"es", "12345", -1, "12.345"},
		{"en", "12345678901234567890.10", -1, "12,345,678,901,234,567,890.10"},
		{"en", 0.1, -1, "0.1"},
		{"en", float32(0.1), -1, "0.1"},
		{"en", 1e21, 0, "1,000,000,000,000,000,000,000"},
		{"en", int64(math.MinInt64), -1, "-9,223,372,036,854,775,808"},
		{"en", uint64(math.MaxUint64), -1, "18,446,744,073,709,551,615"},
		{"en", 7, 2, "7.00"},
		{"en", json.Number("+007.50"), -1, "7.50"},
		{"en", "0.125", 2, "0.13"},
		{"en", "-0.125", 2, "-0.13"},
		{"en", "999.995", 2, "1,000.00"},
		{"en", "-0.004", 2, "0.00"},
		{"sv", "-5", 0, "−5"},
	} {
		if got, err := locale(t, c.tag).Number(c.v, c.decimals); err != nil || got != c.want {
			t.Errorf("%s %v: %+q (%v), want %+q", c.tag, c.v, got, err, c.want)
		}
	}
	for _, v := range []any{nil, "", "-", "1.", ".5", "1,5", "1e3", "0x1", "--1", " 1", "1 000", "١", true, math.NaN(), math.Inf(1), []byte("1"), time.Time{}} {
		if got, err := locale(t, "en").Number(v, -1); err == nil {
			t.Errorf("%v (%T): %s", v, v, got)
		}
	}
	for _, decimals := range []int{-2, 31} {
		if got, err := locale(t, "en").Number(1, decimals); err == nil {
			t.Errorf("%d decimals: %s", decimals, got)
		}
	}
}

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		tag, v   string
		decimals int
		want     string
	}{
		{"en", "0.125", -1, "12.5%"},
		{"en", "0.125", 0, "13%"},
		{"de", "-1.5", 1, "-150,0\u00a0%"},
		{"tr", "0.5", 0, "%50"},
		{"en", "0.001", -1, "0.1%"},
	} {
		if got, err := locale(t, c.tag).Percent(c.v, c.decimals); err != nil || got != c.want {
			t.Errorf("%s %s: %+q (%v), want %+q", c.tag, c.v, got, err, c.want)
		}
	}
}

func TestMoney(t *testing.T) {
	for _, c := range []struct{ tag, amount, code, want string }{
		{"de", "1234.5", "EUR", "1.234,50\u00a0€"},
		{"en", "1234.5", "eur", "€1,234.50"},
		{"fr", "1234.5", "EUR", "1\u202f234,50\u00a0€"},
		{"ja", "1234.5", "JPY", "￥1,235"},
		{"de-CH", "1234.5", "CHF", "CHF\u00a01'234.50"},
		{"de-CH", "-1234.5", "CHF", "CHF-1'234.50"},
		{"pt-BR", "1234.5", "BRL", "R$\u00a01.234,50"},
		{"en", "1234.5", "BHD", "BHD\u00a01,234.500"},
		{"en", "-1234.5", "USD", "-$1,234.50"},
		{"en", "-0.004", "USD", "$0.00"},
		{"es-MX", "5", "USD", "USD\u00a05.00"}, // $ is the peso there
		{"es-MX", "5", "MXN", "$5.00"},
		{"tlh", "5", "EUR", "€5.00"},
	} {
		if got, err := locale(t, c.tag).Money(c.amount, c.code); err != nil || got != c.want {
			t.Errorf("%s %s %s: %+q (%v), want %+q", c.tag, c.amount, c.code, got, err, c.want)
		}
	}
	for _, code := range []string{"", "EU", "euro", "€", "AAA"} {
		if got, err := locale(t, "de").Money("1", code); err == nil || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("%q: %q (%v)", code, got, err)
		}
	}
	if got, err := locale(t, "de").Money("a lot", "EUR"); err == nil {
		t.Error(got)
	}
}

func TestPlural(t *testing.T) {
	for _, c := range []struct {
		tag  string
		v    any
		want string
	}{
		{"en", 1, "one"}, {"en", 0, "other"}, {"en", -1, "one"}, {"en", "1.00", "one"}, {"en", 1.5, "other"}, {"en", "10000001", "other"},
		{"ru", 1, "one"}, {"ru", 22, "few"}, {"ru", 25, "many"}, {"ru", 111, "many"}, {"ru", 10000001, "one"}, {"ru", 1.5, "other"},
		{"pl", 22, "few"}, {"ar", 0, "zero"}, {"ar", 2, "two"}, {"ar", 103, "few"}, {"ja", 1, "other"}, {"fr", 0, "one"}, {"fr", "1000000", "many"},
		{"he", 20, "other"}, {"he", "0.5", "one"}, {"is", 21, "one"}, {"is", 11, "other"}, {"mk", 22, "other"}, {"pt-PT", 0, "other"}, {"pt", 0, "one"},
	} {
		if got, err := locale(t, c.tag).Plural(c.v); err != nil || got != c.want {
			t.Errorf("%s %v: %s (%v), want %s", c.tag, c.v, got, err, c.want)
		}
	}
	if got, err := locale(t, "en").Plural("some"); err == nil {
		t.Error(got)
	}
}
