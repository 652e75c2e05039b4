// The orders workload in Go: see ../spool.cpp. The same orders, books and events, to the trade; goroutines and channels.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"math/bits"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	buy          = 0
	sell         = 1
	symbols      = 16
	priceLevels  = 41
	lowestPrice  = 9980
	mostQuantity = 100
	lifetime     = 4096
	capacity     = 1024
	none         = math.MaxUint32
)

type order struct {
	id, dueNs                    uint64
	symbol, way, price, quantity uint32
}

type frame [32]byte

func encode(o *order) (f frame) {
	binary.LittleEndian.PutUint64(f[0:], o.id)
	binary.LittleEndian.PutUint64(f[8:], o.dueNs)
	binary.LittleEndian.PutUint32(f[16:], o.symbol)
	binary.LittleEndian.PutUint32(f[20:], o.way)
	binary.LittleEndian.PutUint32(f[24:], o.price)
	binary.LittleEndian.PutUint32(f[28:], o.quantity)
	return f
}

func decode(f *frame, o *order) bool {
	o.id = binary.LittleEndian.Uint64(f[0:])
	o.dueNs = binary.LittleEndian.Uint64(f[8:])
	o.symbol = binary.LittleEndian.Uint32(f[16:])
	o.way = binary.LittleEndian.Uint32(f[20:])
	o.price = binary.LittleEndian.Uint32(f[24:])
	o.quantity = binary.LittleEndian.Uint32(f[28:])
	return o.symbol < symbols && o.way <= sell && o.price-lowestPrice < priceLevels && o.quantity-1 < mostQuantity
}

type kind uint32

const (
	trade kind = iota
	expired
	accepted
)

type event struct {
	id, dueNs       uint64
	kind            kind
	price, quantity uint32
}

type orderSource struct{ state uint64 }

func (s *orderSource) below(n uint32) uint32 {
	s.state = s.state * 48271 % 2147483647
	return uint32(s.state % uint64(n))
}

func (s *orderSource) make(id, dueNs uint64) (o order) {
	o.id, o.dueNs = id, dueNs
	o.symbol = s.below(symbols)
	o.way = s.below(2)
	o.price = lowestPrice + s.below(priceLevels)
	o.quantity = 1 + s.below(mostQuantity)
	return o
}

type level struct{ first, last uint32 }

type bookSide struct {
	used   uint64
	levels [priceLevels]level
}

type resting struct {
	id                        uint64
	quantity, symbol, way, at uint32
	previous, next            uint32
}

type orderBooks struct {
	books                             [symbols][2]bookSide
	open                              [lifetime]resting
	accepted, traded, expired, trades uint64
}

func newOrderBooks() *orderBooks {
	b := new(orderBooks)
	for s := range b.books {
		for w := range b.books[s] {
			for l := range b.books[s][w].levels {
				b.books[s][w].levels[l] = level{none, none}
			}
		}
	}
	return b
}

func (b *orderBooks) match(o *order, publish chan<- event) {
	b.accepted += uint64(o.quantity)
	place := uint32(o.id % lifetime)
	if old := &b.open[place]; old.quantity > 0 {
		b.expired += uint64(old.quantity)
		publish <- event{id: old.id, kind: expired, quantity: old.quantity}
		b.remove(place)
	}
	left := o.quantity
	limit := int(o.price - lowestPrice)
	other := &b.books[o.symbol][1-o.way]
	for left > 0 && other.used != 0 {
		var best int
		if o.way == buy {
			best = bits.TrailingZeros64(other.used)
			if best > limit {
				break
			}
		} else {
			best = 63 - bits.LeadingZeros64(other.used)
			if best < limit {
				break
			}
		}
		oldest := other.levels[best].first
		met := &b.open[oldest]
		quantity := min(met.quantity, left)
		left -= quantity
		met.quantity -= quantity
		b.traded += uint64(quantity)
		b.trades++
		publish <- event{id: met.id, kind: trade, price: lowestPrice + uint32(best), quantity: quantity}
		if met.quantity == 0 {
			b.remove(oldest)
		}
	}
	if left > 0 {
		b.rest(o, left)
	}
	publish <- event{id: o.id, dueNs: o.dueNs, kind: accepted, price: o.price, quantity: left}
}

func (b *orderBooks) rest(o *order, left uint32) {
	place := uint32(o.id % lifetime)
	at := o.price - lowestPrice
	own := &b.books[o.symbol][o.way]
	l := &own.levels[at]
	b.open[place] = resting{o.id, left, o.symbol, o.way, at, l.last, none}
	if l.last == none {
		l.first = place
	} else {
		b.open[l.last].next = place
	}
	l.last = place
	own.used |= 1 << at
}

func (b *orderBooks) remove(place uint32) {
	gone := &b.open[place]
	own := &b.books[gone.symbol][gone.way]
	l := &own.levels[gone.at]
	if gone.previous == none {
		l.first = gone.next
	} else {
		b.open[gone.previous].next = gone.next
	}
	if gone.next == none {
		l.last = gone.previous
	} else {
		b.open[gone.next].previous = gone.previous
	}
	if l.first == none {
		own.used &^= 1 << gone.at
	}
	gone.quantity = 0
}

