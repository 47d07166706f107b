package route

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// exchangers are a domain's mail exchangers, best preference first.
type exchangers struct {
	site  string
	tiers [][]string // host names of equal preference
}

// rank sorts the usable names into tiers of equal preference. null tells that the set holds the null MX (RFC 7505 §3),
// which means something only when it is alone.
func rank(mx []*net.MX) (tiers [][]string, null bool) {
	best := map[string]uint16{}
	for _, r := range mx {
		name := strings.ToLower(strings.TrimSuffix(r.Host, "."))
		if name == "" {
			null = true
			continue
		}
		// The name comes from a stranger and goes into logs, TLS and journals.
		if !hostname(name) {
			continue
		}
		if p, ok := best[name]; !ok || r.Pref < p {
			best[name] = r.Pref
		}
	}
	byPref := map[uint16][]string{}
	for name, p := range best {
		byPref[p] = append(byPref[p], name)
	}
	prefs := make([]uint16, 0, len(byPref))
	for p, names := range byPref {
		slices.Sort(names)
		prefs = append(prefs, p)
	}
	slices.Sort(prefs)
	for _, p := range prefs {
		tiers = append(tiers, byPref[p])
	}
	return tiers, null
}

// siteOf names an MX set: its first best host, and when there are more a digest of them all. Domains that share only
// their best host are different sites, since a backup of the one need not relay for the other.
func siteOf(tiers [][]string) string {
	best := tiers[0][0]
	if len(tiers) == 1 && len(tiers[0]) == 1 {
		return best
	}
	all := make([]string, 0, len(tiers))
	for _, tier := range tiers {
		all = append(all, strings.Join(tier, ","))
	}
	sum := sha256.Sum256([]byte(strings.Join(all, ";")))
	return best + "+" + hex.EncodeToString(sum[:8])
}

// hostname tells whether name can be dialled and written down: letters, digits, hyphens and (QUIRK: seen in the wild)
// underscores, in labels of 1 to 63 octets, 253 in all (RFC 1035 §2.3.4), and no IP address (RFC 5321 §5.1 wants names).
func hostname(name string) bool {
	if len(name) > 253 {
		return false
	}
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if len(l) < 1 || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return false
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return false // an IPv4 address, or what some systems would take for one (RFC 3696 §2)
	}
	_, err := netip.ParseAddr(name)
	return err != nil
}
