package hint

import "strings"

// provider is a domain that many people have their mailbox at.
type provider struct {
	name    string
	letters int  // without its dots
	coined  bool // made-up name of five letters or more: nothing else is one letter from it
}

var providers = append(list(coined, provider{coined: true}), list(plain, provider{})...)

// list gives providers like that one.
func list(names string, like provider) (ps []provider) {
	for _, name := range strings.Fields(names) {
		like.name, like.letters = name, len(name)-strings.Count(name, ".")
		ps = append(ps, like)
	}
	return ps
}

// coined are providers whose name is no word, so that what is one letter off is a slip; the exceptions are genuine.
const coined = `
	gmail.com googlemail.com
	yahoo.com yahoo.co.uk yahoo.de yahoo.fr yahoo.it yahoo.es yahoo.ca yahoo.in yahoo.co.in yahoo.co.jp yahoo.com.br yahoo.com.au
	yahoo.com.mx yahoo.com.ar yahoo.co.id rocketmail.com
	hotmail.com hotmail.co.uk hotmail.de hotmail.fr hotmail.it hotmail.es hotmail.be hotmail.nl hotmail.com.br
	outlook.com outlook.de outlook.fr outlook.it outlook.es outlook.com.br
	icloud.com protonmail.com fastmail.com
	t-online.de freenet.de
	wanadoo.fr laposte.net tiscali.it tiscali.co.uk virgilio.it telenet.be skynet.be
	btinternet.com virginmedia.com talktalk.net ntlworld.com
	comcast.net verizon.net sbcglobal.net bellsouth.net earthlink.net optonline.net
	sympatico.ca videotron.ca bigpond.com bigpond.net.au optusnet.com.au
	yandex.ru yandex.com rambler.ru seznam.cz centrum.cz
	foxmail.com hanmail.net rediffmail.com softbank.ne.jp docomo.ne.jp ezweb.ne.jp
`

// plain are providers with short names, or with names that are words.
const plain = `
	live.com live.de live.fr live.it live.co.uk live.nl msn.com me.com mac.com aol.com aol.de aim.com mail.com email.com ymail.com
	gmx.com gmx.de gmx.net gmx.at gmx.ch web.de arcor.de mail.de posteo.de online.de
	orange.fr free.fr sfr.fr neuf.fr bbox.fr libero.it alice.it tin.it terra.es ziggo.nl planet.nl home.nl xs4all.nl
	mail.ru bk.ru inbox.ru list.ru ya.ru ukr.net wp.pl o2.pl onet.pl interia.pl abv.bg
	qq.com 163.com 126.com sina.com sohu.com aliyun.com naver.com daum.net nate.com
	att.net cox.net charter.net bluewin.ch shaw.ca rogers.com telus.net proton.me pm.me zoho.com uol.com.br bol.com.br terra.com.br
`

// genuine are domains of their own one letter from a coined one.
var genuine = set(`
	gail.com earthling.net hitmail.com hanmail2.net fboxmail.com faxmail.com freinet.de telnet.be simpatico.ca
	gmail.co hotmail.co yahoo.co outlook.co
`)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// noTLD are slips that are no top-level domain, so that no mail could get there.
var noTLD = map[string]string{
	"con": "com", "cmo": "com", "ocm": "com", "comm": "com", "ccom": "com", "coom": "com", "cpm": "com", "clm": "com", "ckm": "com",
	"vom": "com", "xom": "com", "cim": "com", "comn": "com", "conm": "com", "moc": "com",
	"nte": "net", "ent": "net", "nett": "net", "nef": "net", "ner": "net", "met": "net",
	"ogr": "org", "rog": "org", "orgg": "org", "ofg": "org", "prg": "org",
}

// wrongTLD are slips in domains of providers only: what they are slips of stands in the list, and they do not.
var wrongTLD = map[string]string{
	"ed": "de", "dee": "de", "rf": "fr", "ti": "it", "ur": "ru", "cm": "com", "om": "com", "c": "com", "ne": "net", "hc": "ch",
}

// roles are mailboxes of offices: RFC 2142, and what others are in use.
var roles = set(`
	abuse accounting accounts admin administrator all billing bounce bounces careers compliance contact daemon
	do-not-reply donotreply enquiries everyone feedback finance ftp help helpdesk hostmaster hr info information
	inquiries invoices it jobs legal list mail mailer-daemon marketing media news newsletter no-reply no.reply
	no_reply nobody noc noreply office orders owner postmaster press privacy purchasing recruiting reception root
	sales security service shop spam staff support sysadmin team tech unsubscribe usenet uucp web webmaster www
	contacto ventas contatto vendite kontakt buchhaltung vertrieb bewerbung verwaltung sekretariat commercial
	comptabilite accueil direction secretariat biuro
`)
