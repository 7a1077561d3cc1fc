// lines.go - a row: run it so often, and print the line that bench.c prints.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"time"
)

const runs = 7

var peer = "Go " + strings.TrimPrefix(runtime.Version(), "go")

type line struct {
	Bench  string  `json:"bench"`
	Metric string  `json:"metric"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Runs   int     `json:"runs"`
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
	Fibers int     `json:"fibers,omitempty"`
	Depth  int     `json:"depth,omitempty"`
	Peer   string  `json:"peer"`
}

func print(l line, values ...float64) {
	sort.Float64s(values)
	l.Bench, l.Runs, l.Peer = "scope", len(values), peer
	l.Min, l.Median, l.Max = values[0], values[len(values)/2], values[len(values)-1]
	l.Value = l.Median
	text, err := json.Marshal(l)
	must(err)
	fmt.Println(string(text))
}

// A row does something `times` times. What it needs first it does before it calls start.
type row func(times int, start func())

func measure(l line, times int, body row) {
	values := make([]float64, runs)
	for i := range values {
		runtime.GC()
		since := time.Now()
		body(times, func() { since = time.Now() })
		values[i] = float64(time.Since(since).Nanoseconds()) / float64(times)
	}
	l.Unit = "ns"
	print(l, values...)
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
