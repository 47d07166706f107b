package campaign

import "time"

// keys is the table of campaign.yaml: what is read, docs/campaign.md and the JSON schema all come from it.
func keys(c *Campaign) []field {
	return append(letterKeys(c), sendingKeys(c)...)
}

func letterKeys(c *Campaign) []field {
	return []field{
		{"name", identifier(&c.Name), "", "The campaign's identity in journal and reports: a-z, 0-9 and -. Required."},
		{"from", mailbox(&c.From), "", "Who the letter is from, such as `Ana <ana@acme.example>`. Required; may be a template."},
		{"to", letterText(&c.To), "", "Template of the recipient's address. Default: the column email, e-mail or mail, in any case."},
		{"cc", texts(&c.CC, letterText), "", "Templates of further recipients whom all see."},
		{"bcc", texts(&c.BCC, letterText), "", "Templates of further recipients whom nobody sees."},
		{"reply_to", mailbox(&c.ReplyTo), "", "Where answers go; may be a template. Default: from."},
		{"return_path", plainAddress(&c.ReturnPath), "", "Where bounces go: a plain address. Default: the address of from."},
		{"subject", letterText(&c.Subject), "", "Template of the subject. Required, here or in the template's front matter."},
		{"preheader", letterText(&c.Preheader), "", "Template of what an inbox shows beside the subject. Default: how the letter begins."},
		{"template", text(&c.Template), "", "The letter: a .md file (makes both parts), .html or .txt, below the campaign's folder. Required."},
		{"locale", letterText(&c.Locale), "", "Template of the reader's language, such as `{{ .lang }}`: letter.de.md stands in for letter.md then, and dates and numbers follow it."},
		{"text", text(&c.Text), "auto", "The text part: auto (derived from HTML or Markdown), none, or a .txt file."},
		{"layout", text(&c.Layout), "", "layouts/NAME.html and layouts/NAME.txt around the letter; none for bare. Default: base when it exists."},
		{"recipients", recipients(&c.Recipients), "", "Who gets it: a file (.csv, .xlsx, .jsonl and others), - for standard input, or a database and a query. Required."},
		{"key", text(&c.Key), DefaultKey, "The column that says who is the same person in a rerun, such as order_id for one mail per order; email is the to address."},
		{"unique", text(&c.Unique), DefaultKey, "A second row with the same value in this column is skipped; email is the to address, none allows it."},
		{"expect", mapping{fields: []field{
			{"min", count(&c.Expect.Min, 0, 1e9), "0", "Fewer rows than this: nothing is sent."},
			{"max", count(&c.Expect.Max, 1, 1e9), "", "More rows than this: nothing is sent. Default: no maximum."},
		}}, "", "How many rows there should be; catches a broken WHERE."},
		{"suppress", texts(&c.Suppress, suppressFile), "", "Files with people who must not be written to, of the kinds recipients may have: a column email, or one address or @domain a line. They add to the list that `mailblast suppress` keeps."},
		{"repeat", oneOf(&c.Repeat, "never", "daily", "weekly", "monthly", "on-change", "always"), "never", "When the same people get it again: what is in one run is never sent twice. send --run KEY goes on with an earlier one, such as 2026-W48; a KEY that no run has is refused."},
		{"on_null", nullRules{&c.OnNull}, "", "A letter that prints a NULL: fail that row (the default), skip it and count it, or print nothing (empty); or by column: {city: empty, name: {default: friend}, \"*\": skip}."},
		{"vars", values(&c.Vars), "", "Constants for templates, as .vars.NAME."},
		{"images", oneOf(&c.Images, "embed", "link"), "embed", "Images of the HTML that lie in the campaign's folder: go with the letter, or are left as they are written."},
		{"attachments", attachments(&c.Attachments), "", "Files below the campaign's folder that go with the letters: paths, or {path, name, optional}. A path such as `invoices/{{ .number }}.pdf` is one of each row."},
		{"headers", headers(&c.Headers), "", "Header fields of your own; values may be templates. Date, Message-ID, List-* and Auto-Submitted are set for you."},
		{"unsubscribe", unsubscribe(&c.Unsubscribe), "", "A URL, {url, mailto, required}, or false for notices. {token} is the recipient's signed id."},
	}
}

