// main.go - the rows of scope_bench that Go has something for.
//
// One thread runs goroutines (GOMAXPROCS is 1), as one worker of ours does; the collector may use
// others. A scope is an errgroup with its context; a value is found through 16 contexts.
package main

import (
	"context"
	"io"
	"net"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	bunch  = 64
	group  = 100
	depth  = 16
	parked = 1000000
)

func main() {
	runtime.GOMAXPROCS(1)
	park() // first, while the heap is small
	for _, n := range []struct {
		name   string
		fibers int
	}{{"yield", 2}, {"yield_1k", 1000}, {"yield_10k", 10000}, {"yield_100k", 100000}} {
		measure(line{Metric: n.name}, 4000000, yields(n.fibers))
	}
	measure(line{Metric: "spawn"}, 2000000, spawn)
	measure(line{Metric: "spawn_await"}, 1000000, spawnAwait)
	measure(line{Metric: "scope_empty"}, 1000000, groups(0))
	measure(line{Metric: "scope_spawn"}, 500000, groups(1))
	measure(line{Metric: "scope_spawn_100"}, 2000000, groups(group))
	measure(line{Metric: "chan_rendezvous"}, 1000000, oneWay(0))
	measure(line{Metric: "chan_ping_pong"}, 1000000, twoWays(false))
	measure(line{Metric: "chan_buffered"}, 1000000, oneWay(64))
	measure(line{Metric: "chan_ready"}, 1000000, alone(false))
	measure(line{Metric: "select_two"}, 1000000, twoWays(true))
	measure(line{Metric: "select_ready"}, 1000000, alone(true))
	measure(line{Metric: "map_each"}, 1000000, mapEach)
	measure(line{Metric: "context_get", Depth: depth}, 10000000, contextGet)
	measure(line{Metric: "with"}, 2000000, with)
	measure(line{Metric: "conn_hop"}, 100000, hops)
}

// ---- turns, and starting

func yields(fibers int) row {
	return func(times int, start func()) {
		var gate, done sync.WaitGroup
		gate.Add(1)
		for range fibers {
			done.Add(1)
			go func() {
				gate.Wait()
				for range times / fibers {
					runtime.Gosched()
				}
				done.Done()
			}()
		}
		runtime.Gosched()
		start()
		gate.Done()
		done.Wait()
	}
}

func nothing() {}

func spawn(times int, start func()) {
	for i := 0; i < times; i += bunch {
		for range bunch {
			go nothing()
		}
		runtime.Gosched()
	}
	for runtime.NumGoroutine() > 1 {
		runtime.Gosched()
	}
}

func spawnAwait(times int, start func()) {
	for range times {
		ended := make(chan struct{})
		go func() { close(ended) }()
		<-ended
	}
}

func groups(children int) row {
	return func(times int, start func()) {
		for i := 0; i < times; i += max(children, 1) {
			g, _ := errgroup.WithContext(context.Background())
			for range children {
				g.Go(func() error { return nil })
			}
			must(g.Wait())
		}
	}
}

func mapEach(times int, start func()) {
	var g errgroup.Group
	g.SetLimit(8)
	for range times {
		g.Go(func() error { return nil })
	}
	must(g.Wait())
}

// ---- channels

func oneWay(capacity int) row {
	return func(times int, start func()) {
		there := make(chan uint64, capacity)
		go func() {
			for i := range uint64(times) {
				there <- i
			}
			close(there)
		}()
		for range there {
		}
	}
}

// Receives, or selects between what is idle and what is not.
func receive(idle, from chan uint64, selects bool) (item uint64) {
	if !selects {
		return <-from
	}
	select {
	case item = <-idle:
	case item = <-from:
	}
	return item
}

func twoWays(selects bool) row {
	return func(times int, start func()) {
		there, back, idle := make(chan uint64, 1), make(chan uint64, 1), make(chan uint64, 1)
		go func() {
			for item := range there {
				back <- item
			}
		}()
		for i := range uint64(times / 2) {
			there <- i
			if receive(idle, back, selects) != i {
				panic("another answer")
			}
		}
		close(there)
	}
}

func alone(selects bool) row {
	return func(times int, start func()) {
		there, idle := make(chan uint64, 4), make(chan uint64, 4)
		for i := range uint64(times) {
			there <- i
			if receive(idle, there, selects) != i {
				panic("another answer")
			}
		}
	}
}

// ---- context

type key int

func contextGet(times int, start func()) {
	ctx := context.WithValue(context.Background(), key(-1), 1)
	for i := range depth {
		ctx = context.WithValue(ctx, key(i), i)
	}
	sum := 0
	start()
	for range times {
		sum += ctx.Value(key(-1)).(int)
	}
	if sum != times {
		panic("another value")
	}
}

func with(times int, start func()) {
	root, sum := context.Background(), 0
	for range times {
		ctx := context.WithValue(root, key(0), 1)
		sum += ctx.Value(key(0)).(int)
	}
	if sum != times {
		panic("another value")
	}
}

// ---- waiting

func pass(from, to net.Conn, times int) {
	one := make([]byte, 1)
	for range times {
		if _, err := io.ReadFull(from, one); err != nil {
			return
		}
		_, err := to.Write(one)
		must(err)
	}
}

func hops(times int, start func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	defer listener.Close()
	go func() {
		other, err := listener.Accept()
		must(err)
		pass(other, other, times)
		other.Close()
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	must(err)
	start()
	_, err = conn.Write([]byte{'x'})
	must(err)
	pass(conn, conn, times/2)
	conn.Close()
}

func park() {
	gate := make(chan struct{})
	var waiting, done sync.WaitGroup
	runtime.GC()
	before, since := resident(), time.Now()
	waiting.Add(parked)
	done.Add(parked)
	for range parked {
		go func() {
			waiting.Done()
			<-gate
			done.Done()
		}()
	}
	waiting.Wait()
	parking := time.Since(since)
	bytes := (resident() - before) / parked
	since = time.Now()
	close(gate)
	done.Wait()
	waking := time.Since(since)
	print(line{Metric: "park", Unit: "ns", Fibers: parked}, float64(parking.Nanoseconds())/parked)
	print(line{Metric: "wake", Unit: "ns", Fibers: parked}, float64(waking.Nanoseconds())/parked)
	print(line{Metric: "parked_bytes", Unit: "bytes", Fibers: parked}, bytes)
}
