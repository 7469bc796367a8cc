// Goroutines in every kind of wait, some of them leaked for good. Prints what each of them does as a
// JSON line, then {"ready":true}.
//
// SPDX-License-Identifier: GPL-3.0-or-later
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

type truth struct {
	Goroutine uint64   `json:"goroutine"`
	Pattern   string   `json:"pattern"`
	Reason    []string `json:"reason"` // any of them: the names changed with the versions
	Function  string   `json:"function"`
	Creator   string   `json:"creator"`
	Kind      string   `json:"kind"`
	Objects   []string `json:"objects"`
	Type      string   `json:"type,omitempty"`
	Leaked    bool     `json:"leaked"`
	Local     string   `json:"local,omitempty"`
	Peer      string   `json:"peer,omitempty"`
}

var (
	output  sync.Mutex
	started sync.WaitGroup
)

func goroutineID() (id uint64) {
	var text [64]byte
	fmt.Sscanf(string(text[:runtime.Stack(text[:], false)]), "goroutine %d ", &id)
	return
}

// at is an address that keeps nothing alive.
func at(p unsafe.Pointer) string { return fmt.Sprintf("0x%x", uintptr(p)) }

func channel(c interface{}) string { return fmt.Sprintf("%p", c) }

// tell says what the calling goroutine is about to do.
func tell(pattern, kind, typ string, leaked bool, reason []string, objects ...string) {
	tellFile(truth{Pattern: pattern, Kind: kind, Type: typ, Leaked: leaked, Reason: reason,
		Objects: objects})
}

func tellFile(t truth) {
	t.Goroutine = goroutineID()
	var callers [8]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		frame, more := frames.Next()
		if frame.Function != "main.tell" && frame.Function != "main.tellFile" {
			t.Function = frame.Function
			break
		}
		if !more {
			break
		}
	}
	line, _ := json.Marshal(t)
	output.Lock()
	os.Stdout.Write(append(line, '\n'))
	output.Unlock()
	started.Done()
}

//go:noinline
func leakSend() {
	c := make(chan int)
	go func() {
		tell("send", "channel", "int", true, []string{"chan send"}, channel(c))
		c <- 1
	}()
}

//go:noinline
func leakBufferedSend() {
	c := make(chan string, 2)
	c <- "a"
	c <- "b"
	go func() {
		tell("buffered send", "channel", "string", true, []string{"chan send"}, channel(c))
		c <- "c"
	}()
}

type message struct {
	next *message
	text string
}

//go:noinline
func leakReceive() {
	c := make(chan *message)
	go func() {
		tell("receive", "channel", "*main.message", true, []string{"chan receive"}, channel(c))
		<-c
	}()
}

//go:noinline
func leakNilReceive() {
	go func() {
		tell("nil receive", "nil channel", "", true, []string{"chan receive (nil chan)"})
		var c chan int
		<-c
	}()
}

//go:noinline
func leakNilSend() {
	go func() {
		tell("nil send", "nil channel", "", true, []string{"chan send (nil chan)"})
		var c chan int
		c <- 1
	}()
}

//go:noinline
func leakEmptySelect() {
	go func() {
		tell("empty select", "empty select", "", true, []string{"select (no cases)"})
		select {}
	}()
}

//go:noinline
func leakSelect() {
	a, b := make(chan int), make(chan string, 1)
	b <- "full"
	go func() {
		tell("select", "select", "", true, []string{"select"}, channel(a), channel(b))
		select {
		case <-a:
		case b <- "x":
		}
	}()
}

//go:noinline
func leakRange() {
	c := make(chan int, 4)
	c <- 1
	go func() {
		tell("range", "channel", "int", true, []string{"chan receive"}, channel(c))
		for range c {
		}
	}()
}

// Those that follow are too large for the allocator of tiny objects, which would let several share
// one block.
type guarded struct {
	mutex sync.Mutex
	name  *string
}

//go:noinline
func leakMutex() {
	g := &guarded{name: new(string)}
	g.mutex.Lock()
	go func() {
		tell("mutex", "mutex", "", true, []string{"sync.Mutex.Lock", "semacquire"},
			at(unsafe.Pointer(&g.mutex)))
		g.mutex.Lock()
	}()
}

type readers struct {
	lock sync.RWMutex
	name *string
}

//go:noinline
func leakRead() {
	r := &readers{name: new(string)}
	r.lock.Lock()
	go func() {
		tell("read lock", "RWMutex", "", true, []string{"sync.RWMutex.RLock", "semacquire"},
			at(unsafe.Pointer(&r.lock)))
		r.lock.RLock()
	}()
}

//go:noinline
func leakWrite() {
	r := &readers{name: new(string)}
	r.lock.RLock()
	go func() {
		tell("write lock", "RWMutex", "", true, []string{"sync.RWMutex.Lock", "semacquire"},
			at(unsafe.Pointer(&r.lock)))
		r.lock.Lock()
	}()
}

type group struct {
	wait sync.WaitGroup
	name *string
}

