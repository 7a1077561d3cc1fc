// actors.go - the rows of actor_bench with goroutines for actors and channels for mailboxes.
//
// Which work a name stands for is in the table of bench/README.md. A goroutine and its channel are
// as near to an actor as Go comes: it knows no supervision, so there is no restart here, and
// whoever sends to a full channel waits. Channels have room for what the row needs at most, or for
// `room` messages in a flood; an idle actor's channel has room for four.
//
// Arguments: how many threads run goroutines; then the metrics, or all but the bytes.
package main

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	room   = 1024
	window = 64
)

type item struct{ value uint64 }

var rows = []row{
	{"idle_bytes", "bytes", 1000000, idleBytes},
	{"pingpong", "ns", 500000, pingpong},
	{"spawn", "ns", 500000, spawnEach},
	{"spawn_1m", "ns", 1000000, spawnMany},
	{"enqueue", "ns", 500000, enqueue},
	{"stream", "ns", 2000000, flood(1)},
	{"n_to_1_1", "ns", 2000000, flood(1)},
	{"n_to_1_2", "ns", 2000000, flood(2)},
	{"n_to_1_4", "ns", 2000000, flood(4)},
	{"n_to_1_8", "ns", 2000000, flood(8)},
	{"ask", "ns", 300000, ask},
	{"broadcast_1", "ns", 1000000, broadcast(1)},
	{"broadcast_10", "ns", 1000000, broadcast(10)},
	{"broadcast_100", "ns", 1000000, broadcast(100)},
	{"broadcast_1000", "ns", 1000000, broadcast(1000)},
	{"threadring", "ns", 100000, threadring},
	{"count", "ns", 1000000, count},
	{"forkjoin_create", "ns", 40000, forkjoinCreate},
	{"forkjoin_throughput", "ns", 600000, forkjoinThroughput},
	{"fib", "ms", 25, fib},
	{"bounded_buffer", "ns", 40000, boundedBuffer},
	{"philosophers", "ns", 200000, philosophers},
	{"skynet_1m", "ms", 1000000, skynet},
	{"timer_churn", "ns", 500000, timerChurn},
}

func main() {
	threads, err := strconv.Atoi(os.Args[1])
	must(err)
	runtime.GOMAXPROCS(threads)
	wanted := os.Args[2:]
	for _, r := range rows {
		if slices.Contains(wanted, r.metric) || (len(wanted) == 0 && r.unit != "bytes") {
			r.print()
		}
	}
}

// ---- memory, and starting

// Starts so many, and waits until each has done the first thing it does; they end by `stop`.
func started(times int, stop chan struct{}, ended *sync.WaitGroup) float64 {
	return clocked(func() {
		var up sync.WaitGroup
		up.Add(times)
		ended.Add(times)
		for range times {
			mailbox := make(chan item, 4)
			go func() {
				up.Done()
				select {
				case <-mailbox:
				case <-stop:
				}
				ended.Done()
			}()
		}
		up.Wait()
	})
}

func idleBytes(times int) float64 {
	before := resident()
	var ended sync.WaitGroup
	stop := make(chan struct{})
	started(times, stop, &ended)
	bytes := resident() - before
	close(stop)
	ended.Wait()
	return bytes
}

func spawnMany(times int) float64 {
	var ended sync.WaitGroup
	stop := make(chan struct{})
	ns := started(times, stop, &ended)
	close(stop)
	ended.Wait()
	return ns
}

func spawnEach(times int) float64 {
	up := make(chan item, 1)
	return clocked(func() {
		for range times {
			go func() { up <- item{} }()
			<-up
		}
	})
}

// ---- messages

func pingpong(times int) float64 {
	there, back := make(chan item, 1), make(chan item, 1)
	go func() {
		for message := range there {
			back <- message
		}
	}()
	return clocked(func() {
		for i := range uint64(times) {
			there <- item{i}
			if (<-back).value != i {
				panic("another answer")
			}
		}
		close(there)
	})
}

func enqueue(times int) float64 {
	mailbox := make(chan item, times)
	ns := clocked(func() {
		for i := range uint64(times) {
			mailbox <- item{i}
		}
	})
	for range times {
		<-mailbox
	}
	return ns
}

func flood(senders int) func(int) float64 {
	return func(times int) float64 {
		each := max(times/senders, 1)
		mailbox, all := make(chan item, room), make(chan struct{})
		return clocked(func() {
			go func() {
				for range each * senders {
					<-mailbox
				}
				close(all)
			}()
			for range senders {
				go func() {
					for i := range uint64(each) {
						mailbox <- item{i}
					}
				}()
			}
			<-all
		})
	}
}

type question struct {
	value uint64
	reply chan item
}

// The timer is armed for each request and stopped by its answer; the channel for answers is kept.
func ask(times int) float64 {
	mailbox, reply := make(chan question, 1), make(chan item, 1)
	go func() {
		for q := range mailbox {
			q.reply <- item{q.value}
		}
	}()
	return clocked(func() {
		for i := range uint64(times) {
			timer := time.NewTimer(5 * time.Second)
			mailbox <- question{i, reply}
			select {
			case <-reply:
				timer.Stop()
			case <-timer.C:
				panic("no answer")
			}
		}
		close(mailbox)
	})
}

// A round is a message to each; 64 rounds, and then all must have handled them.
func broadcast(subscribers int) func(int) float64 {
	return func(times int) float64 {
		windows := max(times/(window*subscribers), 1)
		var handled atomic.Int64
		all := make(chan struct{}, 1)
		mailboxes := make([]chan item, subscribers)
		for i := range mailboxes {
			mailboxes[i] = make(chan item, window)
			go func() {
				for range mailboxes[i] {
					if handled.Add(1)%int64(window*subscribers) == 0 {
						all <- struct{}{}
					}
				}
			}()
		}
		ns := clocked(func() {
			for range windows {
				for round := range uint64(window) {
					for _, mailbox := range mailboxes {
						mailbox <- item{round}
					}
				}
				<-all
			}
		})
		for _, mailbox := range mailboxes {
			close(mailbox)
		}
		return ns * float64(times) / float64(windows*window*subscribers)
	}
}

func timerChurn(times int) float64 {
	return clocked(func() {
		for range times {
			if !time.AfterFunc(time.Hour, func() {}).Stop() {
				panic("late")
			}
		}
	})
}

func skynet(leaves int) float64 {
	size := 1
	for size*10 <= leaves {
		size *= 10
	}
	return clocked(func() {
		sum := make(chan uint64, 1)
		go grow(0, size, sum)
		if <-sum != uint64(size)*uint64(size-1)/2 {
			panic("another sum")
		}
	})
}

func grow(number, size int, parent chan uint64) {
	if size == 1 {
		parent <- uint64(number)
		return
	}
	mailbox, part, sum := make(chan uint64, 10), size/10, uint64(0)
	for i := range 10 {
		go grow(number+i*part, part, mailbox)
	}
	for range 10 {
		sum += <-mailbox
	}
	parent <- sum
}
