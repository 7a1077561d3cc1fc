// row.go - a row: run it so often, and print the line that bench.c prints.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const runs = 5

var peer = "Go " + strings.TrimPrefix(runtime.Version(), "go")

type line struct {
	Bench    string  `json:"bench"`
	Metric   string  `json:"metric"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"`
	Runs     int     `json:"runs"`
	Min      float64 `json:"min"`
	Median   float64 `json:"median"`
	Max      float64 `json:"max"`
	CPU      float64 `json:"cpu_ms,omitempty"`
	Switches float64 `json:"ctx_switches,omitempty"`
	Workers  int     `json:"workers"`
	Peer     string  `json:"peer"`
}

// A body does something so many times, and says how many nanoseconds that took, or bytes.
type row struct {
	metric, unit string
	times        int
	body         func(times int) float64
}

func (r row) print() {
	times, count := max(r.times/divisor(), 1), runs
	if r.unit == "bytes" || divisor() > 1 {
		count = 1 // what was freed is not given back, so bytes are measured once
	} else {
		r.body(max(times/10, 1))
	}
	cpu, switches := usage()
	values := make([]float64, count)
	for i := range values {
		runtime.GC()
		values[i] = r.body(times)
		if r.unit == "ms" {
			values[i] /= 1e6
		} else {
			values[i] /= float64(times)
		}
	}
	l := line{Bench: "actor", Metric: r.metric, Unit: r.unit, Runs: count, Peer: peer}
	cpuAfter, switchesAfter := usage()
	l.CPU = (cpuAfter - cpu) / float64(count)
	l.Switches = (switchesAfter - switches) / float64(count)
	l.Workers = runtime.GOMAXPROCS(0)
	sort.Float64s(values)
	l.Min, l.Median, l.Max = values[0], values[count/2], values[count-1]
	l.Value = l.Median
	text, err := json.Marshal(l)
	must(err)
	fmt.Println(string(text))
}

// HYPHA_PEER_QUICK divides the work, for a look at whether all is well.
func divisor() int {
	value, err := strconv.Atoi(os.Getenv("HYPHA_PEER_QUICK"))
	if err != nil {
		return 1
	}
	return max(value, 1)
}

func clocked(body func()) float64 {
	since := time.Now()
	body()
	return float64(time.Since(since).Nanoseconds())
}

// Processor time of this process in milliseconds, and switches between its threads.
func usage() (float64, float64) {
	var u syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	time := float64(u.Utime.Nano()+u.Stime.Nano()) / 1e6
	return time, float64(u.Nvcsw + u.Nivcsw)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Resident memory of this process with its page tables, in bytes.
func resident() float64 {
	text, err := os.ReadFile("/proc/self/status")
	must(err)
	sum := 0.0
	for _, status := range strings.Split(string(text), "\n") {
		words := strings.Fields(status)
		if len(words) > 1 && (words[0] == "VmRSS:" || words[0] == "VmPTE:") {
			kib, err := strconv.ParseFloat(words[1], 64)
			must(err)
			sum += kib * 1024
		}
	}
	return sum
}
