package provider_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"icm/plugins/provider"
	"icm/plugins/provider/providertest"
)

// scripted is a provider whose Provision is a function.
type scripted struct {
	providertest.Fake
	provision func(ctx context.Context, req provider.Request, progress func(provider.Progress)) (provider.Result, error)
}

func (s *scripted) Provision(ctx context.Context, req provider.Request, progress func(provider.Progress)) (provider.Result, error) {
	return s.provision(ctx, req, progress)
}

func TestErrorsCrossTheWire(t *testing.T) {
	for name, test := range map[string]struct {
		give error
		want provider.Error
		is   error
	}{
		"a plain one":              {give: errors.New("cannot boot"), want: provider.Error{Message: "cannot boot"}},
		"one with a hint":          {give: &provider.Error{Message: "no", Hint: "log in", Kind: provider.KindCredentials}, want: provider.Error{Message: "no", Hint: "log in", Kind: provider.KindCredentials}},
		"one with a hint, wrapped": {give: fmt.Errorf("cannot plan: %w", &provider.Error{Message: "no", Hint: "log in"}), want: provider.Error{Message: "cannot plan: no", Hint: "log in"}},
		"a cancelled one":          {give: fmt.Errorf("cannot wait: %w", context.Canceled), want: provider.Error{Message: "cannot wait: context canceled", Kind: provider.KindCancelled}, is: context.Canceled},
		"one that is too late":     {give: context.DeadlineExceeded, want: provider.Error{Message: "context deadline exceeded", Kind: provider.KindDeadline}, is: context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			p := providertest.Connect(t, &scripted{provision: func(context.Context, provider.Request, func(provider.Progress)) (provider.Result, error) {
				return provider.Result{}, test.give
			}})
			_, err := p.Provision(t.Context(), provider.Request{}, nil)
			var got *provider.Error
			if !errors.As(err, &got) {
				t.Fatalf("error is %T: %v", err, err)
			}
			if diff := cmp.Diff(test.want, *got); diff != "" {
				t.Error(diff)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("errors.Is(%v, %v) is false", err, test.is)
			}
		})
	}
}

func TestACancelledCallReturnsOnlyWhenTheProviderHas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	returned, noticed, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	p := providertest.Connect(t, &scripted{provision: func(ctx context.Context, _ provider.Request, progress func(provider.Progress)) (provider.Result, error) {
		progress(provider.Progress{What: "apply"})
		<-ctx.Done()
		close(noticed)
		<-release
		progress(provider.Progress{What: "stopped"})
		return provider.Result{}, ctx.Err()
	}})
	var last string
	var err error
	go func() {
		defer close(returned)
		_, err = p.Provision(ctx, provider.Request{}, func(p provider.Progress) {
			last = p.What
			cancel()
		})
	}()
	wait(t, noticed, "the provider to notice")
	select {
	case <-returned:
		t.Fatal("the call returned while the provider was still at work")
	default:
	}
	close(release)
	wait(t, returned, "the call to return")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if last != "stopped" {
		t.Errorf("last progress is %q: what a provider says after the cancel is lost", last)
	}
}

func TestADeadlineReachesTheProvider(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	had := false
	p := providertest.Connect(t, &scripted{provision: func(ctx context.Context, _ provider.Request, _ func(provider.Progress)) (provider.Result, error) {
		_, had = ctx.Deadline()
		<-ctx.Done()
		return provider.Result{}, ctx.Err()
	}})
	_, err := p.Provision(ctx, provider.Request{}, nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	// The deadline may have passed before the call was made.
	var fromProvider *provider.Error
	if errors.As(err, &fromProvider) && !had {
		t.Error("the provider saw no deadline")
	}
}

func TestProgressComesFromAnyGoroutineAndEndsWithTheCall(t *testing.T) {
	const goroutines, lines = 20, 50
	var late func(provider.Progress)
	p := providertest.Connect(t, &scripted{provision: func(_ context.Context, _ provider.Request, progress func(provider.Progress)) (provider.Result, error) {
		late = progress
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() {
				for range lines {
					progress(provider.Progress{What: "apply"})
				}
			})
		}
		wg.Wait()
		return provider.Result{}, nil
	}})
	seen := 0
	if _, err := p.Provision(t.Context(), provider.Request{}, func(provider.Progress) { seen++ }); err != nil {
		t.Fatal(err)
	}
	late(provider.Progress{What: "too late"}) // must not panic, nor reach anybody
	if seen != goroutines*lines {
		t.Errorf("%d lines of progress, want %d", seen, goroutines*lines)
	}
}

func TestAThousandNodesFitIntoAMessage(t *testing.T) {
	req := provider.Request{Definitions: []provider.Definition{{Name: "ACME-DATA-TEST"}}}
	fields := map[string]string{}
	for i := range 100 {
		fields[fmt.Sprintf("Field%03d", i)] = strings.Repeat("x", 60)
	}
	var want provider.Result
	for i := range 1000 {
		name := fmt.Sprintf("ACME-DATA-TEST-%04d", i)
		req.Definitions[0].Nodes = append(req.Definitions[0].Nodes, provider.Want{MachineName: name, Fields: fields})
		want.Nodes = append(want.Nodes, provider.Node{MachineName: name, Extra: fields, State: "running"})
	}
	p := providertest.Connect(t, &scripted{provision: func(_ context.Context, req provider.Request, _ func(provider.Progress)) (provider.Result, error) {
		var r provider.Result
		for _, n := range req.Definitions[0].Nodes {
			r.Nodes = append(r.Nodes, provider.Node{MachineName: n.MachineName, Extra: n.Fields, State: "running"})
		}
		return r, nil
	}})
	got, err := p.Provision(t.Context(), req, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAMessageWithoutMeasureIsRefused(t *testing.T) {
	p := providertest.Connect(t, &scripted{})
	_, err := p.Validate(t.Context(), provider.Request{Label: strings.Repeat("x", 65<<20)})
	if err == nil || !strings.Contains(err.Error(), "above 64 MiB") {
		t.Errorf("error is %v", err)
	}
}

// wait fails the test when c is not closed in good time.
func wait(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		t.Fatalf("waited in vain for %s", what)
	}
}
