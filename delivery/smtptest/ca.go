package smtptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"
)

// CA is a certificate authority of one test.
type CA struct {
	Pool *x509.CertPool // what a client must trust

	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes a CA.
func NewCA(t testing.TB) *CA {
	t.Helper()
	ca := &CA{Pool: x509.NewCertPool(), t: t}
	var err error
	if ca.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fake CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: epoch, NotAfter: epoch.AddDate(100, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &ca.key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	ca.Pool.AddCert(ca.cert)
	return ca
}

// epoch is where testing/synctest's clock begins: certificates hold in virtual time and in real time.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Server gives the TLS settings of a server with a certificate for names, each a host name or an IP address.
func (ca *CA) Server(names ...string) *tls.Config {
	return ca.server(epoch.AddDate(100, 0, 0), names)
}

// SelfSigned is Server with a certificate that vouches for itself.
func (ca *CA) SelfSigned(names ...string) *tls.Config {
	return (&CA{t: ca.t}).server(epoch.AddDate(100, 0, 0), names)
}

// Stranger gives another CA, which nobody trusts.
func (ca *CA) Stranger() *CA { return NewCA(ca.t) }

// Expired is Server with a certificate whose time is over.
func (ca *CA) Expired(names ...string) *tls.Config {
	return ca.server(epoch.Add(-time.Hour), names)
}

func (ca *CA) server(end time.Time, names []string) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		ca.t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: epoch.AddDate(-1, 0, 0), NotAfter: end}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, n)
		}
	}
	parent, signer := ca.cert, ca.key
	if parent == nil {
		parent, signer = tmpl, key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		ca.t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}
