// The payments example as a Go service: net/http, a bounded pool of goroutines, one writer that commits in groups.
// Same SQL, same durability, same pool and queue as examples/payments.

//go:debug httpmuxgo121=0
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	_ "github.com/mattn/go-sqlite3"
)

type payment struct {
	ID       string `json:"id"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

type verdict int

const (
	recorded verdict = iota
	repeated
	keyUsed
	idTaken
)

type outcome struct {
	verdict verdict
	err     error
}

type order struct {
	ctx     context.Context
	p       payment
	key     string
	written chan outcome // by the ledger's writer
	done    chan outcome // by the worker
}

const mostInABatch = 1024

const schema = `create table if not exists payments (
  id text primary key,
  idempotency_key text not null unique,
  amount integer not null check (amount > 0),
  currency text not null,
  accepted_at integer not null default (unixepoch())
) strict, without rowid`

type ledger struct {
	db     *sql.DB
	insert *sql.Stmt
	find   *sql.Stmt
	orders chan *order
}

func openLedger(path string) (*ledger, error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(schema); err != nil {
		return nil, err
	}
	insert, err := db.Prepare("insert into payments (id, idempotency_key, amount, currency) values (?, ?, ?, ?) on conflict do nothing")
	if err != nil {
		return nil, err
	}
	find, err := db.Prepare("select id, amount, currency from payments where idempotency_key = ?")
	if err != nil {
		return nil, err
	}
	l := &ledger{db: db, insert: insert, find: find, orders: make(chan *order, mostInABatch)}
	go l.writeBatches()
	return l, nil
}

func (l *ledger) writeBatches() {
	batch := make([]*order, 0, mostInABatch)
	outcomes := make([]outcome, mostInABatch)
	for first := range l.orders {
		batch = append(batch[:0], first)
	gather:
		for len(batch) < mostInABatch {
			select {
			case next := <-l.orders:
				batch = append(batch, next)
			default:
				break gather
			}
		}
		err := l.commit(batch, outcomes)
		for i, o := range batch {
			if err != nil {
				outcomes[i].err = err
			}
			o.written <- outcomes[i]
		}
	}
}

func (l *ledger) commit(batch []*order, outcomes []outcome) error {
	tx, err := l.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	insert, find := tx.Stmt(l.insert), tx.Stmt(l.find)
	for i, o := range batch {
		if err := o.ctx.Err(); err != nil {
			outcomes[i] = outcome{err: err}
			continue
		}
		v, err := record(insert, find, o)
		if err != nil {
			return err
		}
		outcomes[i] = outcome{verdict: v}
	}
	return tx.Commit()
}

func record(insert, find *sql.Stmt, o *order) (verdict, error) {
	res, err := insert.Exec(o.p.ID, o.key, o.p.Amount, o.p.Currency)
	if err != nil {
		return 0, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return recorded, err
	}
	var found payment
	err = find.QueryRow(o.key).Scan(&found.ID, &found.Amount, &found.Currency)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return idTaken, nil
	case err != nil:
		return 0, err
	case found == o.p:
		return repeated, nil
	}
	return keyUsed, nil
}

type service struct {
	ledger *ledger
	jobs   chan *order
}

func (s *service) work() {
	for o := range s.jobs {
		s.ledger.orders <- o
		// The worker is busy until the payment is on disk, as a worker of the pool is in the example.
		o.done <- <-o.written
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, why string) {
	writeJSON(w, status, map[string]string{"error": why})
}

func valid(p payment) bool {
	if p.ID == "" || len(p.ID) > 128 || p.Amount <= 0 || len(p.Currency) != 3 {
		return false
	}
	for _, c := range p.Currency {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

func (s *service) create(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64*1024))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "the body is too large")
		return
	}
	var p payment
	if err := json.Unmarshal(body, &p); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if !valid(p) {
		refuse(w, http.StatusUnprocessableEntity, "not a payment")
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		key = p.ID
	}
	o := &order{ctx: r.Context(), p: p, key: key, written: make(chan outcome, 1), done: make(chan outcome, 1)}
	select {
	case s.jobs <- o:
	default:
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, "too many payments at once")
		return
	}
	out := <-o.done
	switch {
	case out.err != nil:
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "the ledger did not answer")
	case out.verdict == keyUsed:
		refuse(w, http.StatusUnprocessableEntity, "this Idempotency-Key belongs to another payment")
	case out.verdict == idTaken:
		refuse(w, http.StatusConflict, "a payment with this id has another Idempotency-Key")
	default:
		writeJSON(w, http.StatusCreated, p)
	}
}

func main() {
	port := flag.Int("port", 0, "0: any free one")
	workers := flag.Int("workers", 256, "")
	queue := flag.Int("queue", 1000, "")
	database := flag.String("database", "payments.db", "")
	flag.Parse()

	books, err := openLedger(*database)
	if err != nil {
		log.Fatal(err)
	}
	s := &service{ledger: books, jobs: make(chan *order, *queue)}
	for i := 0; i < *workers; i++ {
		go s.work()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /payments", s.create)
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	drained := make(chan struct{})
	go func() {
		<-stop
		server.Shutdown(context.Background())
		close(drained)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-drained
}
