package cmd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// need gives the path of a server's program. Without it the test is left out, by name; with CI=true it fails.
func need(t *testing.T, program, install string) string {
	t.Helper()
	for _, p := range []string{program, "/usr/sbin/" + program, "/usr/lib/postfix/sbin/" + program} {
		if path, err := exec.LookPath(p); err == nil {
			return path
		}
	}
	lack(t, "no "+program+"; install "+install)
	return ""
}

func lack(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("missing with CI=true: " + what)
	}
	t.Skip("left out: " + what)
}

// relayhost is a throw-away Postfix on loopback: STARTTLS with a certificate of its own for "localhost", SASL for
// ana@relay.test with the password "correct horse", and onward delivery to next.
type relayhost struct {
	port int
	ca   string // PEM file
	log  string
	dir  string
}

// startPostfix starts it; access lines are in the form of access(5), checked for each recipient. More lines go into main.cf.
func startPostfix(t *testing.T, next, access string, more ...string) *relayhost {
	t.Helper()
	postfix, sasl := need(t, "postfix", "postfix"), need(t, "saslpasswd2", "sasl2-bin")
	if os.Getuid() != 0 {
		lack(t, "Postfix starts only as root")
	}
	dir, err := os.MkdirTemp("", "mailblast-postfix") // t.TempDir is not readable for Postfix's user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &relayhost{port: freePort(t), ca: filepath.Join(dir, "cert.pem"), log: filepath.Join(dir, "log"), dir: dir}
	must(os.Chmod(dir, 0o755))
	for _, d := range []string{"conf", "conf/sasl", "queue", "data"} {
		must(os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	certificate(t, p.ca, filepath.Join(dir, "key.pem"))
	add := exec.Command(sasl, "-c", "-p", "-f", filepath.Join(dir, "conf/sasl/sasldb2"), "-u", "relay.test", "ana")
	add.Stdin = strings.NewReader("correct horse")
	if b, err := add.CombinedOutput(); err != nil {
		t.Fatalf("saslpasswd2: %v\n%s", err, b)
	}
	own(t, filepath.Join(dir, "data"), filepath.Join(dir, "conf/sasl/sasldb2"))
	for name, text := range map[string]string{
		// where Debian's Postfix looks for it; others go by cyrus_sasl_config_path
		"conf/sasl/smtpd.conf": "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\nsasldb_path: " + dir + "/conf/sasl/sasldb2\n",
		"conf/access":          access,
		"conf/main.cf":         fmt.Sprintf(mainCf, dir, next) + strings.Join(more, "\n") + "\n",
		"conf/master.cf":       fmt.Sprintf(masterCf, p.port),
	} {
		must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	conf := filepath.Join(dir, "conf")
	if b, err := exec.Command(postfix, "-c", conf, "start").CombinedOutput(); err != nil {
		t.Fatalf("postfix start: %v\n%s", err, b)
	}
	t.Cleanup(func() { _ = exec.Command(postfix, "-c", conf, "stop").Run() })
	await(t, "Postfix", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return p
}

// await polls for what another process does in its own time.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not there within 30 s", what)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func own(t *testing.T, paths ...string) {
	u, err := user.Lookup("postfix")
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for _, p := range paths {
		if err := os.Chown(p, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
}

// certificate writes a self-signed one for localhost.
func certificate(t *testing.T, certFile, keyFile string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	k, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	must(os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	must(os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: k}), 0o600))
}

const mainCf = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = relay.test
mydestination =
mynetworks =
alias_maps =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
smtpd_tls_cert_file = %[1]s/cert.pem
smtpd_tls_key_file = %[1]s/key.pem
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_local_domain = relay.test
cyrus_sasl_config_path = %[1]s/conf/sasl
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access texthash:%[1]s/conf/access, permit_sasl_authenticated, reject
smtpd_client_connection_count_limit = 0
smtp_tls_security_level = none
relayhost = %[2]s
`

const masterCf = `127.0.0.1:%d inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
virtual unix - n n - - virtual
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
`
