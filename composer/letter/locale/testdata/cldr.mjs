// Writes cldr.txt, the facts that the package knows of each locale, and testdata/intl.tsv, what Intl makes of some dates and
// numbers, which the tests hold the package against. Run in this package's folder: node testdata/cldr.mjs
// Both come from the Unicode CLDR through Node's Intl, which needs full ICU.
import { writeFileSync } from "node:fs";

const languages = `af am ar az be bg bn bs ca ckb cs cy da de el en es et eu fa fi fil fr ga gl gu he hi hr hu hy id is it ja ka kk km kn
  ko ky lo lt lv mk ml mn mr ms my nb ne nl nn pa pl ps pt ro ru si sk sl sq sr sv sw ta te th tr uk ur uz vi yue zh zu`.split(/\s+/);
const regions = `ar-AE ar-DZ ar-EG ar-JO ar-LB ar-MA ar-SA ar-TN az-Cyrl de-AT de-CH de-LI el-CY en-001 en-150 en-AU en-BE en-CA en-CH
  en-DE en-DK en-GB en-HK en-IE en-IL en-IN en-MT en-NL en-NZ en-PH en-SE en-SG en-ZA es-419 es-AR es-BO es-CL es-CO es-CR es-DO
  es-EC es-GT es-MX es-PA es-PE es-PR es-US es-UY es-VE fr-BE fr-CA fr-CH fr-LU fr-MA it-CH ms-BN nl-BE pt-PT pt-AO ro-MD
  ru-UA sr-Latn sr-Latn-BA sv-FI ur-IN uz-Cyrl zh-Hans-SG zh-Hant zh-Hant-HK zh-Hant-TW`.split(/\s+/); // parents before their children
// parents that are not the tag without its last part.
const parents = { "en-150": "en-001", "zh-Hant": "", "sr-Latn": "", "az-Cyrl": "", "uz-Cyrl": "", "zh-Hans-SG": "zh",
  "pt-AO": "pt-PT", "es-419": "es" };
const from001 = "AU BE CH DE DK GB HK IE IL IN MT NL NZ SE SG ZA".split(" ");
const parent = (l) => {
  if (l in parents) return parents[l];
  const [base, region] = l.split("-");
  if (base === "en" && from001.includes(region)) return ["BE", "CH", "DE", "DK", "NL", "SE"].includes(region) ? "en-150" : "en-001";
  if (base === "es" && region) return "es-419";
  return l.includes("-") ? l.slice(0, l.lastIndexOf("-")) : "";
};

const utc = (...at) => new Date(Date.UTC(...at));
const range = (n) => [...Array(n).keys()];
const gregorian = (l) => l + "-u-ca-gregory";
const zero = (l) => new Intl.NumberFormat(l, { useGrouping: false }).format(0);
const latin = (s, l) => {
  const base = zero(l).codePointAt(0);
  return [...s].map((c) => { const d = c.codePointAt(0) - base; return d >= 0 && d < 10 ? String(d) : c; }).join("");
};
const parts = (l, o, at) => new Intl.DateTimeFormat(gregorian(l), { timeZone: "UTC", ...o }).formatToParts(at)
  .map((p) => ({ type: p.type, value: latin(p.value, l) }));
const part = (l, o, at, type) => parts(l, o, at).find((p) => p.type === type)?.value ?? "";
const whole = (l, o, at) => parts(l, o, at).map((p) => p.value).join("");
const numeric = (s) => /^\d+$/.test(s);

// months in the form they take beside a day, and alone.
const months = (l, width, alone) => range(12).map((m) => {
  const at = utc(2026, m, 24);
  const beside = part(l, { year: "numeric", month: width, day: "numeric" }, at, "month");
  return alone || numeric(beside) ? whole(l, { month: width }, at) : beside;
});
const weekdays = (l, width, alone) => range(7).map((d) => {
  const at = utc(2026, 10, 22 + d); // a Sunday
  return alone ? whole(l, { weekday: width }, at) : part(l, { weekday: width, year: "numeric", month: "long", day: "numeric" }, at, "weekday");
});