//go:noinline
func leakGroup() {
	g := &group{name: new(string)}
	g.wait.Add(1)
	go func() {
		tell("wait group", "WaitGroup", "", true, []string{"sync.WaitGroup.Wait", "semacquire"},
			at(unsafe.Pointer(&g.wait)))
		g.wait.Wait()
	}()
}

//go:noinline
func leakCond() {
	c := sync.NewCond(new(sync.RWMutex))
	go func() {
		c.L.Lock()
		tell("cond", "Cond", "", true, []string{"sync.Cond.Wait"}, at(unsafe.Pointer(c)))
		c.Wait()
	}()
}

const heavy = 1 << 20

// A goroutine that keeps much: its buffer, and a list of large objects.
//
//go:noinline
func leakHeavy() {
	c := make(chan int)
	buffer := make([]byte, heavy)
	var list *message
	for i := 0; i < 1000; i++ {
		list = &message{next: list}
	}
	go func() {
		tell("heavy", "channel", "int", true, []string{"chan receive"}, channel(c))
		<-c
		fmt.Println(buffer, list)
	}()
}

// --- those that can go on

var (
	globalChannel = make(chan int)
	globalMutex   sync.Mutex
	globalLock    sync.RWMutex
	globalGroup   sync.WaitGroup
	globalCond    = sync.NewCond(&sync.Mutex{})
	globalPool    = &pool{workers: []*worker{{}, {jobs: make(chan int)}}}
)

type worker struct{ jobs chan int }

type pool struct{ workers []*worker }

//go:noinline
func (w *worker) run() {
	tell("worker", "channel", "int", false, []string{"chan receive"}, channel(w.jobs))
	<-w.jobs
}

//go:noinline
func healthyGlobals() {
	globalMutex.Lock()
	globalLock.Lock()
	globalGroup.Add(1)
	go func() {
		tell("global channel", "channel", "int", false, []string{"chan receive"},
			channel(globalChannel))
		<-globalChannel
	}()
	go func() {
		tell("global mutex", "mutex", "", false, []string{"sync.Mutex.Lock", "semacquire"},
			at(unsafe.Pointer(&globalMutex)))
		globalMutex.Lock()
	}()
	go func() {
		tell("global lock", "RWMutex", "", false, []string{"sync.RWMutex.RLock", "semacquire"},
			at(unsafe.Pointer(&globalLock)))
		globalLock.RLock()
	}()
	go func() {
		tell("global group", "WaitGroup", "", false, []string{"sync.WaitGroup.Wait", "semacquire"},
			at(unsafe.Pointer(&globalGroup)))
		globalGroup.Wait()
	}()
	go func() {
		globalCond.L.Lock()
		tell("global cond", "Cond", "", false, []string{"sync.Cond.Wait"},
			at(unsafe.Pointer(globalCond)))
		globalCond.Wait()
	}()
	go globalPool.workers[1].run()
}

// A sleeper that will send on a channel that only it and the receiver know.
//
//go:noinline
func healthySleeper() {
	c := make(chan int)
	go func() {
		tell("sleeper", "sleep", "", false, []string{"sleep"})
		time.Sleep(time.Hour)
		c <- 1
	}()
	go func() {
		tell("awaits sleeper", "channel", "int", false, []string{"chan receive"}, channel(c))
		<-c
	}()
}

// A chain: only the one before it in the chain can wake each.
//
//go:noinline
func healthyChain() {
	before := make(chan int)
	go func(c chan int) {
		tell("chain head", "sleep", "", false, []string{"sleep"})
		time.Sleep(time.Hour)
		close(c)
	}(before)
	for i := 0; i < 3; i++ {
		after := make(chan int)
		go func(from, to chan int) {
			tell("chain", "channel", "int", false, []string{"chan receive"}, channel(from))
			<-from
			close(to)
		}(before, after)
		before = after
	}
}

//go:noinline
func healthyTimers() {
	go func() {
		c := time.After(time.Hour)
		tell("after", "channel", "time.Time", false, []string{"chan receive"}, channel(c))
		<-c
	}()
	go func() {
		ticker := time.NewTicker(time.Hour)
		tell("ticker", "channel", "time.Time", false, []string{"chan receive"}, channel(ticker.C))
		<-ticker.C
	}()
	go func() {
		c := make(chan int)
		time.AfterFunc(time.Hour, func() { c <- 1 })
		tell("after func", "channel", "int", false, []string{"chan receive"}, channel(c))
		<-c
	}()
}

//go:noinline
func healthyNetwork() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	accepted := make(chan net.Conn)
	go func() {
		one, _ := listener.Accept()
		accepted <- one
		tellFile(truth{Pattern: "accept", Kind: "IO", Reason: []string{"IO wait"},
			Local: listener.Addr().String()})
		listener.Accept()
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	go func(server net.Conn) {
		tellFile(truth{Pattern: "read", Kind: "IO", Reason: []string{"IO wait"},
			Local: server.LocalAddr().String(), Peer: server.RemoteAddr().String()})
		server.Read(make([]byte, 16))
		conn.Close()
	}(<-accepted)
}

// A pipe that a finaliser would write to: what a pending finaliser reaches is not leaked.
type finalised struct {
	c    chan int
	text [64]byte
}

var finalisers []*finalised