func sendingKeys(c *Campaign) []field {
	return []field{
		{"smtp", relay(&c.SMTP), "", "The relay: smtp://user:password@host:587, smtps://…, capture (the built-in server), or a mapping. Required unless delivery is direct."},
		{"capture", mapping{fields: []field{
			{"fail", text(&c.Capture.Fail), "", "What it refuses, as in \"rcpt 2%=550 5.1.1, data 5%=451, gmail.com 10%=421, ana@acme.example once=451\"."},
			{"latency", duration(&c.Capture.Latency, 0), "0s", "How long it takes over each message."},
		}}, "", "What the built-in server does in rehearsals (smtp: capture, send --dry-run)."},
		{"rate", rates(&c.Rate), "", "How fast all queues send together: 20/s, or {total, per_domain}. Default: no limit."},
		{"connections", count(&c.Connections, 1, 10_000), "20", "Connections open at most, over all queues; every queue keeps one."},
		{"memory", size(&c.Memory, 64_000), "8MB", "For what waits in queues; the rest is spilled to disk."},
		{"delivery", oneOf(&c.Delivery, "relay", "direct"), "relay", "relay: through smtp; direct: to the recipients' mail exchangers."},
		{"direct", mapping{fields: directKeys(&c.Direct)}, "", "For delivery: direct. Any value but the default is warned of."},
		{"queues", queues(&c.Queues), "", "Specific queues by name; every other domain shares the general queue."},
		{"general", mapping{fields: generalKeys(&c.General)}, "", "The general queue."},
		{"fallback", optionalRelay(&c.Fallback), "", "Takes messages whose first try was not successful; written like smtp."},
		{"pipelining", toggle(&c.Pipelining, "auto", "off"), "auto", "auto: commands go together where the server offers it; off: one by one."},
		{"on_unknown", oneOf(&c.OnUnknown, "hold", "resend"), "hold", "When the link broke before the reply to a whole message: hold lists it, resend risks a second copy."},
		{"retry", mapping{fields: retryKeys(&c.Retry)}, "", "For what was refused for now."},
		{"max_message", size(&c.MaxMessage, 1000), "25MB", "The largest letter, attachments included."},
		{"state", state(&c.State, &c.Server), "", "Directory of journal and secret, or postgres://user@host/database for a journal that several machines share. Default: the nearest .mailblast upward, else one beside the campaign."},
		{"secret", secretKey(&c.Secret), "", "Key of Message-IDs and unsubscribe tokens, 16 characters at least. Default: the file secret in the state directory, made on first use."},
	}
}

func directKeys(d *Direct) []field {
	return []field{
		{"port", count(&d.Port, 1, 65535), "25", "The port of mail exchangers."},
		{"resolver", resolver(&d.Resolver), "system", "The name server: system, or an address with port."},
		{"allow_networks", networks(&d.AllowNetworks), "", "Private networks that may be dialled, such as 127.0.0.0/8 in a lab."},
		{"bind", bind(&d.Bind), "", "The local IP address that connections come from."},
		{"hello", hello(&d.Hello), "", "The name in EHLO. Default: the machine's name."},
		{"tls", oneOf(&d.TLS, "opportunistic", "starttls", "none"), "opportunistic", "starttls: only to servers that offer it with a valid certificate."},
	}
}

func generalKeys(g *General) []field {
	return []field{
		{"connections", count(&g.Connections, 1, 10_000), "", "At most. Default: connections."},
		{"per_domain", count(&g.PerDomain, 1, 10_000), "3", "Connections to one domain at most."},
		{"messages_per_connection", count(&g.MessagesPerConnection, 1, 1_000_000), "100", "Then it is closed and a new one opened."},
		{"idle", duration(&g.Idle, time.Second), "30s", "How long a connection without work is kept, in any queue."},
		{"rate", rate(&g.Rate), "", "Default: no limit."},
	}
}

func queueKeys(q *Queue) []field {
	return []field{
		{"domains", texts(&q.Domains, domain), "", "The recipients' domains it takes. Required."},
		{"connections", count(&q.Connections, 1, 10_000), "", "At most. Default: connections."},
		{"rate", rate(&q.Rate), "", "Default: no limit."},
		{"messages_per_connection", count(&q.MessagesPerConnection, 1, 1_000_000), "100", "Then it is closed and a new one opened."},
	}
}

func retryKeys(r *Retry) []field {
	return []field{
		{"for", duration(&r.For, 0), "4h", "How long after its first try a message is tried again."},
		{"first", duration(&r.First, time.Second), "1m", "The first delay; it doubles with each try."},
		{"max", duration(&r.Max, time.Second), "30m", "The longest delay."},
		{"jitter", boolean(&r.Jitter), "true", "Vary delays a little, so that tries spread out."},
		{"wait", duration(&r.Wait, 0), "10m", "When only later tries remain and the next is further away than this, the run pauses."},
	}
}

func relayKeys(r *Relay) []field {
	return []field{
		{"host", host(&r.Host), "", "A name or IP address. Required."},
		{"port", count(&r.Port, 1, 65535), "", "Default: 465 with tls: implicit, else 587."},
		{"tls", oneOf(&r.TLS, "starttls", "implicit", "opportunistic", "none"), "", "starttls and implicit demand a valid certificate. Default: starttls; opportunistic on loopback addresses."},
		{"user", text(&r.User), "", "Without one there is no login."},
		{"password", secretText(&r.Password), "", "As ${VARIABLE}. Written out, the file must be readable by you alone."},
		{"password_file", path(&r.PasswordFile), "", "Its first line is the password; it must be readable by you alone (mode 0600)."},
		{"password_command", argv{&r.PasswordCommand}, "", "A program with its arguments that prints the password; no shell, 10 s."},
		{"token_command", argv{&r.TokenCommand}, "", "A program with its arguments that prints a bearer token for XOAUTH2."},
		{"auth", oneOf(&r.Auth, "auto", "plain", "login", "xoauth2"), "auto", "How to log in; auto takes the best that the server offers."},
		{"hello", hello(&r.Hello), "", "The name in EHLO. Default: the machine's name."},
		{"ca_file", path(&r.CAFile), "", "PEM certificates to trust in place of the system's."},
		{"insecure_auth", boolean(&r.InsecureAuth), "false", "Let the password go over an unencrypted connection."},
	}
}