// pattern makes of Intl's parts a text with {y} {yy} {M} {MM} {MMM} {MMMM} {d} {dd} {EEE} {EEEE} {cccc} {H} {HH} {h} {hh} {mm} {a}.
// As in browsers there are no narrow spaces in it: too many fonts lack them.
const pattern = (l, o) => {
  const at = utc(2026, 4, 6, 4, 8), late = utc(2026, 4, 6, 16, 8); // a month, day and hour of one digit
  const twelve = !!part(l, o, late, "dayPeriod");
  const field = (p) => {
    switch (p.type) {
      case "year": return p.value.length === 2 ? "{yy}" : "{y}";
      case "day": return p.value.length === 2 ? "{dd}" : "{d}";
      case "hour": return "{" + (twelve ? "h" : "H").repeat(p.value.length) + "}";
      case "minute": return "{mm}";
      case "dayPeriod": return "{a}";
      case "weekday": return weekdays(l, "long").includes(p.value) ? "{EEEE}" : weekdays(l, "long", true).includes(p.value) ? "{cccc}" : "{EEE}";
      case "month":
        if (numeric(p.value)) return p.value.length === 2 ? "{MM}" : "{M}";
        return o.dateStyle === "medium" ? "{MMM}" : "{MMMM}";
    }
    return p.value;
  };
  return parts(l, o, at).map(field).join("").replaceAll("\u202f", " ");
};

// periods are the names of the parts of the day, each with the hour it begins at.
const periods = (l) => {
  let last = null, out = [];
  for (const h of range(24)) {
    const at = utc(2026, 4, 6, h, 30);
    const name = (part(l, { timeStyle: "short" }, at, "dayPeriod") || part(l, { timeStyle: "short", hour12: true }, at, "dayPeriod")).replaceAll("\u202f", " ");
    if (name !== last) out.push(h + " " + name);
    last = name;
  }
  return out;
};

// around splits a number's text at its digits.
const around = (l, o, n) => {
  const p = new Intl.NumberFormat(l, o).formatToParts(n), i = p.findIndex((x) => x.type === "integer");
  const j = p.findLastIndex((x) => x.type === "integer");
  const text = (a) => a.map((x) => x.value).join("");
  return text(p.slice(0, i)) + "{n}" + text(p.slice(j + 1));
};
const numbers = (l) => {
  const p = new Intl.NumberFormat(l, { minimumFractionDigits: 1 }).formatToParts(1234567890.5);
  const value = (t) => p.find((x) => x.type === t)?.value ?? "";
  const groups = p.filter((x) => x.type === "integer").map((x) => x.value.length);
  const four = new Intl.NumberFormat(l).formatToParts(1234).some((x) => x.type === "group");
  return { decimal: value("decimal"), group: value("group"), sizes: groups.at(-1) + " " + groups.at(-2) + " " + (four ? 1 : 2), zero: zero(l),
    number: around(l, {}, 5), "negative-number": around(l, {}, -5), percent: around(l, { style: "percent" }, 0.5), "negative-percent": around(l, { style: "percent" }, -0.5) };
};

// money has the patterns of amounts with {c} for the currency, for signs and for those that end in a letter at the number.
const money = (l) => {
  const of = (display, n) => {
    const p = new Intl.NumberFormat(l, { style: "currency", currency: "EUR", currencyDisplay: display }).formatToParts(n);
    const i = p.findIndex((x) => x.type === "integer"), j = p.findLastIndex((x) => x.type === "fraction");
    const text = (a) => a.map((x) => (x.type === "currency" ? "{c}" : x.value)).join("");
    return text(p.slice(0, i)) + "{n}" + text(p.slice(j + 1));
  };
  const p = new Intl.NumberFormat(l, { style: "currency", currency: "EUR" }).formatToParts(1234567.5);
  const value = (t) => p.find((x) => x.type === t)?.value ?? "";
  return { "money": of("narrowSymbol", 5), "negative-money": of("narrowSymbol", -5), "money-letters": of("code", 5),
    "negative-money-letters": of("code", -5), "money-decimal": value("decimal"), "money-group": value("group") };
};
const currencies = Intl.supportedValuesOf("currency");
const signs = (l) => Object.fromEntries(currencies.map((c) => {
  const p = new Intl.NumberFormat(l, { style: "currency", currency: c }).formatToParts(1);
  const mark = p.at(-1).value === "\u200f" ? "\u200f" : ""; // the sign's own, which Intl gives as a part of its own
  return ["sign-" + c, p.find((x) => x.type === "currency").value + mark];
}));

const facts = (l) => {
  const f = {};
  for (const [key, of, width] of [["months", months, "long"], ["short-months", months, "short"], ["weekdays", weekdays, "long"], ["short-weekdays", weekdays, "short"]]) {
    f[key] = of(l, width).join("|");
    f[key + "-alone"] = of(l, width, true).join("|");
  }
  f.periods = periods(l).join("|");
  for (const s of ["short", "medium", "long", "full"]) f[s] = pattern(l, { dateStyle: s });
  f.time = pattern(l, { timeStyle: "short" });
  f.datetime = pattern(l, { dateStyle: "medium", timeStyle: "short" });
  return { ...f, ...numbers(l), ...money(l), ...signs(l) };
};

