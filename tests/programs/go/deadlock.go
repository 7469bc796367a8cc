// Goroutines that hold what others of them wait for. Prints the ids of each cycle, and who holds what
// the others wait for, as JSON lines, then {"ready":true}.
//
// SPDX-License-Identifier: GPL-3.0-or-later
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

type account struct {
	lock sync.Mutex
	name string
}

type table struct {
	lock sync.RWMutex
	name string
}

var (
	output         sync.Mutex
	ready          sync.WaitGroup
	first, second  sync.Mutex
	calm, condLock sync.Mutex
	never          = make(chan int)
)

func goroutineID() (id uint64) {
	var text [64]byte
	fmt.Sscanf(string(text[:runtime.Stack(text[:], false)]), "goroutine %d ", &id)
	return
}

func tell(format string, values ...interface{}) {
	output.Lock()
	fmt.Printf(format+"\n", values...)
	output.Unlock()
}

// Both have their first lock before either asks for the second.
func pair(make func(both *sync.WaitGroup, ids chan uint64, other bool)) {
	var both sync.WaitGroup
	both.Add(2)
	ids := make2()
	for _, other := range []bool{false, true} {
		go make(&both, ids, other)
	}
	tell("{\"cycle\":[%d,%d]}", <-ids, <-ids)
}

func make2() chan uint64 { return make(chan uint64, 2) }

func crossed(a, b *account) {
	pair(func(both *sync.WaitGroup, ids chan uint64, other bool) {
		from, to := a, b
		if other {
			from, to = b, a
		}
		transfer(from, to, both, ids)
	})
}

//go:noinline
func transfer(from, to *account, both *sync.WaitGroup, ids chan uint64) {
	from.lock.Lock()
	defer from.lock.Unlock()
	both.Done()
	both.Wait()
	ids <- goroutineID()
	to.lock.Lock()
	defer to.lock.Unlock()
}

//go:noinline
func globals(both *sync.WaitGroup, ids chan uint64, other bool) {
	if other {
		secondThenFirst(both, ids)
		return
	}
	first.Lock()
	defer first.Unlock()
	both.Done()
	both.Wait()
	ids <- goroutineID()
	second.Lock()
	defer second.Unlock()
}

//go:noinline
func secondThenFirst(both *sync.WaitGroup, ids chan uint64) {
	second.Lock()
	defer second.Unlock()
	both.Done()
	both.Wait()
	ids <- goroutineID()
	first.Lock()
	defer first.Unlock()
}

//go:noinline
func (t *table) write(outer bool) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if outer {
		tell("{\"cycle\":[%d]}", goroutineID())
		t.write(false)
	}
}

// Holds a lock and sleeps: who waits for it is no deadlock.
//
//go:noinline
func hold(a *account, held chan uint64) {
	a.lock.Lock()
	defer a.lock.Unlock()
	held <- goroutineID()
	time.Sleep(time.Hour)
}

//go:noinline
func wait(a *account, holder uint64) {
	tell("{\"waiter\":%d,\"holder\":%d}", goroutineID(), holder)
	ready.Done()
	a.lock.Lock()
	defer a.lock.Unlock()
}

// Unlocks for a while, with the deferred call to come: another one holds the lock, that tells nobody.
//
//go:noinline
func lockAgain(held chan int) {
	calm.Lock()
	defer calm.Unlock()
	calm.Unlock()
	<-held
	tell("{\"waiter\":%d,\"holder\":0}", goroutineID())
	ready.Done()
	calm.Lock()
}

//go:noinline
func conditional(c *sync.Cond) {
	c.L.Lock()
	defer c.L.Unlock()
	ready.Done()
	c.Wait()
}

func main() {
	crossed(&account{name: "a"}, &account{name: "b"})
	pair(globals)
	go (&table{name: "t"}).write(true)

	ready.Add(4)
	held := make(chan uint64)
	one := &account{name: "one"}
	go hold(one, held)
	go wait(one, <-held)

	free := make(chan int)
	go lockAgain(free)
	time.Sleep(50 * time.Millisecond)
	go func() {
		calm.Lock()
		ready.Done()
		close(free)
		<-never
	}()
	go conditional(sync.NewCond(&condLock))
	ready.Wait()
	time.AfterFunc(time.Hour, func() { close(never) })
	time.Sleep(100 * time.Millisecond)
	condLock.Lock()
	go func() { condLock.Lock() }()
	time.Sleep(100 * time.Millisecond)
	fmt.Fprintln(os.Stdout, "{\"ready\":true}")
	<-never
}
