package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// measure runs a sender against a fresh sink and adds up what both say.
func measure(c *exec.Cmd) (r result) {
	summary := filepath.Join(work, "sink.json")
	sink := exec.Command(filepath.Join(work, "sink"), "-addr", addr, "-n", fmt.Sprint(*num), "-idle", "30s", "-summary", summary)
	sink.Stderr = os.Stderr
	if err := sink.Start(); err != nil {
		log.Fatal(err)
	}
	for !listening() {
		time.Sleep(20 * time.Millisecond)
	}
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		log.Fatal(err)
	}
	peak := watchPeak(c.Process.Pid)
	if err := c.Wait(); err != nil {
		log.Printf("%s: %v\n%s", c.Path, err, said.Bytes())
	}
	if err := sink.Wait(); err != nil {
		log.Fatal("sink: ", err)
	}
	b, err := os.ReadFile(summary)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		log.Fatal(err)
	}
	r.cpu = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	r.peak = <-peak
	return r
}

// watchPeak reads the most memory a process has resident, in KiB, until it has ended. What wait4 says of it is no use: a
// child counts with the memory of the one that started it until it becomes the program.
func watchPeak(pid int) <-chan int64 {
	out := make(chan int64, 1)
	go func() {
		var peak int64
		for {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			_, line, ok := bytes.Cut(b, []byte("VmHWM:"))
			if err != nil || !ok { // it has ended
				out <- peak
				return
			}
			fmt.Sscan(string(line), &peak)
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return out
}

// listening looks the sink's port up without connecting to it.
func listening() bool {
	n := netip.MustParseAddrPort(addr).Port()
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		log.Fatal(err)
	}
	return bytes.Contains(b, fmt.Appendf(nil, "0100007F:%04X 00000000:0000 0A", n))
}