//go:noinline
func healthyFinaliser() {
	f := &finalised{c: make(chan int)}
	runtime.SetFinalizer(f, func(f *finalised) { close(f.c) })
	finalisers = append(finalisers, f)
	go func(c chan int) {
		tell("finaliser", "channel", "int", false, []string{"chan receive"}, channel(c))
		<-c
	}(f.c)
}

type blocker struct{ text [64]byte }

// A finaliser that is due, and cannot run while another one sleeps.
//
//go:noinline
func healthyPending() {
	blocked := make(chan int)
	runtime.SetFinalizer(&blocker{}, func(*blocker) {
		close(blocked)
		time.Sleep(time.Hour)
	})
	runtime.GC()
	<-blocked
	f := &finalised{c: make(chan int)}
	runtime.SetFinalizer(f, func(f *finalised) { close(f.c) })
	go func(c chan int) {
		tell("pending finaliser", "channel", "int", false, []string{"chan receive"}, channel(c))
		<-c
	}(f.c)
}

// One that runs holds the channel in its frame alone.
//
//go:noinline
func healthySpinner() {
	c := make(chan int)
	go func() {
		tell("spinner", "none", "", false, nil)
		for end := time.Now().Add(time.Hour); time.Now().Before(end); {
			for i := 0; i < 1000000; i++ {
			}
		}
		c <- 1
	}()
	go func() {
		tell("awaits spinner", "channel", "int", false, []string{"chan receive"}, channel(c))
		<-c
	}()
}

type pattern struct {
	name       string
	goroutines int
	times      int
	make       func()
}

var leaks = []pattern{
	{"send", 1, 2, leakSend},
	{"buffered-send", 1, 2, leakBufferedSend},
	{"receive", 1, 2, leakReceive},
	{"nil-receive", 1, 2, leakNilReceive},
	{"nil-send", 1, 2, leakNilSend},
	{"empty-select", 1, 2, leakEmptySelect},
	{"select", 1, 2, leakSelect},
	{"range", 1, 2, leakRange},
	{"mutex", 1, 2, leakMutex},
	{"read-lock", 1, 2, leakRead},
	{"write-lock", 1, 2, leakWrite},
	{"wait-group", 1, 2, leakGroup},
	{"cond", 1, 2, leakCond},
	{"heavy", 1, 2, leakHeavy},
}

var healthy = []pattern{
	{"globals", 6, 1, healthyGlobals},
	{"sleeper", 2, 2, healthySleeper},
	{"chain", 4, 2, healthyChain},
	{"timers", 3, 2, healthyTimers},
	{"network", 2, 2, healthyNetwork},
	{"finaliser", 1, 2, healthyFinaliser},
}

// Not with the others, whose finalisers it would keep from running.
var pending = pattern{"pending", 1, 1, healthyPending}

var spinner = pattern{"spinner", 2, 1, healthySpinner}

// begin makes the patterns of that name, or all of them.
func begin(patterns []pattern, name string) {
	for _, one := range patterns {
		for i := 0; i < one.times && (name == "" || name == one.name); i++ {
			started.Add(one.goroutines)
			one.make()
		}
	}
}

// What the collector is busy with for a while.
var collected *message

//go:noinline
func chain(length int) (head *message) {
	for i := 0; i < length; i++ {
		head = &message{next: head}
	}
	return
}

// patterns [spin | main | collect | hang | PATTERN]: all patterns, with "spin" goroutines that run as well, and with
// "main" a main goroutine that waits for ever, with "collect" the collector at work, with "hang" nothing that could go on; or only one of them.
func main() {
	argument, only := "", ""
	if len(os.Args) > 1 {
		argument = os.Args[1]
	}
	if argument == "hang" {
		only = "send"
	} else if argument != "spin" && argument != "main" && argument != "collect" {
		only = argument
	}
	runtime.GOMAXPROCS(2)
	begin(leaks, only)
	begin(healthy, only)
	if argument == "spin" || only == spinner.name {
		begin([]pattern{spinner}, "")
	}
	if only == pending.name {
		begin([]pattern{pending}, "")
	}
	started.Wait()
	// Else the runtime would end a program of which nothing can run.
	if argument != "hang" {
		time.AfterFunc(time.Hour, func() { close(globalChannel) })
	}
	time.Sleep(100 * time.Millisecond)
	runtime.GC()
	runtime.GC()
	kept := 0
	if only == "" || only == "heavy" {
		kept = 2 * (heavy + 1000*24) // the objects of the list have 24 bytes
	}
	fmt.Printf("{\"heavy\":%d}\n", kept)
	count := runtime.NumGoroutine()
	if only == pending.name {
		count++ // the runtime's, in which a finaliser of the program runs
	}
	fmt.Printf("{\"gomaxprocs\":%d,\"goroutines\":%d,\"version\":%q}\n", runtime.GOMAXPROCS(0),
		count, runtime.Version())
	fmt.Println("{\"ready\":true}")
	if argument == "collect" {
		collected = chain(1 << 20)
		for {
			runtime.GC()
		}
	}
	if argument == "main" {
		<-make(chan struct{})
	}
	<-globalChannel
}