func (b *orderBooks) balanced() bool {
	var restingQuantity uint64
	for i := range b.open {
		restingQuantity += uint64(b.open[i].quantity)
	}
	return b.accepted == 2*b.traded+b.expired+restingQuantity
}

type feed struct {
	bytes       [2048 * 32]byte
	at          int
	start       time.Time
	published   uint64
	lastNs      uint64
	latenciesNs []uint32
}

func (f *feed) publish(e *event) {
	out := f.bytes[f.at : f.at+32]
	binary.LittleEndian.PutUint64(out[0:], e.id)
	binary.LittleEndian.PutUint64(out[8:], e.dueNs)
	binary.LittleEndian.PutUint32(out[16:], uint32(e.kind))
	binary.LittleEndian.PutUint32(out[20:], e.price)
	binary.LittleEndian.PutUint32(out[24:], e.quantity)
	f.at = (f.at + 32) % len(f.bytes)
	if e.kind != accepted {
		return
	}
	f.lastNs = uint64(time.Since(f.start))
	f.latenciesNs[f.published] = uint32(min(f.lastNs-e.dueNs, math.MaxUint32))
	f.published++
}

type schedule struct {
	perSecond, orders uint64
	spin              bool
}

func (s schedule) dueNs(k uint64) uint64 {
	if s.perSecond == 0 {
		return 0
	}
	return k/s.perSecond*1e9 + k%s.perSecond*1e9/s.perSecond
}

type outcome struct {
	perSecond               float64
	p50, p99, p999, longest float64
	trades                  uint64
}

func offer(load schedule) outcome {
	latencies := make([]uint32, load.orders)
	for i := range latencies {
		latencies[i] = 1 // touched now, not when it is measured
	}
	books := newOrderBooks()
	start := time.Now()
	published := &feed{start: start, latenciesNs: latencies}
	frames := make(chan frame, capacity)
	decoded := make(chan order, capacity)
	events := make(chan event, capacity)
	var stages sync.WaitGroup
	stages.Add(3)
	go func() {
		defer stages.Done()
		for e := range events {
			published.publish(&e)
		}
	}()
	go func() {
		defer stages.Done()
		for o := range decoded {
			books.match(&o, events)
		}
		close(events)
	}()
	go func() {
		defer stages.Done()
		var next order
		for f := range frames {
			if decode(&f, &next) {
				decoded <- next
			}
		}
		close(decoded)
	}()
	source := orderSource{1}
	var now uint64
	for k := uint64(0); k < load.orders; k++ {
		due := load.dueNs(k)
		for now < due {
			now = uint64(time.Since(start))
			if now < due && !load.spin {
				runtime.Gosched()
			}
		}
		o := source.make(k, due)
		frames <- encode(&o)
	}
	close(frames)
	stages.Wait()

	if published.published != load.orders || !books.balanced() {
		fmt.Fprintf(os.Stderr, "orders: lost or invented: %d of %d published\n", published.published, load.orders)
		os.Exit(1)
	}
	slices.Sort(latencies)
	at := func(part float64) float64 { return float64(latencies[int(part*float64(len(latencies)-1))]) / 1000 }
	return outcome{float64(load.orders) * 1e9 / float64(published.lastNs), at(0.5), at(0.99), at(0.999), at(1), books.trades}
}

func main() {
	rate := flag.Uint64("rate", 200_000, "orders per second")
	seconds := flag.Uint64("seconds", 20, "length")
	spin := flag.Bool("spin", false, "the generator does not yield")
	most := flag.Bool("most", false, "find the highest rate that is held")
	flag.Parse()
	how := ""
	if *spin {
		how = ", generator spins"
	}
	if !*most {
		o := offer(schedule{*rate, *rate * *seconds, *spin})
		fmt.Printf(`{"row": "orders", "case": "%d/s%s", "system": "go", "metrics": {"p50_us": %.2f, "p99_us": %.1f, `+
			`"p999_us": %.1f, "max_us": %.0f, "rate_per_s": %.0f, "trades": %d}}`+"\n",
			*rate, how, o.p50, o.p99, o.p999, o.longest, o.perSecond, o.trades)
		return
	}
	flooded := offer(schedule{0, 2_000_000, *spin})
	fmt.Printf(`{"row": "orders", "case": "most%s", "system": "go", "metrics": {"flooded_per_s": %.0f`, how, flooded.perSecond)
	for part := 1.0; part > 0.05; part -= 0.05 {
		tried := uint64(flooded.perSecond * part)
		o := offer(schedule{tried, tried / 2, *spin})
		if o.p99 >= 1000 || o.perSecond < 0.99*float64(tried) {
			continue
		}
		fmt.Printf(`, "held_per_s": %d, "held_p50_us": %.2f, "held_p99_us": %.1f`, tried, o.p50, o.p99)
		break
	}
	fmt.Println("}}")
}
