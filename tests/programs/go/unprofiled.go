// Nothing in here asks for a heap profile: the linker has the runtime sample no allocation.
//
// SPDX-License-Identifier: GPL-3.0-or-later
package main

import (
	"os"
	"runtime"
	"time"
)

type record struct {
	next *record
	data [80]*record
}

var (
	records *record
	blocks  [][]byte
)

func main() {
	for i := 0; i < 1000; i++ {
		records = &record{next: records}
		blocks = append(blocks, make([]byte, 3000))
	}
	runtime.GC()
	os.Stdout.WriteString("{\"version\":\"" + runtime.Version() + "\"}\n{\"records\":1000,\"blocks\":1000}\n{\"ready\":true}\n")
	for {
		time.Sleep(time.Hour)
	}
}
