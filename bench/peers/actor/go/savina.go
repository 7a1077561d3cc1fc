// savina.go - the rows after the Savina suite, without its busy loops: only what actors do counts.
package main

import "sync"

func threadring(hops int) float64 {
	const actors = 100
	mailboxes := make([]chan int, actors)
	for i := range mailboxes {
		mailboxes[i] = make(chan int, 1)
	}
	all := make(chan struct{})
	for i := range mailboxes {
		go func() {
			for left := range mailboxes[i] {
				if left == 0 {
					close(all)
				} else {
					mailboxes[(i+1)%actors] <- left - 1
				}
			}
		}()
	}
	ns := clocked(func() {
		mailboxes[0] <- hops
		<-all
	})
	for _, mailbox := range mailboxes {
		close(mailbox)
	}
	return ns
}

func count(times int) float64 {
	type message struct{ get chan int }
	mailbox := make(chan message, room)
	go func() {
		sum := 0
		for m := range mailbox {
			if m.get != nil {
				m.get <- sum
			} else {
				sum++
			}
		}
	}()
	return clocked(func() {
		for range times {
			mailbox <- message{}
		}
		get := make(chan int, 1)
		mailbox <- message{get}
		if <-get != times {
			panic("another count")
		}
		close(mailbox)
	})
}

func forkjoinCreate(times int) float64 {
	return clocked(func() {
		var done sync.WaitGroup
		done.Add(times)
		for range times {
			mailbox := make(chan item, 1)
			go func() {
				<-mailbox
				done.Done()
			}()
			mailbox <- item{}
		}
		done.Wait()
	})
}

func forkjoinThroughput(times int) float64 {
	const workers = 60
	each := max(times/workers, 1)
	return clocked(func() {
		var done sync.WaitGroup
		done.Add(workers)
		mailboxes := make([]chan item, workers)
		for i := range mailboxes {
			mailboxes[i] = make(chan item, room)
			go func() {
				for range each {
					<-mailboxes[i]
				}
				done.Done()
			}()
		}
		for round := range uint64(each) {
			for _, mailbox := range mailboxes {
				mailbox <- item{round}
			}
		}
		done.Wait()
	})
}

func fib(n int) float64 {
	if n < 25 {
		n = 10
	}
	return clocked(func() {
		value := make(chan int, 1)
		go fibActor(n, value)
		if got := <-value; n == 25 && got != 75025 {
			panic("another number")
		}
	})
}

func fibActor(n int, parent chan int) {
	if n <= 2 {
		parent <- 1
		return
	}
	mailbox := make(chan int, 2)
	go fibActor(n-1, mailbox)
	go fibActor(n-2, mailbox)
	parent <- <-mailbox + <-mailbox
}

type bufferMessage struct {
	ready    bool // of a consumer; otherwise an item of a producer
	from     chan item
	produced item
}

// 40 producers, 40 consumers, and a manager with room for 50, of which 40 are kept for what
// producers have in hand.
func boundedBuffer(times int) float64 {
	const actors, buffer = 40, 50
	each := max(times/actors, 1)
	return clocked(func() {
		mailbox := make(chan bufferMessage, room)
		var idle, waiting []chan item
		var pending []item
		for range actors {
			produce, consume := make(chan item, 1), make(chan item, 1)
			go func() {
				for i := range uint64(each) {
					<-produce
					mailbox <- bufferMessage{from: produce, produced: item{i}}
				}
			}()
			go func() {
				for range consume {
					mailbox <- bufferMessage{ready: true, from: consume}
				}
			}()
			idle = append(idle, consume)
			produce <- item{}
		}
		for left := actors * each; left > 0; {
			m := <-mailbox
			if !m.ready {
				if last := len(idle) - 1; last >= 0 {
					idle[last] <- m.produced
					idle = idle[:last]
				} else {
					pending = append(pending, m.produced)
				}
				if len(pending) >= buffer-actors {
					waiting = append(waiting, m.from)
				} else {
					m.from <- item{}
				}
				continue
			}
			left--
			if len(pending) == 0 {
				idle = append(idle, m.from)
				continue
			}
			m.from <- pending[0]
			pending = pending[1:]
			if last := len(waiting) - 1; last >= 0 {
				waiting[last] <- item{}
				waiting = waiting[:last]
			}
		}
		for _, consume := range idle {
			close(consume)
		}
	})
}

type meal struct {
	kind byte // 'h'ungry, 'd'one, 'f'ull
	seat int
	from chan bool
}

// 20 philosophers and one who has the forks. Who is refused asks again at once.
func philosophers(times int) float64 {
	const seats = 20
	meals := max(times/seats, 1)
	return clocked(func() {
		table := make(chan meal, room)
		for seat := range seats {
			go func() {
				answer := make(chan bool, 1)
				for eaten := 0; eaten < meals; {
					table <- meal{'h', seat, answer}
					if <-answer {
						table <- meal{'d', seat, nil}
						eaten++
					}
				}
				table <- meal{'f', seat, nil}
			}()
		}
		var taken [seats]bool
		for left := seats; left > 0; {
			m := <-table
			mine, other := &taken[m.seat], &taken[(m.seat+1)%seats]
			switch m.kind {
			case 'h':
				eats := !*mine && !*other
				if eats {
					*mine, *other = true, true
				}
				m.from <- eats
			case 'd':
				*mine, *other = false, false
			case 'f':
				left--
			}
		}
	})
}