const known = new Map();
const resolved = (l) => {
  if (!known.has(l)) known.set(l, facts(l));
  return known.get(l);
};
let out = `# What the Unicode CLDR ${process.versions.cldr} (ICU ${process.versions.icu}) says of each locale; made by testdata/cldr.mjs, not by hand.
# A section has what differs from its parent, named behind the colon; what is alone is so where a month or day stands without a day's number.
[currencies]
digits=${currencies.map((c) => c + " " + new Intl.NumberFormat("en", { style: "currency", currency: c }).resolvedOptions().maximumFractionDigits).join("|")}
`;
for (const l of [...languages, ...regions]) {
  if (Intl.DateTimeFormat.supportedLocalesOf(l).length === 0) throw new Error("Intl does not know " + l);
  const up = parent(l), inherited = up ? resolved(up) : {}, f = resolved(l);
  const lines = Object.entries(f).filter(([k, v]) => v !== (k in inherited ? inherited[k] : undefined))
    .filter(([k, v]) => up || v !== k.slice("sign-".length) || !k.startsWith("sign-"))
    .filter(([k, v]) => !(k.endsWith("-alone") && v === f[k.slice(0, -6)] && !(up && inherited[k] !== inherited[k.slice(0, -6)])));
  if (lines.length === 0) continue;
  if (up && !out.includes("\n[" + up)) throw new Error(up + " is not before " + l);
  out += `[${l}${up ? ":" + up : ""}]\n` + lines.map(([k, v]) => `${k}=${v}\n`).join("");
}
writeFileSync("cldr.txt", out);

const golden = `en-US en-GB en-AU en-CA en-IN de de-AT de-CH fr fr-CA fr-CH es es-MX es-AR it nl pt-BR pt-PT pl cs sk sl hr sr bg ru uk lt lv et
  fi sv da nb is tr el hu ro ca ja ko zh zh-Hant-TW ar ar-EG he fa hi bn id ms vi th sw`.split(/\s+/);
let rows = `# What Node ${process.versions.node} with ICU ${process.versions.icu} and CLDR ${process.versions.cldr} makes of dates (UTC), numbers, money and plurals; made by testdata/cldr.mjs.\n`;
const row = (...cells) => { rows += cells.join("\t") + "\n"; };
for (const l of golden) {
  const dates = [utc(2026, 10, 24, 15, 4), utc(2024, 1, 29, 0, 5), utc(1999, 8, 3, 9, 30), utc(2031, 0, 1, 12, 0)];
  for (const at of dates) {
    const iso = at.toISOString().slice(0, 16);
    const format = (o) => new Intl.DateTimeFormat(gregorian(l), { timeZone: "UTC", ...o }).format(at);
    for (const s of ["short", "medium", "long", "full"]) row(l, s, iso, format({ dateStyle: s }));
    row(l, "time", iso, format({ timeStyle: "short" }));
    row(l, "datetime", iso, format({ dateStyle: "medium", timeStyle: "short" }));
    row(l, "January", iso, format({ month: "long" }));
  }
  for (const n of ["0", "-7", "1234", "1234.5", "-98765432.125", "12345678901234567890.10"])
    row(l, "number", n, new Intl.NumberFormat(l, { minimumFractionDigits: (n.split(".")[1] ?? "").length }).format(n));
  for (const n of ["0.07", "-0.5", "12.34"]) row(l, "percent", n, new Intl.NumberFormat(l, { style: "percent" }).format(n));
  for (const [n, c] of [["1234.5", "EUR"], ["-1234.5", "EUR"], ["1234567", "USD"], ["0.99", "GBP"], ["1234.5", "JPY"], ["1234.5", "CHF"], ["1234.5", "BRL"], ["1234.5", "BHD"], ["12345.5", "PLN"], ["-5", "INR"]])
    row(l, "money " + c, n, new Intl.NumberFormat(l, { style: "currency", currency: c }).format(n));
  const rules = new Intl.PluralRules(l, { maximumFractionDigits: 3 });
  for (const n of [...range(26), 30, 31, 42, 100, 101, 102, 103, 111, 112, 121, 200, 201, 1000, 1001, 1000000, 2000000, 1000001, 0.5, 1.5, 2.1, 0.25])
    row(l, "plural", n, rules.select(n));
}
writeFileSync("testdata/intl.tsv", rows);
