# build lint faults bench letters shots long; the tests themselves are `go test ./...`
GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
ERRCHECK = github.com/kisielk/errcheck@v1.30.0
FUZZTIME ?= 20s

.PHONY: build test lint generate bench letters shots long fuzz killtest faults
build:
	$(GO) build -trimpath -o mailblast .

test:
	$(GO) test ./...

lint:
	@test -z "$$(gofmt -s -l . | tee /dev/stderr)" || { echo 'format with: gofmt -s -w .' >&2; exit 1; }
	$(GO) vet ./... ./testdata/faults
	cd testdata/bench && $(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) run $(ERRCHECK) -exclude .ci/errcheck.txt ./...
	.ci/vulncheck

# docs/campaign.md, docs/campaign.schema.json and the golden files of tests
generate:
	$(GO) generate ./...

bench:
	cd testdata/bench && $(GO) run . -o ../../docs/performance.md

# every kind of letter through Postfix, read by five parsers and judged by SpamAssassin; installs nothing
letters:
	$(GO) test -count=1 -v -run 'TestLetters$$' ./cmd

# pictures of the starter campaigns, at two widths and in two colour schemes
SHOTS ?= shots
shots:
	MAILBLAST_SHOTS=$(abspath $(SHOTS)) $(GO) test -count=1 -v -run 'TestStarterPages' ./cmd

# what takes long: ten million rows, every octet of a journal, every write of a repair, kills by the hundred, fuzzing
LONG = Long|FaultPurgeTraces|FaultRepairOnBadDisk|FaultAnyOctetRepaired|FaultSync|FaultFullFromStart
long: fuzz killtest
	MAILBLAST_LONG=1 $(GO) test -timeout 120m -run '$(LONG)' -v ./...

# hundreds of kills, at random moments and at single system calls; puts its tables into README.md
killtest:
	MAILBLAST_KILLS=$${KILLS:-100} MAILBLAST_KILLS_INTO=$(abspath README.md) $(GO) test -count=1 -timeout 60m -run 'TestFault(Kill|SecondInterrupt)' -v ./cmd

# every fault that is promised an outcome, injected: which it is, what is expected, what was seen; INTO=docs/faults.md
# writes that page
faults:
	$(GO) test ./testdata/faults
	$(GO) run ./testdata/faults $(if $(INTO),-into $(INTO))

# every fuzz target for FUZZTIME, one after the other
fuzz:
	GO='$(GO)' FUZZTIME=$(FUZZTIME) .ci/fuzz
