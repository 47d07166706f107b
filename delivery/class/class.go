// Package class tells what a refusing reply or a bounce means for the address and the campaign.
//
//  1. where it happened: before RCPT a final refusal is about the sender, not the recipient;
//  2. the text, by the first text rule that fits: servers send wrong codes more often than wrong words, and words of
//     reputation and policy stand before words about users, since "Recipient address rejected" may end in "blacklisted";
//  3. the enhanced status code, by subject and detail (RFC 3463 §3, RFC 5248 and what the big receivers use);
//  4. the reply code.
//
// The rules are the table rules.txt. Only a final reply (5yz) makes an address hard, and only when text or code says
// that the address is dead: what we do not know costs nobody their subscription.
package class

import "github.com/mailblast/mailblast/delivery"

// Of classifies a reply: its code (0 when there is none), its enhanced status code (may be empty), its text with all
// lines joined, and the stage it answered.
func Of(code int, enhanced, text string, stage delivery.Stage) delivery.Class {
	if code >= 200 && code < 400 {
		return delivery.ClassNone
	}
	c := rules.find(code, enhanced, text, stage)
	final := code >= 500 || code == 0 && len(enhanced) > 0 && enhanced[0] == '5'
	switch {
	case final && stage >= delivery.StageConnect && stage < delivery.StageRcpt && c != delivery.ClassThrottle:
		return delivery.ClassBlock // RFC 5321 §3.3: no recipient has been named yet
	case c == delivery.ClassHard && !final:
		return delivery.ClassSoft
	}
	return c
}

// Meaning puts a class and its codes in plain words for a report, such as "no such user" for hard, 550, 5.1.1.
func Meaning(c delivery.Class, code int, enhanced string) string {
	if r, ok := rules.status(enhanced); ok && (r.class == c || c == delivery.ClassNone) {
		return r.words
	}
	if r, ok := rules.reply[code]; ok && r.class == c {
		return r.words
	}
	switch c {
	case delivery.ClassHard:
		return "no such address"
	case delivery.ClassSoft:
		return "trouble at the recipient's server"
	case delivery.ClassThrottle:
		return "too many messages at once"
	case delivery.ClassBlock:
		return "refused by policy"
	case delivery.ClassContent:
		return "the letter could not be composed"
	case delivery.ClassDuplicate:
		return "same address twice"
	case delivery.ClassInvalid:
		return "invalid address"
	case delivery.ClassGone:
		return "no longer on the list"
	case delivery.ClassNull:
		return "empty field"
	}
	return "no reason given"
}

func (t *table) find(code int, enhanced, text string, stage delivery.Stage) delivery.Class {
	words := plain(text)
	if enhanced == "" {
		enhanced = statusIn(text)
	}
	for i := range t.text {
		if t.text[i].fits(code, enhanced, words) {
			return t.text[i].class
		}
	}
	if r, ok := t.status(enhanced); ok {
		return r.class
	}
	if r, ok := t.reply[code]; ok {
		return r.class
	}
	if code >= 500 && stage >= delivery.StageData {
		return delivery.ClassBlock // the recipient was fine, the letter was not
	}
	return delivery.ClassSoft
}
